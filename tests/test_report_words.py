"""The report's sentences: each says what its figures say, in the singular, the plural, for nothing and for unknown."""

from dataclasses import replace
from typing import Any

import pytest

from collector.problems import UsageError
from collector.records import WindowSpend
from collector.report import sentences, stories, weeks, words
from collector.report.advice import Change
from tests.reports import CENT, WEEK, figures, money, spend

NAME = "the week of 16 to 22 November 2026 (2026-W47, UTC)"
CHANGE = Change(
    kind="timeout", service="search", provider="p", model="m", operation="generate", mode="unary", reason="timeout",
    deadline_us=10_000_000, deadline_high_us=10_000_000,
    target_us=30_000_000, counted=34, counted_of=36, overrun_us=None, other="",
    other_counted=None, other_of=None, aborts=34, saved_nano=231 * CENT, low_nano=231 * CENT, high_nano=231 * CENT,
)  # fmt: skip


@pytest.mark.parametrize(("count", "said"), [(0, "no abort"), (1, "1 abort"), (2, "2 aborts"), (2779, "2,779 aborts")])
def test_counts(count: int, said: str) -> None:
    """A count agrees with its noun."""
    assert words.counted(count, "abort") == said


@pytest.mark.parametrize(
    ("length_us", "said"),
    [
        (None, "an unknown time"), (0, "0.000 s"), (250_000, "0.250 s"), (32_540_000, "32.5 s"),
        (119_900_000, "119.9 s"), (120_000_000, "2 min"), (150_400_000, "2 min 30 s"), (3_600_000_000, "1 h"),
        (3_900_000_000, "1 h 5 min"),
    ],
)  # fmt: skip
def test_lengths_of_time(length_us: int | None, said: str) -> None:
    """A length of time has its unit; what is not known is not zero."""
    assert words.seconds(length_us) == said


def test_amounts_and_shares() -> None:
    """An unknown amount and a share of nothing are said to be unknown."""
    assert words.amount(1316 * CENT, "USD") == "13.16 USD"
    assert words.amount(1_234_567, "USD") == "0.001235 USD"
    assert words.amount(None, "USD") == "an unknown amount"
    assert words.share(1, 0) == "an unknown share"
    assert words.share(1, 8) == "12.5 %"


@pytest.mark.parametrize(
    ("texts", "said"), [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_lists(texts: list[str], said: str) -> None:
    """A list reads like one."""
    assert words.listed(texts) == said


def test_weeks_have_names_and_days() -> None:
    """ISO weeks, also across months and years; a week's last instant is the next one's first."""
    assert (WEEK.name, WEEK.days, WEEK.short) == ("2026-W47", "16 to 22 November 2026", "16 Nov")
    assert weeks.named("2026-W49").days == "30 November to 6 December 2026"
    assert weeks.named("2026-W53").days == "28 December 2026 to 3 January 2027"
    assert WEEK.before().end_us == WEEK.start_us
    assert weeks.holding(WEEK.start_us) == weeks.holding(WEEK.end_us - 1) == WEEK
    assert weeks.holding(WEEK.end_us) == weeks.named("2026-W48")


@pytest.mark.parametrize("text", ["", "2026-47", "2026-W0", "2026-W54", "2025-W53", "9999-W01", "0000-W01", "W47"])
def test_no_weeks(text: str) -> None:
    """Whatever else somebody types is refused with an example."""
    with pytest.raises(UsageError, match="expected an ISO week, like 2026-W47"):
        weeks.named(text)


def test_a_report_is_due_once_its_week_is_over() -> None:
    """The newest week that is due changes at the time of the week that the schedule says, not before."""
    due_us = WEEK.due_us(0, 6, 0)
    assert due_us == WEEK.end_us + 6 * 3_600_000_000
    assert weeks.last_due(due_us - 1, 0, 6, 0) == WEEK.before()
    assert weeks.last_due(due_us, 0, 6, 0) == WEEK
    assert weeks.last_due(WEEK.end_us, 4, 12, 0) == WEEK.before()


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (
            spend(1316, low=1283, high=1372, whole=11029),
            (f"In {NAME} 13.16 USD went on inference whose result reached nobody "
            "(90 % interval: 12.83 USD to 13.72 USD), 11.9 % of all inference spend of 110.29 USD."),
        ),
        (spend(1316, whole=11029), "nobody, known exactly, 11.9 % of"),
        (spend(1316), "known exactly; what all inference cost is unknown, so it has no share."),
        (spend(0, whole=11029), f"No orphaned spend was found in {NAME}. All inference spend on record was 110.29"),
        (spend(0), f"was found in {NAME}. What all inference cost is unknown."),
        (spend(0, high=40), f"No orphaned spend in USD is certain in {NAME}, but as much as 0.40 USD is possible."),
    ],
)  # fmt: skip
def test_headline(now: WindowSpend, said: str) -> None:
    """The first sentence has the number, its interval and its share, and says where one of them is unknown."""
    assert said in sentences.headline(figures(money(now)), money(now))


def test_headline_of_what_is_not_known() -> None:
    """A week with nothing on record is unknown, not zero; one under way says how far it goes."""
    nothing = figures(money(None), known=False)
    assert "Nothing is on record for the week of 16 to 22" in sentences.headline(nothing, nothing.monies[0])
    assert "unknown" in sentences.headline(nothing, None)
    assert sentences.summary(nothing) == [sentences.headline(nothing, nothing.monies[0])]
    partly = figures(money(spend(5)), known_us=WEEK.end_us - 3_600_000_000)
    assert "so far, up to Sun 22 Nov 2026, 23:00 UTC, 0.05 USD went" in sentences.headline(partly, partly.monies[0])


@pytest.mark.parametrize(
    ("now", "before", "said"),
    [
        (
            spend(120, whole=1000),
            spend(100, whole=1000),
            "That is 0.20 USD (20.0 %) more than in the week before, which had 1.00 USD, 10.0 % of its inference",
        ),
        (spend(80), spend(100), "That is 0.20 USD (20.0 %) less than in the week before, which had 1.00 USD."),
        (spend(120), spend(0), "That is 1.20 USD more than in the week before, which had 0.00 USD."),
        (spend(100), spend(100), "That is as much as in the week before (1.00 USD)."),
        (spend(120, low=90), spend(100, high=110), "The two intervals overlap, so the change may be smaller"),
        (spend(120), None, "Nothing is on record for the week before, so there is no change to tell."),
        (None, spend(100), ""),
    ],
)  # fmt: skip
def test_change(now: WindowSpend | None, before: WindowSpend | None, said: str) -> None:
    """The change to the week before, up, down, none, or unknown."""
    told = sentences.change(money(now, before))
    assert told.startswith(said) or said in told.partition(". ")[2]
    assert bool(told) == bool(said)


def test_the_week_under_way_is_not_compared() -> None:
    """Half a week is not less than a whole one."""
    assert sentences.change(money(spend(1), spend(100)), under_way=True) == "The whole week before had 1.00 USD."


def test_small_spend_is_an_answer() -> None:
    """Under one per cent even at the high end is called small; nothing at all is nothing to act on."""
    assert "Your orphaned spend is small" in sentences.small(money(spend(5, high=9, whole=1000)))
    assert sentences.small(money(spend(5, high=11, whole=1000))) == ""
    assert sentences.small(money(spend(5))) == ""
    assert "nothing to act on" in sentences.small(money(spend(0, whole=1000)))


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, ""),
        (1, "1 abort lost something whose cost is unknown, because neither a price nor a bill is known for it: the"),
        (2, "2 aborts lost something whose cost is unknown, because neither a price nor a bill is known for them:"),
    ],
)
def test_unknown_amounts(count: int, said: str) -> None:
    """What has no amount is said beside the figure."""
    told = sentences.unknown(figures(money(spend(1)), unknown=count))
    assert told.startswith(said)
    assert bool(told) == bool(said)


@pytest.mark.parametrize(
    ("verdicts", "said"),
    [
        ({}, "No call was left before its answer had come."),
        ({"orphaned": 1}, "1 call was left before its answer had come; its verdict is orphaned."),
        ({"orphaned": 2}, "2 calls were left before their answer had come: 2 ran on for nobody."),
        ({"pending": 1, "orphaned": 2}, "2 ran on for nobody and 1 still waits for a completion."),
        ({"delivered": 1, "failed": 1}, "2 calls were left before their answer had come: 1 had its answer after all"),
        ({"cut_short": 1, "failed": 1}, "1 was stopped by the backend and 1 failed in the backend."),
    ],
)  # fmt: skip
def test_aborts(verdicts: dict[str, int], said: str) -> None:
    """How many calls were left, and what became of them."""
    assert said in sentences.aborts(figures(money(spend(1)), aborts=sum(verdicts.values()), verdicts=verdicts))


def test_trend() -> None:
    """One week is no trend; of several, the most is named and what is missing is counted."""
    assert "Only 1 of the 8 weeks is on record" in sentences.trend(money(spend(1)))
    assert "Nothing is on record for any of the 8 weeks." in sentences.trend(money(None))
    told = sentences.trend(money(spend(120), spend(300, week=WEEK.before())))
    assert told == (
        "Of the 2 weeks on record, 2026-W46 had most, 3.00 USD; together they had 4.20 USD. Nothing is on record for "
        "the other 6."
    )


@pytest.mark.parametrize(
    ("before", "told", "said"),
    [
        (None, None, "No earlier week had been reported"),
        (spend(100), None, "No earlier week had been reported"),
        (spend(100), 100, "None: 1 earlier week has the figure first told."),
        (
            spend(100),
            90,
            "1 earlier week of 1 has another figure than its report could tell when it was due: up by 0.10 USD",
        ),
        (spend(100), 130, "down by 0.30 USD in all."),
    ],
)
def test_corrections(before: WindowSpend | None, told: int | None, said: str) -> None:
    """What earlier reports said, and what is known now."""
    assert said in sentences.corrections(money(spend(1), before, told))


def bill_row(**more: int) -> dict[str, Any]:
    """A row of bill.sql with nothing in it but `more`."""
    names = ("buckets", "with_bill", "without_estimate", "billed_nano", "estimated_nano", "compared_billed_nano",
             "compared_estimated_nano")  # fmt: skip
    return dict.fromkeys(names, 0) | more


def test_the_bill_in_words() -> None:
    """What is billed, how prices compare with it, and what is settled; no bill is said to be none."""
    none = money(spend(1))
    assert next(iter(sentences.bill(figures(none), none))).startswith("No part of this week's bill is settled")
    both = {"compared_billed_nano": 97 * CENT, "compared_estimated_nano": 100 * CENT}
    settled = bill_row(buckets=1, billed_nano=500 * CENT, **both)
    billed = money(spend(1), bill={"settled": settled, "other": bill_row(billed_nano=348 * CENT)})
    told = " ".join(sentences.bill(figures(billed, settled_through=(("p", "", WEEK.end_us),)), billed))
    assert "5.00 USD of this week is billed and settled, in 1 bucket (" in told
    assert "The bill says 3.0 % less than the dated prices for what was logged (0.97 USD against 1.00 USD)." in told
    assert "3.48 USD more on the same bill" in told
    assert "account unnamed, is settled through Mon 23 Nov 2026, 00:00 UTC." in told
    same = replace(
        billed, bill={"settled": bill_row(buckets=2, compared_billed_nano=CENT, compared_estimated_nano=CENT)}
    )
    assert "agree with the bill to a tenth" in " ".join(sentences.bill(figures(same), same))


def test_what_is_unsettled_in_words() -> None:
    """Open buckets, waiting and lone aborts, each in singular and plural; nothing is said to be nothing."""
    done = money(spend(1), bill={"settled": bill_row(buckets=1)})
    assert list(sentences.unsettled(figures(done), done)) == [
        "Nothing: every bucket of the week is settled, and every abort has its completion."
    ]
    one = money(spend(1), bill={"open": bill_row(buckets=1, without_estimate=1)})
    told = " ".join(sentences.unsettled(figures(one, verdicts={"pending": 1, "unmatched": 1}), one))
    assert "1 bucket of the week is not settled: 0.00 USD billed so far, an unknown amount expected" in told
    assert "1 abort still waits for a completion." in told
    assert "1 abort found no completion; what it cost is unknown" in told
    two = money(spend(1), bill={"open": bill_row(buckets=3, without_estimate=1, estimated_nano=CENT)})
    told = " ".join(sentences.unsettled(figures(two, verdicts={"pending": 2, "unmatched": 2}), two))
    assert "3 buckets of the week are not settled: 0.00 USD billed so far, 0.01 USD expected" in told
    assert "1 bucket of them has no price" in told
    assert "2 aborts still wait for" in told
    assert "what they cost" in told


def test_problems_in_words() -> None:
    """Kinds with their counts, or that there were none."""
    assert sentences.problems(figures()) == "No problem with the data was put on record since the week began."
    assert "no price (1,000) and invalid line (8)." in sentences.problems(
        figures(problems=(("no price", 1000), ("invalid line", 8)))
    )


def test_how_sure_in_words() -> None:
    """Matches without ids tell how probable they are, and estimates how much they are."""
    row = {"evidence": "probable", "verdict": "orphaned", "basis": "estimated", "aborts": 1, "lost_nano": 50 * CENT,
           "probability_ppm_sum": 910_000, "probability_ppm_min": 910_000}  # fmt: skip
    told = " ".join(sentences.sureness(money(spend(100, low=90, high=110), standing=(row,))))
    assert "between 0.90 USD and 1.10 USD; the best figure is 1.00 USD." in told
    assert "1 match without an id has a mean probability of 0.91." in told
    assert "0.50 USD of it (50.0 %) is estimated by dated prices." in told
    twice = {**row, "aborts": 2, "probability_ppm_sum": 1_820_000, "probability_ppm_min": 850_000}
    told = " ".join(sentences.sureness(money(spend(100), standing=(twice,))))
    assert "2 matches without an id have a mean probability of 0.91; the least sure one has 0.85." in told
    assert list(sentences.sureness(money(spend(0)))) == []


CANCEL = {"overrun_us": 12_300_000, "other": "chat", "other_counted": 18, "other_of": 18}
CASES: list[tuple[dict[str, Any], str, str]] = [
    (
        {},
        "Raise the timeout of search (m, generate, unary) from 10 s to 30 s",
        "34 of 36 (94.4 %) aborted answers that came after the limit had come within 30 s of the start.",
    ),
    (
        {"deadline_us": 4_000_000},
        "Raise the timeouts of search (m, generate, unary) from 4 s up to 10 s to 30 s",
        "34 of 36",
    ),
    (
        {"counted": 1, "counted_of": 1},
        "Raise the timeout",
        "The only aborted answer that came after the limit had come within",
    ),
    (
        {"kind": "stream", "target_us": 150_000_000},
        "Let search (m, generate, unary) stream, instead of waiting 10 s for the whole answer",
        "within 150 s of the start. That is long to wait",
    ),
    (
        {"kind": "batch", "target_us": None, "counted": 3},
        "Make search (m, generate, unary) a batch or a background job",
        "3 of 36 (8.3 %) aborted answers had come within 600 s of the start",
    ),
    ({"kind": "died", "counted_of": 1}, "its processes die before", "1 answer was finished by the backend after its"),
    ({"kind": "died", "counted_of": 26}, "its processes die before", "26 answers were finished by the backend after"),
    (
        {"kind": "cancel", "operation": "", **CANCEL},
        "Pass the cancellation of search (m, unary) on to the backend",
        (
            "After 34 of its 36 aborts the backend ran on, 12.3 s at the median; for chat, on the same model, it "
            "stopped in 18 of 18."
        ),
    ),
    (
        {"kind": "retry", "operation": ""},
        "Stop retrying search (m, unary) after a timeout",
        "34 of its 36 retries were lost as well; 2 may have brought an answer.",
    ),
    ({"kind": "retry", "counted": 36}, "Stop retrying", "none brought an answer that is known."),
]


@pytest.mark.parametrize(("changed", "title", "why"), CASES)
def test_changes_in_words(changed: dict[str, Any], title: str, why: str) -> None:
    """What to change is one line, and what was counted for it is there with its numbers."""
    change = replace(CHANGE, **changed)
    assert title in stories.title(change)
    assert why in stories.why(change)


def test_savings_in_words() -> None:
    """A saving has its unit, period and count; its interval where there is one; together they are a share."""
    assert stories.saving(CHANGE, "USD") == "Estimated saving: 2.31 USD a week, as this week went, over 34 aborts."
    unsure = replace(CHANGE, low_nano=CENT, aborts=1)
    assert "(0.01 USD to 2.31 USD), over 1 abort." in stories.saving(unsure, "USD")
    one = money(spend(1000), changes=(CHANGE,))
    assert "Of this week's 10.00 USD, this change would have saved about 2.31 USD (23.1 %)" in stories.changes_total(
        one
    )
    assert "these changes together" in stories.changes_total(replace(one, changes=(CHANGE, CHANGE)))
    assert stories.no_change(one) == "No other change was counted in three aborts or more of one route."
    assert stories.no_change(money(spend(10))).startswith("No single change stands out")
    assert stories.no_change(money(spend(0))) == ""
    assert stories.foremost(one).startswith("What would save most, about 2.31 USD a week: raise the timeout of search")


def test_a_story() -> None:
    """What became of a call is told in order: who, how long, what ran on, what it made, what followed."""
    row = {
        "started_at_us": WEEK.start_us, "ended_at_us": WEEK.start_us + 10_000_000,
        "finished_at_us": WEEK.start_us + 42_000_000,
        "service": "", "model": "m", "mode": "unary", "reason": "timeout", "verdict": "orphaned",
        "evidence": "probable",
        "match_probability": 0.97, "share_evidence": "unary", "input_tokens": 1000, "cached_input_tokens": 0,
        "output_tokens": 2000, "thinking_tokens": None, "before_call_id": None, "next_call_id": "c2",
        "next_verdict": "orphaned",
    }  # fmt: skip
    told = " ".join(stories.story(row))
    assert told.startswith(
        "Mon 16 Nov 2026, 00:00 UTC: a call of an unnamed service to m, waiting for the whole answer, ran into a "
        "timeout after 10.0 s. The backend ran on for 32.0 s and ended 42.0 s after the start, with 1,000 input, 2,000 "
        "output tokens."
    )
    assert "The match has a probability of 0.97. It was retried as c2, and that was lost as well." in told
    gone = {**row, "ended_at_us": None, "reason": "vanished", "mode": "", "next_call_id": None, "before_call_id": "c0",
            "before_attempt": 1}  # fmt: skip
    told = " ".join(stories.story(gone))
    assert "to m started, and its process never reported anything again. The backend ended 42.0 s after" in told
    assert "It was attempt 2, a retry of c0." in told
    assert "an unknown" not in " ".join(stories.story({**row, "finished_at_us": None, "verdict": "cut_short"}))
