"""The task metric while training: what the scorers say of one answer."""

from collections.abc import Callable, Mapping
from typing import Any

from pytest_llmeval.scorers.json_scorers import json_match
from pytest_llmeval.scorers.texts import exact, token_f1
from pytest_llmeval.training.config import Metric

__all__ = ["choice", "score"]

_TRACE = 1e-6

_SCORES: Mapping[Metric, Callable[[str, Any], Any]] = {
    "json_exact": lambda text, target: json_match(text, target).companions["exact"],
    "json_match": lambda text, target: json_match(text, target).value,
    "exact": lambda text, target: exact(text, target, casefold=True).value,
    "token_f1": lambda text, target: token_f1(text, target).value,
}


def score(metric: Metric, text: str, target: Any) -> float:
    """Return the score, in [0, 1], of an answer."""
    return float(_SCORES[metric](text, target))


def choice(task: float, loss: float) -> float:
    """Return by what checkpoints and trials are chosen: the task metric, less a trace of the held-out loss.

    Of those with an equal metric, the one of lower loss is better.
    """
    return task - _TRACE * min(loss, 1e3)
