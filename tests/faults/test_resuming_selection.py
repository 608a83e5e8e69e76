"""``--resume`` and selection: a run goes on with the cases that its ``-m`` and ``-k`` chose, and with no others."""

import sqlite3
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest

from tests.faults.test_resuming import resume, unwrapped
from tests.support.project import OPTIONS, Project, jsonl
from tests.support.sessions import requests

MARKS = {"r1": ["regression"], "r2": ["regression", "slow"], "r3": ["slow"], "r5": ["judge_attack"]}
ROWS: list[dict[str, Any]] = [
    {"id": f"r{n}", "input": f"q{n}", "target": f"q{n}", "marks": MARKS.get(f"r{n}", [])} for n in range(6)
]
BODY = """
def test_echo(sample, response, score):
    score.exact(response, sample.target)
    if not __import__("os").path.exists("fixed"):
        raise RuntimeError("not now")
"""
OTHER = """
@pytest.mark.llmeval("data/echo.jsonl")
def test_third(response):
    pass
"""
INI = f"[pytest]\n{OPTIONS}markers = slow\n"


@pytest.fixture
def broken(project: Project) -> Project:
    """A project all of whose cases are errors until ``fix`` was called."""
    project.write(tox_ini=INI)
    project.eval(BODY, ROWS)
    return project


def fix(project: Project) -> None:
    """Let the cases pass, and begin a new count of calls."""
    (project.root / "fixed").touch()
    project.server.ledger.clear()


def asked(project: Project) -> set[str]:
    """Return the rows of the run that passed; none of the others was asked."""
    passed = {name for name, outcome in project.cases().items() if outcome == "passed"}
    assert {text.replace("q", "r") for text in requests(project.server)} <= passed
    return passed


@pytest.mark.parametrize(
    ("selection", "ids", "spread"),
    [
        (["-m", "regression"], "r1 r2", []),
        (["-k", "r1 or r4]"], "r1 r4", []),
        (["-m", "not slow", "-k", "not (r0 or r4)"], "r1", []),
        (["-m", "judge_attack or slow", "-k", "echo"], "r2 r3 r5", []),
        (["-m", "judge_attack or slow", "-k", "not r3"], "r2 r5", ["-n2"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_run_goes_on_with_what_it_selected(
    broken: Project, selection: list[str], ids: str, spread: list[str]
) -> None:
    assert broken.run("evals", *selection).ret == 1
    before = broken.settings()
    fix(broken)
    assert resume(broken, *spread).ret == 0
    assert broken.cases() == dict.fromkeys(ids.split(), "passed")
    assert asked(broken) == set(ids.split())
    after = broken.settings()
    assert {key: after[key] for key in ("markexpr", "keyword", "suites")} == {
        key: before[key] for key in ("markexpr", "keyword", "suites")
    }


def test_what_ended_is_not_asked_of_more_rows_later(broken: Project, spread: list[str]) -> None:
    fix(broken)
    assert broken.run("evals", "-m", "regression").ret == 0
    broken.server.ledger.clear()
    assert resume(broken, "--epochs=2", *spread).ret == 0
    assert requests(broken.server) == Counter({"q1": 1, "q2": 1})


@pytest.mark.parametrize(
    ("narrower", "ids", "spread"),
    [
        (["-m", "slow or regression", "-k", "r1"], "r1", []),
        (["--deselect=evals/test_echo.py::test_echo[r2]"], "r1", []),
        (["evals/test_echo.py::test_echo[r2]", "evals/test_echo.py::test_echo[r3]"], "r2", []),
        (["-m", "not slow", "-k", "r1 or r3"], "r1", ["-n2"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_session_may_go_on_with_a_part_and_with_nothing_else(
    broken: Project, narrower: list[str], ids: str, spread: list[str]
) -> None:
    assert broken.run("evals", "-m", "regression").ret == 1
    fix(broken)
    where = [] if "::" in narrower[0] and narrower[0].startswith("evals") else ["evals"]
    result = broken.run(*where, "--resume=last", *narrower, *spread, model="")
    assert result.ret == 1, "the other one is an error still"
    assert asked(broken) == {ids}
    assert resume(broken).ret == 0
    assert broken.cases() == {"r1": "passed", "r2": "passed"}


def test_last_failed_narrows_too(broken: Project) -> None:
    """What failed is known of rows outside of the run as well."""
    assert broken.run("evals").ret == 1
    assert broken.run("evals", "-m", "slow").ret == 1
    fix(broken)
    assert resume(broken, "--lf").ret == 0
    assert asked(broken) == {"r2", "r3"}


@pytest.mark.parametrize(
    "other",
    [["-m", "not regression"], ["-m", "judge_attack"], ["-k", "r4"], ["-m", "not regression", "-n2"]],
    ids=" ".join,
)
def test_what_the_run_did_not_select_is_not_to_be_had(broken: Project, other: list[str]) -> None:
    assert broken.run("evals", "-m", "regression").ret == 1
    before = broken.last_run()
    fix(broken)
    assert resume(broken, *other).ret == 5
    assert broken.server.ledger == []
    assert broken.last_run() == before


def test_rows_that_attack_a_judge_stay_out_of_a_run_without_them(broken: Project, spread: list[str]) -> None:
    assert broken.run("evals", "-k", "r4 or r5").ret == 1
    fix(broken)
    assert resume(broken, "-m", "judge_attack", *spread).ret == 5
    assert broken.server.ledger == []


def test_the_run_goes_before_addopts(broken: Project, dist_args: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """They are for new runs; the command line narrows."""
    broken.write(tox_ini=INI.replace("addopts =", 'addopts = -m "not slow"'))
    assert broken.run("evals", "-m", "slow").ret == 1
    fix(broken)
    monkeypatch.setenv("PYTEST_ADDOPTS", "-k r0")
    assert resume(broken, *dist_args).ret == 0
    assert asked(broken) == {"r2", "r3"}


def test_an_expression_in_addopts_is_that_of_the_run(broken: Project, spread: list[str]) -> None:
    broken.write(tox_ini=INI.replace("addopts =", 'addopts = -m "regression" -k r2'))
    assert broken.run("evals").ret == 1
    broken.write(tox_ini=INI)
    fix(broken)
    assert resume(broken, *spread).ret == 0
    assert asked(broken) == {"r2"}


def test_the_mark_of_the_run_asks_for_evals_that_wait(broken: Project, spread: list[str]) -> None:
    """Named by no path; of ordinary tests those run that the run's session would have run."""
    broken.write(tests__test_own_py="def test_own():\n    assert False\n")
    assert broken.run("tests", "evals", "-m", "slow").ret == 1
    fix(broken)
    result = broken.run("--rootdir=.", ".", "--resume=last", *spread, model="")
    assert result.ret == 0, result.stdout.str()
    assert asked(broken) == {"r2", "r3"}


def test_a_wrong_expression_is_told_as_it_was_given(broken: Project) -> None:
    assert broken.run("evals", "-m", "slow").ret == 1
    result = resume(broken, "-m", "slow) or (regression")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*Wrong expression passed to '-m': slow) or (regression*"])


def test_a_run_whose_expression_is_none_is_refused(broken: Project, spread: list[str]) -> None:
    assert broken.run("evals", "-m", "slow").ret == 1
    with sqlite3.connect(broken.root / ".llmeval/llmeval.db") as connection:
        connection.execute("UPDATE runs SET settings_json = json_set(settings_json, '$.keyword', 'a) or (b')")
    connection.close()
    result = resume(broken, *spread)
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*-k of the run was 'a) or (b', which is not an expression*"])


def test_rows_that_went_are_missed_by_a_run_that_goes_on(project: Project, spread: list[str]) -> None:
    """Be it that they went before it began, or since: a rule on a change has too few pairs then."""
    rows = [{**row, "marks": ["regression"] if n < 4 else []} for n, row in enumerate(ROWS * 4)]
    rows = [{**row, "id": f"r{n}"} for n, row in enumerate(rows)]
    project.eval("def test_echo(sample, response, score):\n    score.exact(response, sample.target)\n", rows)
    project.write(thresholds_yaml="version: 1\nsuites: {echo: {exact: {min: 0.5, max_drop: 0.1}}}\n")
    assert project.run("evals").ret == 0
    assert project.llmeval("baseline", "set", "main", "last").ret == 0
    assert project.run("evals", "-m", "regression", "--baseline=main").ret == 0
    project.write(data__echo_jsonl=jsonl(*rows[:16]))
    calls = len(project.server.ledger)
    assert resume(project, *spread).ret == 4
    result = resume(project, "--llmeval-resume-changed", *spread)
    assert result.ret == 10
    assert "4 of 12 baseline rows" in " ".join(result.stdout.str().split())
    assert project.run("evals", "-m", "regression", "--baseline=main").ret == 10
    calls += 4
    assert resume(project, *spread).ret == 10
    assert len(project.server.ledger) == calls


def test_a_run_that_is_resumed_in_part_is_neither_finished_nor_green(project: Project) -> None:
    """Nothing of it failed; it is not whole all the same."""
    project.write(tox_ini=INI)
    project.eval("def test_echo(sample, response):\n    assert sample.id != 'r0'\n", ROWS)
    assert project.run("evals", "-x", "--max-connections=1").ret == 1
    project.write(evals__test_echo_py=(project.root / "evals/test_echo.py").read_text().replace("'r0'", "'none'"))
    result = resume(project, "--llmeval-resume-changed", "-k", "r4")
    assert (result.ret, project.last_run()["status"]) == (1, "interrupted")  # r0 missed in the first session
    assert "of the run did not finish, now or before" in unwrapped(result)


def test_epochs_that_a_resumed_session_added_belong_to_the_run(project: Project) -> None:
    project.eval("def test_echo(sample, response):\n    pass\n", ROWS[:2])
    assert project.run("evals").ret == 0
    result = resume(project, "--epochs=3", "-k", "r0")
    assert (result.ret, project.last_run()["status"]) == (10, "interrupted")
    assert resume(project).ret == 0
    assert len(project.cases()) == 6


def test_a_run_of_one_file_goes_on_where_that_file_is_named(broken: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its last line and the refusal of other paths have the command; what is new below those paths is another thing."""
    broken.eval(BODY.replace("test_echo", "test_other"), ROWS, name="other")
    value = ("--junit-prefix", "evals/test_echo.py")  # it reads as the path
    stopped = broken.run(*value, "evals/test_echo.py", "-x", "--max-connections=1")
    run = broken.last_run()["id"]
    told = unwrapped(stopped).partition("continue with: ")[2]
    assert told.startswith(f"pytest --resume {run} evals/test_echo.py {' '.join(value)} -x --max-connections=1")
    fix(broken)
    (broken.root / "evals/fixed").touch()
    result = resume(broken, "-n2")
    assert result.ret == 4
    told = f"*--resume {run}: the run was of evals/test_echo.py, without 1 suite of this session (other); continue*"
    result.stderr.fnmatch_lines([told])
    assert broken.server.ledger == []
    monkeypatch.setenv("LLMEVAL_MODEL", broken.model)
    refused = [sys.executable, "-m", "pytest", ".", "--resume", "last"]
    done = subprocess.run(refused, cwd=broken.root / "evals", capture_output=True, text=True, check=False)
    command = done.stderr.partition("continue with: ")[2].split()
    assert command == ["pytest", "--resume", run, "test_echo.py"]
    assert subprocess.run([sys.executable, "-m", *command], cwd=broken.root / "evals", check=False).returncode == 0
    assert asked(broken) == {"r0", "r1", "r2", "r3", "r4"}
    broken.eval(BODY + "\n" + OTHER, name="echo")
    result = broken.run("evals/test_echo.py", "--resume=last", model="")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*suite 'third' is new. Start a new run, *"])
    broken.run("evals", "--resume=last", "--llmeval-resume-changed", model="")
    assert broken.settings()["paths"] == ["evals/test_echo.py", "evals"]
