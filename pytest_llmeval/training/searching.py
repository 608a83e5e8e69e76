"""Search for better values of a configuration: each trial is a training, and the best one's adapter is taken."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna

from pytest_llmeval.store.whole_file import whole_folder
from pytest_llmeval.training.card import shown_values
from pytest_llmeval.training.config import SearchModel
from pytest_llmeval.training.plan import Outcome, Plan, write_json
from pytest_llmeval.training.process import Train, TrainingFailedError, carried_out, require_trained
from pytest_llmeval.training.scoring import choice
from pytest_llmeval.training.starting import beginning
from pytest_llmeval.training.study import drawn, open_study, sampler

__all__ = ["search"]

_STATES: Mapping[str, Any] = {
    "pruned": optuna.trial.TrialState.PRUNED,
    "failed": optuna.trial.TrialState.FAIL,
    "out_of_memory": optuna.trial.TrialState.FAIL,
}
"""Outcomes after which the search continues, as optuna's states: that values cannot be trained with is a result too."""


def search(plan: Plan, train: Train, *, environ: Mapping[str, str], report: Callable[[str], None]) -> None:
    """Run the trials that are still missing, and make the best one's adapter the adapter of ``plan``.

    Args:
        plan: of the search.
        train: carries out the plan of a trial.
        environ: of the processes.
        report: shows one line to the user.

    Raises:
        SettingsError: something the user wrote is wrong.
        TrainingFailedError: the search was interrupted, or no trial finished.
    """
    wanted = plan.config.search
    assert wanted is not None
    plan.hold_to({"config": plan.config.digest})
    study = open_study(plan.study, prune_after=wanted.prune_after)
    while (trial := _next(study, wanted, seed=plan.config.seed)) is not None:
        values = drawn(trial, wanted)
        of_trial = _plan(plan, trial.number, values)
        place = of_trial.folder.relative_to(plan.folder)
        report(f"{plan.name}: trial {trial.number + 1} of {wanted.trials} in {place}: {shown_values(values)}")
        outcome = Outcome(state="trained")
        if not of_trial.adapter.is_dir():  # else the session was killed before the study recorded it
            if of_trial.is_resumed:
                report(f"{plan.name}: trial {trial.number + 1} {beginning(of_trial)}")
            outcome = carried_out(of_trial, train, environ=environ, report=report)
        report(f"{plan.name}: trial {trial.number + 1}: {_end(study, of_trial, outcome)}")
        for checkpoint in of_trial.folder.glob("checkpoint-*"):
            shutil.rmtree(checkpoint)
    _take_best(study, plan)


def _next(study: Any, wanted: SearchModel, *, seed: int) -> Any:
    """Return the trial that was interrupted, else a new one; None once there are enough."""
    begun = study.get_trials(states=(optuna.trial.TrialState.RUNNING,))
    number = begun[0].number if begun else len(study.trials)
    if number == wanted.trials:
        return None
    study.sampler = sampler(wanted, seed=seed, trial=number)
    return optuna.trial.Trial(study, begun[0]._trial_id) if begun else study.ask()


def _plan(plan: Plan, number: int, values: Mapping[str, Any]) -> Plan:
    """Return the plan of a trial, which must have the same rows, prompt and base as the other trials."""
    found = replace(
        plan,
        config=plan.config.chosen(values),
        folder=_folder(plan, number),
        trial=number,
        prune_after=plan.config.search.prune_after if plan.config.search else None,
    )
    found.folder.mkdir(parents=True, exist_ok=True)
    first = next(plan.folder.glob("trials/*/identity.json"), None)
    if first is not None:
        found.hold_beside(first)
    return replace(found, is_resumed=(found.folder / "fit.json").exists())


def _folder(plan: Plan, number: int) -> Path:
    return plan.folder / "trials" / str(number)


def _end(study: Any, plan: Plan, outcome: Outcome) -> str:
    """Record in the study how a trial ended, and return it in words."""
    state = _STATES.get(outcome.state)
    if state is not None:
        study.tell(plan.trial, state=state)
        return f"{outcome.state.replace('_', ' ')}: {outcome.message}"
    require_trained(outcome, name=plan.name)
    best = plan.run_json()["best"]
    metric = plan.config.check.metric
    study.tell(plan.trial, choice(best[metric], best["loss"]))
    return f"{metric} {best[metric]:.4g}, loss {best['loss']:.4g}"


def _take_best(study: Any, plan: Plan) -> None:
    ended = study.get_trials(states=(optuna.trial.TrialState.COMPLETE,))
    if not ended:
        raise TrainingFailedError(f"{plan.name}: none of {len(study.trials)} trials came to its end")
    best = replace(plan, folder=_folder(plan, study.best_trial.number))
    trials = [
        {"trial": each.number, "values": each.params, "state": each.state.name.lower(), "choice": each.value}
        for each in study.trials
    ]
    with whole_folder(plan.adapter) as scratch:
        shutil.copytree(best.adapter, scratch, dirs_exist_ok=True)
        found = {"best": study.best_trial.number, "trials": trials}
        write_json(scratch / "run.json", {**best.run_json(), "search": found})
