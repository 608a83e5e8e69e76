"""How many columns of a terminal a text takes, and texts cut to so many."""

import unicodedata
from functools import lru_cache
from itertools import accumulate, takewhile

__all__ = ["beginning", "cut", "squeezed", "text_width"]

_GAP = "..."


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


@lru_cache(maxsize=4096)
def _char_width(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
