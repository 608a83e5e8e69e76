"""Rearrangement of a document: its labelled lines, and the columns of its tables, in another order and form."""

import re
from collections.abc import Callable, Collection, Sequence
from random import Random

__all__ = ["arranged", "labels_of"]

_LINE = re.compile(
    r"(?P<mark>[-*•: ]{0,3})(?P<label>[^\W\d_][^:=\n]{0,28}?)(?P<sep>\s*(?::\s+|=\s*))(?!//)(?P<value>\S.*)"
)
_LABEL_WORDS = 4
"""Largest number of words in a label; a line that begins with more of them is a sentence."""
_BELOW = ":\n  "
"""Separator that puts the value on a line of its own."""
_SEPARATORS = (": ", " - ", " = ", " | ", "\t", "  ", " > ", _BELOW, " -- ", "=")
_MARKS = ("", "", "- ", "* ", "| ")
_CASES: tuple[Callable[[str], str], ...] = (str, str, str.upper, str.lower)
_JOINTS = ("; ", " / ", ", ", " | ")
_DELIMITERS = ("|", ";", "\t")
_OTHER_DELIMITERS = ("|", ";", "\t", ",")
"""Delimiters that a table may be written with. A comma is not among those that it is recognised by, because lines of
prose may have equally many."""
_FEWEST_COLUMNS = 4
_RULE = "-: "
"""Characters of the line under the head of a Markdown table."""
_CELL = 40
"""Largest number of characters in a cell; a longer text is a sentence."""
_SHUFFLED = 0.7
"""Probability that a block of labelled lines changes its order; ``_RESTYLED`` is that of another form, and ``_JOINED``
that of a single line in this form."""
_RESTYLED = 0.6
_JOINED = 0.3
_TURNED = 0.25
"""Probability that a block of labelled lines becomes a table with one row, and that such a table becomes lines."""
_FEWEST_TURNED = 3
_FLATTENED = 0.15
"""Probability that a document is written on one line."""
_FLAT_JOINTS = (" ", " ", " / ", "; ")
_QUOTES = (">", "~~")
"""Prefixes of quoted lines: a document with one keeps its lines, since on one line nobody could tell quotes apart."""


def labels_of(document: str) -> set[str]:
    """Return the labels of a document's lines, such as ``Date`` for ``Date: 3 May``."""
    found = {match["label"] for match in map(_LINE.fullmatch, document.split("\n")) if match}
    return {label for label in found if len(label.split()) <= _LABEL_WORDS}


def arranged(document: str, labels: Collection[str], rng: Random, *, listed: Collection[str] = ()) -> str:
    """Return a document with its blocks of labelled lines, and its tables, in another order and form.

    The labels of some blocks become the head of a table whose row are their values, and the other way round.

    Args:
        document: its facts stay, line by line or cell by cell; other lines stay as they are.
        labels: labels that may move; a line with any other label is not a labelled one.
        rng: source of randomness.
        listed: texts whose order has a meaning; none of them is treated as a label.
    """
    lines, made = document.split("\n"), list[str]()
    is_flat = rng.random() < _FLATTENED and not any(line.lstrip().startswith(_QUOTES) for line in lines)
    place = 0
    while place < len(lines):
        block, table = _labelled(lines, place, labels, listed), _table(lines, place)
        if len(block) > 1:
            made += _other_lines(block, rng, listed, may_turn=not is_flat)
        elif table and len(table) > 1:
            is_flat = False
            made += _other_columns(table, rng, listed)
        else:
            made.append(lines[place])
        place += max(len(block), len(table), 1)
    if is_flat and len(made) > 1:
        return rng.choice(_FLAT_JOINTS).join(line.strip().replace(_BELOW, ": ") for line in made if line.strip())
    return "\n".join(made)


def _labelled(
    lines: Sequence[str], start: int, labels: Collection[str], listed: Collection[str]
) -> list[re.Match[str]]:
    """Return the labelled lines from ``start`` on, up to a repeated label or to a label whose value goes on below it.

    A line without a label continues the one before it, as in an address.
    """
    found: list[re.Match[str]] = []
    seen: set[str] = set()
    for number in range(start, len(lines)):
        match = _LINE.fullmatch(lines[number])
        if match is None or match["label"] not in labels or match["label"] in seen or match["label"] in listed:
            return found if match or not lines[number].strip() else found[:-1]
        after = lines[number + 1] if number + 1 < len(lines) else ""
        if after[:1] in (" ", "\t") and not _LINE.fullmatch(after):
            break
        seen.add(match["label"])
        found.append(match)
    return found


def _other_lines(block: list[re.Match[str]], rng: Random, listed: Collection[str], *, may_turn: bool) -> list[str]:
    is_list = sum(any(text in each.group() for text in listed) for each in block) > 1
    if rng.random() < _SHUFFLED and not is_list:
        rng.shuffle(block)
    if may_turn and not is_list and len(block) >= _FEWEST_TURNED and rng.random() < _TURNED:
        head, row = [each["label"] for each in block], [each["value"] for each in block]
        delimiter = _other_delimiter(rng, [head, row])
        if delimiter:
            return [_row(head, delimiter), _row(row, delimiter)]
    if rng.random() >= _RESTYLED:
        return [each.group() for each in block]
    return _restyled([(each["label"], each["value"]) for each in block], rng)


def _restyled(pairs: Sequence[tuple[str, str]], rng: Random) -> list[str]:
    """Return labels and values as lines of one form, or joined on one line."""
    separator, mark, case = rng.choice(_SEPARATORS), rng.choice(_MARKS), rng.choice(_CASES)
    made = [f"{mark}{case(label)}{separator}{value}" for label, value in pairs]
    return [rng.choice(_JOINTS).join(made)] if "\n" not in separator and rng.random() < _JOINED else made


def _table(lines: Sequence[str], start: int) -> list[list[str]]:
    """Return the cells of the lines from ``start`` on that have the same columns; empty if they are not a table.

    The delimiter is appended to the cells of each line.
    """
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
    has_borders = all(not row[0] and not row[-1] for row in rows)
    if has_borders:
        rows = [row[1:-1] for row in rows]
    columns = list(range(len(rows[0])))
    is_list = any(sum(cell in listed for cell in row) > 1 for row in rows)
    if not is_list:
        rng.shuffle(columns)
    rows = [[row[column] for column in columns] for row in rows]
    bare = [row for row in rows if set("".join(row)) - set(_RULE)]
    if len(bare) == 2 and not is_list and _is_head(bare[0]) and rng.random() < _TURNED:
        return _restyled(list(zip(*bare, strict=True)), rng)
    other = _other_delimiter(rng, bare) if rng.random() < _RESTYLED else None
    if other:
        return [_row(row, other) for row in bare]
    return [_row(["", *row, ""] if has_borders else row, delimiter) for row in rows]


def _is_head(cells: Sequence[str]) -> bool:
    """Whether the cells are distinct names: none is empty, and none contains a digit."""
    return len(set(cells)) == len(cells) and all(cell and not any(map(str.isdigit, cell)) for cell in cells)


def _other_delimiter(rng: Random, rows: Sequence[Sequence[str]]) -> str | None:
    """Return a delimiter that no cell contains; None if there is none."""
    text = "".join(cell for row in rows for cell in row)
    return rng.choice([each for each in _OTHER_DELIMITERS if each not in text] or [None])


def _row(cells: Sequence[str], delimiter: str) -> str:
    return (" | " if delimiter == "|" else delimiter).join(cells).strip()
