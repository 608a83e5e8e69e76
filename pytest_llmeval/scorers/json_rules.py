"""The rules of a JSON comparison, and its result."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pytest_llmeval.scorers.display import shown
from pytest_llmeval.scorers.json_paths import path_text

__all__ = ["ABSENT", "Comparison", "Difference", "Rules"]


class _Absent:
    def __repr__(self) -> str:
        return "nothing"


ABSENT = _Absent()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What counts as equal at which path. Paths are in their canonical spelling (``json_paths.declared``)."""

    unordered: frozenset[str] = frozenset()
    """Paths of lists whose order does not count."""
    ignore: frozenset[str] = frozenset()
    """Paths of values that both sides skip, with everything under them."""
    dates: frozenset[str] = frozenset()
    """Paths of texts that are compared as dates."""
    date_formats: tuple[str, ...] = ()
    """``strptime`` formats accepted besides ISO 8601."""
    date_tolerance_days: float = 0.0
    """Largest allowed difference between dates, in days; at least 0."""
    tolerance: float = 0.0
    """Largest allowed difference between numbers at paths without an entry in ``tolerances``; at least 0."""
    tolerances: Mapping[str, float] = field(default_factory=dict)
    """Largest allowed difference between numbers, by path."""
    casefold: bool = False
    """Whether texts are compared ignoring case."""


class Difference(NamedTuple):
    """One place where two values differ; ``ABSENT`` marks the side that has no value there."""

    path: str
    expected: Any
    got: Any

    def __str__(self) -> str:
        if self.got is ABSENT:
            return f"{path_text(self.path)}: missing, expected {shown(self.expected)}"
        if self.expected is ABSENT:
            return f"{path_text(self.path)}: not expected, got {shown(self.got)}"
        expected, got = shown(self.expected), shown(self.got)
        is_one_text = isinstance(self.expected, str) != isinstance(self.got, str)
        is_alike = is_one_text and expected.strip('"') == got.strip('"')
        why = "; only one is a string, as each cell of a CSV file is" if is_alike else ""
        return f"{path_text(self.path)}: expected {expected}, got {got}{why}"


class Comparison(NamedTuple):
    """The result of a comparison: how far two values agree."""

    right: int
    """Number of leaves that agree."""
    total: int
    """Number of leaves of both sides together, a shared one counted once; at least 1 for whole values."""
    differences: list[Difference]
    """The differences, in the order of the target; empty if everything agrees."""
