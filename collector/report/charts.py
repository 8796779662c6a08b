"""The report's pictures: weeks, services and reasons as bars that bear their own labels, so that no legend is needed.

One currency's figures come in; charts go out, as SVG for the page and as PNG for mail. A chart is the same to the
byte for the same figures. Amounts become floats here, for lengths on paper alone: every label is text made of
whole numbers. Colours are those of `page.css`, which takes another set in the dark.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from collector.report.figures import Money, WeekSpend
from collector.report.words import amount, listed, named

if TYPE_CHECKING:
    import altair as alt

INK, QUIET, BAR, BAR_NOW, LINE = "#1d2328", "#55606a", "#a9bfd3", "#0b5cad", "#8a3b00"
WIDTH, ROW_HEIGHT, WEEKS_HEIGHT = 620, 26, 190
PNG_SCALE = 2.0
NANO = 1e9
LABEL_CHARS_MAX = 28
NAME_WIDTH = 130  # so that bars of two charts begin below each other, and no font is too wide


@dataclass(frozen=True, slots=True)
class Picture:
    """One chart: its name, what it shows in words for who cannot see it, and the drawing (a Vega-Lite spec)."""

    name: str
    title: str
    told: str
    spec: dict[str, Any]

    def svg(self) -> str:
        """As SVG text, to be put into a page."""
        import vl_convert

        return str(vl_convert.vegalite_to_svg(self.spec))

    def png(self) -> bytes:
        """As PNG, for mail programs, which strip SVG."""
        import vl_convert

        return bytes(vl_convert.vegalite_to_png(self.spec, scale=PNG_SCALE))


def pictures(money: Money) -> list[Picture]:
    """The charts of one currency; none where nothing was lost in any week."""
    drawn = []
    if any(one.spend is not None and one.spend.high_nano for one in money.weeks):
        drawn.append(_weeks(money))
    if money.now.best_nano:
        drawn.append(_bars(money, "service", "Whose it is", _by(money, "service")))
        drawn.append(_bars(money, "reason", "Why the caller left", _by(money, "reason")))
    return drawn


def _by(money: Money, column: str) -> list[tuple[str, int]]:
    """What was lost by service or reason, the most first; the rest of the services is last."""
    sums: dict[tuple[bool, str], int] = {}
    for row in money.whose:
        rest = bool(row["is_rest"]) and column == "service"
        name = "all other services" if rest else named(row[column], column)
        sums[rest, name] = sums.get((rest, name), 0) + int(row["lost_nano"])
    order = sorted(sums.items(), key=lambda item: (item[0][0], -item[1], item[0][1]))
    return [(name, nano) for (_, name), nano in order]


def _bars(money: Money, name: str, title: str, rows: Sequence[tuple[str, int]]) -> Picture:
    """Lying bars, each with its name in front and its amount behind."""
    import altair as alt

    texts = [f"{row} {amount(nano, money.currency)}" for row, nano in rows]
    values = [{"name": _cut(row), "value": nano / NANO, "label": amount(nano, money.currency)} for row, nano in rows]
    most = max(nano for _, nano in rows) / NANO
    axis = alt.Axis(ticks=False, domain=False, labelLimit=200, labelPadding=8, minExtent=NAME_WIDTH)
    base = alt.Chart(alt.InlineData(values=values)).encode(
        y=alt.Y("name:N", sort=None, title=None, axis=axis),
        x=alt.X("value:Q", axis=None, scale=alt.Scale(domain=[0, (most or 1) * 1.25], nice=False)),
    )
    bars = base.mark_bar(color=BAR_NOW, height=16)
    labels = base.mark_text(align="left", dx=6, color=INK).encode(text="label:N")
    chart = (bars + labels).properties(width=WIDTH - NAME_WIDTH - 20, height=ROW_HEIGHT * len(rows))
    told = f"{title}, in {money.currency}, this week: {listed(texts)}."
    return Picture(name, title, told, _spec(chart))


def _weeks(money: Money) -> Picture:
    """Standing bars by week with the interval as a line, each with its amount above; the own week stands out."""
    import altair as alt

    rows = [_week(one, money) for one in money.weeks]
    highest = max(row["high"] for row in rows) or 1.0
    x = alt.X("week:N", sort=None, title="week that begins on (UTC)", axis=alt.Axis(labelAngle=0, ticks=False))
    scale = alt.Scale(domain=[0, highest * 1.15], nice=False)
    base = alt.Chart(alt.InlineData(values=rows)).encode(x=x)
    bars = base.mark_bar(width=34).encode(
        y=alt.Y("best:Q", axis=None, scale=scale),
        color=alt.condition(alt.datum.own, alt.value(BAR_NOW), alt.value(BAR)),
    )
    spans = base.transform_filter(alt.datum.high > alt.datum.low).mark_rule(color=LINE, strokeWidth=2)
    spans = spans.encode(y=alt.Y("low:Q", axis=None, scale=scale), y2="high:Q")
    labels = base.mark_text(dy=-8, color=INK).encode(y=alt.Y("high:Q", axis=None, scale=scale), text="label:N")
    chart = (bars + spans + labels).properties(width=WIDTH, height=WEEKS_HEIGHT)
    texts = [f"{one.week.name} {_told(one, money)}" for one in money.weeks]
    told = f"Orphaned spend by week, in {money.currency}: {listed(texts)}."
    return Picture("weeks", "Eight weeks", told, _spec(chart))


def _week(one: WeekSpend, money: Money) -> dict[str, Any]:
    spend = one.spend
    return {
        "week": one.week.short,
        "best": spend.best_nano / NANO if spend else 0.0,
        "low": spend.low_nano / NANO if spend else 0.0,
        "high": spend.high_nano / NANO if spend else 0.0,
        "label": amount(spend.best_nano, "").strip() if spend else "no data",
        "own": one is money.weeks[-1],
    }


def _told(one: WeekSpend, money: Money) -> str:
    if one.spend is None:
        return "no data"
    span = f"{amount(one.spend.low_nano, '').strip()} to {amount(one.spend.high_nano, '').strip()}"
    return f"{amount(one.spend.best_nano, money.currency)} ({span})"


def _cut(text: str) -> str:
    shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[: LABEL_CHARS_MAX + 1])
    return shown if len(shown) <= LABEL_CHARS_MAX else f"{shown[: LABEL_CHARS_MAX - 1]}…"


def _spec(chart: "alt.LayerChart") -> dict[str, Any]:
    """The drawing by itself: no background, quiet axes, and no words for screen readers, which get `told`."""
    quiet = {
        "labelColor": INK,
        "titleColor": QUIET,
        "labelFontSize": 13,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
    }
    drawn = chart.configure(background="transparent", aria=False, font="sans-serif").configure_view(stroke=None)
    drawn = drawn.configure_axis(grid=False, domainColor=QUIET, **quiet).configure_text(fontSize=13)
    spec: dict[str, Any] = drawn.to_dict()
    return spec
