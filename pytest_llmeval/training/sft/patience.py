"""Early stopping of a training whose task metric no longer improves."""

from typing import Any

from transformers import EarlyStoppingCallback

from pytest_llmeval.training.config import Metric

__all__ = ["Patience", "early_end", "had_run_out", "has_run_out"]

_MOST = 1.0
"""The highest value of every metric."""


class Patience(EarlyStoppingCallback):  # type: ignore[misc]  # transformers is not typed here
    """Ends a training whose task metric no longer improves; one that is resumed after that end takes at most one step.

    A lower held-out loss, which decides between looks with an equal metric, does not prolong training once the metric
    has risen above that of the first look. Before that it does: a metric of whole answers does not move while their
    form is learned.
    """

    def __init__(self, early_stopping_patience: int, early_stopping_threshold: float = 0.0, *, metric: Metric) -> None:
        """Prepare.

        Args:
            early_stopping_patience: number of looks without an improvement after which training ends.
            early_stopping_threshold: unused here; transformers passes it when it restores a checkpoint.
            metric: of the task.
        """
        super().__init__(early_stopping_patience, early_stopping_threshold)
        self.early_stopping_patience_counter: int
        self.first: float | None = None
        """Metric at the first look; None before it."""
        self.best: float | None = None
        """Best metric of all looks so far."""
        self.least_loss: float | None = None
        """Lowest held-out loss of all looks so far."""
        self._metric = metric

    @property
    def is_out(self) -> bool:
        """Whether the number of looks without an improvement has reached the limit."""
        return bool(self.early_stopping_patience_counter >= self.early_stopping_patience)

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """End at once if the limit was reached before the checkpoint was saved."""
        super().on_train_begin(args, state, control, **kwargs)
        if self.is_out:
            control.should_training_stop = True

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: dict[str, float], **kwargs: Any) -> None:
        """Compare this look with earlier ones, and end the training if the limit is reached."""
        value, loss = metrics[f"eval_{self._metric}"], metrics["eval_loss"]
        if self.best is None:
            self.first = value
        is_better = self.best is None or value > self.best or self._is_learning(loss)
        self.early_stopping_patience_counter = 0 if is_better else self.early_stopping_patience_counter + 1
        self.best = value if self.best is None else max(self.best, value)
        self.least_loss = loss if self.least_loss is None else min(self.least_loss, loss)
        if self.is_out:
            control.should_training_stop = True

    def _is_learning(self, loss: float) -> bool:
        """Return whether the loss falls while the metric has not yet risen for the first time."""
        is_flat = self.best == self.first and self.best != _MOST
        return is_flat and self.least_loss is not None and loss < self.least_loss

    def state(self) -> dict[str, Any]:
        """Return the state that a checkpoint stores."""
        kept = super().state()
        seen = {"first": self.first, "best": self.best, "least_loss": self.least_loss}
        return {
            "args": {**kept["args"], "metric": self._metric},
            "attributes": {**kept["attributes"], **seen},
        }

    def line(self, step: int, most: int) -> str:
        """Return in words that patience ended a training after ``step`` of ``most`` steps."""
        looks = f"{self.early_stopping_patience} looks" if self.early_stopping_patience > 1 else "a look"
        return f"it ended after step {step} of {most}, after {looks} without a better {self._metric} (check.patience)"


def early_end(trainer: Any) -> str:
    """Return in words that patience ended a training; empty if all steps were taken."""
    state = trainer.state
    patience = next(each for each in trainer.callback_handler.callbacks if isinstance(each, Patience))
    is_early = state.global_step < state.max_steps and (patience.is_out or had_run_out(state))
    return patience.line(state.global_step, state.max_steps) if is_early else ""


def has_run_out(trainer: Any) -> bool:
    """Return whether patience has ended a training; a resumed trainer has another Patience than it was given."""
    return any(each.is_out for each in trainer.callback_handler.callbacks if isinstance(each, Patience))


def had_run_out(state: Any) -> bool:
    """Return whether patience had ended a training when ``state`` was saved."""
    saved = state.stateful_callbacks[Patience.__name__]
    counter = saved["attributes"]["early_stopping_patience_counter"]
    return bool(counter >= saved["args"]["early_stopping_patience"])
