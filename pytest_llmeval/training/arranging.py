"""A document with its labelled lines, and the columns of its tables, in another order and form."""

import re
from collections.abc import Callable, Collection, Sequence
from random import Random

__all__ = ["arranged", "labels_of"]

_LINE = re.compile(
    r"(?P<mark>[-*• ]{0,3})(?P<label>[^\W\d_][^:=\n]{0,28}?)(?P<sep>\s*(?::\s+|=\s*))(?!//)(?P<value>\S.*)"
)
_LABEL_WORDS = 4
"""A label has no more words; a line that begins with more of them is a sentence."""
_SEPARATORS = (": ", " - ", " = ", " | ", "\t", "  ", " > ", ":\n  ", " -- ", "=")
_MARKS = ("", "", "- ", "* ", "| ")
_CASES: tuple[Callable[[str], str], ...] = (str, str, str.upper, str.lower)
_JOINTS = ("; ", " / ", ", ", " | ")
_DELIMITERS = ("|", ";", "\t")
_FEWEST_COLUMNS = 4
_CELL = 40
"""Characters of a cell; one with more is a sentence."""
_SHUFFLED = 0.7
"""Share of the blocks of labelled lines that come in another order; two shares more decide on their form."""
_RESTYLED = 0.6
_JOINED = 0.3
_FLATTENED = 0.15
"""Share of the documents that come on one line."""
_FLAT_JOINTS = (" ", " ", " / ", "; ")
_QUOTES = (">", "~~")
"""Lines that begin so are of an older text: on one line with the rest nobody could tell."""


def labels_of(document: str) -> set[str]:
    """Return the labels of its lines, as ``Date`` of ``Date: 3 May``."""
    found = {match["label"] for match in map(_LINE.fullmatch, document.split("\n")) if match}
    return {label for label in found if len(label.split()) <= _LABEL_WORDS}


def arranged(document: str, labels: Collection[str], rng: Random, *, listed: Collection[str] = ()) -> str:
    """Return a document with blocks of labelled lines, and of lines with the same columns, in another form.

    Args:
        document: what it says stays, line by line or cell by cell; other lines stay as they are.
        labels: those that may change places; a line with another one is none.
        rng: what is drawn from.
        listed: texts whose order among each other says something; they are no labels either.
    """
    lines, made = document.split("\n"), list[str]()
    is_flat = rng.random() < _FLATTENED and not any(line.lstrip().startswith(_QUOTES) for line in lines)
    place = 0
    while place < len(lines):
        block, table = _labelled(lines, place, labels, listed), _table(lines, place)
        if len(block) > 1:
            made += _other_lines(block, rng, listed)
        elif table and len(table) > 1:
            is_flat = False
            made += _other_columns(table, rng, listed)
        else:
            made.append(lines[place])
        place += max(len(block), len(table), 1)
    if is_flat and len(made) > 1:
        return rng.choice(_FLAT_JOINTS).join(line.strip() for line in made if line.strip())
    return "\n".join(made)


def _labelled(
    lines: Sequence[str], start: int, labels: Collection[str], listed: Collection[str]
) -> list[re.Match[str]]:
    """Return the labelled lines from ``start`` on, up to one whose label came before or that another line goes on."""
    found: list[re.Match[str]] = []
    seen: set[str] = set()
    for number in range(start, len(lines)):
        match = _LINE.fullmatch(lines[number])
        if match is None or match["label"] not in labels or match["label"] in seen or match["label"] in listed:
            break
        after = lines[number + 1] if number + 1 < len(lines) else ""
        if after[:1] in (" ", "\t") and not _LINE.fullmatch(after):
            break
        seen.add(match["label"])
        found.append(match)
    return found


def _other_lines(block: list[re.Match[str]], rng: Random, listed: Collection[str]) -> list[str]:
    is_list = sum(any(text in each.group() for text in listed) for each in block) > 1
    if rng.random() < _SHUFFLED and not is_list:
        rng.shuffle(block)
    if rng.random() >= _RESTYLED:
        return [each.group() for each in block]
    separator, mark, case = rng.choice(_SEPARATORS), rng.choice(_MARKS), rng.choice(_CASES)
    made = [f"{mark}{case(each['label'])}{separator}{each['value']}" for each in block]
    return [rng.choice(_JOINTS).join(made)] if "\n" not in separator and rng.random() < _JOINED else made


def _table(lines: Sequence[str], start: int) -> list[list[str]]:
    """Return the cells of the lines from ``start`` on that have the same columns; none where they are no table."""
    delimiter = next((each for each in _DELIMITERS if lines[start].count(each) >= _FEWEST_COLUMNS - 1), None)
    if delimiter is None:
        return []
    found: list[list[str]] = []
    for line in lines[start:]:
        cells = [cell.strip() for cell in line.split(delimiter)]
        if (found and len(cells) != len(found[0])) or '"' in line or max(map(len, cells)) > _CELL:
            break
        found.append(cells)
    return [[*cells, delimiter] for cells in found]


def _other_columns(table: list[list[str]], rng: Random, listed: Collection[str]) -> list[str]:
    delimiter, rows = table[0][-1], [row[:-1] for row in table]
    count = len(rows[0])
    has_borders = all(not row[0] and not row[-1] for row in rows)
    inner = list(range(1, count - 1) if has_borders else range(count))
    if not any(sum(cell in listed for cell in row) > 1 for row in rows):
        rng.shuffle(inner)
    order = [0, *inner, count - 1] if has_borders else inner
    is_plain = not any(char in cell for row in rows for cell in row for char in "|;")
    other = rng.choice([delimiter, delimiter, "|", ";", "\t"]) if is_plain else delimiter
    joint = " | " if other == "|" else other
    return [joint.join(row[column] for column in order).strip() for row in rows]
