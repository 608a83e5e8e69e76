"""Rubrics: the criteria that a judge applies, with the levels that it may choose from."""

import functools
import os
from collections.abc import Mapping
from dataclasses import dataclass

from pytest_llmeval.core.errors import RubricError
from pytest_llmeval.core.ids import digest
from pytest_llmeval.core.strict_json import canonical
from pytest_llmeval.core.text import one_line
from pytest_llmeval.core.transport import plain

__all__ = ["Dimension", "Level", "Rubric"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One level that a judge may choose in a dimension."""

    name: str
    value: float
    """In [0, 1]."""
    anchor: str
    """Description of an answer of this level."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimension:
    """One criterion of a rubric."""

    name: str
    question: str
    levels: tuple[Level, ...]
    """Two or more levels with different values, the worst first."""
    weight: float = 1.0
    """Weight in the rubric's value, above 0; relative to the sum of all weights."""
    pass_mark: float = 1.0
    """Smallest value of a level that passes, in [0, 1]."""
    gates: bool = True
    """Whether an answer that does not pass in this dimension makes the case a miss."""

    def level(self, name: str) -> Level | None:
        """Return the level with that name; None if there is none."""
        return next((level for level in self.levels if level.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rubric:
    """What makes an answer good, in one or more dimensions."""

    name: str
    version: int
    """Version from 1, increased by hand with every change of meaning."""
    task: str
    """The task that the answer was to fulfil, in one or two sentences for the judge."""
    needs_reference: bool
    """Whether an answer can only be judged with a reference answer."""
    dimensions: tuple[Dimension, ...]
    """At least one, with unique names."""

    @property
    def digest(self) -> str:
        """sha256 in hex of the whole rubric."""
        return _digest(self)

    def value(self, values: Mapping[str, float]) -> float:
        """Return the weighted mean of the values by dimension, in [0, 1]."""
        total = sum(dimension.weight for dimension in self.dimensions)
        return sum(each.weight * values[each.name] for each in self.dimensions) / total

    def score_names(self, name: str | None = None) -> list[str]:
        """Return the score names: first that of the whole (``name`` or the rubric's), then those of the dimensions."""
        parts = [each.name if name is None else f"{name}_{each.name}" for each in self.dimensions]
        return [name if name is not None else self.name, *parts]

    def check_names(self, rubric: str | os.PathLike[str], name: str | None = None) -> None:
        """Raise RubricError, with ``rubric`` as the user gave it, if two scores would have the same name."""
        whole, *parts = self.score_names(name)
        if whole in parts and len(parts) > 1:
            raise RubricError(
                f"{one_line(os.fspath(rubric))}: dimensions.{whole}: a dimension cannot have the name of its rubric:"
                " one of the two scores would be lost; give it another name, or name the call of score.judge:"
                " name='...'"
            )


@functools.lru_cache(maxsize=64)
def _digest(rubric: Rubric) -> str:
    return digest(canonical(plain(rubric)))
