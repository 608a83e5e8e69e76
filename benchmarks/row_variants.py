"""Rows for training with the same task and other values in another arrangement, made of the rows of a file.

    python benchmarks/row_variants.py data/json_extraction/train.jsonl varied.jsonl --variants 2

The rows come first, then the variants of each. A variant has its row's document with what the target quotes of it
exchanged for values of other rows, in document and target alike, so that it has to be copied from where it stands; and
labelled lines and the columns of tables in another order, with other separators. What a value means is left alone:
dates, times, amounts with a currency, words of a short list. benchmarks/README.md tells what a training gains by them.
"""

import argparse
import json
import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jsonschema

Row = dict[str, Any]
Place = tuple[str, tuple[str, ...]]
"""Kind of a row and path of a value in its target; all elements of a list have one path."""

_MEANT = re.compile(r"\d{4}-\d\d-\d\d|\d\d:\d\d")
"""A date or time in its normal form, which the document has in another."""
_YEAR = re.compile(r"(?:19|20)\d\d")
_DIGITS = "0123456789"
_FREE_VALUES = 12
"""Different values from which on a place holds any, and not one of a list."""
_ALIKE = 8
"""Values with as many words, of which one can be made."""
_COMMON_LINES = 8
"""Rows with the same label from which on it is one, and no speaker of a chat."""
_LABEL_ALONE = 14
"""Characters between a word and a colon that make it a label."""
_WORDS = frozenset(
    {"city", "group", "guest", "hall", "home", "hotel", "house", "market", "new", "office", "old", "room", "the"}
)
"""Parts of names that stand in sentences, too."""
_LINE = re.compile(r"(?P<mark>[-*• ]{0,3})(?P<label>[A-Za-z][^:=\n]{0,28}?)(?P<sep>\s*[:=]\s*)(?P<value>\S.*)")
_SEPARATORS = (": ", " - ", " = ", " | ", "\t", "  ", " > ", ":\n  ", " -- ", "=")
_MARKS = ("", "", "- ", "* ", "| ")
_CASES: tuple[Callable[[str], str], ...] = (str, str, str.upper, str.lower)
_JOINTS = ("; ", " / ", ", ", " | ")
_COLUMNS = ("|", ",", ";", "\t")
_FEWEST_COLUMNS = 4
_AROUND_NUMBERS = (r"(?<![\w.,:/-])", r"(?![\w:/-]|[.,]\d)")
"""What may stand before a number and behind it, where it is no part of another or of a date."""


def leaves(target: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield path and value of all that is no object and no list."""
    if isinstance(target, Mapping):
        for key, value in target.items():
            yield from leaves(value, (*path, key))
    elif isinstance(target, list):
        for value in target:
            yield from leaves(value, (*path, "[]"))
    else:
        yield path, target


def rebuilt(target: Any, made: Callable[[Any], Any]) -> Any:
    """Return ``target`` with each value as ``made`` makes it."""
    if isinstance(target, Mapping):
        return {key: rebuilt(value, made) for key, value in target.items()}
    if isinstance(target, list):
        return [rebuilt(value, made) for value in target]
    return made(target)


class Varied:
    """Makes variants of rows, with the values of all of them."""

    def __init__(self, rows: Sequence[Row], rng: random.Random) -> None:
        """Read what values and labels there are."""
        self._rng = rng
        self._values: dict[Place, list[str]] = defaultdict(list)
        self._labels: Counter[str] = Counter()
        for row in rows:
            for path, value in leaves(row["target"]):
                if isinstance(value, str):
                    self._values[row["metadata"]["kind"], path].append(value)
            found = map(_LINE.fullmatch, row["input"]["document"].split("\n"))
            self._labels.update({line["label"] for line in found if line})
        self._different = {place: sorted(set(values)) for place, values in self._values.items()}

    def variant(self, row: Row, number: int) -> Row:
        """Return the row with other values in another arrangement."""
        document, kind = row["input"]["document"], row["metadata"]["kind"]
        texts, numbers = self._texts(kind, row["target"], document), self._numbers(row["target"], document)
        exchanged = _replaced(_replaced(document, texts, r"(?<!\w)", r"(?!\w)"), numbers, *_AROUND_NUMBERS)

        def made(value: Any) -> Any:
            if isinstance(value, str):
                return value if _MEANT.fullmatch(value) else _replaced(value, texts, r"(?<!\w)", r"(?!\w)")
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            return type(value)(numbers[str(value)]) if is_number and str(value) in numbers else value

        target = rebuilt(row["target"], made)
        jsonschema.validate(target, row["input"]["schema"])
        given = {**row["input"], "document": self._arranged(exchanged)}
        return {**row, "id": f"{row['id']}-{number}", "input": given, "target": target}

    def _texts(self, kind: str, target: Any, document: str) -> dict[str, str]:
        """Return by what the texts are replaced that the target quotes of the document, and the words of names."""
        found: dict[str, str] = {}
        for path, value in leaves(target):
            is_quoted = isinstance(value, str) and len(value) > 2 and value not in found and _stands(value, document)
            if not is_quoted or _MEANT.fullmatch(value) or len(self._different[kind, path]) < _FREE_VALUES:
                continue
            other = self._other((kind, path), value)
            if other is None or other == value or other in found.values() or other in document:
                continue
            found[value] = other
            for old, new in _words_of_names(value, other):
                if not re.search(rf"{re.escape(old)}\b[^\n]{{0,{_LABEL_ALONE}}}?[:=]", document):
                    found.setdefault(old, new)
        return found

    def _other(self, place: Place, value: str) -> str | None:
        """Return another value for a place, of the same form; None where there are too few."""
        if any(char.isdigit() for char in value):
            return "".join(self._rng.choice(_DIGITS) if char.isdigit() else char for char in value)
        if "@" in value:
            return self._rng.choice(self._values[place])
        words = value.split()
        alike = [each for each in self._different[place] if len(each.split()) == len(words)]
        if len(alike) < _ALIKE:
            return None
        if all(word[:1].isupper() for word in words):  # a name: each word of another one
            return " ".join(self._rng.choice(alike).split()[place] for place in range(len(words)))
        return self._rng.choice(alike)

    def _numbers(self, target: Any, document: str) -> dict[str, str]:
        """Return by what numbers are replaced that stand in the document once, as they stand in the target."""
        found: dict[str, str] = {}
        values = [value for _, value in leaves(target)]
        for value in values:
            text = str(value)
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if not is_number or len(text) < 2 or _YEAR.fullmatch(text) or values.count(value) > 1:
                continue
            if len(re.findall(f"{_AROUND_NUMBERS[0]}{re.escape(text)}{_AROUND_NUMBERS[1]}", document)) != 1:
                continue
            other = "0"
            while other[0] == "0" or other[-1] == "0":
                other = "".join(self._rng.choice(_DIGITS) if char.isdigit() else char for char in text)
            if other not in document:
                found[text] = other
        return found

    def _arranged(self, document: str) -> str:
        """Return a document with its labelled lines, and the columns of its tables, in another order and form."""
        lines, made = document.split("\n"), list[str]()
        while lines:
            block = self._labelled(lines)
            table = None if block else _table(lines)
            if block:
                made += self._other_lines(block)
            elif table:
                made += self._other_columns(*table)
            count = len(block) or (len(table[1]) if table else 0)
            made += [] if count else lines[:1]
            del lines[: count or 1]
        return "\n".join(made)

    def _labelled(self, lines: Sequence[str]) -> list[re.Match[str]]:
        """Return the labelled lines that ``lines`` begin with; none where they are fewer than two, or one twice."""
        found: list[re.Match[str]] = []
        for line in lines:
            match = _LINE.fullmatch(line)
            if match is None or self._labels[match["label"]] < _COMMON_LINES:
                break
            found.append(match)
        return found if len({each["label"] for each in found}) == len(found) > 1 else []

    def _other_lines(self, block: list[re.Match[str]]) -> list[str]:
        rng = self._rng
        if rng.random() < 0.7:
            rng.shuffle(block)
        if rng.random() >= 0.6:
            return [each.group() for each in block]
        separator, mark, case = rng.choice(_SEPARATORS), rng.choice(_MARKS), rng.choice(_CASES)
        made = [f"{mark}{case(each['label'])}{separator}{each['value']}" for each in block]
        return [rng.choice(_JOINTS).join(made)] if "\n" not in separator and rng.random() < 0.3 else made

    def _other_columns(self, delimiter: str, cells: list[list[str]]) -> list[str]:
        count = len(cells[0])
        has_borders = all(not row[0].strip() and not row[-1].strip() for row in cells)
        inner = list(range(1, count - 1) if has_borders else range(count))
        self._rng.shuffle(inner)
        order = [0, *inner, count - 1] if has_borders else inner
        is_plain = not any(char in cell for row in cells for cell in row for char in "|;")
        other = self._rng.choice([delimiter, delimiter, " | ", ";", "\t"]) if is_plain else delimiter
        joint = " | " if other == "|" else other
        return [joint.join(row[column] for column in order) for row in cells]


def _stands(value: str, document: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(value)}(?!\w)", document) is not None


def _words_of_names(value: str, other: str) -> Iterable[tuple[str, str]]:
    """Yield the words of a name beside those of the other: a document has them alone, too."""
    old, new = value.split(), other.split()
    is_name = all(word[:1].isupper() for word in (*old, *new)) and not any(char.isdigit() for char in value)
    if is_name and len(old) == len(new) > 1:
        yield from ((a, b) for a, b in zip(old, new, strict=True) if len(a) > 2 and a.lower() not in _WORDS)


def _replaced(text: str, by: Mapping[str, str], before: str, after: str) -> str:
    """Return ``text`` with all keys of ``by`` replaced at once, the longest first."""
    if not by:
        return text
    keys = "|".join(map(re.escape, sorted(by, key=len, reverse=True)))
    return re.sub(f"{before}(?:{keys}){after}", lambda match: by[match.group()], text)


def _table(lines: Sequence[str]) -> tuple[str, list[list[str]]] | None:
    """Return the delimiter and cells of the table that ``lines`` begin with; None without one of two lines."""
    for delimiter in _COLUMNS:
        columns = lines[0].count(delimiter)
        if columns + 1 < _FEWEST_COLUMNS:
            continue
        count = next((place for place, line in enumerate(lines) if line.count(delimiter) != columns), len(lines))
        if count > 1:
            cells = [line.split(delimiter) for line in lines[:count]]
            return delimiter, [[cell.strip() for cell in row] for row in cells] if delimiter == "|" else cells
    return None


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--variants", type=int, default=2, metavar="N", help="of each row (2)")
    parser.add_argument("--seed", type=int, default=7, metavar="N", help="of the values and the arrangement (7)")
    chosen = parser.parse_args()
    rows = [json.loads(line) for line in chosen.rows.read_text("utf-8").splitlines()]
    varied = Varied(rows, random.Random(chosen.seed))
    made = [*rows, *(varied.variant(row, number) for number in range(chosen.variants) for row in rows)]
    chosen.output.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in made), "utf-8")
    print(f"{len(made):,} rows in {chosen.output}")


if __name__ == "__main__":
    main()
