"""Measuring text in terminal columns, and cutting or wrapping it to a number of them."""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import accumulate, takewhile

from pytest_llmeval.core.text import printable

__all__ = ["beginning", "cut", "squeezed", "text_width", "wrapped"]

_GAP = "..."
_NARROWEST = 20
"""Smallest number of columns of a wrapped line."""
_PARTS = re.compile("[^ ]+| +")
_COMMAND = re.compile("[a-z ]+: (cd .+ && )?(llmeval|pytest) ")


def text_width(text: str) -> int:
    """Return the number of terminal columns of a text.

    A Chinese, Japanese or Korean character takes two, a combining mark none.
    """
    return len(text) if text.isascii() else sum(map(_char_width, text))


def beginning(text: str, width: int) -> str:
    """Return the longest start of ``text`` that fits into ``width`` columns."""
    return text[: sum(1 for _ in takewhile(lambda end: end <= width, accumulate(map(_char_width, text))))]


def cut(text: str, width: int) -> str:
    """Return ``text`` cut to at most ``width`` columns, ending in ``...`` if something was cut."""
    if beginning(text, width) == text:
        return text
    return (beginning(text, width - len(_GAP)) + _GAP)[: max(width, 0)]


def squeezed(text: str, width: int, gap: str = _GAP) -> str:
    """Return ``text`` shortened to at most ``width`` columns, with ``gap`` in place of its middle.

    The end is kept because it is often what distinguishes texts.
    """
    if text_width(text) <= width:
        return text
    kept = max(width - len(gap), 0)
    return beginning(text, kept - kept // 2) + gap + _end(text, kept // 2)


def _end(text: str, width: int) -> str:
    """Return the longest end that fits, without a combining mark whose base character is cut off."""
    found = beginning(text[::-1], width)[::-1]
    return found[next((place for place, char in enumerate(found) if _char_width(char)), len(found)) :]


def wrapped(text: str, width: int, *, indent: str = "", whole_words: bool = False) -> Iterator[str]:
    """Yield ``text``, escaped, in lines of at most ``width`` columns, all but the first indented further.

    A line has at least 20 columns, whatever ``width`` says. With ``whole_words``, paths and commands can still be
    copied: a word too long for any line gets a line of its own, and a line that consists of a command is not broken.
    """
    if whole_words and _COMMAND.match(text):
        yield printable(text)
        return
    room = max(width - 1, _NARROWEST)  # one column to escape a line that now begins like a CI command
    yield from map(printable, _lines(printable(text), room, indent, whole_words))


def _lines(text: str, room: int, indent: str, whole_words: bool) -> Iterator[str]:
    """Yield ``text`` broken at blanks, and within words too long for a line; like ``textwrap``, but by columns."""
    begin, line = indent, ""
    for part in _PARTS.findall(text.expandtabs().replace("\n", " ")):
        if part[0] == " ":
            line += part if line or begin == indent else ""
            continue
        word = part
        while text_width(begin + line) + text_width(word) > room:
            is_cut = not whole_words and text_width(begin + word) > room
            head = beginning(word, room - text_width(begin + line)) if is_cut else ""
            if line.strip() or head:
                yield (begin + line + head).rstrip(" ")
            elif whole_words:
                break
            begin, line, word = f"{indent}  ", "", word[len(head) :]
        line += word
    if line.strip():
        yield (begin + line).rstrip(" ")


@lru_cache(maxsize=4096)
def _char_width(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
