"""Sampling parameters of several levels: models.yaml, the marker of an eval, one call."""

from collections.abc import Mapping
from typing import Any

__all__ = ["BOUND_NAMES", "JUDGE_PARAMS", "bound_of", "identifying", "laid_over", "other_bound", "other_than_asked"]

BOUND_NAMES = ("max_tokens", "max_completion_tokens")
"""The two names of the bound of an answer; servers that know one of them may refuse the other, or both at once."""
JUDGE_PARAMS: Mapping[str, Any] = {"temperature": 0}
"""What a judge is asked with where its own parameters do not say otherwise."""


def laid_over(earlier: Mapping[str, Any], later: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of two levels; the later one replaces, and a bound under either name."""
    replaced = set(BOUND_NAMES) - later.keys() if any(name in later for name in BOUND_NAMES) else set()
    return {**{name: value for name, value in earlier.items() if name not in replaced}, **later}


def other_than_asked(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a judge without those with which it would be asked anyway."""
    return {name: value for name, value in params.items() if name not in JUDGE_PARAMS or value != JUDGE_PARAMS[name]}


def identifying(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a judge's parameters tells it from others.

    Those with which it would be asked anyway do not. One that is sent in their place has another key here: a judge that
    an older version asked had the same parameters, and was sent the usual one all the same.
    """
    own = other_than_asked(params)
    return {f"asked with {name}" if name in JUDGE_PARAMS else name: value for name, value in own.items()}


def bound_of(params: Mapping[str, Any]) -> Any:
    """Return the bound of an answer, of two the one under the newer name; None where there is none."""
    return params.get("max_completion_tokens", params.get("max_tokens"))


def other_bound(name: str | None) -> str | None:
    """Return the other name of a bound; None where ``name`` is none."""
    return {BOUND_NAMES[0]: BOUND_NAMES[1], BOUND_NAMES[1]: BOUND_NAMES[0]}.get(name or "")
