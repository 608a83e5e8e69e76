"""The record of a finished case as one ASCII JSON text: what rides on a test report, with and without xdist."""

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from decimal import Decimal
from enum import Enum
from typing import Any

from pytest_llmeval.core.types import Call, CaseKey, CaseRecord, Score

__all__ = ["dump_case", "dump_key", "load_case", "load_key", "plain"]


def dump_case(case: CaseRecord) -> str:
    """Return ``case`` as one ASCII text."""
    return json.dumps(plain(case), allow_nan=False)


def load_case(text: str) -> CaseRecord:
    """Return the case that ``dump_case`` wrote."""
    data = json.loads(text)
    return CaseRecord(
        **{
            **data,
            "key": CaseKey(**data["key"]),
            "slices": tuple(data["slices"]),
            "scores": tuple(Score(**score) for score in data["scores"]),
            "calls": tuple(Call(**call) for call in data["calls"]),
        }
    )


def dump_key(key: CaseKey) -> str:
    """Return ``key`` as one ASCII text."""
    return json.dumps(plain(key))


def load_key(text: str) -> CaseKey:
    """Return the key that ``dump_key`` wrote."""
    return CaseKey(**json.loads(text))


def plain(value: Any) -> Any:
    """Return ``value`` as JSON can hold it, whatever it is: nothing that a test passes can end a session.

    Numbers of other libraries become Python's, NaN and infinity become their names, anything unknown its type's name.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, int):
        return int(value) if abs(value) < 1 << 63 else str(int(value)) if abs(value) < 10**4000 else "a huge integer"
    if isinstance(value, float):
        return float(value) if value == value and abs(value) != float("inf") else repr(float(value))
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(inner) for inner in value]
    if isinstance(value, Decimal) or hasattr(value, "item"):
        return _number(value)
    return f"<{type(value).__name__}>"


def _number(value: Any) -> Any:
    try:
        inner = float(value) if isinstance(value, Decimal) else value.item()
    except (TypeError, ValueError, OverflowError):
        return f"<{type(value).__name__}>"
    return plain(inner) if isinstance(inner, bool | int | float | str) else f"<{type(value).__name__}>"
