"""The run that a run is compared with, as the gate needs it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pytest_llmeval.core.gate.case import JudgedCase

__all__ = ["Baseline"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """A run to compare with."""

    name: str
    """As people know it."""
    cases: Iterable[JudgedCase]
    """All its cases, each once; read once."""
    again: str | None = None
    """What ``llmeval rescore`` scores again of it: a name or a run; None where it has no calls, in or from a file."""
    model: str | None = None
    """The only model of it to compare with; None pairs models by name, or the only one it has of a suite."""
    deselected: Mapping[str, int] = field(default_factory=dict)
    """Rows of each suite that ``-m`` left out of the current run: they are not missing from it."""
