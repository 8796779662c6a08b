"""Builds dashboards/orphaned-inference.json from the catalogue of metrics and the recording rules.

Nothing comes in; Grafana's classic JSON goes out. The built file is committed, so that nobody needs this
script to use it; a test says when the two differ. Use: python -m dashboards.build
"""

import json
import sys
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.builders import bargauge, common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models

TARGET = Path(__file__).parent / "orphaned-inference.json"
SOURCE = common_models.DataSourceRef(type_val="prometheus", uid="${datasource}")
P = "orphaned_inference_"
CURRENCY = 'currency="$currency"'
NET = "provider_model_service_name_reason_currency:orphaned_inference_spend:net"
SHARE = "window_currency:orphaned_inference_spend_share:ratio"
MONEY = "currency:$currency "  # Grafana writes the text after "currency:" before the number


def query(expr: str, legend: str = "__auto", *, instant: bool = True, ref: str = "A") -> prometheus.Dataquery:
    """One PromQL query: of this instant, or over the dashboard's time."""
    made = prometheus.Dataquery().datasource(SOURCE).expr(expr).legend_format(legend).ref_id(ref)
    return made.instant() if instant else made.range()


def dressed(panel: Any, title: str, description: str, *, width: int, height: int) -> Any:
    """What all panels have: a title, a description, a size, the datasource variable."""
    return panel.title(title).description(description).datasource(SOURCE).span(width).height(height)


def limits(*steps: tuple[float | None, str]) -> dashboard.ThresholdsConfig:
    """Colours from these values on; the first has no value and is the colour below all of them."""
    made = [models.Threshold(value=value, color=color) for value, color in steps]
    return dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(made)


def last() -> common.ReduceDataOptions:
    """The newest value of each series."""
    return common.ReduceDataOptions().calcs(["lastNotNull"]).values(False)


def number(*queries: prometheus.Dataquery) -> stat.Panel:
    """A panel of big numbers; what is not there is said to be unknown, never 0."""
    panel = stat.Panel().targets(list(queries)).no_value("unknown").reduce_options(last())
    return panel.graph_mode(common_models.BigValueGraphMode.NONE).thresholds(limits((None, "text")))


def figure(title: str, description: str, expr: str) -> Any:
    """One amount of money."""
    return dressed(number(query(expr)).unit(MONEY), title, description, width=8, height=5)


def window_spend(window: str, bound: str) -> str:
    """The query for one bound of one window in the chosen currency."""
    return f'sum({P}window_spend{{window="{window}", bound="{bound}", {CURRENCY}}})'


def spend(title: str, window: str) -> Any:
    """The best figure of a window between its bounds."""
    bounds = zip("ABC", ("low", "best", "high"), strict=True)
    panel = number(*(query(window_spend(window, bound), bound, ref=ref) for ref, bound in bounds)).unit(MONEY)
    text = (
        "Spent on inference whose result reached nobody. The true figure lies between low and high with 90 % "
        "probability."
    )
    return dressed(panel.orientation(common_models.VizOrientation.VERTICAL), title, text, width=8, height=5)


def share(title: str, window: str) -> Any:
    """Orphaned spend over all inference spend of a window."""
    panel = number(query(f'{SHARE}{{window="{window}", {CURRENCY}}}')).unit("percentunit").decimals(1)
    panel = panel.thresholds(limits((None, "green"), (0.02, "yellow"), (0.05, "red")))
    text = "Orphaned spend over all inference spend of the same window; unknown where nothing was spent."
    return dressed(panel, title, text, width=4, height=5)


def ranking(label: str, title: str) -> Any:
    """Who caused it: the ten largest values of one label over the dashboard's time."""
    panel = bargauge.Panel().with_target(query(_grown(label), f"{{{{{label}}}}}")).unit(MONEY)
    panel = panel.orientation(common_models.VizOrientation.HORIZONTAL).reduce_options(last()).min(0)
    panel = panel.thresholds(limits((None, "blue"))).display_mode(common_models.BarGaugeDisplayMode.BASIC)
    text = f"Orphaned spend by {label}, found or corrected within the time shown above; the ten largest."
    return dressed(panel, title, text, width=8, height=8)


def _grown(label: str) -> str:
    """How much the net spend changed within the dashboard's time.

    A plain difference: these counters come out of the ledger and never reset, and `increase` would not see
    the amount that a new label value begins with.
    """
    now = f"sum by ({label}) ({NET}{{{CURRENCY}}})"
    before = f"sum by ({label}) ({NET}{{{CURRENCY}}} offset $__range)"
    return f"topk(10, {now} - ({before} or {now} * 0))"


def trend() -> Any:
    """The best figure of the last day over time, between its bounds."""
    panel = timeseries.Panel().unit(MONEY).min(0).fill_opacity(8)
    for ref, bound in zip("ABC", ("low", "best", "high"), strict=True):
        panel = panel.with_target(query(window_spend("1d", bound), bound, instant=False, ref=ref))
    text = "Orphaned spend of the 24 hours before each instant. Late bills change later points only."
    return dressed(panel, "Orphaned spend of the last 24 hours, over time", text, width=12, height=9)


def parts() -> Any:
    """What became of all inference spend, over time."""
    expr = f'sum by (part) ({P}window_inference_spend{{window="1d", {CURRENCY}}})'
    stacking = common.StackingConfig().mode(common_models.StackingMode.NORMAL).group("A")
    panel = timeseries.Panel().unit(MONEY).min(0).fill_opacity(35).stacking(stacking)
    panel = panel.with_target(query(expr, "{{part}}", instant=False))
    text = "All inference spend of the 24 hours before each instant, by what became of it."
    return dressed(panel, "Where the money went", text, width=12, height=9)


def net_spend() -> Any:
    """All orphaned spend so far, corrections included."""
    text = "All orphaned spend found so far, with every correction by late evidence and settled bills."
    return figure("Found so far", text, f"sum({NET}{{{CURRENCY}}})")


def avoidable() -> Any:
    """What a cancel would have saved this month."""
    text = "Generated after the client had left: what a cancel that the backend honours would have saved."
    expr = f'sum({P}window_avoidable_spend{{window="month", {CURRENCY}}})'
    return figure("Avoidable this month", text, expr)


def unattributed() -> Any:
    """What the bill has and no log shows."""
    text = "Billed this month, but in no completion log; bound high allows for what may hide there."
    expr = f'sum({P}window_inference_spend{{window="month", part="unattributed", {CURRENCY}}})'
    return figure("Unattributed this month", text, expr)


def aged(title: str, description: str, expr: str, legend: str, *, warn: float) -> Any:
    """Seconds since some instant, one row a series, coloured from `warn` seconds on."""
    panel = bargauge.Panel().with_target(query(expr, legend)).unit("s").no_value("unknown").min(0)
    panel = panel.orientation(common_models.VizOrientation.HORIZONTAL).reduce_options(last())
    panel = panel.thresholds(limits((None, "green"), (warn, "orange")))
    panel = panel.display_mode(common_models.BarGaugeDisplayMode.BASIC)
    return dressed(panel, title, description, width=8, height=7)


def problems() -> Any:
    """Lines that could not be used, by source, over the dashboard's time."""
    expr = f'sum by (source) (increase({P}source_records_total{{outcome="problem"}}[$__rate_interval]))'
    panel = timeseries.Panel().unit("short").min(0).decimals(0)
    panel = panel.with_target(query(expr, "{{source}}", instant=False))
    text = "Lines and entries that could not be used, by source. `orphaned export problems` lists each."
    return dressed(panel, "Problems in the data", text, width=8, height=7)


def sources() -> Any:
    """Each source: up or not."""
    panel = number(query(f"{P}source_up", "{{source}}"))
    words = {
        "0": models.ValueMappingResult(text="down", color="red", index=0),
        "1": models.ValueMappingResult(text="up", color="green", index=1),
    }
    panel = panel.mappings([models.ValueMap(options=words)])
    text = "Whether the last fetch of each source worked."
    return dressed(panel, "Sources", text, width=8, height=7)


def runs() -> Any:
    """Runs that did not go well, over the dashboard's time."""
    expr = f'sum by (outcome) (increase({P}runs_total{{outcome!="ok"}}[$__range]))'
    panel = number(query(expr, "{{outcome}}")).unit("short").decimals(0)
    panel = panel.thresholds(limits((None, "green"), (0.5, "orange")))
    text = "problem: a source failed; invariant: rolled back; failed: could not be done at all."
    return dressed(panel, "Runs that did not go well", text, width=8, height=7)


def variables(board: dashboard.Dashboard) -> dashboard.Dashboard:
    """The datasource, and one currency: amounts of different currencies are never added up."""
    source = dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus")
    labels = f"label_values({P}window_spend, currency)"
    currency = dashboard.QueryVariable("currency").label("Currency").datasource(SOURCE).query(labels)
    currency = currency.refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
    currency = currency.sort(models.VariableSort.ALPHABETICAL_ASC).multi(False).include_all(False)
    return board.with_variable(source).with_variable(currency)


ROWS: tuple[tuple[str, tuple[Any, ...]], ...] = (
    (
        "What was lost",
        (
            spend("Orphaned, last 24 hours", "1d"),
            spend("Orphaned, this month", "month"),
            share("Share of inference, 7 days", "7d"),
            share("Share, this month", "month"),
            avoidable(),
            net_spend(),
            unattributed(),
        ),
    ),
    ("Trend", (trend(), parts())),
    (
        "Who caused it",
        (
            ranking("service_name", "By service"),
            ranking("model", "By model"),
            ranking("reason", "By reason"),
        ),
    ),
    (
        "How far it can be trusted",
        (
            aged(
                "Bill settled up to, ago",
                "How long ago the settled part of each bill ends. Later amounts are estimates.",
                f"time() - {P}bill_settled_through_timestamp_seconds",
                "{{provider}} {{account}}",
                warn=432_000,
            ),
            aged(
                "Sources read up to, ago",
                "How far behind the records of each source are.",
                f"time() - {P}source_watermark_timestamp_seconds",
                "{{source}}",
                warn=172_800,
            ),
            aged(
                "Last good run, ago",
                "All figures are of that run.",
                f"time() - {P}run_last_success_timestamp_seconds",
                "{{instance}}",
                warn=1_800,
            ),
            sources(),
            problems(),
            runs(),
        ),
    ),
)


def build() -> str:
    """The dashboard as JSON text."""
    board = dashboard.Dashboard("Orphaned inference").uid("orphaned-inference").tags(["orphaned-inference"])
    board = board.description("Money spent on inference whose result reached nobody.")
    board = variables(board).time("now-7d", "now").timezone("utc").refresh("1m").editable()
    board = board.tooltip(models.DashboardCursorSync.CROSSHAIR)
    for title, panels in ROWS:
        board = board.with_row(dashboard.Row(title))
        for panel in panels:
            board = board.with_panel(panel)
    return json.dumps(board.build(), cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


def main() -> int:
    """Writes the file and returns the exit code."""
    TARGET.write_text(build(), encoding="utf-8")
    print(f"wrote {TARGET}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
