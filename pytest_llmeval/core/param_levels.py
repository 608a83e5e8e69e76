"""Merging of sampling parameters from several levels: models.yaml, the eval's marker, a single call."""

from collections.abc import Mapping
from typing import Any

__all__ = ["BOUND_NAMES", "JUDGE_PARAMS", "bound_of", "identifying", "laid_over", "other_bound", "other_than_asked"]

BOUND_NAMES = ("max_tokens", "max_completion_tokens")
"""The two names of the bound on an answer's length. A server that knows one may refuse the other, or both together."""
JUDGE_PARAMS: Mapping[str, Any] = {"temperature": 0}
"""Parameters of a judge's calls unless its own parameters override them."""


def laid_over(earlier: Mapping[str, Any], later: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``earlier`` updated with ``later``; a bound in ``later`` replaces one under either name."""
    replaced = set(BOUND_NAMES) - later.keys() if any(name in later for name in BOUND_NAMES) else set()
    return {**{name: value for name, value in earlier.items() if name not in replaced}, **later}


def other_than_asked(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a judge without those equal to ``JUDGE_PARAMS``."""
    return {name: value for name, value in params.items() if name not in JUDGE_PARAMS or value != JUDGE_PARAMS[name]}


def identifying(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a judge's parameters that identifies the judge.

    Values equal to ``JUDGE_PARAMS`` do not count. A different value for one of them gets the key ``asked with NAME``:
    older versions accepted such a parameter but sent the default all the same, so their judges must stay distinct.
    """
    own = other_than_asked(params)
    return {f"asked with {name}" if name in JUDGE_PARAMS else name: value for name, value in own.items()}


def bound_of(params: Mapping[str, Any]) -> Any:
    """Return the bound on an answer's length, preferring ``max_completion_tokens``; None if there is none."""
    return params.get("max_completion_tokens", params.get("max_tokens"))


def other_bound(name: str | None) -> str | None:
    """Return the other name of the bound; None if ``name`` is not a name of the bound."""
    return {BOUND_NAMES[0]: BOUND_NAMES[1], BOUND_NAMES[1]: BOUND_NAMES[0]}.get(name or "")
