"""The optuna study of a search, stored in a file. Only a search imports this module."""

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
    """Return the study stored in a file, which is created if it does not exist; higher values are better.

    Args:
        path: of the file.
        prune_after: number of trials that must finish before any is pruned; None: no trial is pruned.
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
    """Return the sampler of a trial's values: at most the first half of trials at random, the others guided by those.

    Each trial gets a new one, seeded by its number, so that a resumed search draws what it would have drawn.
    """
    number = int(digest(f"{seed} {trial}")[:8], 16)
    return optuna.samplers.TPESampler(seed=number, n_startup_trials=min(_MOST_RANDOM, search.trials // 2))


def drawn(trial: Any, search: SearchModel) -> dict[str, Any]:
    """Return the values of a trial by key; values that the trial already has are kept."""
    return {key: _drawn(trial, key, span) for key, span in sorted(search.space.items())}


def _drawn(trial: Any, key: str, span: SpanModel) -> Any:
    if span.choices is not None:
        return trial.suggest_categorical(key, span.choices)
    if isinstance(span.low, int) and isinstance(span.high, int):
        return trial.suggest_int(key, span.low, span.high, log=span.log)
    return trial.suggest_float(key, span.low, span.high, log=span.log)
