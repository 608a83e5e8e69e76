"""``llmeval plan --rules``: a thresholds.yaml for the suites that have no rules."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.planning.proposals import propose
from pytest_llmeval.core.rules import Thresholds
from pytest_llmeval.loaders.thresholds import load_thresholds
from pytest_llmeval.store.sqlite import SqliteStore
from tests.cli.conftest import Command
from tests.support.records import record, score
from tests.support.stored_runs import END, run

GOLDEN = """\
# Rules to begin with, from run 20250101-000000-aaaaaa.
# min: the lower end of the mean's 95 % interval, rounded down.
# max_drop: fails on a drop that chance does not explain; one of the size named
# is found in 80% of runs.
version: 1
baseline: main  # name a run so: llmeval baseline set main
suites:
  'on':
    exact: {min: 0.20}  # 0.667 of 3 rows: too few for max_drop
  'qa[a: b]':
    pass_rate: {min: 0.70, max_drop: 0.02}  # 0.817 of 60 rows; finds a drop of 0.242
  # tiny exact: 0.000 of 2 rows: too few for a rule
  two:
    exact: {min: 0.57, max_drop: 0.02}  # 0.700 of 60 rows by b, the worst of 2; finds a drop of 0.261
"""


def add_suite(
    store: SqliteStore,
    suite: str,
    rows: int,
    right: int,
    *,
    model: str = "m",
    name: str = "exact",
    passes: bool = True,
    id: str = "20250101-000000-aaaaaa",
) -> None:
    """Add rows to a run, of which the first ``right`` are right."""
    for number in range(rows):
        value = float(number < right)
        made: dict[str, Any] = {"outcome": "passed" if value else "missed", "suite": suite, "model": model}
        scored = score(name, value, value == 1 if passes else None, scorer_digest="d")
        store.add_case(id, record(f"s{number}", scores=(scored,), **made))


@pytest.fixture
def stored(store: SqliteStore) -> SqliteStore:
    store.start_run(run("20250101-000000-aaaaaa", models=("m", "a", "b")))
    return store


def test_suites_without_rules_get_some(here: Path, stored: SqliteStore, llmeval: Command) -> None:
    add_suite(stored, "qa[a: b]", 60, 49, name="noted", passes=False)
    add_suite(stored, "on", 3, 2)
    add_suite(stored, "tiny", 2, 0)
    add_suite(stored, "two", 60, 50, model="a")
    add_suite(stored, "two", 60, 42, model="b")
    stored.finish_run("20250101-000000-aaaaaa", END)
    told = llmeval("plan", "--rules")
    assert told.out == GOLDEN
    (here / "thresholds.yaml").write_text(told.out.replace("baseline: main", "#"))
    judged = llmeval("gate", "last")
    assert judged.out.endswith("suite without rules (tiny): status 1\ngate: PASS (4 pass, 3 not judged), status 1\n")
    again = llmeval("plan", "--rules").out
    assert "# Suites that have rules already: on, qa[a: b], two\n" in again
    assert again.endswith("suites: {}\n  # tiny exact: 0.000 of 2 rows: too few for a rule\n")


def test_a_score_beyond_1_and_a_recorded_number_are_left_to_people(stored: SqliteStore, llmeval: Command) -> None:
    for number in range(40):
        scores = (
            score("words", float(number), scorer_digest="d"),
            score("exact", scorer_digest="d"),
            score("toxicity", 0.1),  # recorded by the test itself: less is better, which nobody knows
        )
        stored.add_case("20250101-000000-aaaaaa", record(f"s{number}", scores=scores, suite="qa", outcome="passed"))
    stored.finish_run("20250101-000000-aaaaaa", END)
    (proposal,) = llmeval("plan", "--rules", "--json").json()["proposals"]
    assert (proposal["metric"], proposal["value"], proposal["min"]) == ("exact", 1.0, 0.91)


ANSWERS = st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=1, max_size=40)


@given(answers=st.dictionaries(st.sampled_from(["m", "n"]), ANSWERS, min_size=1))
def test_every_model_meets_what_is_proposed(answers: dict[str, list[float]]) -> None:
    cases = [
        JudgedCase(
            suite="qa",
            model=model,
            sample_id=f"s{number}",
            outcome="passed" if value == 1 else "missed",
            scores={"exact": value},
            passed={"exact": value == 1},
            digests={"exact": "d"},
        )
        for model, values in answers.items()
        for number, value in enumerate(values)
    ]
    (proposal,) = propose(Thresholds(), cases)
    least = min(sum(values) / len(values) for values in answers.values())
    assert proposal.value == pytest.approx(least)
    assert proposal.min is None or 0 < proposal.min <= least + 1e-9


def test_the_file_says_what_it_means(tmp_path: Path, stored: SqliteStore, llmeval: Command) -> None:
    add_suite(stored, 'odd "name" é: #1', 40, 30)
    stored.finish_run("20250101-000000-aaaaaa", END)
    path = tmp_path / "proposed.yaml"
    path.write_text(llmeval("plan", "--rules").out, encoding="utf-8")
    rules = load_thresholds(path).suites['odd "name" é: #1'].rules
    assert [(rule.metric, rule.kind, rule.bound) for rule in rules] == [
        ("exact", "min", 0.59),
        ("exact", "max_drop", 0.02),
    ]


def test_a_score_that_gets_no_bound_is_told_within_its_suite(stored: SqliteStore, llmeval: Command) -> None:
    for number in range(40):
        scores = (score("exact", 0.0, False, scorer_digest="d"), score("f1", 0.5, scorer_digest="d"))
        stored.add_case("20250101-000000-aaaaaa", record(f"s{number}", scores=scores, suite="qa", outcome="missed"))
    stored.finish_run("20250101-000000-aaaaaa", END)
    told = llmeval("plan", "--rules").out
    assert "\n  qa:\n    # exact: 0.000 of 40 rows: too few for a rule\n    f1: {max_drop: 0.02}" in told


def test_what_is_printed_may_go_into_the_file_of_rules(
    here: Path, stored: SqliteStore, llmeval: Command, installed: Command
) -> None:
    """The shell has emptied it by the time that the command looks for rules."""
    add_suite(stored, "qa", 40, 30)
    stored.finish_run("20250101-000000-aaaaaa", END)
    told = llmeval("plan", "--rules").out
    with open(here / "thresholds.yaml", "w", encoding="utf-8") as file:
        assert installed("plan", "--rules", stdout=file).status == 0
    assert (here / "thresholds.yaml").read_text(encoding="utf-8") == told
    (here / "thresholds.yaml").write_text("")
    assert "is empty" in llmeval("plan").err


def test_the_drop_that_is_found_is_the_one_that_a_plan_with_these_rules_tells(
    here: Path, store: SqliteStore, llmeval: Command
) -> None:
    """Another run of the same rows tells both how much answers vary."""
    suites = {"qa": {"expected": {"m": 60}, "rows_digest": "r"}, "other": {"expected": {"m": 60}, "rows_digest": "o"}}
    for place, id in enumerate(("20250101-000000-aaaaaa", "20250102-000000-bbbbbb")):
        begun = f"2025-01-0{place + 1}T00:00:00.000+00:00"
        store.start_run(run(id, settings={"suites": suites}, started_at=begun))
        add_suite(store, "qa", 60, 49, id=id)
        add_suite(store, "other", 60, 40, id=id)
        store.finish_run(id, END)
    told = llmeval("plan", "--rules", "--json").json()
    assert told["other"] == "20250101-000000-aaaaaa"
    (here / "thresholds.yaml").write_text(llmeval("plan", "--rules").out.replace("baseline: main", "#"))
    planned = {row["suite"]: row["sees"] for row in llmeval("plan", "--json").json()["metrics"] if row["rule"]}
    assert {each["suite"]: each["sees"] for each in told["proposals"]} == pytest.approx(planned)
