"""Plain tables: aligned columns that shrink to the width of the terminal, without colour or box characters."""

import unicodedata
from collections.abc import Sequence
from itertools import accumulate
from typing import Literal

__all__ = ["Column", "table_lines", "table_width"]

Column = tuple[str, Literal["left", "right", "fixed"]]
"""Title and alignment; ``fixed`` stands left and keeps its width."""
_GAP = "  "
_GAP_WITHIN = "..."
_NARROWEST = 8


def table_lines(columns: Sequence[Column], rows: Sequence[Sequence[str]], *, width: int, indent: str = "") -> list[str]:
    """Return the lines of a table, its header first.

    Args:
        columns: the title and the alignment of each column.
        rows: the cells, one row after another, as many in each as there are columns.
        width: the most columns of a line, the indent included; the widest ``left`` columns give way, down to
            8 characters each.
        indent: what stands before each line.
    """
    cells = [[title for title, _ in columns], *[list(row) for row in rows]]
    widths = _widths(columns, rows)
    room = width - len(indent) - len(_GAP) * (len(columns) - 1)
    while sum(widths) > room:
        shrinkable = [index for index, (_, side) in enumerate(columns) if side == "left" and widths[index] > _NARROWEST]
        if not shrinkable:
            break
        widths[max(shrinkable, key=lambda index: widths[index])] -= 1
    return [indent + _line(row, columns, widths) for row in cells]


def table_width(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> int:
    """Return how many columns a line of the table needs where no column gives way."""
    return sum(_widths(columns, rows)) + len(_GAP) * (len(columns) - 1)


def _widths(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[int]:
    return [max([len(title), *(_width(row[index]) for row in rows)]) for index, (title, _) in enumerate(columns)]


def _line(row: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> str:
    parts = []
    for text, (_, side), width in zip(row, columns, widths, strict=True):
        fitting = _squeezed(text, width)
        blanks = " " * (width - _width(fitting))
        parts.append(blanks + fitting if side == "right" else fitting + blanks)
    return _GAP.join(parts).rstrip()


def _squeezed(text: str, width: int) -> str:
    """Return ``text`` without its middle where it is too long: what tells rows apart often stands at the end."""
    if _width(text) <= width:
        return text
    kept = width - len(_GAP_WITHIN)
    return _beginning(text, kept - kept // 2) + _GAP_WITHIN + _beginning(text[::-1], kept // 2)[::-1]


def _beginning(text: str, width: int) -> str:
    """Return as much of ``text`` as finds room."""
    return text[: sum(end <= width for end in accumulate(map(_width, text)))]


def _width(text: str) -> int:
    """Return how many columns of a terminal a text takes: two for each sign of Chinese, Japanese or Korean, say."""
    return len(text) + sum(unicodedata.east_asian_width(char) in "WF" for char in text if not text.isascii())
