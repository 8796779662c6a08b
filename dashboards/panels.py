"""The few kinds of panels that the dashboards are made of, dressed alike.

Titles, texts and queries go in, builders of Grafana's foundation SDK come out. Every panel has a title, a description,
a unit, the data source variable, and says "unknown" where there is nothing: no value is ever turned into 0.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.builders import bargauge, common, dashboard, prometheus, stat, table, timeseries
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models import prometheus as prometheus_models

SOURCE = common_models.DataSourceRef(type_val="prometheus", uid="${datasource}")
# Grafana does not fill variables into units, so the currency stands in the title and the number is a plain one.
MONEY, MONEY_DECIMALS = "short", 2
SHARE = "percentunit"
UNKNOWN = "unknown"
# Left to itself, Grafana writes so large that names do not fit; the room it leaves is measured for names of 12 points.
BAR_NAME, BAR_VALUE = 12, 15
RUNBOOKS = Path(__file__).parents[1] / "rules" / "runbooks"
REFS = "ABCDEFG"

Step = tuple[float | None, str]
Asked = tuple[str, str]  # a query and its legend


def ask(expr: str, legend: str, ref: str, *, over_time: bool = False, as_table: bool = False) -> prometheus.Dataquery:
    """One PromQL query: of this instant, or over the dashboard's time."""
    made = prometheus.Dataquery().datasource(SOURCE).expr(expr).legend_format(legend).ref_id(ref)
    if as_table:
        made = made.format(prometheus_models.PromQueryFormat.TABLE)
    return made.range() if over_time else made.instant()


def dressed(panel: Any, title: str, text: str, unit: str, size: tuple[int, int]) -> Any:
    """What all panels have; `size` is width (of 24) and height."""
    made = panel.title(title).description(text).datasource(SOURCE).no_value(UNKNOWN).unit(unit)
    made = made.decimals(MONEY_DECIMALS) if unit == MONEY else made
    return made.span(size[0]).height(size[1])


def limits(steps: Sequence[Step]) -> dashboard.ThresholdsConfig:
    """Colours from these values on; the first has no value and is the colour below all of them."""
    made = [models.Threshold(value=value, color=color) for value, color in steps]
    return dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(made)


def number(
    title: str, text: str, queries: Sequence[Asked], *, unit: str = MONEY, size: tuple[int, int] = (6, 5),
    steps: Sequence[Step] = ((None, "text"),), decimals: int | None = None,
) -> Any:  # fmt: skip
    """Big numbers of this instant, one a series, with names where there are several."""
    panel = stat.Panel().targets([ask(expr, name, ref) for ref, (expr, name) in zip(REFS, queries, strict=False)])
    panel = panel.reduce_options(last()).graph_mode(common_models.BigValueGraphMode.NONE).thresholds(limits(steps))
    panel = panel.color_mode(common_models.BigValueColorMode.VALUE).orientation(common_models.VizOrientation.AUTO)
    panel = dressed(panel, title, text, unit, size)
    return panel if decimals is None else panel.decimals(decimals)


def bars(
    title: str, text: str, query: Asked, *, unit: str = MONEY, size: tuple[int, int] = (8, 8),
    steps: Sequence[Step] = ((None, "blue"),), top: float | None = None, link: Any = None,
) -> Any:  # fmt: skip
    """One bar a series with its name and its value, in the order that the query gives."""
    panel = bargauge.Panel().with_target(ask(*query, "A")).reduce_options(last()).min(0)
    panel = panel.orientation(common_models.VizOrientation.HORIZONTAL).thresholds(limits(steps))
    panel = panel.display_mode(common_models.BarGaugeDisplayMode.BASIC).show_unfilled(True)
    panel = panel.name_placement(common_models.BarGaugeNamePlacement.LEFT)
    panel = panel.value_mode(common_models.BarGaugeValueMode.TEXT)
    panel = panel.text(common.VizTextDisplayOptions().title_size(BAR_NAME).value_size(BAR_VALUE))
    panel = panel.max(top) if top is not None else panel
    panel = panel.data_links([link]) if link else panel
    return dressed(panel, title, text, unit, size)


def lines(
    title: str, text: str, queries: Sequence[Asked], *, unit: str = MONEY, size: tuple[int, int] = (12, 9),
    stacked: bool = False,
) -> Any:  # fmt: skip
    """Series over the dashboard's time, from 0 up; gaps stay gaps."""
    panel = timeseries.Panel().targets(
        [ask(expr, name, ref, over_time=True) for ref, (expr, name) in zip(REFS, queries, strict=False)]
    )
    # Of a stack only the areas are drawn: the line of a series that is 0 would lie on the one below it.
    panel = panel.min(0).line_width(0 if stacked else 2).fill_opacity(60 if stacked else 8).span_nulls(False)
    panel = panel.show_points(common_models.VisibilityMode.AUTO)
    panel = panel.legend(_legend()).tooltip(common.VizTooltipOptions().mode(common_models.TooltipDisplayMode.MULTI))
    if stacked:
        panel = panel.stacking(common.StackingConfig().mode(common_models.StackingMode.NORMAL).group("A"))
    return dressed(panel, title, text, unit, size)


def band(panel: Any, *, low: str, best: str, high: str) -> Any:
    """`panel` with its lines `low` and `high` drawn as the edges of one band around `best`; the legend names `high`."""
    edge = [_set("custom.lineWidth", 0), _set("custom.showPoints", "never"), _colour("super-light-blue")]
    panel = panel.override_by_name(high, [
        *edge, _set("custom.fillBelowTo", low), _set("custom.fillOpacity", 25),
    ])  # fmt: skip
    hidden = {"legend": True, "tooltip": False, "viz": False}
    panel = panel.override_by_name(low, [*edge, _set("custom.fillOpacity", 0), _set("custom.hideFrom", hidden)])
    return panel.override_by_name(best, [_colour("blue"), _set("custom.fillOpacity", 0)])


def rows_of(
    title: str, text: str, queries: Sequence[str], columns: Sequence[tuple[str, str, str]], *, size: tuple[int, int]
) -> Any:
    """A table: one row a label set, one column a label or a query; `columns`: name in the answer, header, unit or "".

    A query's column is named `Value` where it is alone, else `Value #A` and so on. Sorted by the first such column.
    """
    panel = table.Panel().targets([ask(expr, "", ref, as_table=True) for ref, expr in zip(REFS, queries, strict=False)])
    if len(queries) > 1:
        panel = panel.with_transformation(models.DataTransformerConfig(id_val="merge", options={}))
    panel = panel.with_transformation(models.DataTransformerConfig(id_val="organize", options={
        "excludeByName": {"Time": True},
        "indexByName": {name: place for place, (name, _, _) in enumerate(columns)},
        "renameByName": {name: header for name, header, _ in columns},
    }))  # fmt: skip
    values = [(header, unit) for _, header, unit in columns if unit]
    for header, unit in values:
        panel = panel.override_by_name(header, _cell(unit))
    first = common.TableSortByFieldState().display_name(values[0][0]).desc(True)
    return dressed(panel.sort_by([first]).filterable(True), title, text, values[0][1], size)


def _cell(unit: str) -> list[models.DynamicConfigValue]:
    """How a column of numbers is shown; money as a bar, so that the large ones leap to the eye."""
    if unit != MONEY:
        return [_set("unit", unit)]
    bar = _set("custom.cellOptions", {"type": "gauge", "mode": "basic", "valueDisplayMode": "text"})
    return [_set("unit", unit), _set("decimals", MONEY_DECIMALS), _set("min", 0), _colour("blue"), bar]


def last() -> common.ReduceDataOptions:
    """The newest value of each series."""
    return common.ReduceDataOptions().calcs(["lastNotNull"]).values(False)


def runbook(panel: Any, topic: str) -> Any:
    """`panel` with a link to the runbook on that topic, whose alert may have a prefix; as it is where there is none."""
    alerts = [path.stem for path in sorted(RUNBOOKS.glob(f"*{topic}.md"))]
    links = [dashboard.DashboardLink(f"Runbook: {alert}").url(f"${{runbooks}}/{alert}.md") for alert in alerts]
    made = [link.type(models.DashboardLinkType.LINK).target_blank(True) for link in links]
    return panel.links(made) if made else panel


def drill_down(title: str, variable: str, label: str) -> Any:
    """A link from a bar to "Where and why", narrowed to that bar's label."""
    kept = "${datasource:queryparam}&${currency:queryparam}"
    url = f"/d/orphaned-inference-where?{kept}&var-window=month&var-{variable}=${{__field.labels.{label}}}"
    return dashboard.DashboardLink(title).type(models.DashboardLinkType.LINK).url(url)


def shown_as(name: str) -> models.DynamicConfigValue:
    """The property of an override that gives a series another name."""
    return _set("displayName", name)


def _legend() -> common.VizLegendOptions:
    legend = common.VizLegendOptions().display_mode(common_models.LegendDisplayMode.LIST).show_legend(True)
    return legend.placement(common_models.LegendPlacement.BOTTOM)


def _set(name: str, value: Any) -> models.DynamicConfigValue:
    return models.DynamicConfigValue(id_val=name, value=value)


def _colour(name: str) -> models.DynamicConfigValue:
    return _set("color", {"mode": "fixed", "fixedColor": name})
