"""A config file comes in, one frozen `Config` goes out, or every mistake in it at once, each at its line.

This module opens the config and the file of measured policies, if there is one: whether a source can be read is not its
question.
"""

import difflib
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from collector.config import model, sources
from collector.config.lines import Document, KeyPath, path_text, read
from collector.config.sources import SourceConfig
from collector.costing.policies import Claim, Policy, policies_from_toml
from collector.costing.prices import ConfiguredPrice
from collector.problems import UsageError
from collector.sources import presets
from collector.sources.skus import SkuRule

KINDS: Mapping[str, type[SourceConfig]] = {
    "client-log": sources.ClientLogSource,
    "nginx": sources.NginxSource,
    "cloud-logging-file": sources.CloudLoggingFileSource,
    "cloud-logging": sources.CloudLoggingSource,
    "gcp-billing-file": sources.GcpBillingFileSource,
    "gcp-billing": sources.GcpBillingSource,
    "vertex-request-response-file": sources.RequestResponseFileSource,
    "vertex-request-response": sources.RequestResponseSource,
}
PRESETS: Mapping[str, Mapping[str, type[SourceConfig]]] = {
    "cloud-logging-file": {
        presets.INFERENCE_METADATA: sources.InferenceMetadataFileSource,
        presets.HTTP_LOAD_BALANCER: sources.RequestFileSource,
        presets.CLOUD_RUN_REQUESTS: sources.RequestFileSource,
        presets.CLIENT_LOG: sources.ClientLogEntriesFileSource,
        presets.VERTEX_AUDIT: sources.AuditFileSource,
        presets.JOBS: sources.JobFileSource,
    },
    "cloud-logging": {
        presets.INFERENCE_METADATA: sources.InferenceMetadataSource,
        presets.HTTP_LOAD_BALANCER: sources.RequestSource,
        presets.CLOUD_RUN_REQUESTS: sources.RequestSource,
        presets.CLIENT_LOG: sources.ClientLogEntriesSource,
        presets.VERTEX_AUDIT: sources.AuditSource,
        presets.JOBS: sources.JobSource,
    },
}
KINDS_LATER = frozenset({
    "envoy", "haproxy", "apache", "caddy", "traefik", "aws-alb", "focus",
})  # fmt: skip

_Section = TypeVar("_Section", bound=model.Section)


class ConfigError(UsageError):
    """The config cannot be used. `errors`: every mistake in it, each as `file:line: key: what is wrong`."""

    def __init__(self, errors: tuple[str, ...]) -> None:
        super().__init__("\n".join(errors))
        self.errors = errors


@dataclass(frozen=True, slots=True)
class Config:
    """Everything the file says, checked. `root` is the directory that the paths in it are relative to."""

    path: Path
    root: Path
    ledger_path: Path
    currency: str
    http: model.Http
    correlation: model.Correlation
    billing: model.Billing
    schedule: model.Schedule
    report: model.Report
    sources: tuple[SourceConfig, ...]
    skus: tuple[SkuRule, ...]
    policies: tuple[Claim, ...]
    measured_path: Path
    prices: tuple[ConfiguredPrice, ...]


def load(path: Path) -> Config:
    """The config in the file at `path`. Raises ConfigError with every mistake in it, in its order."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ConfigError((f"{path}: cannot be read: {error.strerror or error}",)) from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError((f"{path}:{line}: not UTF-8: byte {error.object[error.start]:#04x}",)) from None
    except ValueError as error:
        raise ConfigError((f"{str(path)!r}: no path to a file: {error}",)) from None
    return parse(text, path)


def parse(text: str, path: Path) -> Config:
    """The config in `text`, which stands at `path`. Raises ConfigError like `load`."""
    document = read(text)
    if document.value is None and not document.mistakes:
        document.add((), "the file says nothing; expected at least `sources:`")
    section = None if document.value is None else _section(model.FileSection, document.value, (), document)
    sources = tuple(_sources(document))
    if document.mistakes or section is None:
        raise ConfigError(tuple(_told(document, path)))
    root = path.absolute().parent
    measured_path = root / section.measured
    return Config(
        path=path,
        root=root,
        ledger_path=root / section.ledger.path,
        currency=section.currency,
        http=section.http,
        correlation=section.correlation,
        billing=section.billing,
        schedule=section.schedule,
        report=section.report,
        sources=sources,
        skus=tuple(entry.rule() for entry in section.skus),
        policies=(*(entry.override() for entry in section.policies), *measured(measured_path)),
        measured_path=measured_path,
        prices=tuple(entry.price() for entry in section.prices),
    )


def measured(path: Path) -> list[Policy]:
    """What probes have measured, as `orphaned probe` wrote it there, if there is such a file. Raises ConfigError."""
    try:
        return policies_from_toml(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ConfigError((f"{path}: cannot be read: {error.strerror or error}",)) from None
    except ValueError as error:
        raise ConfigError((f"{path}: no file of measured policies: {error}",)) from None


def _told(document: Document, path: Path) -> Iterator[str]:
    """The mistakes as a person reads them, in the order of the file, none twice."""
    for mistake in sorted(set(document.mistakes), key=lambda found: (found.line, path_text(found.path))):
        keys = path_text(mistake.path)
        yield (
            f"{path}:{mistake.line}: {keys}: {mistake.message}"
            if keys
            else (f"{path}:{mistake.line}: {mistake.message}")
        )


def _sources(document: Document) -> Iterator[SourceConfig]:
    """The sources that are right; what is wrong with the others goes into the document's mistakes."""
    entries = document.value.get("sources") if isinstance(document.value, dict) else None
    if not isinstance(entries, list):
        return  # its absence is a mistake that the file's own section tells
    if not entries:
        document.add(("sources",), "expected at least one source")
    names: dict[str, int] = {}
    for place, entry in enumerate(entries):
        path: KeyPath = ("sources", place)
        source = _source(entry, path, document)
        if source is not None:
            yield source
        name = entry.get("name") if isinstance(entry, dict) else None
        if isinstance(name, str) and names.setdefault(name, place) != place:
            first = f"sources[{names[name]}] (line {document.line(('sources', names[name]))})"
            message = f"{name!r} is already the name of {first}; every source has a name of its own"
            document.add((*path, "name"), message)


def _source(entry: object, path: KeyPath, document: Document) -> SourceConfig | None:
    """One source, read by its kind."""
    if not isinstance(entry, dict):
        document.add(path, "expected a mapping with name, kind and path")
        return None
    kind = entry.get("kind")
    if isinstance(kind, str) and kind in PRESETS:
        return _entries(kind, entry, path, document)
    if isinstance(kind, str) and kind in KINDS:
        return _section(KINDS[kind], entry, path, document)
    known = f"expected one of {', '.join(KINDS)}"
    if kind is None:
        message = f"missing; {known}"
    elif isinstance(kind, str) and kind in KINDS_LATER:
        message = f"{kind} is not available in this version; {known}"
    else:
        message = f"{kind!r} is no kind of source; {known}{_nearest(str(kind), [*KINDS, *KINDS_LATER])}"
    document.add((*path, "kind"), message)
    return None


def _entries(kind: str, entry: dict[str, Any], path: KeyPath, document: Document) -> SourceConfig | None:
    """One source of Cloud Logging's entries, read by its preset; keys that only other presets have are told as such."""
    preset = entry.get("preset")
    if preset is not None and not (isinstance(preset, str) and preset in PRESETS[kind]):
        known = [*PRESETS[kind]]
        message = (
            f"{preset!r} is no preset; expected one of {', '.join(known)}, or none for completions of your own log"
        )
        document.add((*path, "preset"), message + _nearest(str(preset), known))
        return None
    section = KINDS[kind] if preset is None else PRESETS[kind][preset]
    given = {key: value for key, value in entry.items() if value is not None}
    for key in [key for key in given if key not in _keys(section)]:
        others = [name for name, other in PRESETS[kind].items() if key in _keys(other)]
        if preset is None and others:
            document.add((*path, key), f"goes with a preset only: {', '.join(others)}")
            del given[key]
        elif others or key in _keys(KINDS[kind]):
            message = f"does not go with preset {preset}; known here: {', '.join(_keys(section))}"
            document.add((*path, key), message)
            del given[key]
    return _section(section, given, path, document)


def _keys(section: type[BaseModel]) -> list[str]:
    """The keys that a section may hold, as the file writes them."""
    return [field.alias or name for name, field in section.model_fields.items()]


def _section(kind: type[_Section], value: object, path: KeyPath, document: Document) -> _Section | None:
    """`value` as a section of `kind`; None, and mistakes in the document, if it is none."""
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            inner: KeyPath = tuple(detail["loc"])
            document.add((*path, *inner), _message(kind, detail))
        return None


def _message(kind: type[BaseModel], detail: ErrorDetails) -> str:
    """What pydantic found in a section of `kind`, in our words."""
    match detail["type"]:
        case "value_error":
            return str(detail["ctx"]["error"])
        case "literal_error":
            return f"{detail['input']!r} is not known; expected {detail['ctx']['expected']}"
        case "extra_forbidden":
            return _unknown_key(str(detail["loc"][-1]), _owner(kind, detail["loc"][:-1]))
        case other:
            return _PLAIN_MESSAGES.get(other, detail["msg"])


_PLAIN_MESSAGES = {
    "missing": "missing; this key is required",
    "model_type": "expected a mapping of keys to values",
    "list_type": "expected a list",
    "tuple_type": "expected a list",
}


def _unknown_key(key: str, owner: type[BaseModel] | None) -> str:
    """What to say of a key that its section does not have: the nearest that it has, or all of them."""
    known = _keys(owner) if owner else []
    return "unknown key" + (_nearest(key, known) or f"; known here: {', '.join(known)}")


def _owner(kind: type[BaseModel], path: KeyPath) -> type[BaseModel] | None:
    """The section that `path` leads to from `kind`."""
    for step in path:
        if isinstance(step, int):
            continue  # an item of a list has the section that the list's field names
        fields = {field.alias or name: field for name, field in kind.model_fields.items()}
        found = next(_sections_in(fields[step].annotation), None) if step in fields else None
        if found is None:
            return None
        kind = found
    return kind


def _sections_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The sections that a field's type mentions."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) in {tuple, list, Union, types.UnionType}:
        for argument in get_args(annotation):
            yield from _sections_in(argument)


def _nearest(word: str, known: list[str]) -> str:
    """A hint at the known word that `word` may have meant; empty if none is near."""
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else ""
