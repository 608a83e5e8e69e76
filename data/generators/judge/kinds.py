"""The kinds of answers: how one of each kind is written, and the labels that follow from that."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ..qa.compose import NOT_STATED, NOT_STATED_ALIASES
from ..qa.draw import Draw
from ..qa.values import MONTHS
from . import wording
from .questions import Row
from .rivals import is_person, rivals, slip

Writer = Callable[[Draw, Row], str | None]
PairWriter = Callable[[Draw, Row, Row], str | None]


@dataclass(frozen=True)
class Kind:
    """One kind of answer: ``write`` returns None for a question to which no such answer can be written."""

    name: str
    many: int
    correctness: Literal["wrong", "partly", "right"]
    completeness: Literal["missing", "partial", "complete"]
    format: Literal["bad", "good"]
    write: Writer | PairWriter
    held: Literal["all", "some", "none", "denied"]
    """How many of the accepted answers (two of a pair) must stand in the text; ``denied``: it stands there, denied."""
    answerable: bool = True
    is_pair: bool = False

    @property
    def labels(self) -> dict[str, str]:
        """The label of each dimension of the rubric ``qa``."""
        return {"correctness": self.correctness, "completeness": self.completeness, "format": self.format}


def _answer(row: Row) -> str:
    return str(row["target"]["answer"])


def _rival(draw: Draw, row: Row) -> str | None:
    found = rivals(row, _answer(row))
    return draw.pick(found) if found else None


def _short(draw: Draw, row: Row) -> str:
    return _answer(row) + draw.pick(("", "", "."))


def _alias(draw: Draw, row: Row) -> str:
    return str(draw.pick(row["target"]["aliases"]))


def _verbose(draw: Draw, row: Row) -> str:
    return wording.long_winded(draw, row, _answer(row))


def _wrong_verbose(draw: Draw, row: Row) -> str | None:
    value = _rival(draw, row)
    return wording.long_winded(draw, row, value) if value else None


def _imprecise(draw: Draw, row: Row) -> str | None:
    """Return the first name of a person, or the month of a date."""
    answer = _answer(row)
    if is_person(answer):
        return answer.split()[0]
    date = re.fullmatch(rf"\d{{1,2}} ({'|'.join(MONTHS)})", answer)
    return draw.pick((date[1], f"in {date[1]}")) if date else None


def _second(draw: Draw, row: Row) -> str | None:
    value = _rival(draw, row)
    return draw.pick(wording.SECOND).format(right=_answer(row), wrong=value) if value else None


def _denied(draw: Draw, row: Row) -> str | None:
    value = _rival(draw, row)
    return draw.pick(wording.DENIED).format(right=_answer(row), wrong=value) if value else None


def _evasive(draw: Draw, row: Row) -> str:
    return draw.pick(wording.EVASIVE)


def _echo(draw: Draw, row: Row) -> str:
    return draw.pick(wording.ECHO).format(question=row["input"]["question"])


def _empty(draw: Draw, row: Row) -> str:
    return ""


def _not_stated(draw: Draw, row: Row) -> str:
    return draw.pick((NOT_STATED, *NOT_STATED_ALIASES))


def _invented(draw: Draw, row: Row) -> str | None:
    """Return the value that was left out of the text, or another of its kind that stands there."""
    if row["slice"] == "reasoning":
        return None
    withheld = str(row["metadata"]["withheld"])
    return draw.pick([withheld, *rivals(row, withheld)])


def _both(draw: Draw, first: Row, second: Row) -> str:
    return draw.pick(wording.BOTH).format(first=_answer(first), second=_answer(second))


def _one_of_two(draw: Draw, first: Row, second: Row) -> str:
    return _answer(draw.pick((first, second)))


def _one_wrong(draw: Draw, first: Row, second: Row) -> str | None:
    answers = [_answer(first), _answer(second)]
    place = draw.below(2)
    value = _rival(draw, (first, second)[place])
    if value is None:
        return None
    answers[place] = value
    return draw.pick(wording.BOTH).format(first=answers[0], second=answers[1])


KINDS = (
    Kind("right_short", 20, "right", "complete", "good", _short, "all"),
    Kind("right_alias", 24, "right", "complete", "good", _alias, "all"),
    Kind("right_pair", 12, "right", "complete", "good", _both, "all", is_pair=True),
    Kind("right_not_stated", 12, "right", "complete", "good", _not_stated, "all", answerable=False),
    Kind("right_verbose", 28, "right", "complete", "bad", _verbose, "all"),
    Kind("partly_one_missing", 12, "partly", "partial", "good", _one_of_two, "some", is_pair=True),
    Kind("partly_one_wrong", 12, "partly", "partial", "good", _one_wrong, "some", is_pair=True),
    Kind("partly_imprecise", 12, "partly", "partial", "good", _imprecise, "none"),
    Kind("partly_second_answer", 12, "partly", "complete", "bad", _second, "all"),
    Kind("wrong_rival", 24, "wrong", "missing", "good", _rival, "none"),
    Kind("wrong_slip", 12, "wrong", "missing", "good", slip, "none"),
    Kind("wrong_verbose", 16, "wrong", "missing", "bad", _wrong_verbose, "none"),
    Kind("wrong_denied", 8, "wrong", "missing", "bad", _denied, "denied"),
    Kind("wrong_not_stated", 12, "wrong", "missing", "good", _not_stated, "none"),
    Kind("wrong_invented", 8, "wrong", "missing", "good", _invented, "none", answerable=False),
    Kind("wrong_evasive", 8, "wrong", "missing", "bad", _evasive, "none"),
    Kind("wrong_echo", 4, "wrong", "missing", "bad", _echo, "none"),
    Kind("wrong_empty", 4, "wrong", "missing", "bad", _empty, "none"),
)
