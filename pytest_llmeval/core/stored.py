"""Cases and labels, as their tables hold them."""

from dataclasses import dataclass

from pytest_llmeval.core.types import CaseKey, Outcome, Score

__all__ = ["Label", "StoredCase"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCase:
    """One row of the table ``cases`` with its scores."""

    id: str
    key: CaseKey
    slices: tuple[str, ...]
    outcome: Outcome
    error_kind: str | None
    error: str | None
    input_digest: str | None
    response: str | None
    latency_s: float | None
    """Seconds, summed over the model's calls; None where one is unknown and where there was no call."""
    input_tokens: int | None
    """Summed over the model's calls; None where one is unknown, 0 without calls."""
    output_tokens: int | None
    cost_usd: float | None
    """Of all calls, the judge's too; None where a price is unknown, 0 without calls."""
    attempts: int
    cached: bool
    started_at: str
    scores: tuple[Score, ...]
    waited_s: float | None = None
    """Seconds for which the case waited for answers in its turn."""
    target: str | None = None
    """The row's target as JSON; None where the row has none."""
    cluster: str | None = None
    """Rows with equal values are dependent; None for a row that is independent of all others."""
    judge_cached: bool = False
    """Whether an answer of a judge came from the cache; ``cached`` is about those of the model."""
    judge_cost_usd: float | None = None
    """The judges' part of ``cost_usd``; None where it is not known."""
    input: str | None = None
    """The row's input as text, where the case made several calls of the model; else None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What a person says that a score of a case should be."""

    case_id: str
    name: str
    """Of the score."""
    value: float
    """In [0, 1]."""
    rater: str
    at: str
    """ISO 8601, UTC."""
    passed: bool | None = None
    """Whether the value reaches the pass mark; None where that is not known."""
    note: str | None = None
    draw: str | None = None
    """How the answers to label were drawn; None where that is not known."""
