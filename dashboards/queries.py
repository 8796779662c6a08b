"""The PromQL that several panels share, as text with Grafana's variables left in it.

Names of metrics go in, expressions come out. Two rules hold for all of them: money always picks the one currency of
the variable, and what is not known stays absent. A division by nothing is absent, never 0.
"""

from collections.abc import Sequence

P = "orphaned_inference_"
CURRENCY = 'currency="$currency"'
CAUSE = 'provider=~"$provider", model=~"$model", service_name=~"$service"'  # the filters of "Where and why"
MODEL = 'provider=~"$provider", model=~"$model"'
PROVIDER = 'provider=~"$provider"'


def spend(window: str, bound: str, *, ago: str = "") -> str:
    """One bound of a window's loss, in the chosen currency; as it stood some time `ago`."""
    back = f" offset {ago}" if ago else ""
    return f'sum({P}window_spend{{window="{window}", bound="{bound}", {CURRENCY}}}{back})'


def bounds(window: str) -> list[tuple[str, str]]:
    """The best figure of a window and its bounds, as queries with their names."""
    named = (("best", "best"), ("low", "low"), ("high", "low to high"))
    return [(spend(window, bound), name) for bound, name in named]


def inference(window: str, part: str = "") -> str:
    """All inference spend of a window, or one part of it."""
    only = f'part="{part}", ' if part else ""
    return f'sum({P}window_inference_spend{{window="{window}", {only}{CURRENCY}}})'


def share(part: str, whole: str) -> str:
    """`part` over `whole`; absent where the whole is nothing."""
    return f"{part} / ({whole} > 0)"


def share_of_all(parts: str, whole: str) -> str:
    """Each of several labelled `parts` over one `whole` without labels; absent where the whole is nothing."""
    return f"{parts} / on () group_left () ({whole} > 0)"


def lost(window: str, *by: str, only: str = "") -> str:
    """The best figure of a window's loss, by labels, under more filters (`only`)."""
    return _summed(f'{P}window_lost_spend{{window="{window}", {CURRENCY}{_more(only)}}}', by)


def evidence(window: str, *by: str, only: str = "") -> str:
    """The same by how it was obtained: by evidence and basis."""
    return _summed(f'{P}window_evidence_spend{{window="{window}", {CURRENCY}{_more(only)}}}', by)


def found(metric: str, *by: str, only: str = "", span: str = "$__range") -> str:
    """How far a counter has grown within the time shown, or within another span."""
    return _summed(f"increase({_series(metric, only)}[{span}])", by)


def per_hour(metric: str, *by: str, only: str = "") -> str:
    """How fast a counter grows, in ones an hour."""
    return f"3600 * {_summed(f'rate({_series(metric, only)}[$__rate_interval])', by)}"


def quantile(level: float, metric: str, *by: str, only: str = "", span: str = "$__range") -> str:
    """A quantile of a histogram over the time shown; absent (not NaN) where nothing was observed."""
    return f"histogram_quantile({level}, {found(f'{metric}_bucket', 'le', *by, only=only, span=span)}) >= 0"


def age(metric: str, only: str = "") -> str:
    """Seconds since the instant that a metric holds."""
    return f"time() - {_series(metric, only)}"


def largest(expr: str, count: int = 10) -> str:
    """The largest of several, largest first."""
    return f"sort_desc(topk({count}, {expr}))"


def _series(metric: str, only: str) -> str:
    return f"{P}{metric}{{{only}}}" if only else P + metric


def _summed(inner: str, by: Sequence[str]) -> str:
    return f"sum by ({', '.join(by)}) ({inner})" if by else f"sum({inner})"


def _more(only: str) -> str:
    return f", {only}" if only else ""
