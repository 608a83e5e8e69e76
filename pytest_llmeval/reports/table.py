"""Plain tables: aligned columns that shrink to the width of the terminal, without colour or box characters."""

from collections.abc import Sequence
from typing import Literal

from pytest_llmeval.core.text import shorten

__all__ = ["Column", "table_lines"]

Column = tuple[str, Literal["left", "right", "fixed"]]
"""Title and alignment; ``fixed`` stands left and keeps its width."""
_GAP = "  "
_NARROWEST = 8


def table_lines(columns: Sequence[Column], rows: Sequence[Sequence[str]], *, width: int, indent: str = "") -> list[str]:
    """Return the lines of a table, its header first.

    Args:
        columns: the title and the alignment of each column.
        rows: the cells, one row after another, as many in each as there are columns.
        width: the most characters of a line, the indent included; the widest ``left`` columns give way, down to
            8 characters each.
        indent: what stands before each line.
    """
    cells = [[title for title, _ in columns], *[list(row) for row in rows]]
    widths = [max(len(row[index]) for row in cells) for index in range(len(columns))]
    room = width - len(indent) - len(_GAP) * (len(columns) - 1)
    while sum(widths) > room:
        shrinkable = [index for index, (_, side) in enumerate(columns) if side == "left" and widths[index] > _NARROWEST]
        if not shrinkable:
            break
        widths[max(shrinkable, key=lambda index: widths[index])] -= 1
    return [indent + _line(row, columns, widths) for row in cells]


def _line(row: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> str:
    parts = []
    for text, (_, side), width in zip(row, columns, widths, strict=True):
        fitting = shorten(text, width)
        parts.append(fitting.rjust(width) if side == "right" else fitting.ljust(width))
    return _GAP.join(parts).rstrip()
