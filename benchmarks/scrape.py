"""How long a scrape of 10,000 series takes: the encoding once a summary, and scrapes over loopback after it.

Prints milliseconds; exits 1 if a median scrape takes 50 ms or more. Use: python -m benchmarks.scrape [SERIES]
"""

import http.client
import statistics
import sys
import time

from collector.daemon import Daemon, Work
from collector.exporters.metrics import Exposition
from collector.records import LedgerSummary, RunSummary, Series

SCRAPES = 21
SCRAPE_MS_MAX = 50


def big_summary(series: int) -> LedgerSummary:
    """A summary with at least `series` series, most of them spend."""
    labels = [("gcp.vertex_ai", f"model-{i % 100}", f"service-{i // 100}", "timeout", "USD") for i in range(series)]
    return LedgerSummary(
        as_of_us=1,
        recorded_at_us=1,
        currency="USD",
        families={"recognized_spend_total": tuple(Series(one, 123_456_789) for one in labels)},
        histograms={},
        windows=(),
        sources=(),
        problems=(),
        runs=(),
    )


def scrape_ms(address: str, headers: dict[str, str]) -> float:
    """One scrape over loopback, in milliseconds, first byte of the request to last of the answer."""
    started = time.perf_counter()
    connection = http.client.HTTPConnection(address, timeout=10)
    connection.request("GET", "/metrics", headers=headers)
    connection.getresponse().read()
    connection.close()
    return (time.perf_counter() - started) * 1000


def never(*, bill: bool) -> RunSummary:
    """No run belongs to this benchmark."""
    raise NotImplementedError(bill)


def main(series: int) -> int:
    """Measures, prints, and returns the exit code."""
    summary = big_summary(series)
    started = time.perf_counter()
    exposition = Exposition(summary).made()
    encode_ms = (time.perf_counter() - started) * 1000
    print(f"{series} series, {len(exposition.text)} bytes of text: all 4 encodings in {encode_ms:.1f} ms, once")
    daemon = Daemon(Work(never, 3600, 3600), listen="127.0.0.1:0", initial=summary)
    worst = 0.0
    with daemon.serving():
        for name, headers in {
            "text": {},
            "text, gzip": {"Accept-Encoding": "gzip"},
            "OpenMetrics, gzip": {"Accept": "application/openmetrics-text", "Accept-Encoding": "gzip"},
        }.items():
            median_ms = statistics.median(scrape_ms(daemon.address, headers) for _ in range(SCRAPES))
            worst = max(worst, median_ms)
            print(f"scrape, {name}: median of {SCRAPES} {median_ms:.2f} ms")
    return 0 if worst < SCRAPE_MS_MAX else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000))
