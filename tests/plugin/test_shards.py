"""--shard i/N: one of several machines runs its part of the rows; nothing is judged until all parts are joined."""

from typing import Any

import pytest

from tests.support.project import OPTIONS, Project
from tests.support.row_evals import EXACT

ROWS: list[dict[str, Any]] = [
    {"id": f"row{number}", "input": f"q{number}", "target": f"q{number}", "slice": "even" if number % 2 == 0 else "odd"}
    for number in range(8)
]
TWO_OF_TWO = {f"row{number}" for number in range(5)}
BREAKS = """
def test_echo(sample, response, score):
    import os
    if os.environ.get("ECHO_BREAKS"):
        raise RuntimeError("as told")
    score.exact(response, sample.target)
"""
RULES = "version: 1\nsuites: {echo: {exact: {min: 1.0}}}\n"


@pytest.fixture
def written(project: Project) -> Project:
    project.eval(EXACT, ROWS)
    return project


@pytest.fixture
def missing(project: Project) -> Project:
    """A project in which every row misses."""
    project.eval(EXACT, [{**row, "target": "something else"} for row in ROWS])
    return project


def test_the_shards_cover_every_case_once(written: Project, dist_args: list[str]) -> None:
    for number in (1, 2, 3):
        assert written.run("evals", f"--shard={number}/3", "--epochs=2", *dist_args).ret == 0
        assert written.settings()["shard"] == f"{number}/3"
    keys = [(row["sample_id"], row["epoch"]) for row in written.rows("SELECT * FROM cases")]
    assert sorted(keys) == sorted((row["id"], epoch) for row in ROWS for epoch in (1, 2))


def test_all_models_and_epochs_of_a_sample_lie_in_one_shard(written: Project) -> None:
    other = f"openai:other@{written.server.url}"
    assert written.run("evals", "--shard=1/2", "--epochs=3", f"--model={other}").ret in (0, 1)
    found = written.rows("SELECT sample_id, count(*) AS n FROM cases GROUP BY sample_id")
    assert {row["n"] for row in found} == {6}
    assert 0 < len(found) < len(ROWS)


def test_limit_and_slice_come_first(written: Project) -> None:
    for number in (1, 2):
        assert written.run("evals", f"--shard={number}/2", "--slice=even", "--limit=3").ret == 0
    assert {row["sample_id"] for row in written.rows("SELECT * FROM cases")} == {"row0", "row2", "row4"}


@pytest.mark.parametrize("where", ["environment", "ini"])
def test_a_shard_may_stand_in_the_environment_or_the_ini_file(
    written: Project, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if where == "environment":
        monkeypatch.setenv("LLMEVAL_SHARD", "2/2")
    else:
        written.write(tox_ini=f"[pytest]\n{OPTIONS}llmeval_shard = 2/2\n")
    assert written.run("evals").ret == 0
    assert written.settings()["options"]["shard"] == written.settings()["shard"] == "2/2"


@pytest.mark.parametrize("text", ["0/3", "4/3", "a/b", "1"])
def test_what_names_no_shard_is_a_usage_error(written: Project, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    told = f"*expected i/N with i from 1 to N, such as 2/4, found '{text}'*"
    result = written.run("evals", f"--shard={text}")
    assert result.ret == 4
    result.stderr.fnmatch_lines([told])
    monkeypatch.setenv("LLMEVAL_SHARD", text)
    result = written.run("evals")
    assert result.ret == 4
    result.stderr.fnmatch_lines([f"*environment variable LLMEVAL_SHARD: {told}"])
    assert written.server.ledger == []


def test_a_shard_is_not_judged(missing: Project, spread: list[str]) -> None:
    """Every row is missed, which breaks the rule; the gate is for all shards together."""
    missing.write(thresholds_yaml=RULES)
    result = missing.run("evals", "--shard=1/2", *spread)
    assert result.ret == 0
    assert set(missing.cases().values()) == {"missed"}
    assert (missing.last_run()["status"], missing.last_run()["verdict"]) == ("finished", "none")
    assert missing.rows("SELECT * FROM verdicts") == []
    result.stdout.fnmatch_lines(["gate: shard 1/2, not judged; llmeval merge joins the shards and judges them"])


def test_a_suite_without_rules_fails_a_shard(missing: Project, spread: list[str]) -> None:
    assert missing.run("evals", "--shard=1/2", *spread).ret == 1


def test_ordinary_tests_run_in_every_shard_and_may_fail_it(written: Project) -> None:
    written.write(tests__test_own_py="def test_own():\n    assert False\n", thresholds_yaml=RULES)
    for number in (1, 2):
        result = written.run("tests", "evals", f"--shard={number}/2")
        assert result.ret == 1
        assert result.parseoutcomes()["failed"] == 1


def test_a_shard_stopped_for_authentication_never_reports_success(written: Project) -> None:
    written.write(thresholds_yaml=RULES)
    assert written.run("evals", "--shard=1/2", model=f"openai:fault-status-401@{written.server.url}").ret == 10
    assert written.last_run()["status"] == "unmeasurable"


def test_a_shard_without_a_row_is_a_run_of_no_cases(written: Project, spread: list[str]) -> None:
    """A matrix of machines may have more parts than rows; the parts are all there when they are joined."""
    for number in (1, 2, 3):
        assert written.run("evals", f"--shard={number}/3", "--limit=1", *spread).ret == 0
    counts = written.rows("SELECT count(cases.id) AS n FROM runs LEFT JOIN cases ON run_id = runs.id GROUP BY runs.id")
    assert sorted(row["n"] for row in counts) == [0, 0, 1]
    assert {row["status"] for row in written.rows("SELECT * FROM runs")} == {"finished"}


def test_a_shard_without_a_row_still_tells_what_is_wrong(written: Project) -> None:
    written.write(thresholds_yaml="version: 1\nsuites: {echo: {exact: {mim: 1.0}}}\n")
    for number in (1, 2, 3):
        assert written.run("evals", f"--shard={number}/3", "--limit=1").ret == 4


def test_a_shard_leaves_ordinary_sessions_alone(written: Project) -> None:
    written.write(tests__test_own_py="def test_own():\n    pass\n")
    assert written.run("tests", "--shard=2/2").ret == 0
    assert written.run("tests", "-k", "nothing", "--shard=2/2").ret == 5
    assert not (written.root / ".llmeval").exists()


def test_no_shard_can_be_a_baseline(written: Project) -> None:
    assert written.run("evals", "--shard=1/2").ret == 0
    done = written.llmeval("baseline", "set", "main", "last")
    assert done.ret == 4
    done.stderr.fnmatch_lines(["*is one shard of several; llmeval merge joins them, and the whole may be one"])


def test_the_gate_says_nothing_of_a_shard(missing: Project) -> None:
    missing.write(thresholds_yaml=RULES)
    assert missing.run("evals", "--shard=1/2").ret == 0
    done = missing.llmeval("gate")
    assert done.ret == 0
    done.stdout.fnmatch_lines(["gate: shard 1/2, not judged; *"])


def test_a_resumed_run_keeps_its_shard(written: Project, spread: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    written.eval(BREAKS)
    monkeypatch.setenv("ECHO_BREAKS", "yes")
    assert written.run("evals", "--shard=2/2").ret == 1
    assert set(written.cases().values()) == {"error"}
    monkeypatch.delenv("ECHO_BREAKS")
    assert written.run("evals", "--resume=last", *spread).ret == 0
    assert written.cases() == dict.fromkeys(TWO_OF_TWO, "passed")
    assert written.settings()["shard"] == "2/2"
    assert len(written.rows("SELECT * FROM runs")) == 1


def test_a_run_goes_on_with_no_other_shard(written: Project) -> None:
    assert written.run("evals", "--shard=2/2").ret == 0
    result = written.run("evals", "--resume=last", "--shard=1/2")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*--shard is '1/2' here and was '2/2' for the run*"])
    assert written.run("evals", "--resume=last", "--shard=2/2").ret == 0


def test_the_answers_of_a_shard_are_scored_again(written: Project) -> None:
    written.write(thresholds_yaml=RULES)
    assert written.run("evals", "--shard=2/2").ret == 0
    asked = len(written.server.ledger)
    done = written.llmeval("rescore", "last")
    assert done.ret == 0
    assert written.settings()["shard"] == "2/2"
    assert set(written.cases()) == TWO_OF_TWO
    assert len(written.server.ledger) == asked
