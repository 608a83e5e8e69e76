"""The cases of a run beside those of its baseline: what each suite was made of there, and which rows flipped."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.reports.row_flips import Direction, paired_suites
from pytest_llmeval.store.baselines import FoundBaseline

__all__ = ["Beside", "beside_baseline", "flip_counts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What the baseline has beside one suite and model of a run."""

    before: Sequence[JudgedCase]
    """Its cases."""
    flips: Mapping[str, Direction]
    """The rows that flipped, by sample id."""


def beside_baseline(base: FoundBaseline, cases: Iterable[JudgedCase]) -> dict[tuple[str, str], Beside]:
    """Return what stands beside each suite and model of ``cases``; those that only one of the runs has are left out.

    Raises:
        StoreError: the baseline cannot be read to its end.
    """
    return {
        (each.suite, each.model): Beside(
            before=each.before,
            flips={pair.sample_id: "worse" if pair.flip < 0 else "better" for pair in each.outcomes.pairs if pair.flip},
        )
        for each in paired_suites(base.baseline(), cases)
    }


def flip_counts(beside: Iterable[Beside]) -> Counter[Direction]:
    """Return how many rows flipped, each once whatever its epochs, by direction."""
    return Counter(direction for each in beside for direction in each.flips.values())
