"""The study of a search in its file, by optuna. Only a search imports this module."""

from pathlib import Path
from typing import Any

import optuna

from pytest_llmeval.core.ids import digest
from pytest_llmeval.training.config import SearchModel, SpanModel

__all__ = ["drawn", "open_study", "sampler"]

optuna.logging.set_verbosity(optuna.logging.WARNING)

_NAME = "search"
_MOST_RANDOM = 10


def open_study(path: Path, *, prune_after: int | None) -> Any:
    """Return the study of a file, which is made where it is not there; more is better.

    Args:
        path: of the file.
        prune_after: trials that come to their end before one is given up; None: none is.
    """
    return optuna.create_study(
        storage=f"sqlite:///{path}",
        study_name=_NAME,
        direction="maximize",
        load_if_exists=True,
        pruner=optuna.pruners.NopPruner()
        if prune_after is None
        else optuna.pruners.MedianPruner(n_startup_trials=prune_after),
    )


def sampler(search: SearchModel, *, seed: int, trial: int) -> Any:
    """Return what draws the values of a trial: the first half at most at random, the others by what was seen of those.

    It is made anew for each trial, so that a search that goes on draws what it would have drawn.
    """
    number = int(digest(f"{seed} {trial}")[:8], 16)
    return optuna.samplers.TPESampler(seed=number, n_startup_trials=min(_MOST_RANDOM, search.trials // 2))


def drawn(trial: Any, search: SearchModel) -> dict[str, Any]:
    """Return the values of a trial by key; those that it has already stay."""
    return {key: _drawn(trial, key, span) for key, span in sorted(search.space.items())}


def _drawn(trial: Any, key: str, span: SpanModel) -> Any:
    if span.choices is not None:
        return trial.suggest_categorical(key, span.choices)
    if isinstance(span.low, int) and isinstance(span.high, int):
        return trial.suggest_int(key, span.low, span.high, log=span.log)
    return trial.suggest_float(key, span.low, span.high, log=span.log)
