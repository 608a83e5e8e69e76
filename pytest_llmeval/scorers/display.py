"""Readable text from values that a model chose: bounded in length, without terminal control characters."""

import json
from collections.abc import Iterable
from itertools import islice
from typing import Any

__all__ = ["first_few", "number", "shown", "tidy", "visible_line"]

VALUE_LIMIT = 200
"""Largest number of characters shown of a value."""
LINE_LIMIT = 700
"""Largest number of characters in a line of a reason."""
LINE_COUNT = 12
"""Largest number of lines of a reason."""
# A line that starts with one of these is a command to the log of a CI service:
# https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions
_COMMANDS = ("::", "##[")

_chunks = json.JSONEncoder(ensure_ascii=False, default=repr).iterencode


def visible_line(text: str, limit: int = VALUE_LIMIT) -> str:
    r"""Return ``text`` on one line, cut at ``limit`` characters with a ``…``.

    Characters that do not print (line ends, escapes, zero-width and direction marks, lone surrogates) are escaped as in
    Python source: ``\n``, ``\x1b``, ``\u202e``.
    """
    head = text[: limit + 1]
    if not head.isprintable():
        head = "".join(char if char.isprintable() else _escaped(char) for char in head)
    return head if len(head) <= limit else head[:limit] + "…"


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def shown(value: Any, limit: int = VALUE_LIMIT) -> str:
    """Return ``value`` as JSON on one line of at most ``limit`` characters and a ``…``."""
    if isinstance(value, str):
        text = json.dumps(value[: limit + 1], ensure_ascii=False)
        if len(value) <= limit:
            return visible_line(text, limit + 2)
        return visible_line(text[:-1][:limit] + "…", limit + 1)
    head = ""
    for chunk in _chunks(value):
        head += chunk[: limit + 1]
        if len(head) > limit:
            break
    return visible_line(head, limit)


def tidy(reason: str) -> str:
    """Return a reason of at most 12 lines, each bounded in length and free of characters that do not print."""
    lines = reason.split("\n", LINE_COUNT)
    kept = [_harmless(visible_line(line, LINE_LIMIT)) for line in lines[:LINE_COUNT]]
    return "\n".join([*kept, "…"] if len(lines) > LINE_COUNT else kept)


def _harmless(line: str) -> str:
    return "| " + line if line.lstrip().startswith(_COMMANDS) else line


def number(value: float) -> str:
    """Return a number with four significant digits, enough to read and compare by eye."""
    return f"{value:.4g}"


def first_few(lines: Iterable[str], count: int, *, total: int) -> str:
    """Return the first ``count`` of ``total`` lines, followed by how many more there are."""
    kept = list(islice(lines, count))
    return "\n".join([*kept, f"+ {total - len(kept)} more"] if total > len(kept) else kept)
