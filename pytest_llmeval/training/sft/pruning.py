"""Reports of a trial to its search during training, and the pruning of a trial that is worse than others."""

from typing import Any

import optuna
from transformers import TrainerCallback

from pytest_llmeval.training.plan import Plan
from pytest_llmeval.training.sft.ranks import Ranks
from pytest_llmeval.training.sft.watching import CHOSEN_BY
from pytest_llmeval.training.study import open_study

__all__ = ["GivingUp"]


class GivingUp(TrainerCallback):  # type: ignore[misc]  # transformers is not typed here
    """Reports each look to the study; this callback must come after TaskMetric."""

    def __init__(self, plan: Plan, ranks: Ranks) -> None:
        """Open the study, in the first process only.

        Args:
            plan: of the trial.
            ranks: the processes that train together.
        """
        self.came = False
        """Whether the trial was given up."""
        self._ranks = ranks
        self._trial: Any = None
        if ranks.is_first:
            study = open_study(plan.study, prune_after=plan.prune_after)
            self._trial = optuna.trial.Trial(study, study.trials[plan.trial]._trial_id)

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: dict[str, float], **kwargs: Any) -> None:
        """Report the look, and end the trial if it should be pruned, unless this look is the last one."""
        is_worse = False
        if self._trial is not None:
            self._trial.report(metrics[CHOSEN_BY], state.global_step)
            is_worse = self._trial.should_prune()
        if self._ranks.any(is_worse) and state.global_step < state.max_steps:
            self.came = control.should_training_stop = True
