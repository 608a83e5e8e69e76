"""Plain text tables: aligned columns that shrink to the width of the terminal, without colour or box characters."""

import re
from collections.abc import Collection, Sequence
from typing import Literal

from pytest_llmeval.reports.text_width import squeezed, text_width

__all__ = ["Column", "table_lines", "table_width", "without"]

Column = tuple[str, Literal["left", "right", "fixed"]]
"""Title and alignment. ``fixed`` aligns left and never shrinks."""
_GAP = "  "
_NARROWEST = 8
"""Width below which no column shrinks."""
_FEWEST = 6
"""Smallest number of columns of a name before its slice: a few letters, and the dots for the rest."""
_BRACKETED = re.compile(r" ?\[[^\[\]]+\]$")


def table_lines(
    columns: Sequence[Column],
    rows: Sequence[Sequence[str]],
    *,
    width: int,
    indent: str = "",
    spare: Sequence[str] = (),
) -> list[str]:
    """Return the lines of a table, its header first.

    Args:
        columns: the title and the alignment of each column.
        rows: the cells, row by row, one for each of ``columns``.
        width: the largest number of columns in a line, the indent included. The widest ``left`` columns shrink first,
            down to 8 columns each.
        indent: the text before each line.
        spare: titles of columns to drop, one after the other, if shrinking is not enough, or if dropping them keeps
            different cells of a column from looking the same.
    """
    room = width - len(indent)
    widths = _fitted(columns, rows, room)
    needed = columns, rows, widths
    for title in spare:
        is_too_wide = _total(widths) > room
        if is_too_wide or _look_alike(rows, widths):
            columns, rows = without(columns, rows, {title})
            widths = _fitted(columns, rows, room)
            needed = (columns, rows, widths) if is_too_wide else needed
    if _look_alike(rows, widths):
        columns, rows, widths = needed
    return [indent + _line(row, columns, widths) for row in ([title for title, _ in columns], *rows)]


def without(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], titles: Collection[str]
) -> tuple[list[Column], list[list[str]]]:
    """Return the columns and rows of a table without the columns of the given titles."""
    kept = [place for place, (title, _) in enumerate(columns) if title not in titles]
    return [columns[place] for place in kept], [[row[place] for place in kept] for row in rows]


def table_width(columns: Sequence[Column], rows: Sequence[Sequence[str]], *, names: int | None = None) -> int:
    """Return the number of terminal columns that a line of the table needs.

    Args:
        columns: as in ``table_lines``.
        rows: as in ``table_lines``.
        names: the width down to which the ``left`` columns shrink; None if they do not.
    """
    widths = _widths(columns, rows)
    return _total(widths if names is None else _least(columns, widths, names))


def _fitted(columns: Sequence[Column], rows: Sequence[Sequence[str]], room: int) -> list[int]:
    """Return column widths that fit into ``room``, or the smallest possible ones if that is too little."""
    widths, least = _widths(columns, rows), _least(columns, _widths(columns, rows), _NARROWEST)
    while _total(widths) > room and widths != least:
        shrinkable = [index for index in range(len(widths)) if widths[index] > least[index]]
        widths[max(shrinkable, key=lambda index: widths[index])] -= 1
    return widths


def _look_alike(rows: Sequence[Sequence[str]], widths: Sequence[int]) -> bool:
    """Whether two different cells of a column look the same once they are cut."""
    columns = (({row[index] for row in rows}, width) for index, width in enumerate(widths))
    return any(len({_squeezed(cell, width) for cell in cells}) < len(cells) for cells, width in columns)


def _widths(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[int]:
    return [max([len(title), *(text_width(row[index]) for row in rows)]) for index, (title, _) in enumerate(columns)]


def _least(columns: Sequence[Column], widths: Sequence[int], names: int) -> list[int]:
    """Return the widths of the columns with every ``left`` one shrunk to at most ``names``."""
    return [min(width, names) if side == "left" else width for (_, side), width in zip(columns, widths, strict=True)]


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + len(_GAP) * (len(widths) - 1)


def _squeezed(text: str, width: int) -> str:
    """Return a text shortened in the middle; a slice or parameter set at its end stays whole if there is room."""
    end = _BRACKETED.search(text)
    room = width - text_width(end[0]) if end else 0
    is_cut = end is not None and text_width(text) > width and room >= _FEWEST
    return squeezed(text[: end.start()], room) + end[0] if end is not None and is_cut else squeezed(text, width)


def _line(row: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> str:
    parts = []
    for text, (_, side), width in zip(row, columns, widths, strict=True):
        fitting = _squeezed(text, width)
        blanks = " " * (width - text_width(fitting))
        parts.append(blanks + fitting if side == "right" else fitting + blanks)
    return _GAP.join(parts).rstrip()
