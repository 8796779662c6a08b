"""The report's tables, shaped by pandas: headings and texts, ready to be laid out.

Rows of figures come in; `Table`s of text go out. Sums stay whole numbers until they are printed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from collector.exporters.landing import money as money_text
from collector.report.figures import Money
from collector.report.sentences import EVIDENCE_WORDS, moved, total_nano
from collector.report.words import named, share

NOTHING = "\N{EN DASH}"  # in a cell: no money at all, said quietly
PARTS = {
    "delivered": "delivered", "orphaned": "orphaned", "cut_short": "cut short", "failed": "failed",
    "unattributed": "unattributed",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Table:
    """A caption, headings, and rows of text; the first cell of a row is its heading. `numbers`: places of numbers."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: frozenset[int]


def _table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]], texts: int = 1) -> Table:
    """A table whose first `texts` columns are text, and whose others are numbers."""
    return Table(caption, tuple(head), tuple(map(tuple, rows)), frozenset(range(texts, len(head))))


def whose(money: Money) -> Table | None:
    """Services down, reasons across, sums at the end; None where nothing was lost."""
    if not money.whose:
        return None
    import pandas as pd

    frame: pd.DataFrame = pd.DataFrame(money.whose, dtype=object)
    frame["service"] = [
        "all other services" if rest else named(service, "service")
        for rest, service in zip(frame["is_rest"], frame["service"], strict=True)
    ]
    # Unstacked, not pivoted: a pivot fills gaps with NaN, and money would turn into floats.
    grid: Any = frame.set_index(["is_rest", "service", "reason"])["lost_nano"].unstack(fill_value=0)  # noqa: PD010
    grid = grid[sorted(grid.columns, key=lambda reason: (-sum(grid[reason].tolist()), reason))]
    lines = dict(zip(grid.index, grid.to_numpy().tolist(), strict=True))
    order = sorted(lines, key=lambda key: (key[0], -sum(lines[key]), key[1]))
    rows = [(key[1], *map(_cell, lines[key]), _cell(sum(lines[key])), _share(sum(lines[key]), money)) for key in order]
    whole = [sum(column) for column in zip(*lines.values(), strict=True)]
    foot = ("all services", *map(_cell, whole), _cell(sum(whole)), "")
    head = ("Service", *(str(reason) for reason in grid.columns), "All", "Share")
    return _table(f"Orphaned spend by service and reason, {money.currency}, this week", head, [*rows, foot])


def _cell(nano: int) -> str:
    return money_text(int(nano)) if nano else NOTHING


def _share(nano: int, money: Money) -> str:
    return share(int(nano), money.now.best_nano) if money.now.best_nano else ""


def models(money: Money) -> Table | None:
    """What was lost by provider and model; None where nothing was."""
    if not money.models:
        return None
    rows = [
        (
            named(row["model"], "model"), named(row["provider"], "provider"), f"{row['aborts']:,}",
            _cell(row["lost_nano"]), _cell(row["avoidable_nano"]),
        )
        for row in money.models
    ]  # fmt: skip
    head = ("Model", "Provider", "Aborts", "Orphaned", "Avoidable by a cancel")
    return _table(f"Orphaned spend by model, {money.currency}, this week", head, rows, texts=2)


def inference(money: Money) -> Table | None:
    """All inference spend by its parts; None where there is none."""
    whole = total_nano(money.now)
    if whole <= 0:
        return None
    rows = [
        (word, _cell(money.now.parts.get(name, 0)), share(money.now.parts.get(name, 0), whole))
        for name, word in PARTS.items()
    ]
    caption = f"All inference spend, {money.currency}, this week, by the bill where settled, else by dated prices"
    return _table(caption, ("Part", "Spend", "Share"), [*rows, ("all", money_text(whole), "")])


def evidence(money: Money) -> Table | None:
    """What the week's figure rests on: evidence and basis of what was lost."""
    rows = [row for row in money.standing if row["verdict"] in {"orphaned", "cut_short"}]
    if not rows:
        return None
    import pandas as pd

    frame: pd.DataFrame = pd.DataFrame(rows, dtype=object)[["evidence", "basis", "aborts", "lost_nano"]]
    frame["basis"] = [one or "unknown" for one in frame["basis"]]
    frame["lost_nano"] = [int(one or 0) for one in frame["lost_nano"]]
    shown = [
        (f"{kind}: {EVIDENCE_WORDS.get(str(kind), '')}", str(basis), f"{sum(part['aborts']):,}",
         _cell(sum(part["lost_nano"])),
         _share(sum(part["lost_nano"]), money))
        for (kind, basis), part in frame.groupby(["evidence", "basis"], sort=True)
    ]  # fmt: skip
    head = ("Evidence", "Amount is", "Aborts", "Orphaned", "Share")
    return _table(f"What the figure rests on, {money.currency}, this week", head, shown, texts=2)


def bill(money: Money) -> Table | None:
    """The settled part of the bill and its five parts; None where nothing is settled."""
    row = money.bill.get("settled")
    if row is None:
        return None
    parts = [
        (f"= {word}" if place == 0 else f"+ {word}", row[f"{name}_nano"])
        for place, (name, word) in enumerate(PARTS.items())
    ]
    lines = [("billed", row["billed_nano"]), *parts]
    caption = f"The settled bill of this week, {money.currency}; the parts add up to the last nano-unit"
    return _table(caption, ("Part", "Spend"), [(word, money_text(int(nano))) for word, nano in lines])


def weeks(money: Money) -> Table:
    """Eight weeks: figure, interval, share, and what was first told."""
    rows: list[tuple[str, ...]] = []
    known = [one.week for one in money.weeks if one.spend is not None]
    for one in reversed(money.weeks):
        if not known or one.week < known[0]:
            break
        spend = one.spend
        own = one is money.weeks[-1]
        told = NOTHING if own else "not told" if one.told_nano is None else money_text(one.told_nano)
        if spend is None:
            rows.append((one.week.name, "no data", "", "", told if one.told_nano else NOTHING, ""))
            continue
        span = f"{money_text(spend.low_nano)} to {money_text(spend.high_nano)}"
        whole = total_nano(spend)
        part = share(spend.best_nano, whole) if whole > 0 else "unknown"
        changed = moved(one) if one.told_nano is not None and not own else 0
        sign = "+" if changed > 0 else ""
        rows.append((one.week.name, money_text(spend.best_nano), span, part, told, f"{sign}{_cell(changed)}"))
    head = ("Week", "Orphaned", "90 % interval", "Share of inference", "As first told", "Correction")
    return _table(
        f"Orphaned spend by week, {money.currency}, as known now and as its own report could tell", head, rows
    )
