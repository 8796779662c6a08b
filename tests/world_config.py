"""The config file of a simulated world: its sources, its bill's names for things, its policies and prices."""

from datetime import date

import yaml

from tests.world_spec import APP, BACKEND, BILL, EDGE, HORIZON_MIN, JOBS, PROVIDER, WorldSpec

PATH = r"/v1/models/(?P<model>[^:/]+):(?P<operation>\w+)"
FIELDS = {
    "completion_id": "jsonPayload.completion_id",
    "request_id": "jsonPayload.request_id",
    "trace_id": "jsonPayload.trace_id",
    "span_id": "jsonPayload.span_id",
    "response_id": "jsonPayload.response_id",
    "model": "jsonPayload.model",
    "stream": "jsonPayload.stream",
    "status": "jsonPayload.status",
    "finished_at": "timestamp",
    "latency": "httpRequest.latency",
    "input_tokens": "jsonPayload.usage.input_tokens",
    "cached_input_tokens": "jsonPayload.usage.cached_input_tokens",
    "output_tokens": "jsonPayload.usage.output_tokens",
    "thinking_tokens": "jsonPayload.usage.thinking_tokens",
    "account": "resource.labels.project_id",
}


def config_text(spec: WorldSpec) -> str:
    """`orphaned.yaml` for that world; its paths are relative to the file."""
    config = {
        "ledger": {"path": "ledger.duckdb"},
        "currency": "USD",
        "correlation": {"horizon": f"{HORIZON_MIN}m", "clock_skew": "2s"},
        "billing": {"settle_after": "48h", "credits": spec.credits},
        "sources": _sources(spec),
        "skus": [
            {"match": r"^Acme (?P<model>\S+) Cached Input Tokens$", "usage": "cached_input"},
            {"match": r"^Acme (?P<model>\S+) Input Tokens$", "usage": "input"},
            {"match": r"^Acme (?P<model>\S+) Thinking Output Tokens$", "usage": "thinking"},
            {"match": r"^Acme (?P<model>\S+) Output Tokens$", "usage": "output"},
        ],
        "policies": [
            {"provider": PROVIDER, "on": "cancelled", "billed": spec.cancelled_billed},
            {"provider": PROVIDER, "on": "error", "billed": spec.error_billed},
        ],
        "prices": [
            {
                "model": model.name, "from": date(2026, 1, 1), "currency": model.currency,
                "input_per_mtok": _per_mtok(model.input_nano),
                "cached_input_per_mtok": _per_mtok(model.cached_input_nano),
                "output_per_mtok": _per_mtok(model.output_nano),
            }
            | class_
            for model in spec.price_list()
            for class_ in ({}, {"price_class": "batch"})[: 2 if spec.jobs else 1]
        ],
    }  # fmt: skip
    return yaml.safe_dump(config, sort_keys=False, width=110)


def _sources(spec: WorldSpec) -> list[dict[str, object]]:
    fields = FIELDS | ({"first_byte_at": "jsonPayload.first_byte_at"} if spec.log_first_byte else {})
    routes = [{"match": f"^/{account}{PATH}", "provider": PROVIDER, "account": account} for account in spec.accounts]
    sources: list[dict[str, object]] = [
        {"name": APP, "kind": "client-log", "path": "client/*.jsonl"},
        {"name": EDGE, "kind": "nginx", "path": "nginx/*.json", "service": "web", "routes": routes},
        {
            "name": BACKEND, "kind": "cloud-logging-file", "path": "backend/*.jsonl", "provider": PROVIDER,
            "fields": fields,
        },
        {"name": JOBS, "kind": "cloud-logging-file", "preset": "jobs", "path": "jobs/*.jsonl", "provider": PROVIDER},
        {"name": BILL, "kind": "gcp-billing-file", "path": "billing/*.jsonl"},
    ]  # fmt: skip
    unwanted = {EDGE: not spec.proxy_share, BILL: spec.bill == "none", JOBS: not spec.jobs}
    return [source for source in sources if not unwanted.get(str(source["name"]))]


def _per_mtok(nano: int) -> str:
    """A price of whole nano-units a token as decimal text of units a million tokens."""
    return f"{nano // 1000}.{nano % 1000:03d}".rstrip("0").rstrip(".")
