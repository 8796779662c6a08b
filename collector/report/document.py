"""One report, whole: its figures, page, table, PDF and pictures; and how it is written into a directory.

A connection as of some instant and a week come in; a frozen `Report` goes out. Page and table are the same to
the byte whenever the same knowledge is asked for. The PDF is drawn only when it is wanted: it takes longest.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb

from collector.exporters.tables import replacing
from collector.ledger import dialect
from collector.problems import OperatingError
from collector.report import charts, figures, page
from collector.report.charts import Picture
from collector.report.figures import Figures
from collector.report.weeks import Week

PACKAGE = "collector.report"
HTML, PDF, CSV = "report.html", "report.pdf", "orphaned-spend.csv"


@dataclass(frozen=True)
class Report:
    """One week's report. `pictures`: by currency, in the order of the page."""

    figures: Figures
    csv: bytes
    pictures: tuple[tuple[str, tuple[Picture, ...]], ...]

    @cached_property
    def html(self) -> str:
        """The page, whole."""
        return page.html(self.figures, self.pictures)

    @cached_property
    def pdf(self) -> bytes:
        """The page on paper. Raises OperatingError where the system lacks Pango, which draws its text."""
        return printed(self.html)

    def write(self, directory: Path) -> list[Path]:
        """The three files, each there whole or not at all. Raises OperatingError where one cannot be written."""
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OperatingError(f"{directory}: cannot be made: {error.strerror or error}") from None
        written = []
        # The page and the table first: they must not be missed because paper cannot be had.
        for name in (HTML, CSV, PDF):
            body = self._body(name)
            with replacing(directory / name) as file:
                file.write(body)
            written.append(directory / name)
        return written

    def _body(self, name: str) -> bytes:
        if name == HTML:
            return self.html.encode()
        return self.csv if name == CSV else self.pdf


def draw(
    connection: duckdb.DuckDBPyConnection, values: Mapping[str, Any], week: Week, due: tuple[int, int, int]
) -> Report:
    """The report of `week` as the connection knows it. `values` and `due`: as figures.draw takes them."""
    found = figures.draw(connection, values, week, due)
    return Report(
        figures=found,
        csv=table(connection),
        pictures=tuple((money.currency, tuple(charts.pictures(money))) for money in found.monies),
    )


def table(connection: duckdb.DuckDBPyConnection) -> bytes:
    """The week's orphaned spend as CSV, in FOCUS's columns; needs the temporary table `week_abort`."""
    import pandas as pd

    dialect.script(connection, "collector.exporters", ["macros"])
    frame: pd.DataFrame = connection.execute(dialect.sql(PACKAGE, "spend")).to_arrow_table().to_pandas()
    return frame.to_csv(index=False, lineterminator="\n").encode()


def printed(html: str) -> bytes:
    """A page as PDF; whatever it would load from elsewhere is refused."""
    try:
        import weasyprint
    except OSError as error:
        raise OperatingError(
            f"the PDF needs the system's Pango, which cannot be loaded ({str(error).splitlines()[0]}). "
            "Install it: apt-get install libpango-1.0-0 libpangoft2-1.0-0. The page and the table are not affected"
        ) from None
    return bytes(weasyprint.HTML(string=html, url_fetcher=_refused).write_pdf())


def _refused(url: str, *_: Any, **__: Any) -> Any:
    raise ValueError(f"a report loads nothing, and not {url[:80]}")
