"""Rubrics: what a judge is to look at, with the levels that it may choose between."""

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
    """One answer that a judge may give to the question of a dimension."""

    name: str
    value: float
    """In [0, 1]."""
    anchor: str
    """What an answer of this level is like."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimension:
    """One thing that a judge looks at."""

    name: str
    question: str
    levels: tuple[Level, ...]
    """The worst first, each of a value of its own; two or more."""
    weight: float = 1.0
    """Its share in the rubric's value, above 0, over the sum of all."""
    pass_mark: float = 1.0
    """In [0, 1]: a level of less does not pass."""
    gates: bool = True
    """Whether what does not pass here makes the case a miss."""

    def level(self, name: str) -> Level | None:
        """Return the level of that name; None where there is none."""
        return next((level for level in self.levels if level.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rubric:
    """What makes an answer good, in one or more dimensions."""

    name: str
    version: int
    """From 1; a person raises it with every change of meaning."""
    task: str
    """What the answer was asked for, in a sentence or two that the judge reads."""
    needs_reference: bool
    """Whether an answer can only be judged beside a right one."""
    dimensions: tuple[Dimension, ...]
    """At least one, each name once."""

    @property
    def digest(self) -> str:
        """The sha256 in hex over all that the rubric says."""
        return _digest(self)

    def value(self, values: Mapping[str, float]) -> float:
        """Return the weighted mean of what was found, by dimension; in [0, 1]."""
        total = sum(dimension.weight for dimension in self.dimensions)
        return sum(each.weight * values[each.name] for each in self.dimensions) / total

    def score_names(self, name: str | None = None) -> list[str]:
        """Return the names of the scores: of the whole, ``name`` or the rubric's, then of the dimensions."""
        parts = [each.name if name is None else f"{name}_{each.name}" for each in self.dimensions]
        return [name if name is not None else self.name, *parts]

    def check_names(self, rubric: str | os.PathLike[str], name: str | None = None) -> None:
        """Raise RubricError, which names ``rubric`` as it was given, where two scores would have one name."""
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
