"""Places reached in what is read live: a struct as the text that the ledger keeps, and back. Nothing is read here."""

from typing import Self

import msgspec


class TextCursor(msgspec.Struct, frozen=True):
    """A place that can be kept as text; its fields are its kind's."""

    def to_json(self) -> str:
        """The cursor as text."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The cursor that `to_json` gave `text` for."""
        return msgspec.json.decode(text, type=cls)
