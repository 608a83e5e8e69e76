"""Case records as one ASCII JSON string, the form in which a test report carries them, with and without xdist."""

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
    """Return ``case`` as one ASCII JSON string."""
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
    """Return the same as ``load_case(dump(case))``, skipping the JSON round trip where it would change nothing."""
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
    """Return the ``CaseStart`` that ``dump`` wrote."""
    data = loads(text)
    return CaseStart(**{**data, "key": CaseKey(**data["key"]), "slices": tuple(data["slices"])})


def as_json(value: Any) -> str:
    """Return any ``value`` as ASCII JSON, see ``plain``; equal values give equal texts."""
    return dumps(plain(value), sort_keys=True, allow_nan=False)


def as_text(value: Any) -> str:
    """Return a string unchanged, and anything else as JSON."""
    told = plain(value)
    return told if isinstance(told, str) else as_json(told)


def plain(value: Any) -> Any:
    """Return ``value`` as plain JSON data, whatever it is, so that no value passed by a test can break a session.

    Numbers of other libraries become Python numbers, NaN and infinity become their names. Anything unknown, broken or
    nested more than 100 levels deep becomes its type's name.
    """
    return _plain(value, _DEEPEST)


def _plain(value: Any, room: int) -> Any:
    kind = type(value)
    if value is None or kind is str or kind is bool:  # most values
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
    except Exception:  # noqa: BLE001  # a foreign object may raise anything when it is inspected
        return _named(value)


_FIELDS = {
    kind: tuple(each.name for each in fields(kind)) for kind in (CaseRecord, CaseStart, CaseKey, Score, Call, Request)
}
"""Field names of the most frequent types, looked up once: the lookup takes longer than copying the fields."""


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
