"""Which cases of a run a page shows in full."""

from collections.abc import Sequence

from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.reports.row_flips import Direction

__all__ = ["choose_cases", "left_out_words"]

MOST_CASES = 1_000
"""Cases up to which a run is shown whole."""
MOST_UNLUCKY = 1_500
"""Errors, misses and rows that flipped that are shown of a larger one,"""
SAMPLED = 200
"""and others beside them, evenly from first to last."""
_OTHER = 3
"""The rank of a case of which there is nothing to look at."""


def choose_cases(cases: Sequence[JudgedCase], flips: Sequence[Direction | None]) -> list[int]:
    """Return the places of the cases to show: errors, then misses, then rows that flipped, then others.

    Args:
        cases: of the run, in the order of recording.
        flips: whether the row of each flipped.
    """
    ranks = [_rank(case, flip) for case, flip in zip(cases, flips, strict=True)]
    unlucky = sorted((place for place, rank in enumerate(ranks) if rank < _OTHER), key=lambda place: ranks[place])
    others = [place for place, rank in enumerate(ranks) if rank == _OTHER]
    if len(cases) <= MOST_CASES:
        return [*unlucky, *others]
    sampled = min(SAMPLED, len(others))
    return [*unlucky[:MOST_UNLUCKY], *(others[len(others) * nth // sampled] for nth in range(sampled))]


def left_out_words(total: int, unlucky: int, shown: int) -> str | None:
    """Return what a page says of the cases that it leaves out; None where it shows all.

    Args:
        total: cases of the run.
        unlucky: errors, misses and flipped rows among them.
        shown: cases on the page.
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
