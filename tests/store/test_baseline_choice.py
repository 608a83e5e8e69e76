"""Which runs are held against which baselines."""

from pathlib import Path
from typing import Any

import pytest

from pytest_llmeval.core.rules import Thresholds
from pytest_llmeval.store.baseline_choice import BaselineChoice, choose_baseline
from pytest_llmeval.store.baselines import FoundBaseline
from pytest_llmeval.store.records import Run
from pytest_llmeval.store.sqlite import SqliteStore
from tests.support.stored_runs import END, run


def recorded(id: str, **settings: Any) -> Run:
    return run(id, end=END, settings=settings)


def why_none(current: Run, base: Run, *stored: Run, model: str | None = None) -> str:
    """Return why ``current`` is not held against ``base``, named ``main``, beside ``stored``; empty where it is."""
    read: dict[str, Any] = dict.fromkeys(("judged", "cases", "calls", "answering", "judges"))
    found = FoundBaseline(name="main", kind="name", run=base, model=model, **read)
    return BaselineChoice(found=found).for_run(current, lambda: stored).why_none


@pytest.mark.parametrize(
    ("current", "base"),
    [
        (recorded("again", rescored="first"), recorded("first")),
        (recorded("first"), recorded("again", rescored="first")),
        (recorded("again", rescored="first"), recorded("before", rescored="first")),
    ],
    ids=["scored again", "the baseline is", "both are"],
)
def test_one_set_of_answers_is_not_compared_with_itself(current: Run, base: Run) -> None:
    """Only the scorers differ: that is no change of what is under test."""
    assert why_none(current, base) == "the answers are those of baseline main"


ORIGINAL = recorded("first")
AGAIN = recorded("again", rescored="first")
THRICE = recorded("thrice", rescored="again")


@pytest.mark.parametrize(
    ("current", "base", "stored"),
    [
        (THRICE, ORIGINAL, (AGAIN,)),
        (ORIGINAL, THRICE, (AGAIN,)),
        (THRICE, recorded("beside", rescored="first"), (AGAIN,)),
        (recorded("once more", rescored="thrice"), ORIGINAL, (ORIGINAL, AGAIN, THRICE)),
        (THRICE, AGAIN, ()),
    ],
    ids=["from the first", "the first", "beside it", "once more", "the one between is in a file"],
)
def test_answers_that_were_scored_again_and_again_stay_the_same(
    current: Run, base: Run, stored: tuple[Run, ...]
) -> None:
    assert why_none(current, base, *stored) == "the answers are those of baseline main"


def test_other_answers_are_compared() -> None:
    assert why_none(recorded("a", rescored="first"), recorded("b", rescored="second")) == ""
    assert why_none(recorded("a"), recorded("b", rescored="second")) == ""


def test_a_run_is_compared_with_another_model_of_its_own() -> None:
    assert why_none(recorded("a"), recorded("a")) == "baseline main is this run itself"
    assert why_none(recorded("a"), recorded("a"), model="small") == ""


LONG = "some/long folder/of/baselines/for/the/whole/team/kept/in/the/repository/nightly.jsonl"


@pytest.mark.parametrize(
    ("name", "command"),
    [
        (LONG, f"llmeval baseline export RUN '{LONG}'"),
        (f"{210 * 'x'}.jsonl", "llmeval baseline export RUN FILE"),
        (f"{70 * 'n'}@gpt", f"llmeval baseline set {70 * 'n'} (@gpt names a model of its run)"),
        (f"{210 * 'n'}@gpt", "llmeval baseline set NAME (@gpt names a model of its run)"),
        ("a\nb", "llmeval baseline set NAME"),
    ],
    ids=["a long path", "a path too long", "a long name", "a name too long", "not printable"],
)
def test_a_command_that_is_told_is_whole(name: str, command: str, tmp_path: Path) -> None:
    """Or it says what to put in: a name that was cut would be another one."""
    told = choose_baseline(None, Thresholds(baseline=name), reader=None, root=tmp_path).why_none
    assert told.partition(" yet: ")[2] == command


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("mian", "baseline mian is not set yet (did you mean 'main'?): llmeval baseline set mian"),
        ("Main@gpt", "baseline Main@gpt is not set yet (did you mean 'main'?): llmeval baseline set Main (@gpt names"),
        ("release", "baseline release is not set yet: llmeval baseline set release"),
    ],
)
def test_a_baseline_of_a_similar_name_is_suggested(database: SqliteStore, tmp_path: Path, name: str, told: str) -> None:
    """Nothing is judged against it: the name may be that of one to come."""
    database.start_run(recorded("a"))
    database.set_baseline("main", "a", "2025-01-03")
    choice = choose_baseline(None, Thresholds(baseline=name), reader=database, root=tmp_path)
    assert choice.found is None and choice.why_none.startswith(told)
