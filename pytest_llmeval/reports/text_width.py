"""How many columns of a terminal a text takes, and texts cut to so many, or broken into lines of them."""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import accumulate, takewhile

from pytest_llmeval.core.text import printable

__all__ = ["beginning", "cut", "squeezed", "text_width", "wrapped"]

_GAP = "..."
_NARROWEST = 20
_PARTS = re.compile("[^ ]+| +")
_COMMAND = re.compile("[a-z ]+: (cd .+ && )?(llmeval|pytest) ")


def text_width(text: str) -> int:
    """Return how many columns a text takes.

    Two for each sign of Chinese, Japanese or Korean, say, and none for a mark that stands on the sign before it.
    """
    return len(text) if text.isascii() else sum(map(_char_width, text))


def beginning(text: str, width: int) -> str:
    """Return as much of ``text`` as finds room in ``width`` columns."""
    return text[: sum(1 for _ in takewhile(lambda end: end <= width, accumulate(map(_char_width, text))))]


def cut(text: str, width: int) -> str:
    """Return ``text`` of at most ``width`` columns, with ``...`` where something is left out at its end."""
    if beginning(text, width) == text:
        return text
    return (beginning(text, width - len(_GAP)) + _GAP)[: max(width, 0)]


def squeezed(text: str, width: int, gap: str = _GAP) -> str:
    """Return ``text`` of at most ``width`` columns, with ``gap`` where its middle is left out.

    What tells texts apart often stands at their end.
    """
    if text_width(text) <= width:
        return text
    kept = max(width - len(gap), 0)
    return beginning(text, kept - kept // 2) + gap + _end(text, kept // 2)


def _end(text: str, width: int) -> str:
    """Return as much of the end as finds room; no mark whose sign is left out begins it."""
    found = beginning(text[::-1], width)[::-1]
    return found[next((place for place, char in enumerate(found) if _char_width(char)), len(found)) :]


def wrapped(text: str, width: int, *, indent: str = "", whole_words: bool = False) -> Iterator[str]:
    """Yield ``text``, made harmless, in lines of at most ``width`` columns, those after the first further in.

    Below 20 columns a line has that many all the same. With ``whole_words`` a path or a command stays one that can be
    copied: a word that fits in no line has one to itself, and a line that is there for its command is not broken.
    """
    if whole_words and _COMMAND.match(text):
        yield printable(text)
        return
    room = max(width - 1, _NARROWEST)  # a line may begin with a command of the CI now: there is room for one more
    yield from map(printable, _lines(printable(text), room, indent, whole_words))


def _lines(text: str, room: int, indent: str, whole_words: bool) -> Iterator[str]:
    """Yield ``text`` broken at blanks, and within words that fit in no line, as ``textwrap`` does by characters."""
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
