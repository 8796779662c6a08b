"""YAML text to plain values that remember their line: what the file says, before anybody asks what it means.

In comes text, out goes a tree of dict, list, str and None with the line of every key and item, and every
mistake found. Scalars stay the text they were written as: a price never passes through a float, an account
keeps its leading zeros, and `on` is a word, not a boolean. Tags, repeated keys and trees beyond all measure
are refused here; what the values mean is not this module's business.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import yaml

KeyPath: TypeAlias = tuple[str | int, ...]

CHARS_MAX = 1_000_000
DEPTH_MAX = 30
VALUES_MAX = 100_000
_NULL = "tag:yaml.org,2002:null"
_TAGS = frozenset(
    f"tag:yaml.org,2002:{name}"
    for name in ("null", "bool", "int", "float", "str", "timestamp", "map", "seq", "merge", "value")
)


@dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """One thing wrong with the file: its line (from 1), the keys that lead to it, and what to do about it."""

    line: int
    path: KeyPath
    message: str


@dataclass(slots=True)
class Document:
    """What a file says: the tree of values, the line of every path in it, and what was wrong so far."""

    value: Any = None
    lines: dict[KeyPath, int] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)

    def line(self, path: KeyPath) -> int:
        """The line of `path`, or of the nearest thing around it that stands in the file."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def add(self, path: KeyPath, message: str) -> None:
        """Note that something is wrong at `path`."""
        self.mistakes.append(Mistake(self.line(path), path, message))


class _TooMuchError(Exception):
    """The tree is deeper or larger than any config; its argument is the mistake."""


def read(text: str) -> Document:
    """The document in `text`. Never raises for what a file may hold: the mistakes are in the document."""
    document = Document()
    try:
        _refuse_beyond_measure(text)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if node is not None:
            document.value = _value(node, (), document)
    except _TooMuchError as error:
        document.mistakes.append(error.args[0])
    except yaml.YAMLError as error:
        document.mistakes.append(_syntax_mistake(error, text))
    return document


def path_text(path: KeyPath) -> str:
    """`path` as people write it: sources[1].fields.model."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}"
    return text.removeprefix(".")


def _refuse_beyond_measure(text: str) -> None:
    """Raise for a file that is too large or nested too deep, before anything recursive looks at it."""
    if len(text) > CHARS_MAX:
        raise _TooMuchError(Mistake(1, (), f"the file is larger than {CHARS_MAX:,} characters"))
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEPTH_MAX:
            raise _TooMuchError(Mistake(_line(event), (), f"nested deeper than {DEPTH_MAX} levels"))


def _line(marked: yaml.Node | yaml.Event) -> int:
    """The line where a node or an event begins, from 1."""
    return marked.start_mark.line + 1 if marked.start_mark else 1


def _value(node: yaml.Node, path: KeyPath, document: Document) -> Any:
    """The plain value of `node`; lines and mistakes go into `document`."""
    line = _line(node)
    document.lines.setdefault(path, line)
    # An alias may repeat a branch, or hold itself: both end here instead of running on.
    if len(document.lines) > VALUES_MAX or len(path) > DEPTH_MAX:
        raise _TooMuchError(Mistake(line, (), "an alias (*name) makes this file endless or very large"))
    if node.tag not in _TAGS:
        document.mistakes.append(Mistake(line, path, f"the tag {node.tag!r} is not understood; leave it out"))
        return None
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, document)
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, (*path, place), document) for place, item in enumerate(node.value)]
    return None if node.tag == _NULL else str(node.value)


def _mapping(node: yaml.MappingNode, path: KeyPath, document: Document) -> Mapping[str, Any]:
    """The mapping in `node`; a repeated key keeps its first value and is a mistake."""
    values: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = _line(key_node)
        if not isinstance(key_node, yaml.ScalarNode):
            document.mistakes.append(Mistake(line, path, "a key must be a word, not a list or a mapping"))
            continue
        key = str(key_node.value)
        key_path = (*path, key)
        if key in values:
            first = document.lines[key_path]
            message = f"stands here a second time (first: line {first})"
            document.mistakes.append(Mistake(line, key_path, message))
            continue
        document.lines[key_path] = line
        values[key] = _value(value_node, key_path, document)
    return values


def _syntax_mistake(error: yaml.YAMLError, text: str) -> Mistake:
    """What the YAML parser choked on, at its line."""
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        said = ", ".join(part for part in (error.context, error.problem) if part)
        return Mistake(mark.line + 1 if mark else 1, (), f"not valid YAML: {said}")
    if isinstance(error, yaml.reader.ReaderError):
        line = text.count("\n", 0, error.position) + 1
        return Mistake(line, (), f"a character that no YAML file may hold: #x{error.character:04x}")
    return Mistake(1, (), f"not valid YAML: {error}")
