"""The text of a failing case: which scores missed, and what differed."""

from collections.abc import Iterable

from pytest_llmeval.core.types import Score

__all__ = ["explain"]

LINES = 8
"""Largest number of lines that say what differed in one score."""


def explain(scores: Iterable[Score]) -> str:
    """Return a few lines for each score that missed or failed with an error; an empty text if none did.

    The first line of a score gives its name and its value against the pass mark; the indented lines say what differed.
    """
    parts = [score for score in scores if score.passed is False or score.status == "error"]
    return "\n".join(_paragraph(score) for score in parts)


def _paragraph(score: Score) -> str:
    head, *rest = (score.reason or "no reason given").split("\n")
    label = f"{score.name}: error: " if score.status == "error" else f"{score.name}: "
    kept = rest if len(rest) <= LINES else [*rest[: LINES - 1], "…"]
    return "\n".join([label + head, *(f"  {line}" for line in kept)])
