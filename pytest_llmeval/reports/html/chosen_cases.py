"""Choosing the cases of a run that a page shows in full."""

from collections.abc import Sequence

from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.reports.row_flips import Direction

__all__ = ["choose_cases", "left_out_words"]

MOST_CASES = 1_000
"""Largest number of cases of a run that is shown whole."""
MOST_UNLUCKY = 1_500
"""Largest number of errors, misses and flipped rows shown of a larger run."""
SAMPLED = 200
"""Number of other cases shown of a larger run, taken evenly from first to last."""
_OTHER = 3
"""Rank of a case with nothing special to look at."""


def choose_cases(cases: Sequence[JudgedCase], flips: Sequence[Direction | None]) -> list[int]:
    """Return the indices of the cases to show: errors, then misses, then rows that flipped, then others.

    Args:
        cases: the cases of the run, in the order of recording.
        flips: for each case, the direction in which its row flipped, if it did.
    """
    ranks = [_rank(case, flip) for case, flip in zip(cases, flips, strict=True)]
    unlucky = sorted((place for place, rank in enumerate(ranks) if rank < _OTHER), key=lambda place: ranks[place])
    others = [place for place, rank in enumerate(ranks) if rank == _OTHER]
    if len(cases) <= MOST_CASES:
        return [*unlucky, *others]
    sampled = min(SAMPLED, len(others))
    return [*unlucky[:MOST_UNLUCKY], *(others[len(others) * nth // sampled] for nth in range(sampled))]


def left_out_words(total: int, unlucky: int, shown: int) -> str | None:
    """Return the note on the cases that a page leaves out; None if it shows all.

    Args:
        total: the number of cases of the run.
        unlucky: the number of errors, misses and flipped rows among them.
        shown: the number of cases on the page.
    """
    if shown == total:
        return None
    kept = (
        "every error, miss and flipped row"
        if unlucky <= MOST_UNLUCKY
        else (f"the first {MOST_UNLUCKY:,} of {unlucky:,} errors, misses and flipped rows")
    )
    return (
        f"Of {total:,} cases {shown:,} are shown: {kept}, and a sample of the others. A run of up to {MOST_CASES:,}"
        " cases is shown whole; llmeval view shows all of any run."
    )


def _rank(case: JudgedCase, flip: Direction | None) -> int:
    if case.outcome in ("error", "missed"):
        return ("error", "missed").index(case.outcome)
    return _OTHER if flip is None else _OTHER - 1
