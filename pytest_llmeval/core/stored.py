"""Cases and labels as they are read from their tables."""

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
    """Seconds, summed over the model's calls; None if one of them is unknown or there was no call."""
    input_tokens: int | None
    """Tokens, summed over the model's calls; None if one count is unknown, 0 without calls."""
    output_tokens: int | None
    cost_usd: float | None
    """Cost in USD of all calls, including the judges'; None if a price is unknown, 0 without calls."""
    attempts: int
    cached: bool
    started_at: str
    scores: tuple[Score, ...]
    waited_s: float | None = None
    """Seconds that the case waited for answers during its turn."""
    target: str | None = None
    """The row's target as JSON; None if the row has none."""
    cluster: str | None = None
    """Name of a group of dependent rows, shared by its rows; None for a row that is independent of all others."""
    judge_cached: bool = False
    """Whether an answer of a judge came from the cache; ``cached`` is about answers of the model."""
    judge_cost_usd: float | None = None
    """The judges' part of ``cost_usd``; None if unknown."""
    input: str | None = None
    """The row's input as text if the case called the model several times, else None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A person's judgement of what a score of a case should be."""

    case_id: str
    name: str
    """Name of the score."""
    value: float
    """In [0, 1]."""
    rater: str
    at: str
    """ISO 8601, UTC."""
    passed: bool | None = None
    """Whether the value reaches the pass mark; None if unknown."""
    note: str | None = None
    draw: str | None = None
    """How the answers to label were drawn; None if unknown."""
