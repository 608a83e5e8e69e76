"""Strict YAML loading: plain data with line numbers, or one clear error for anything ambiguous.

PyYAML's safe loader lets the last of two equal keys win, expands aliases without a bound, reads ``no`` as False,
``012`` as ten, ``12:30`` as 750 and ``1e-3`` as text, and turns dates into objects. Here each of these is an error that
names the line (dates stay text), because a threshold that is misread can turn a failing gate green.
"""

import math
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import yaml

from pytest_llmeval.core.document import KeyPath, StrictDocument, dotted
from pytest_llmeval.core.errors import UserError
from pytest_llmeval.core.text import one_line, shorten

__all__ = ["Limits", "load_strict"]

_SHOWN = 160
"""Largest number of characters of each part of a message."""
_TAG = "tag:yaml.org,2002:"
_TEXTS = (_TAG + "str", _TAG + "timestamp", _TAG + "value")
_FOLDED = "\x85"
"""NEL, which ends a line in YAML 1.1 and becomes a blank within a text."""
_PLAIN_INT = re.compile(r"-?(0|[1-9][0-9]*)")
_PLAIN_FLOAT = re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
# YAML 1.1 takes these for text: they lack a point, or a sign after the e: https://yaml.org/type/float.html
_TEXT_LIKE_FLOAT = re.compile(r"[-+]?([0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)[eE][-+]?[0-9]+")
_DEEPEST = 100
"""Largest depth of nested mappings and lists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits above which a file is refused."""

    max_bytes: int = 1 << 20
    """Largest size of the file, in bytes."""
    max_values: int = 500_000
    """Largest number of scalars, lists and mappings together."""


def load_strict(
    path: Path,
    *,
    error: type[UserError],
    shown_as: str | None = None,
    limits: Limits | None = None,
    exponents_are_texts: bool = False,
    if_empty: str = "is empty; write at least one key, or delete the file",
) -> StrictDocument:
    """Return the only document of the YAML file at ``path``.

    Args:
        path: A regular file in UTF-8, with or without a byte order mark.
        error: The class of error to raise.
        shown_as: The name of the file in messages; ``path`` itself when None.
        limits: Limits on the file; ``Limits()`` when None.
        exponents_are_texts: Read a plain ``1e-3`` as the text that it is in YAML 1.1, for callers who report text in
            place of a number themselves.
        if_empty: The message about a file without content.

    Raises:
        UserError: of the class ``error``, with the message ``FILE:LINE: what was found, what to do``.
    """
    limits = limits or Limits()
    name = shown_as or str(path)
    text = _decode(_read(path, name, error, limits), name, error)
    loader = _Loader(text, name, error, limits, exponents_are_texts=exponents_are_texts)
    try:
        return loader.document(if_empty)
    except yaml.MarkedYAMLError as problem:
        raise error(_explain(problem, name)) from None
    except (ValueError, OverflowError):  # PyYAML on "\\UFFFFFFFF"
        raise error(f"{name}:{loader.line + 1}: an escape that names no character; correct it") from None
    finally:
        loader.dispose()


def _read(path: Path, name: str, error: type[UserError], limits: Limits) -> bytes:
    """Return the content of a regular file. Pipes and devices are never opened, so that nothing can hang."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise error(f"{name}: is not a regular file; name a YAML file")
        with path.open("rb") as file:
            content = file.read(limits.max_bytes + 1)
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or str(problem)
        raise error(f"{name}: cannot be read ({reason}); check the path and its permissions") from None
    if len(content) > limits.max_bytes:
        raise error(f"{name}: is larger than {limits.max_bytes:,} bytes; split it or make it smaller")
    return content


def _decode(content: bytes, name: str, error: type[UserError]) -> str:
    """Return the text of ``content`` without its byte order mark; refuse characters that YAML forbids."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = content.count(b"\n", 0, problem.start) + 1
        found = f"byte {content[problem.start]:#04x} is not UTF-8"
        raise error(f"{name}:{line}: {found}; save the file as UTF-8") from None
    control = yaml.SafeLoader.NON_PRINTABLE.search(text)
    if control:
        line = text.count("\n", 0, control.start()) + 1
        raise error(f"{name}:{line}: the character {control.group()!r} is not allowed in YAML; remove it")
    folded = text.find(_FOLDED)
    if folded >= 0:
        line = text.count("\n", 0, folded) + 1
        raise error(f"{name}:{line}: found \\x85, an end of a line in YAML; write it as \\x85 in double quotes")
    return text


def _explain(problem: yaml.MarkedYAMLError, name: str) -> str:
    """Return PyYAML's message as one line that begins with the place."""
    mark = problem.problem_mark or problem.context_mark
    line = f":{mark.line + 1}" if mark else ""
    what = ", ".join(part for part in (problem.problem, problem.context) if part)
    advice = "check indentation, colons and quotes near this line"
    return f"{name}{line}: is not valid YAML: {one_line(what)}; {advice}"


class _Loader(yaml.SafeLoader):
    """A safe loader that builds plain data and refuses whatever is ambiguous."""

    def __init__(
        self, text: str, shown_as: str, error: type[UserError], limits: Limits, *, exponents_are_texts: bool
    ) -> None:
        super().__init__(text)
        self.shown_as = shown_as
        self.error = error
        self.limits = limits
        self.exponents_are_texts = exponents_are_texts
        self.depth = 0
        self.values = 0
        self.lines: dict[KeyPath, int] = {}
        self.place: KeyPath = ()  # path of the value being built, for messages

    def document(self, if_empty: str) -> StrictDocument:
        """Return the only document; raise the error class if there is none, a second one, or anything ambiguous."""
        self.check_node()
        node = None if self.check_event(yaml.StreamEndEvent) else self.compose_document()
        if node is None or node.tag == _TAG + "null":
            raise self.error(f"{self.shown_as}: {if_empty}")
        if not self.check_event(yaml.StreamEndEvent):
            self._refuse(self._peek(), "a second document starts here", "keep one document in a file")
        self.lines[()] = _line(node)
        data = self._build(node, ())
        return StrictDocument(data=data, shown_as=self.shown_as, lines=self.lines)

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Return the next node after checking its anchor, tag and depth."""
        event = self._peek()
        if getattr(event, "anchor", None) is not None:
            self._refuse(event, "an anchor or alias (& or *)", "write the value out in full")
        tag = getattr(event, "tag", None)
        if tag is not None:
            self._refuse(event, f"the tag {tag!r}", "take it out: plain values need none")
        self.depth += 1
        if self.depth > _DEEPEST:
            self._refuse(event, f"more than {_DEEPEST} levels of nesting", "make it flatter")
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def _peek(self) -> yaml.Event:
        event: yaml.Event = self.peek_event()  # type: ignore[no-untyped-call]  # types-PyYAML leaves it out
        return event

    def _build(self, node: yaml.Node, path: KeyPath) -> Any:
        """Return ``node`` as plain data, recording the lines of everything in it."""
        self.place = path
        self.values += 1
        if self.values > self.limits.max_values:
            self._refuse(node, f"more than {self.limits.max_values:,} values", "split the file")
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        return self._mapping(node, path) if isinstance(node, yaml.MappingNode) else self._list(node, path)

    def _list(self, node: yaml.Node, path: KeyPath) -> list[Any]:
        built = []
        for position, item in enumerate(node.value):
            here = (*path, position)
            self.lines[here] = _line(item)
            built.append(self._build(item, here))
        return built

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        built: dict[str, Any] = {}
        before: yaml.Node | None = None
        for key_node, value_node in node.value:
            self.place = path
            number = _with_comma(before, key_node, value_node)
            if number is not None:
                thousands = f"{number.replace(',', '')} or " if len(number.partition(",")[2]) == 3 else ""
                fix = f"write {thousands}{number.replace(',', '.')}"
                self._refuse(key_node, f"{number} is two entries", fix)
            key, before = self._key(key_node), value_node
            here = (*path, key)
            if key in built:
                again = f"the key {key!r} stands here again (first on line {self.lines[here]})"
                self._refuse(key_node, again, "keep one of them")
            self.lines[here] = _line(key_node)
            built[key] = self._build(value_node, here)
        return built

    def _key(self, node: yaml.Node) -> str:
        if node.tag == _TAG + "merge":
            self._refuse(node, "a merge key (<<)", "write the keys out in full")
        if not isinstance(node, yaml.ScalarNode):
            self._refuse(node, "a key that is a list or a mapping", "use a string as the key")
        if node.tag not in _TEXTS:
            self._refuse(node, f"the key {node.value!r} is not text", "put it in quotes")
        return self._text(node)

    def _scalar(self, node: yaml.ScalarNode) -> str | int | float | bool | None:
        kind, text = node.tag.removeprefix(_TAG), node.value
        if kind == "null":
            return None
        if kind == "bool":
            return self._bool(node, text)
        if kind == "int":
            return self._int(node, text)
        if kind == "float":
            return self._float(node, text)
        if node.style is None and not self.exponents_are_texts and _TEXT_LIKE_FLOAT.fullmatch(text):
            self._refuse_exponent(node, text)
        return self._text(node)

    def _text(self, node: yaml.ScalarNode) -> str:
        text = str(node.value)
        if any("\ud800" <= letter <= "\udfff" for letter in text):
            self._refuse(node, "half of a surrogate pair", "write the character itself")
        return text

    def _bool(self, node: yaml.Node, text: str) -> bool:
        if text.lower() not in ("true", "false"):
            self._refuse_reading(node, text)
        return text.lower() == "true"

    def _int(self, node: yaml.Node, text: str) -> int:
        if not _PLAIN_INT.fullmatch(text):
            self._refuse_reading(node, text)
        try:
            return int(text)
        except ValueError:
            self._refuse(node, f"a number of {len(text)} digits", "write a shorter one, or put it in quotes")

    def _float(self, node: yaml.Node, text: str) -> float:
        if text.lower().lstrip("+-") in (".inf", ".nan"):
            self._refuse(node, f"{text} is not a finite number", "write a finite one")
        if not _PLAIN_FLOAT.fullmatch(text):
            self._refuse_reading(node, text)
        if not math.isfinite(float(text)):
            self._refuse(node, f"{text} is too large for a number", "write a finite one")
        return float(text)

    def _refuse_exponent(self, node: yaml.Node, text: str) -> NoReturn:
        number = float(text.replace("_", ""))
        shown = repr(number) if "." in repr(number) else repr(number).replace("e", ".0e")
        meant = f"write {shown}" if math.isfinite(number) else "write a finite one"
        self._refuse(node, f"{text} is a string in YAML 1.1, not a number", f"{meant}, or '{text}' in quotes")

    def _refuse_reading(self, node: yaml.Node, text: str) -> NoReturn:
        """Refuse a scalar that PyYAML reads differently from how it looks."""
        try:
            meant = str(self.construct_object(node)).lower()
        except (ValueError, OverflowError):  # more digits than Python is willing to print
            meant = "another number"
        self._refuse(node, f"{text} means {meant} in YAML 1.1", f"write {meant}, or '{text}' in quotes")

    def _refuse(self, place: yaml.Event | yaml.Node, found: str, advice: str) -> NoReturn:
        message = f"{shorten(found, _SHOWN)}; {shorten(advice, _SHOWN)}"
        where = f"{dotted(self.place)}: " if self.place else ""
        raise self.error(f"{self.shown_as}:{_line(place)}: {where}{message}")


def _line(place: yaml.Event | yaml.Node) -> int:
    """Return the line (from 1) on which an event or node starts."""
    line: int = place.start_mark.line  # type: ignore[union-attr]  # marks are there with a text loader
    return line + 1


def _with_comma(before: yaml.Node | None, key: yaml.Node, value: yaml.Node) -> str | None:
    """Return the number meant by a decimal comma, ``{min: 0,7}``, which YAML reads as two entries; else None."""
    if not isinstance(before, yaml.ScalarNode) or not before.tag == key.tag == _TAG + "int":
        return None
    is_empty = value.tag == _TAG + "null" and not value.value
    return f"{before.value},{key.value}" if is_empty and _line(before) == _line(key) else None
