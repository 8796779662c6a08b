"""Rows of Vertex AI's request-response table as completions: JSON lines in, rows of backend_completion out.

The table is what Google writes for a model whose requests are logged to BigQuery; its rows hold prompts and answers,
of which nothing is kept but counts, ids and times. A row does not name its project: that is given. Format:
docs.cloud.google.com/vertex-ai/generative-ai/docs/multimodal/request-response-logging.
"""

import duckdb

from collector.ledger import dialect
from collector.sources import token_counts

PACKAGE = "collector.sources"


def stage(connection: duckdb.DuckDBPyConnection, provider: str, account: str) -> None:
    """Make `parsed` from rows of the table, all of them of the project `account`."""
    counting = token_counts.dialect(provider, None)
    dialect.set_variables(connection, {
        "provider": provider,
        "cached_inside": counting.input_includes_cached,
        "thinking_inside": counting.output_includes_thinking,
    })  # fmt: skip
    dialect.run(connection, PACKAGE, "request_response_field", {"account": account})
    dialect.script(connection, PACKAGE, ["request_response_view", "completion", "completion_view"])
