"""The baseline: the run that the run under test is compared with, as the gate sees it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pytest_llmeval.core.gate.case import JudgedCase

__all__ = ["Baseline"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """A run to compare with."""

    name: str
    """Name shown to people."""
    cases: Iterable[JudgedCase]
    """All cases of the run, each once; iterated only once."""
    again: str | None = None
    """Argument for ``llmeval rescore`` to score it again: a name or a run. None for an exported file, or a run imported
    from one, which has no stored calls."""
    model: str | None = None
    """Only model of the baseline to compare with; None to pair models by name, or a suite's single models."""
    deselected: Mapping[str, int] = field(default_factory=dict)
    """Number of rows in each suite that ``-m`` left out of the current run, where they do not count as missing."""
