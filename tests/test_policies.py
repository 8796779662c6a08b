"""Facts about the policy table: what work that was given up costs, by whom it was said, and from when."""

from datetime import UTC, datetime

import pytest

from collector.costing.policies import (
    Claim,
    On,
    Policy,
    PolicyOverride,
    RunsOn,
    decide,
    keeps_running,
    policies_from_toml,
    table,
)
from collector.records import instant_us

NOVEMBER_US = instant_us(datetime(2026, 11, 20, tzinfo=UTC))

ENTRY = """
[[policy]]
provider = "acme"
on = "cancelled"
mode = "any"
billed = "yes"
runs_on = "no"
from = 2026-01-01
certainty = "high"
source = "acme.dev/billing"
note = "Says so."
"""


@pytest.mark.parametrize(
    ("provider", "on", "billed", "runs_on"),
    [
        ("gcp.vertex_ai", "cancelled", "disputed", "disputed"),
        ("gcp.vertex_ai", "error", "no", "no"),
        ("gcp.gemini", "error", "no", "no"),
        ("gcp.gemini", "stream_dropped", "yes", "yes"),
        ("openai", "stream_dropped", "yes", "no"),
        ("openai", "unary_dropped", "yes", "yes"),
        ("aws.bedrock", "stream_dropped", "yes", "yes"),
        ("anthropic", "cancelled", "yes", "no"),
        ("novita", "cancelled", "yes", "yes"),
        ("acme", "cancelled", "disputed", "no"),
        ("acme", "error", "disputed", "no"),
        ("acme", "stream_dropped", "disputed", "unknown"),
        ("acme", "unary_dropped", "yes", "yes"),
    ],
)
def test_the_table_says_what_the_evidence_says(provider: str, on: On, billed: str, runs_on: str) -> None:
    """Each provider's ending is billed and runs on as its source has it; nobody's is disputed."""
    policy = decide(table(), provider, "some-model", on, NOVEMBER_US)
    assert (policy.billed, policy.runs_on) == (billed, runs_on)


def test_an_override_comes_before_the_table() -> None:
    """The user, who can read the bill, has the last word on a provider."""
    policies = table([PolicyOverride("gcp.vertex_ai", "cancelled", billed=True)])
    assert decide(policies, "gcp.vertex_ai", None, "cancelled", NOVEMBER_US).billed == "yes"
    assert decide(policies, "gcp.vertex_ai", None, "cancelled", NOVEMBER_US).source == "config"
    assert decide(policies, "gcp.gemini", None, "cancelled", NOVEMBER_US).billed == "disputed"


@pytest.mark.parametrize(
    ("provider", "billed", "runs_on"),
    [
        ("gcp.vertex_ai", True, "yes"),  # the table knows it
        ("gcp.vertex_ai", False, "yes"),
        ("acme", True, "yes"),  # nobody does: what is billed has run on
        ("acme", False, "unknown"),
    ],
)
def test_an_override_keeps_what_is_known_of_running_on(provider: str, billed: bool, runs_on: str) -> None:
    """The config says what is billed; whether the work goes on, the table still says."""
    policies = table([PolicyOverride(provider, "stream_dropped", billed=billed)])
    policy = decide(policies, provider, None, "stream_dropped", NOVEMBER_US)
    assert keeps_running(policies, policy, provider, None, NOVEMBER_US) == runs_on


def measured(model: str, runs_on: RunsOn, day: int) -> Policy:
    """What a probe found out about a stream that was left."""
    from_us = instant_us(datetime(2026, 11, day, tzinfo=UTC))
    return Policy("acme", model, "stream_dropped", "stream", "yes", runs_on, from_us, "measured", "probe", "Seen.")


def test_what_was_measured_comes_before_the_table_and_behind_the_user() -> None:
    """From its day on, and of its model, the newest measurement holds; what the user says of billing comes first."""
    claims: list[Claim] = [
        measured("^m$", "no", 1),
        measured("^m$", "yes", 3),
        PolicyOverride("acme", "stream_dropped", billed=False),
    ]
    policies, day_us = table(claims[:2]), instant_us(datetime(2026, 11, 2, tzinfo=UTC))
    assert decide(policies, "acme", "m", "stream_dropped", day_us).runs_on == "no"
    assert decide(policies, "acme", "m", "stream_dropped", NOVEMBER_US).runs_on == "yes"
    assert decide(policies, "acme", "other", "stream_dropped", NOVEMBER_US).runs_on == "unknown"
    policy = decide(table(claims), "acme", "m", "stream_dropped", NOVEMBER_US)
    assert policy.billed == "no"
    assert keeps_running(table(claims), policy, "acme", "m", NOVEMBER_US) == "yes"


def test_an_override_for_a_model_leaves_the_others_alone() -> None:
    """A regular expression for the model narrows an entry; a call of an unknown model is not meant."""
    policies = table([PolicyOverride("openai", "cancelled", billed=False, model="^gpt-5")])
    assert decide(policies, "openai", "gpt-5-mini", "cancelled", NOVEMBER_US).billed == "no"
    assert decide(policies, "openai", "o3", "cancelled", NOVEMBER_US).billed == "yes"
    assert decide(policies, "openai", None, "cancelled", NOVEMBER_US).billed == "yes"


def test_a_claim_holds_from_its_date_on() -> None:
    """Before the price page was seen to free errors, Vertex errors are disputed."""
    before_us = instant_us(datetime(2026, 6, 19, tzinfo=UTC))
    from_us = instant_us(datetime(2026, 6, 20, tzinfo=UTC))
    assert decide(table(), "gcp.vertex_ai", None, "error", before_us).billed == "disputed"
    assert decide(table(), "gcp.vertex_ai", None, "error", from_us).billed == "no"


def test_every_question_since_1970_has_an_answer() -> None:
    """The defaults cover every ending from the first instant on."""
    for on in ("cancelled", "error", "stream_dropped", "unary_dropped"):
        assert decide(table(), "acme", None, on, 0).provider == "*"
    with pytest.raises(LookupError):
        decide([], "acme", None, "error", 0)


def test_no_two_entries_say_the_same_thing_twice() -> None:
    """One provider, model, ending and date have one entry, so that the order in the file does not matter."""
    keys = [(policy.provider, policy.model, policy.on, policy.from_us) for policy in table()]
    assert len(set(keys)) == len(keys) > 40


def test_modes_fit_their_endings() -> None:
    """A dropped stream is about streams, and a dropped unary call about unary ones."""
    modes = {(policy.on, policy.mode) for policy in table()}
    assert modes == {
        ("cancelled", "any"),
        ("error", "any"),
        ("stream_dropped", "stream"),
        ("unary_dropped", "unary"),
    }


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('billed = "yes"', 'billed = "perhaps"'),
        ('source = "acme.dev/billing"', 'source = ""'),
        ('note = "Says so."', ""),
        ("from = 2026-01-01", 'from = "2026-01-01"'),
        ('on = "cancelled"', 'on = "cancelled"\nof = 1'),
    ],
)
def test_a_faulty_entry_is_refused(old: str, new: str) -> None:
    """An entry without source, date or a known word is an error that names the entry."""
    assert policies_from_toml(ENTRY)[0].provider == "acme"
    with pytest.raises(ValueError, match="policy acme cancelled"):
        policies_from_toml(ENTRY.replace(old, new))
