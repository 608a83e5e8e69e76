"""How a reasoning answer follows from its operands."""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Sequence

from . import values
from .schema import Question, UnsuitableError
from .values import Value

RANKED = {"largest": -1, "smallest": 0, "latest": -1, "earliest": 0, "middle": 1}


def _whole(over: int, under: int) -> int:
    if over % under:
        raise UnsuitableError("the result is not a whole number")
    return over // under


NUMERIC: dict[str, Callable[[Sequence[int]], int]] = {
    "sum": sum,
    "difference": lambda raw: abs(raw[0] - raw[1]),
    "product": math.prod,
    "quotient": lambda raw: _whole(raw[0], raw[1]),
    "remainder": lambda raw: raw[0] - sum(raw[1:]),
    "percentage": lambda raw: _whole(100 * raw[0], raw[1]),
    "percent_of": lambda raw: _whole(raw[0] * raw[1], 100),
    "scale": lambda raw: _whole(raw[0] * raw[2], raw[1]),
    "product_plus": lambda raw: raw[0] * raw[1] + raw[2],
    "two_products": lambda raw: raw[0] * raw[1] + raw[2] * raw[3],
    "days_between": lambda raw: raw[1] - raw[0],
    "year_after": sum,
    "year_before": lambda raw: raw[0] - raw[1],
    "time_between": lambda raw: raw[1] - raw[0],
    "time_after": sum,
    "time_before": lambda raw: raw[0] - raw[1],
    "date_after": sum,
    "weekday_after": sum,
}


def answer(question: Question, operands: Sequence[Value], names: Sequence[Value]) -> Value:
    """Return the value that answers the question, or raise ``UnsuitableError``."""
    if question.operation in RANKED:
        return _ranked(question.operation, operands, names)
    result = NUMERIC[question.operation]([operand.raw for operand in operands])
    return _dressed(question, result, operands)


def _ranked(operation: str, operands: Sequence[Value], names: Sequence[Value]) -> Value:
    raws = [operand.raw for operand in operands]
    if len(set(raws)) < len(raws):
        raise UnsuitableError("a tie has no single answer")
    place = sorted(raws)[RANKED[operation]]
    return names[raws.index(place)]


def _dressed(question: Question, result: int, operands: Sequence[Value]) -> Value:
    operation, unit = question.operation, question.unit
    if operation in ("year_after", "year_before"):
        return values.year(result)
    if operation in ("time_after", "time_before"):
        if not 0 < result < 1440:
            raise UnsuitableError("the time falls on another day")
        return values.clock(result, halves=operands[0].text.endswith("m"))
    if operation == "date_after":
        return values.date(datetime.date.fromordinal(result))
    if operation == "weekday_after":
        return values.weekday(result)
    if result < 2:
        raise UnsuitableError("too small for a plural answer")
    if operation == "time_between":
        return values.duration(result)
    if operation == "percentage":
        return values.percent(result)
    if unit == "money":
        return values.money(result, _currency(operands))
    return values.measure(result, unit) if unit else values.count(result, "in all")


def _currency(operands: Sequence[Value]) -> str:
    last_words = [operand.text.split()[-1] for operand in operands]
    return next(word for word in last_words if word in values.CURRENCIES)
