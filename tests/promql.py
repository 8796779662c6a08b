"""Which metrics a PromQL expression names."""

import promql_parser


def metric_names(query: str) -> set[str]:
    """Every metric name in `query`. ValueError when it is no PromQL."""
    names: set[str] = set()

    def keep(node: promql_parser.Expr) -> None:
        if isinstance(node, promql_parser.VectorSelector) and node.name:
            names.add(node.name)

    promql_parser.walk(promql_parser.parse(query), keep)
    return names
