"""Entries that Cloud Logging cut into several because they were too long: parts in, whole entries out.

All parts carry the same fields but for the payload, whose texts, lists and mappings go on from part to part.
Source: cloud.google.com/logging/docs/audit/split-logs. It keeps what is incomplete until it is asked for.
"""

from dataclasses import dataclass, field
from typing import Any

import msgspec

# The parts of an entry that are cut; what else an entry holds, every part of it holds.
AUDIT_FIELDS = ("metadata", "request", "response")
PAYLOADS = ("jsonPayload", "textPayload")
PARTS_MAX = 1000


class Split(msgspec.Struct, frozen=True):
    """Which part of which entry this is."""

    uid: str = ""
    index: int = 0
    total: int = msgspec.field(name="totalSplits", default=0)


@dataclass(slots=True)
class Group:
    """The parts of one entry that have been seen. `received`: when the last of them was, as text."""

    total: int
    received: str = ""
    parts: dict[int, bytes] = field(default_factory=dict)
    keys: list[bytes] = field(default_factory=list)

    @property
    def missing(self) -> list[int]:
        """The indices that have not been seen."""
        return [index for index in range(min(self.total, PARTS_MAX)) if index not in self.parts]


class Joiner:
    """Puts parts together; `open` are the groups that lack some."""

    def __init__(self) -> None:
        self.open: dict[str, Group] = {}

    def add(self, part: bytes, split: Split, *, received: str, key: bytes) -> Group | None:
        """Take one part in; its group where it is complete now."""
        group = self.open.setdefault(split.uid, Group(split.total))
        group.parts.setdefault(split.index, part)
        group.keys.append(key)
        group.received = max(group.received, received)
        return None if group.missing else self.open.pop(split.uid)


def joined(group: Group) -> bytes:
    """The JSON text of the entry as it was before it was cut."""
    first, *others = (msgspec.json.decode(part) for _, part in sorted(group.parts.items()))
    for other in others:
        for name in PAYLOADS:
            if name in other:
                first[name] = _continued(first.get(name), other[name])
        audit, more = first.get("protoPayload"), other.get("protoPayload")
        if isinstance(audit, dict) and isinstance(more, dict):
            first["protoPayload"] = {**more, **audit} | {
                name: _continued(audit.get(name), more[name]) for name in AUDIT_FIELDS if name in more
            }
    first.pop("split", None)
    return msgspec.json.encode(first)


def _continued(begun: Any, more: Any) -> Any:
    """`begun` with what another part holds of the same value; what both hold alike is there once."""
    if begun is None or begun == more:
        return more
    if isinstance(begun, dict) and isinstance(more, dict):
        return begun | {key: _continued(begun.get(key), value) for key, value in more.items()}
    if isinstance(begun, str) and isinstance(more, str):
        return begun + more
    return [*begun, *more] if isinstance(begun, list) and isinstance(more, list) else begun
