"""Wrong values that could be taken for the right one: others of its kind in the text, and slips of reckoning."""

from __future__ import annotations

import re

from ..qa.draw import Draw
from ..qa.names import PEOPLE
from ..qa.values import MONTHS
from .questions import Row, holds

_DATE = rf"\d{{1,2}} (?:{'|'.join(MONTHS)})(?: \d{{4}})?"
_CLOCK = r"\d{1,2}:\d\d(?: [ap]m)?"
_YEAR = r"1[5-9]\d\d|20\d\d"
_PERCENT = r"\d+%"
_NUMBER = r"\d[\d,]*"
_FIRST_NAMES = frozenset(name for women, men, _ in PEOPLE for name in (*women, *men))


def is_person(value: str) -> bool:
    """Return whether the value is a first name and a surname."""
    first, _, last = value.partition(" ")
    return first in _FIRST_NAMES and bool(last)


def rivals(row: Row, value: str) -> list[str]:
    """Return what stands in the context of a row, is of the kind of ``value``, and is no right answer."""
    found = _numbers(row, value) if value[:1].isdigit() else _names(row, value)
    return [each for each in dict.fromkeys(found) if each != value and not holds(row, each)]


def _numbers(row: Row, value: str) -> list[str]:
    context = row["input"]["context"]
    for pattern in (_DATE, _CLOCK, _YEAR, _PERCENT):
        if re.fullmatch(pattern, value):
            return re.findall(rf"(?<![\w,:])(?:{pattern})(?![\w%:])", context)
    number, _, unit = value.partition(" ")
    if unit:
        return re.findall(rf"(?<![\w,]){_NUMBER} {re.escape(unit)}(?!\w)", context)
    # a bare number: its unit stands in an alias
    units = [alias.partition(" ")[2] for alias in row["target"]["aliases"] if alias.startswith(f"{number} ")]
    return re.findall(rf"(?<![\w,])({_NUMBER}) {re.escape(units[0])}(?!\w)", context) if units else []


def _names(row: Row, value: str) -> list[str]:
    meta = row["metadata"]
    found = [*meta.get("names", ()), *([meta["foil"]] if "foil" in meta else ())]
    if found:
        return [name for name in found if not name[:1].isdigit()]
    if is_person(value):
        return [name for name in meta["entities"] if is_person(name)]
    kind = value.split()[-1]
    return [name for name in meta["entities"] if " " in value and name.split()[-1] == kind]


def slip(draw: Draw, row: Row) -> str | None:
    """Return the right answer with its number a little off; None where there is no number to change."""
    answer = row["target"]["answer"]
    found = re.match(_NUMBER, answer)
    if found is None or re.fullmatch(_CLOCK, answer):
        return None
    number = int(found[0].replace(",", ""))
    near = number + draw.pick([-2, -1, 1, 2] if number < 60 else [-20, -10, -1, 1, 10, 20])
    is_date = re.fullmatch(_DATE, answer) is not None
    if near < 2 or (is_date and near > 28):
        return None
    shown = f"{near:,}" if "," in found[0] else str(near)
    wrong = shown + answer[found.end() :]
    context = row["input"]["context"]
    return None if re.search(rf"(?<![\w,]){re.escape(shown)}(?![\w,])", context) or holds(row, wrong) else wrong
