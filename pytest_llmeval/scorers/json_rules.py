"""What counts as equal in two JSON values, and how a comparison is reported."""

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
    """What counts as equal, by path; paths are in their one spelling (``json_paths.declared``)."""

    unordered: frozenset[str] = frozenset()
    """Lists whose order does not count."""
    ignore: frozenset[str] = frozenset()
    """Values that are left out on both sides, with everything under them."""
    dates: frozenset[str] = frozenset()
    """Texts compared as dates."""
    date_formats: tuple[str, ...] = ()
    """Notations of ``strptime`` beside ISO 8601."""
    date_tolerance_days: float = 0.0
    """Days by which dates may differ; at least 0."""
    tolerance: float = 0.0
    """By how much numbers may differ where ``tolerances`` says nothing; at least 0."""
    tolerances: Mapping[str, float] = field(default_factory=dict)
    """By how much the number at a path may differ."""
    casefold: bool = False
    """Whether case makes no difference to texts."""


class Difference(NamedTuple):
    """One place where two values differ; ``ABSENT`` stands for what is not there."""

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
        why = "; only one is a text, as each cell of a CSV file is" if is_alike else ""
        return f"{path_text(self.path)}: expected {expected}, got {got}{why}"


class Comparison(NamedTuple):
    """How much of two values agrees."""

    right: int
    """Leaves that agree."""
    total: int
    """Leaves of either side; at least 1 for whole values."""
    differences: list[Difference]
    """In the order of the target; empty where all is right."""
