"""What a probe found out, as policies that the costing uses: findings come in, entries of the measured file go out.

A probe measures whether work runs on. Whether it is billed the logs do not say, so that stays as the policy in force
has it, and the note says so. An unclear finding makes no policy.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from collector.config.load import measured
from collector.costing.policies import Claim, On, Policy, decide, table, toml_from_policy
from collector.exporters.tables import replacing
from collector.probe.plan import Mode
from collector.probe.room import About
from collector.probe.shares import Finding

DAY_US = 86_400_000_000
_ENDINGS: dict[Mode, On] = {"stream": "stream_dropped", "unary": "unary_dropped"}
_HEAD = """\
# Written by `orphaned probe`: what it measured. Comes before the built-in table, behind `policies` of the config.
# An entry holds from its day on (UTC). Remove what should no longer hold.

"""


def policies(found: Sequence[Finding], about: About, claims: Sequence[Claim]) -> list[Policy]:
    """A policy for each finding that is clear, dated to the day (UTC) on which the probe was made."""
    return [_policy(one, about, claims) for one in found if one.runs_on != "unclear"]


def _policy(found: Finding, about: About, claims: Sequence[Claim]) -> Policy:
    ending = _ENDINGS[found.mode]
    known = decide(table(claims), about.provider, about.model, ending, about.started_us)
    return Policy(
        provider=about.provider,
        model=f"^{re.escape(about.model)}$",
        on=ending,
        mode=found.mode,
        billed=found.billed or known.billed,
        runs_on="disputed" if found.runs_on == "disputed" else "yes" if found.runs_on == "yes" else "no",
        from_us=about.started_us // DAY_US * DAY_US,
        certainty="measured",
        source=f"orphaned probe, {about.name}",
        note=f"{told(found)}. Called {about.urls[found.mode]}. "
        + ("By the bill." if found.billed else f"Billed as before: {known.source}."),
    )


def told(found: Finding) -> str:
    """The figures of a finding in one sentence, without its full stop."""
    share = found.whole
    bounds = share.bounds
    told_bounds = "" if bounds is None else f" (Wilson, 90 %: {bounds[0]:.2f} to {bounds[1]:.2f})"
    ways = ", ".join(f"{cell.way} {cell.instant.text}" for cell, _ in found.cells)
    silent = f", {share.fates['no trace']} undecided" if share.fates["no trace"] else ""
    left = f"; left by {ways}" if ways else ""
    return f"{share.fates['ran on']} of {share.counted} calls ran on when left{told_bounds}{silent}{left}"


def write(path: Path, new: Iterable[Policy]) -> None:
    """Put the new entries into the file; one about the same work and day takes its predecessor's place.

    Raises ConfigError where the file is none of these, OperatingError where it cannot be written.
    """
    entries = {_key(policy): policy for policy in (*measured(path), *new)}
    with replacing(path) as file:
        file.write((_HEAD + "\n".join(map(toml_from_policy, entries.values()))).encode())


def _key(policy: Policy) -> tuple[str, str | None, On, int]:
    return policy.provider, policy.model, policy.on, policy.from_us
