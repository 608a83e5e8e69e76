"""The task metric during training: the score of a single answer, by the scorer of that name."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pytest_llmeval.core.errors import DatasetError, ScorerError
from pytest_llmeval.scorers.json_scorers import json_match
from pytest_llmeval.scorers.texts import exact, token_f1
from pytest_llmeval.training.config import CheckModel, Metric
from pytest_llmeval.training.rows import TrainingRow

__all__ = ["choice", "require_scorable", "score"]

_TRACE = 1e-6

_SCORES: Mapping[Metric, Callable[[str, Any], Any]] = {
    "json_exact": lambda text, target: json_match(text, target).companions["exact"],
    "json_match": lambda text, target: json_match(text, target).value,
    "exact": lambda text, target: exact(text, target, casefold=True).value,
    "token_f1": lambda text, target: token_f1(text, target).value,
}


def score(metric: Metric, text: str, target: Any) -> float:
    """Return the score of an answer, in [0, 1]."""
    return float(_SCORES[metric](text, target))


def choice(task: float, loss: float) -> float:
    """Return the number by which checkpoints and trials are ranked: the task metric less a trace of the held-out loss.

    Among those with an equal metric, the lowest loss ranks first.
    """
    return task - _TRACE * min(loss, 1e3)


def require_scorable(rows: Sequence[TrainingRow], check: CheckModel) -> None:
    """Raise DatasetError for a row whose target the metric cannot score, before the first look would find it."""
    for row in rows[: check.rows]:
        try:
            score(check.metric, "", row.target)
        except ScorerError as error:
            raise DatasetError(f"{row.where}: check.metric: {check.metric} does not take its target: {error}") from None
