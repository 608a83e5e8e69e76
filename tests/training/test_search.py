"""Searches: which trials are made, what becomes of each, and that one which was broken off goes on."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_llmeval.core.errors import SettingsError
from pytest_llmeval.training.config_file import load_config
from pytest_llmeval.training.plan import Outcome, Plan, State, write_json
from pytest_llmeval.training.process import TrainingFailedError
from tests.support.in_process import train_here
from tests.support.tiny_base import write_project

pytest.importorskip("optuna", reason="needs the extra search")

from pytest_llmeval.training.searching import search
from tests.training.stand_ins import run_json

SPACE = {"optim.learning_rate": {"low": 0.001, "high": 0.1, "log": True}, "lora.r": {"choices": [4, 8]}}


def plan_of(root: Path, base: Path | str = "base", *, trials: int = 3, **changes: Any) -> Plan:
    """Return the plan of a search in ``root``."""
    wanted = {"space": SPACE, **changes.pop("search", {}), "trials": trials}
    path = write_project(root, base, search=wanted, **changes)
    folder = root / "trainings" / "tiny" / "s1"
    folder.mkdir(parents=True, exist_ok=True)
    config = load_config(path, shown_as="tiny.yaml")
    return Plan(name="tiny", id="s1", config=config, rootdir=root, folder=folder, free=8 << 30)


class Trainer:
    """Stands in for the processes: the task metric of a trial is what ``metric`` says of its values."""

    def __init__(
        self, metric: Callable[[float], float] = lambda rate: 1 - rate, ends: Mapping[int, State] = {}
    ) -> None:
        self.metric, self.ends = metric, ends
        self.plans: list[Plan] = []

    def __call__(self, plan: Plan, environ: Mapping[str, str]) -> Outcome:
        assert plan.trial is not None
        self.plans.append(plan)
        plan.hold_to({"config": plan.config.digest, "train": "t", "base": "b"})
        write_json(
            plan.folder / "fit.json",
            {"micro_batch": 1, "checkpointing": True, "estimate": ["  total  9.00 GiB"]},
        )
        (plan.folder / "checkpoint-4").mkdir(exist_ok=True)
        state = self.ends.get(plan.trial, "trained")
        if state != "trained":
            return Outcome(state=state, message="so it was")
        plan.adapter.mkdir()
        best = {"exact": self.metric(plan.config.optim.learning_rate), "loss": 1.5}
        record = {"best": best, "config": plan.config.model_dump(mode="json"), "number": plan.trial}
        write_json(plan.adapter / "run.json", record)
        return Outcome(state="trained")

    @property
    def rates(self) -> list[float]:
        return [plan.config.optim.learning_rate for plan in self.plans]


def searched(plan: Plan, trainer: Any) -> list[str]:
    """Search; return what the user is told."""
    told: list[str] = []
    search(plan, trainer, environ={}, report=told.append)
    return told


def test_the_adapter_of_the_best_trial_is_that_of_the_search(tmp_path: Path) -> None:
    plan, trainer = plan_of(tmp_path), Trainer()
    told = searched(plan, trainer)
    best = min(range(3), key=trainer.rates.__getitem__)
    found = run_json(plan)
    assert (found["number"], found["search"]["best"]) == (best, best)
    assert found["config"]["optim"]["learning_rate"] == trainer.rates[best]
    assert found["config"]["search"] is None
    states = [(each["trial"], each["state"], set(each["values"])) for each in found["search"]["trials"]]
    assert states == [(number, "complete", set(SPACE)) for number in range(3)]
    assert told[0] == f"tiny: trial 1 of 3 in trials/0: lora.r {trainer.plans[0].config.lora.r}, " + (
        f"optim.learning_rate {trainer.rates[0]:.4g}"
    )
    assert told[1] == f"tiny: trial 1: exact {1 - trainer.rates[0]:.4g}, loss 1.5"
    assert len(told) == 6


def test_values_are_within_the_space_and_of_the_seed(tmp_path: Path) -> None:
    first, again, other = Trainer(), Trainer(), Trainer()
    for name, trainer, seed in (("a", first, 0), ("b", again, 0), ("c", other, 1)):
        searched(plan_of(tmp_path / name, trials=6, seed=seed), trainer)
    assert first.rates == again.rates != other.rates
    assert all(0.001 <= rate <= 0.1 for rate in first.rates)
    assert {plan.config.lora.r for plan in first.plans} == {4, 8}
    assert all(plan.config.seed == 0 for plan in first.plans)


def test_checkpoints_of_ended_trials_are_taken_away_and_adapters_stay(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    searched(plan, Trainer())
    assert list(plan.folder.glob("trials/*/checkpoint-*")) == []
    assert len(list(plan.folder.glob("trials/*/adapter/run.json"))) == 3


class Killed(BaseException):
    """What a kill of the session looks like from inside."""


@pytest.mark.parametrize("before_its_end", [True, False])
def test_a_search_that_was_killed_goes_on_with_the_trial_it_was_at(tmp_path: Path, before_its_end: bool) -> None:
    whole = Trainer()
    searched(plan_of(tmp_path / "whole", trials=5), whole)

    def killed(plan: Plan, environ: Mapping[str, str]) -> Outcome:
        if plan.trial == 2 and before_its_end:
            plan.hold_to({"config": plan.config.digest, "train": "t", "base": "b"})
            write_json(plan.folder / "fit.json", {})
            raise Killed
        outcome = first(plan, environ)
        if plan.trial == 2:
            raise Killed
        return outcome

    first, second = Trainer(), Trainer()
    plan = plan_of(tmp_path / "killed", trials=5)
    with pytest.raises(Killed):
        searched(plan, killed)
    told = searched(plan, second)
    assert [" begins anew in " in line for line in told[:3]] == [False, before_its_end, False]
    assert [each.trial for each in second.plans] == ([2, 3, 4] if before_its_end else [3, 4])
    assert [each.is_resumed for each in second.plans] == ([True, False, False] if before_its_end else [False, False])
    assert first.rates + second.rates == whole.rates


def test_trials_that_fail_or_are_given_up_are_no_end_of_the_search(tmp_path: Path) -> None:
    plan, trainer = plan_of(tmp_path, trials=4), Trainer(ends={0: "failed", 1: "pruned", 2: "out_of_memory"})
    told = searched(plan, trainer)
    assert told[1] == "tiny: trial 1: failed: so it was"
    assert told[3] == "tiny: trial 2: pruned: so it was"
    assert told[5].startswith("tiny: trial 3: out of memory: out of memory with one row at once (so it was)")
    assert [each["state"] for each in run_json(plan)["search"]["trials"]] == ["fail", "pruned", "fail", "complete"]
    assert run_json(plan)["search"]["best"] == 3


def test_no_trial_that_came_to_its_end_fails_the_training(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, trials=2)
    with pytest.raises(TrainingFailedError, match="tiny: none of 2 trials came to its end"):
        searched(plan, Trainer(ends={0: "failed", 1: "failed"}))
    assert not plan.adapter.exists()


@pytest.mark.parametrize("state", ["refused", "interrupted", "unsaved", "killed"])
def test_what_says_nothing_of_the_values_ends_the_search_which_goes_on_there(tmp_path: Path, state: State) -> None:
    """A mistake of the user's, an interrupt, a full disk: the trial keeps its checkpoints."""
    plan = plan_of(tmp_path)
    with pytest.raises(SettingsError if state == "refused" else TrainingFailedError, match="so it was"):
        searched(plan, Trainer(ends={1: state}))
    assert (plan.folder / "trials" / "1" / "checkpoint-4").is_dir()
    trainer = Trainer()
    searched(plan, trainer)
    assert [each.trial for each in trainer.plans] == [1, 2]


def test_a_search_that_was_changed_does_not_go_on(tmp_path: Path) -> None:
    searched(plan_of(tmp_path), Trainer())
    with pytest.raises(SettingsError, match="as these changed since: config"):
        searched(plan_of(tmp_path, trials=4), Trainer())


def test_trials_are_held_to_the_rows_of_another_where_the_first_had_no_memory_to_begin(tmp_path: Path) -> None:
    def other_rows(plan: Plan, environ: Mapping[str, str]) -> Outcome:
        if plan.trial == 0:
            return Outcome(state="failed", message="one row takes more")
        plan.hold_to({"config": plan.config.digest, "train": f"of {plan.trial}", "base": "b"})
        return Outcome(state="failed", message="so it was")

    with pytest.raises(SettingsError, match="as these changed since: train"):
        searched(plan_of(tmp_path), other_rows)


def test_all_trials_are_held_to_the_rows_of_the_first(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)

    def other_rows(of_trial: Plan, environ: Mapping[str, str]) -> Outcome:
        if of_trial.trial == 1:
            of_trial.hold_to({"config": of_trial.config.digest, "train": "other", "base": "b"})
        return Trainer()(of_trial, environ)

    with pytest.raises(SettingsError, match="as these changed since: train"):
        searched(plan, other_rows)
    assert list(plan.folder.glob("trials/*/adapter")) == [plan.folder / "trials" / "0" / "adapter"]


def test_a_trial_whose_values_need_more_memory_than_there_is_fails(tmp_path: Path, tiny_base: Path) -> None:
    plan = plan_of(tmp_path, tiny_base, trials=1, search={"space": {"lora.r": {"choices": [600_000, 700_000]}}})
    told: list[str] = []
    with pytest.raises(TrainingFailedError, match="tiny: none of 1 trials came to its end"):
        search(plan, train_here, environ={}, report=told.append)
    assert told[1].startswith("tiny: trial 1: failed: one row of ")


def test_a_base_that_has_no_room_whatever_the_values_ends_the_search(tmp_path: Path, tiny_base: Path) -> None:
    plan = replace(plan_of(tmp_path, tiny_base), free=1 << 20)
    with pytest.raises(SettingsError, match="tiny: one row of "):
        searched(plan, train_here)


@pytest.mark.filterwarnings("ignore")  # of the libraries among themselves
def test_a_trial_that_is_worse_at_a_look_is_given_up(tmp_path: Path, tiny_base: Path) -> None:
    """A rate that learns and then one that does not: by the loss, where no answer is right yet."""
    space = {"optim.learning_rate": {"choices": [0.02, 1e-7]}}
    plan = plan_of(tmp_path, tiny_base, trials=4, search={"space": space, "prune_after": 1})
    told = searched(plan, train_here)
    assert told[0] == "tiny: trial 1 of 4 in trials/0: optim.learning_rate 0.02"
    assert told[1].startswith("tiny: trial 1: exact 0, loss 3.")
    assert told[2:4] == [
        "tiny: trial 2 of 4 in trials/1: optim.learning_rate 1e-07",
        "tiny: trial 2: pruned: given up after step 4",
    ]
    found = run_json(plan)
    assert [each["state"] for each in found["search"]["trials"]][:2] == ["complete", "pruned"]
    assert found["training"] == "s1"
    assert not (plan.folder / "trials" / "1" / "adapter").exists()
