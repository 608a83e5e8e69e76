"""A document with its labelled lines, and the columns of its tables, in another order and form."""

import re
from collections.abc import Callable, Collection, Sequence
from random import Random

__all__ = ["arranged", "labels_of"]

_LINE = re.compile(r"(?P<mark>[-*• ]{0,3})(?P<label>[A-Za-z][^:=\n]{0,28}?)(?P<sep>\s*[:=]\s*)(?P<value>\S.*)")
_SEPARATORS = (": ", " - ", " = ", " | ", "\t", "  ", " > ", ":\n  ", " -- ", "=")
_MARKS = ("", "", "- ", "* ", "| ")
_CASES: tuple[Callable[[str], str], ...] = (str, str, str.upper, str.lower)
_JOINTS = ("; ", " / ", ", ", " | ")
_DELIMITERS = ("|", ",", ";", "\t")
_FEWEST_COLUMNS = 4
_SHUFFLED = 0.7
"""Share of the blocks of labelled lines that come in another order; two shares more decide on their form."""
_RESTYLED = 0.6
_JOINED = 0.3


def labels_of(document: str) -> set[str]:
    """Return the labels of its lines, as ``Date`` of ``Date: 3 May``."""
    return {match["label"] for match in map(_LINE.fullmatch, document.split("\n")) if match}


def arranged(document: str, labels: Collection[str], rng: Random) -> str:
    """Return a document with blocks of labelled lines, and of lines with the same columns, in another form.

    Args:
        document: what it says stays, line by line or cell by cell; other lines stay as they are.
        labels: those that may change places; a line with another one is none.
        rng: what is drawn from.
    """
    lines, made = document.split("\n"), list[str]()
    while lines:
        block = _labelled(lines, labels)
        table = None if block else _table(lines)
        if block:
            made += _other_lines(block, rng)
        elif table:
            made += _other_columns(*table, rng)
        else:
            made.append(lines[0])
        del lines[: len(block) or (len(table[1]) if table else 1)]
    return "\n".join(made)


def _labelled(lines: Sequence[str], labels: Collection[str]) -> list[re.Match[str]]:
    """Return the labelled lines that ``lines`` begin with; none where they are fewer than two, or one twice."""
    found: list[re.Match[str]] = []
    for line in lines:
        match = _LINE.fullmatch(line)
        if match is None or match["label"] not in labels:
            break
        found.append(match)
    return found if len({each["label"] for each in found}) == len(found) > 1 else []


def _other_lines(block: list[re.Match[str]], rng: Random) -> list[str]:
    if rng.random() < _SHUFFLED:
        rng.shuffle(block)
    if rng.random() >= _RESTYLED:
        return [each.group() for each in block]
    separator, mark, case = rng.choice(_SEPARATORS), rng.choice(_MARKS), rng.choice(_CASES)
    made = [f"{mark}{case(each['label'])}{separator}{each['value']}" for each in block]
    return [rng.choice(_JOINTS).join(made)] if "\n" not in separator and rng.random() < _JOINED else made


def _table(lines: Sequence[str]) -> tuple[str, list[list[str]]] | None:
    """Return the delimiter and cells of the table that ``lines`` begin with; None without one of two lines."""
    for delimiter in _DELIMITERS:
        columns = lines[0].count(delimiter)
        if columns + 1 < _FEWEST_COLUMNS:
            continue
        count = next((place for place, line in enumerate(lines) if line.count(delimiter) != columns), len(lines))
        if count > 1 and not any('"' in line for line in lines[:count]):  # in quotes a delimiter may be text
            cells = [line.split(delimiter) for line in lines[:count]]
            return delimiter, [[cell.strip() for cell in row] for row in cells] if delimiter == "|" else cells
    return None


def _other_columns(delimiter: str, cells: list[list[str]], rng: Random) -> list[str]:
    count = len(cells[0])
    has_borders = all(not row[0].strip() and not row[-1].strip() for row in cells)
    inner = list(range(1, count - 1) if has_borders else range(count))
    rng.shuffle(inner)
    order = [0, *inner, count - 1] if has_borders else inner
    is_plain = not any(char in cell for row in cells for cell in row for char in "|;")
    other = rng.choice([delimiter, delimiter, " | ", ";", "\t"]) if is_plain else delimiter
    joint = " | " if other == "|" else other
    return [joint.join(row[column] for column in order) for row in cells]
