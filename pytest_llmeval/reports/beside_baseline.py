"""The cases of a run next to those of its baseline: the baseline's cases per suite, and the rows that flipped."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.reports.row_flips import Direction, paired_suites
from pytest_llmeval.store.baselines import FoundBaseline

__all__ = ["Beside", "beside_baseline", "flip_counts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """The baseline's counterpart of one suite and model of a run."""

    before: Sequence[JudgedCase]
    """The cases of the baseline."""
    flips: Mapping[str, Direction]
    """Directions of the rows that flipped, by sample id."""


def beside_baseline(base: FoundBaseline, cases: Iterable[JudgedCase]) -> dict[tuple[str, str], Beside]:
    """Return the baseline's counterpart of each suite and model of ``cases`` that both runs have.

    Raises:
        StoreError: if the baseline cannot be read to the end.
    """
    return {
        (each.suite, each.model): Beside(
            before=each.before,
            flips={pair.sample_id: "worse" if pair.flip < 0 else "better" for pair in each.outcomes.pairs if pair.flip},
        )
        for each in paired_suites(base.baseline(), cases)
    }


def flip_counts(beside: Iterable[Beside]) -> Counter[Direction]:
    """Return the number of rows that flipped, by direction; a row counts once, whatever its epochs."""
    return Counter(direction for each in beside for direction in each.flips.values())
