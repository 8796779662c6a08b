"""Jobs in worlds that know the truth: what became of each, its money to the nano-unit, and the books that hold it."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from random import Random

import pytest

from collector import pipeline
from collector.config import Config, load
from collector.ledger import dialect
from collector.records import instant_us
from tests.helpers import NANO, PARTS, Row, buckets, looking, rows, settled, source_counts, true_counts, verdicts
from tests.world import TrueBucket, TrueJob, World, WorldSpec, build
from tests.world_jobs import FATES, avoided_of
from tests.world_spec import APP, BILL, JOBS, USAGE_KINDS, moment

SEEDS = range(1, 21)
JOBS_EACH = 2 * len(FATES)


@dataclass(frozen=True)
class Found:
    """A world with jobs, and what one run made of them."""

    world: World
    config: Config
    lives: dict[str, Row]  # by the job's name
    verdicts: dict[str, Row]  # by the job's name; of jobs alone
    buckets: list[Row]

    @property
    def pairs(self) -> list[tuple[TrueJob, Row, Row | None]]:
        """Each job as it truly is, as it was found, and the verdict on it."""
        return [(one, self.lives[one.job.name], self.verdicts.get(one.job.name)) for one in self.world.jobs]


def _spec(seed: int) -> WorldSpec:
    """Even seeds: everything that can go wrong with lines and bills does."""
    made = WorldSpec.rough if seed % 2 == 0 else WorldSpec
    return made(seed=seed, calls=120, hours=2, jobs=JOBS_EACH, cancelled_billed=seed % 5 != 0)


@pytest.fixture(scope="module", params=SEEDS, ids=lambda seed: f"seed{seed}")
def found(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Found:
    """One run over one whole world."""
    world = build(_spec(request.param))
    config = settled(world, tmp_path_factory.mktemp("jobs"))
    with looking(config) as ledger:
        lives = {row["job_key"]: row for row in rows(ledger, "job_current")}
        by_number = {-row["suspect_no"]: row for row in rows(ledger, "verdict_current") if row["suspect_no"] < 0}
        judged = {name: by_number[row["job_no"]] for name, row in lives.items() if row["job_no"] in by_number}
        return Found(world, config, lives, judged, buckets(ledger))


def test_every_job_is_known_and_every_line_counted(found: Found) -> None:
    """All jobs and no others, and each line of their logs has the fate that it must have."""
    assert found.lives.keys() == {one.job.name for one in found.world.jobs}
    for source in (APP, JOBS):
        assert source_counts(found.config, source) == true_counts(found.world, source)


def test_what_became_of_it(found: Found) -> None:
    """Verdict, reason and what the cancel did: too late, outlived, honoured, each told apart; nobody left: no row."""
    for truth, life, row in found.pairs:
        assert (row["verdict"] if row else None) == truth.verdict, truth
        assert (row["reason"] if row else None) == truth.reason, truth
        assert life["cancel_result"] == truth.cancel_result, truth


def test_whose_it_is_and_when(found: Found) -> None:
    """Account, model, kind, service and the instants are those of the job."""
    for truth, life, row in found.pairs:
        job = truth.job
        assert (life["account"], life["model"], life["kind"]) == (job.account, job.work.model, job.kind), truth
        ended = None if life["finished_at_us"] is None else moment(life["finished_at_us"])
        assert ended == (None if job.ended_us is None else moment(job.ended_us)), truth
        assert life["created_at_us"] == job.filed_us, truth
        if row is not None and row["observer"] == APP:
            assert row["service"] == job.service, truth


def test_money_is_right_to_the_nano_unit(found: Found) -> None:
    """Cost and lost part are the true ones; where a token costs no whole nano-units, rounded once a usage kind."""
    exact = found.world.spec.seed % 2 == 1
    for truth, _, row in found.pairs:
        if row is None:
            continue
        if truth.verdict == "unmatched":
            assert (row["cost_nano"], row["orphaned_nano"]) == (None, None)
            continue
        slack_nano = 0 if exact else sum(truth.job.work.usage.of(kind) > 0 for kind in USAGE_KINDS)
        for name, amount in (("cost_nano", truth.cost), ("orphaned_nano", truth.lost)):
            assert abs(row[name] - amount * NANO) <= slack_nano, (name, truth, row)
        assert row["basis"] == "billed" or row["cost_nano"] == 0


def test_what_a_cancel_saved(found: Found) -> None:
    """The rest of the requests at the mean cost of those that were done; 0 where the cancel changed nothing."""
    with_estimates = {row["suspect_no"]: row for row in _avoided(found.config)}
    for truth, life, row in found.pairs:
        if truth.cancel_result is None:
            assert row is None or with_estimates[row["suspect_no"]]["avoided_nano"] is None
            continue
        assert row is not None
        saved = with_estimates[row["suspect_no"]]
        if truth.cancel_result != "honoured":
            assert (saved["avoided_nano"], saved["avoided_by"]) == (0, "nothing")
            continue
        expected = avoided_of(Fraction(row["cost_nano"], NANO), truth.job) * NANO
        assert abs(saved["avoided_nano"] - expected) <= Fraction(1, 2), (truth, life)
        assert saved["avoided_by"] == "requests"


def _avoided(config: Config) -> list[Row]:
    with pipeline.reading(config) as (connection, _):
        dialect.script(connection, "collector.exporters", ["job_avoided"])
        relation = connection.table("job_avoided")
        return [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]


def test_the_books_hold_them(found: Found) -> None:
    """Every bucket's five parts are the true ones, with the jobs' work in it: what was lost there is lost here."""
    theirs = {_key_of(bucket): bucket for bucket in found.world.buckets}
    unsure = {"time", "bytes"}  # of what reached callers; the true parts are then only near
    guessed = {(row["account"], row["model"]) for row in verdicts(found.config) if row["share_evidence"] in unsure}
    for row in found.buckets:
        if not row["model"] or not row["settled"]:
            continue
        bucket = theirs[row["usage_start_us"], row["account"], row["model"], row["usage_kind"]]
        assert row["billed_nano"] == bucket.billed_cost * NANO == sum(row[part] for part in PARTS)
        if (row["account"], row["model"]) not in guessed:
            for part in ("failed", "cut_short", "unattributed"):
                assert abs(row[f"{part}_nano"] - getattr(bucket, part) * NANO) <= 40, (part, row, bucket)


def _key_of(bucket: TrueBucket) -> tuple[int, str, str, str]:
    return int(bucket.usage_start.timestamp()) * 1_000_000, bucket.account, bucket.model, bucket.usage


def test_lives_do_not_depend_on_the_order_of_arrival(tmp_path: Path) -> None:
    """Lines that come in any order, with runs in between, and runs that come to nothing, tell the same lives."""
    world = build(_spec(4))
    whole = settled(world, tmp_path / "whole")
    config = load(world.write(tmp_path / "mixed", 0.0))
    lines = [line for line in world.lines if line.source != BILL]
    Random(4).shuffle(lines)
    pieces = [lines[at::4] for at in range(4)]
    for number, piece in enumerate(pieces):
        for line in piece:
            path = tmp_path / "mixed" / f"{line.file.rpartition('.')[0]}-{number}.{line.file.rpartition('.')[2]}"
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab") as file:
                file.write(line.data + b"\n")
        pipeline.run_once(config, now_us=instant_us(world.as_of) - 10 + number)
    world.write(tmp_path / "mixed2")
    for path in (tmp_path / "mixed2" / "billing").glob("*"):
        target = tmp_path / "mixed" / "billing" / path.name
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(path.read_bytes())
    for _ in range(2):
        pipeline.run_once(config, now_us=instant_us(world.as_of))
    assert _lives(config) == _lives(whole)


def _lives(config: Config) -> list[Row]:
    own = {"run_id", "recorded_at_us", "job_no"}
    told = [{key: value for key, value in row.items() if key not in own} for row in rows(config, "job_current")]
    money = {row["completion_id"]: row["orphaned_nano"] for row in verdicts(config)}
    return sorted(({**row, "lost": money.get(row["job_id"])} for row in told), key=lambda row: str(row["job_key"]))
