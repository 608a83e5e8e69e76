"""The record of a finished case as one ASCII JSON text: what rides on a test report, with and without xdist."""

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from decimal import Decimal
from enum import Enum
from json import dumps, loads
from typing import Any

from pytest_llmeval.core.types import Call, CaseKey, CaseRecord, CaseStart, JudgeRecord, Request, Score, Vote

__all__ = ["as_json", "as_text", "dump", "load_case", "load_start", "plain", "settled"]

_DEEPEST = 100


def dump(case: CaseRecord | CaseStart) -> str:
    """Return ``case`` as one ASCII text."""
    return dumps(plain(case), allow_nan=False)


def load_case(text: str) -> CaseRecord:
    """Return the case that ``dump`` wrote."""
    data = loads(text)
    return CaseRecord(
        **{
            **data,
            "key": CaseKey(**data["key"]),
            "slices": tuple(data["slices"]),
            "scores": tuple(_load_score(score) for score in data["scores"]),
            "judges": tuple(JudgeRecord(**judge) for judge in data["judges"]),
            "calls": tuple(Call(**call) for call in data["calls"]),
        }
    )


def _load_score(data: dict[str, Any]) -> Score:
    return Score(**{**data, "votes": tuple(Vote(**vote) for vote in data["votes"])})


def settled(case: CaseRecord) -> CaseRecord:
    """Return what ``load_case(dump(case))`` does, without the way through JSON where that would change nothing."""
    return case if _is_plain(case) else load_case(dump(case))


def _is_plain(case: CaseRecord) -> bool:
    texts = [case.error, case.target, case.cluster, case.input, *case.slices, *(call.response for call in case.calls)]
    values: list[Any] = []
    for score in case.scores:
        texts += [score.name, score.reason, score.judge_id, score.dimension, score.decided_by]
        values += [score.value, score.passed]
    return all(text is None or type(text) is str for text in texts) and all(
        value is None or type(value) is bool or (type(value) is float and math.isfinite(value)) for value in values
    )


def load_start(text: str) -> CaseStart:
    """Return what ``dump`` wrote."""
    data = loads(text)
    return CaseStart(**{**data, "key": CaseKey(**data["key"]), "slices": tuple(data["slices"])})


def as_json(value: Any) -> str:
    """Return ``value`` as ASCII JSON, whatever it is; equal values give equal texts."""
    return dumps(plain(value), sort_keys=True, allow_nan=False)


def as_text(value: Any) -> str:
    """Return a text as it is, and anything else as JSON."""
    told = plain(value)
    return told if isinstance(told, str) else as_json(told)


def plain(value: Any) -> Any:
    """Return ``value`` as JSON can hold it, whatever it is: nothing that a test passes can end a session.

    Numbers of other libraries become Python's, NaN and infinity become their names; anything unknown, broken or
    nested more than 100 deep becomes its type's name.
    """
    return _plain(value, _DEEPEST)


def _plain(value: Any, room: int) -> Any:
    kind = type(value)
    if value is None or kind is str or kind is bool:  # what most values are
        return value
    try:
        names = _FIELDS.get(kind)
        if names is not None and room:
            return {name: _plain(getattr(value, name), room - 1) for name in names}
        if room and isinstance(value, Enum):
            return _plain(value.value, room - 1)
        if isinstance(value, bool | str | int | float):
            return _scalar(value)
        if room and is_dataclass(value) and not isinstance(value, type):
            return {field.name: _plain(getattr(value, field.name), room - 1) for field in fields(value)}
        if room and isinstance(value, Mapping):
            return {str(_plain(key, 1)): _plain(inner, room - 1) for key, inner in value.items()}
        if room and isinstance(value, list | tuple | set | frozenset):
            return [_plain(inner, room - 1) for inner in value]
        inner = float(value) if isinstance(value, Decimal) else value.item()
        return _scalar(inner) if isinstance(inner, bool | str | int | float) else _named(value)
    except Exception:  # noqa: BLE001  # whatever a foreign object raises when it is looked at
        return _named(value)


_FIELDS = {
    kind: tuple(each.name for each in fields(kind)) for kind in (CaseRecord, CaseStart, CaseKey, Score, Call, Request)
}
"""Of what travels most; looking them up takes longer than copying them."""


def _scalar(value: Any) -> Any:
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        number = int(value)
        return number if abs(number) < 1 << 63 else str(number) if abs(number) < 10**4000 else "a huge integer"
    return float(value) if math.isfinite(value) else repr(float(value))


def _named(value: Any) -> str:
    return f"<{type(value).__name__}>"
