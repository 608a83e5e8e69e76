"""The keys of a configuration that changed since a training began with it."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from pytest_llmeval.core.text import one_line
from pytest_llmeval.training.config import TrainingConfig

__all__ = ["changed_keys"]

_SHOWN = 5
_MAY_CHANGE = ("proof", "needs")


def changed_keys(before: Mapping[str, Any], now: TrainingConfig) -> str:
    """Return the first 5 keys that differ, each as ``optim.learning_rate: 0.002, now 0.003``, and the number of others.

    Args:
        before: the configuration that the training began with, as JSON; a key that it lacks was added by a newer
            version of this package, and had its default.
        now: the configuration of the session.
    """
    try:
        known = TrainingConfig.model_validate(before)
    except ValidationError:  # from a version with other keys
        return ""
    old, new = (dict(_leaves(each.model_dump(mode="json", exclude=set(_MAY_CHANGE)))) for each in (known, now))
    changed = [key for key in dict.fromkeys((*old, *new)) if old.get(key) != new.get(key)]
    shown = [f"{key}: {_value(old.get(key))}, now {_value(new.get(key))}" for key in changed]
    more = [f"{len(shown) - _SHOWN} more"] if len(shown) > _SHOWN else []
    return "; ".join([*shown[:_SHOWN], *more])


def _leaves(data: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each value with its key, whose parts are joined by dots."""
    for name, value in data.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _value(value: Any) -> str:
    return "none" if value is None else one_line(json.dumps(value, ensure_ascii=False), 60)
