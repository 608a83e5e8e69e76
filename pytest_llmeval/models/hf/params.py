"""Sampling parameters of ``hf:`` models, and their checks."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytest_llmeval.core.param_levels import bound_of
from pytest_llmeval.models.named import unsendable

__all__ = ["Sampling", "read_sampling"]

_KNOWN = ("temperature", "top_p", "seed", "max_tokens", "max_completion_tokens", "stop", "response_format")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """Checked sampling parameters of one request."""

    max_tokens: int
    """Largest number of tokens in the answer, at least 1."""
    temperature: float
    """At least 0; 0 takes the likeliest token each time."""
    top_p: float
    """Share of the probability mass that tokens are drawn from, in (0, 1]."""
    seed: int
    stop: tuple[str, ...]
    """Texts that end the answer; they are not part of it."""
    schema: Mapping[str, Any] | None = None
    """JSON schema that the answer follows; None for free text."""


def read_sampling(params: Mapping[str, Any], name: str) -> Sampling:
    """Return checked parameters; ``max_completion_tokens`` takes precedence over ``max_tokens``.

    Raises:
        CallError: of kind ``bad_request``; its ``param`` is the first parameter that is unknown or has a wrong value.
    """
    for key in params:
        if key not in _KNOWN:
            raise unsendable(name, f"hf: models do not take {key!r}; they take {', '.join(_KNOWN)}", key)
    size, seed, stop = bound_of(params), params.get("seed"), params.get("stop")
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        size_key = "max_completion_tokens" if "max_completion_tokens" in params else "max_tokens"
        raise unsendable(name, f"{size_key} is a whole number from 1, not {size!r}", size_key)
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int)):
        raise unsendable(name, f"seed is a whole number, not {seed!r}", "seed")
    stops = [stop] if isinstance(stop, str) else stop or []
    if not isinstance(stops, list | tuple) or not all(isinstance(each, str) and each for each in stops):
        raise unsendable(name, f"stop must be a non-empty string or a list of such, not {stop!r}", "stop")
    temperature, top_p = _number(params, "temperature", 0.0, name), _number(params, "top_p", 1.0, name)
    if temperature < 0:
        raise unsendable(name, f"temperature is at least 0, not {temperature!r}", "temperature")
    if not 0 < top_p <= 1:
        raise unsendable(name, f"top_p is above 0 and at most 1, not {top_p!r}", "top_p")
    return Sampling(
        max_tokens=size,
        temperature=temperature,
        top_p=top_p,
        seed=seed or 0,
        stop=tuple(stops),
        schema=_schema(params.get("response_format"), name),
    )


def _schema(form: Any, name: str) -> Mapping[str, Any] | None:
    """Return the JSON schema in ``response_format``, given in the format of OpenAI's API; None for free text."""
    kind = form.get("type") if isinstance(form, Mapping) else None
    if form is None or kind == "text":
        return None
    if kind == "json_object":
        return {"type": "object"}
    asked = form.get("json_schema") if isinstance(form, Mapping) else None
    schema = asked.get("schema") if isinstance(asked, Mapping) else None
    if kind != "json_schema" or not isinstance(schema, Mapping):
        expected = 'text, json_object, or {"type": "json_schema", "json_schema": {"name": ..., "schema": {...}}}'
        raise unsendable(name, f"response_format is of type {expected}, not {form!r:.200}", "response_format")
    return schema


def _number(params: Mapping[str, Any], key: str, default: float, name: str) -> float:
    value = params.get(key)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise unsendable(name, f"{key} is a number, not {value!r}", key)
    return float(value)
