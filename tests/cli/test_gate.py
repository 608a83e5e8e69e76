"""The gate over stored runs: the status is the one that the session had."""

import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_llmeval.core.gate.judging import Verdict
from pytest_llmeval.store.processes import process_started
from pytest_llmeval.store.records import RunEnd
from pytest_llmeval.store.sqlite import SqliteStore
from tests.cli.conftest import Command
from tests.support.project import OPTIONS, Project
from tests.support.records import call, record, score
from tests.support.row_evals import EXACT
from tests.support.stored_runs import END, run

BOOM = """
def test_echo(sample, response, score):
    if sample.id == "bad":
        raise RuntimeError("boom")
    score.exact(response, sample.target)
"""
ASSERT = """
def test_echo(sample, response):
    assert response.text == sample.target
"""
GOOD_AND_BAD = [{"id": "good", "input": "yes", "target": "yes"}, {"id": "bad", "input": "no", "target": "yes"}]
NINE_GOOD = [{"id": f"good{n}", "input": "yes", "target": "yes"} for n in range(9)]


def rules(metric: str = "exact", bound: str = "min: 0.5") -> str:
    """Return a file of rules for the suite ``echo``."""
    return f"version: 1\nsuites: {{echo: {{{metric}: {{{bound}}}}}}}\n"


SESSIONS: dict[str, tuple[str, list[dict[str, Any]], str | None, str, int]] = {
    "pass": (EXACT, GOOD_AND_BAD, rules(), "echo", 0),
    "fail": (EXACT, GOOD_AND_BAD, rules(bound="min: 0.6"), "echo", 1),
    "pass rate": (ASSERT, GOOD_AND_BAD, rules("pass_rate"), "echo", 0),
    "no rules, all good": (EXACT, NINE_GOOD, None, "echo", 0),
    "no rules, a miss": (EXACT, GOOD_AND_BAD, None, "echo", 1),
    "no rules, an error": (BOOM, GOOD_AND_BAD, None, "echo", 1),
    "rules for tokens alone, a miss": (EXACT, GOOD_AND_BAD, rules("output_tokens", "max_total: 99"), "echo", 1),
    "one error": (BOOM, [*NINE_GOOD, GOOD_AND_BAD[1]], rules(), "echo", 0),
    "errors": (EXACT, GOOD_AND_BAD, rules(), "fault-status-400", 10),
    "unknown score": (EXACT, NINE_GOOD, rules("exakt"), "echo", 10),
    "authentication": (EXACT, GOOD_AND_BAD, None, "fault-status-401", 10),
    "quota": (EXACT, GOOD_AND_BAD, rules(bound="min: 0.0"), "fault-quota", 10),
}


@pytest.mark.parametrize("name", SESSIONS)
def test_the_gate_ends_with_the_status_of_the_session(project: Project, llmeval: Command, name: str) -> None:
    body, rows, thresholds, model, expected = SESSIONS[name]
    project.eval(body, rows)
    if thresholds is not None:
        project.write(thresholds_yaml=thresholds)
    session = project.run("evals", model=project.server.spec(model))
    assert session.ret == expected
    done = llmeval("gate")
    assert done.status == expected
    told = llmeval("gate", "--json").json()
    assert (told["exit_code"], told["verdict"]) == (expected, project.last_run()["verdict"])


def test_the_gate_makes_no_call_and_changes_nothing(project: Project, llmeval: Command) -> None:
    project.eval(EXACT, GOOD_AND_BAD)
    project.run("evals")
    before, calls = project.rows("SELECT * FROM runs, cases"), len(project.server.ledger)
    llmeval("gate")
    assert (project.rows("SELECT * FROM runs, cases"), len(project.server.ledger)) == (before, calls)


def test_todays_rules_count(project: Project, llmeval: Command) -> None:
    project.eval(EXACT, GOOD_AND_BAD)
    project.write(thresholds_yaml=rules())
    assert project.run("evals").ret == 0
    project.write(thresholds_yaml=rules(bound="min: 0.6"))
    done = llmeval("gate")
    assert done.status == 1
    assert done.out.splitlines()[-1] == "gate: FAIL (1 fail)"


def test_the_file_that_the_session_named_is_used_again(project: Project, llmeval: Command) -> None:
    project.eval(EXACT, GOOD_AND_BAD)
    project.write(thresholds_yaml=rules(), strict_yaml=rules(bound="min: 0.6"))
    assert project.run("evals", "--thresholds=strict.yaml").ret == 1
    assert llmeval("gate").status == 1


def test_a_file_that_the_session_named_and_that_is_gone_is_a_mistake(project: Project, llmeval: Command) -> None:
    project.eval(EXACT, GOOD_AND_BAD)
    project.write(strict_yaml=rules())
    project.run("evals", "--thresholds=strict.yaml")
    (project.root / "strict.yaml").unlink()
    done = llmeval("gate")
    assert done.status == 4
    assert "strict.yaml: no such file; name one with --thresholds" in done.err


def test_rules_that_the_session_found_and_that_are_gone_are_a_mistake(project: Project, llmeval: Command) -> None:
    """A run that they judged does not pass without them."""
    project.eval('def test_echo(sample, response, score):\n    score.record("right", 0.2)\n', GOOD_AND_BAD)
    project.write(thresholds_yaml=rules("right"))
    assert project.run("evals").ret == 1
    (project.root / "thresholds.yaml").unlink()
    done = llmeval("gate")
    assert done.status == 4
    assert "thresholds.yaml: no such file; name one with --thresholds" in done.err
    assert project.run("evals").ret == 0
    assert llmeval("gate").status == 0


def test_other_rules_can_be_named(project: Project, llmeval: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """In an option, from a subfolder too, or in the environment; the option is the stronger."""
    project.eval(EXACT, GOOD_AND_BAD)
    project.write(thresholds_yaml=rules(), strict_yaml=rules(bound="min: 0.6"), broken_yaml="version: 2\n")
    project.run("evals")
    monkeypatch.chdir(project.root / "data")
    assert llmeval("gate", "--thresholds", "strict.yaml").status == 1
    assert llmeval("gate", "--thresholds", "../strict.yaml").status == 1
    monkeypatch.setenv("LLMEVAL_THRESHOLDS", "broken.yaml")
    assert llmeval("gate").status == 4
    assert llmeval("gate", "--thresholds", "strict.yaml").status == 1


def test_a_bound_that_no_value_can_reach_is_a_mistake(project: Project, llmeval: Command) -> None:
    """Of a score whose range is known."""
    project.eval(EXACT, GOOD_AND_BAD)
    project.run("evals")
    project.write(thresholds_yaml=rules(bound="min: 90"))
    done = llmeval("gate")
    assert done.status == 4
    assert "exact.min: found 90, but exact lies in 0..1; write a number there" in done.err


@pytest.mark.parametrize(
    ("selection", "why", "deselected"), [([], None, 0), (["--limit=1"], "--limit", 0), (["-m", "few"], None, 5)]
)
def test_a_run_that_left_out_cases_is_marked_wherever_it_is_shown(
    project: Project, llmeval: Command, selection: Sequence[str], why: str | None, deselected: int
) -> None:
    """Its rules are judged on what ran."""
    project.eval(EXACT, [{**row, "marks": ["few"] if n < 4 else []} for n, row in enumerate(NINE_GOOD)])
    project.pytester.makeini(f"[pytest]\n{OPTIONS}markers = few\n")
    project.write(thresholds_yaml=rules())
    assert project.run("evals", *selection).ret == 0
    assert project.settings()["suites"]["echo"]["deselected"] == deselected
    told = f": finished, partial ({why})" if why else ": finished"
    for command in (("gate",), ("show",)):
        assert llmeval(*command).out.splitlines()[0].endswith(told)
        assert llmeval(*command, "--json").json()["partial"] is (why is not None)
    for shown in (("runs",), ("export", "markdown", "last")):
        assert ("finished, partial" in llmeval(*shown).out) is (why is not None)


SLICED = [{**row, "slice": "easy" if row["id"] == "good" else "hard"} for row in GOOD_AND_BAD]
OF_A_SLICE = "version: 1\nsuites: {echo: {exact: {min: 0.5}, slices: {hrad: {exact: {min: 0.9}}}}}\n"


def test_a_misspelt_slice_is_a_mistake_as_in_a_session(project: Project, llmeval: Command) -> None:
    """Its rule would hold nothing up."""
    project.eval(EXACT, SLICED)
    assert project.run("evals").ret == 1
    project.write(thresholds_yaml=OF_A_SLICE)
    for command in (("gate",), ("compare", "last", "last"), ("gate", "--json")):
        done = llmeval(*command)
        assert (done.status, done.out) == (4, "")
        assert "thresholds.yaml:2: suites.echo.slices.hrad: unknown slice 'hrad'; did you mean 'hard'?" in done.err
    assert project.run("evals").ret == 4
    project.write(thresholds_yaml=OF_A_SLICE.replace("hrad", "hard"))
    assert llmeval("gate").status == 1


@pytest.mark.parametrize("selection", [("-k", "good"), ("--limit=1",), ("--slice=easy",), ("-m", "few")])
def test_a_slice_that_the_run_may_not_have_come_to_is_not_judged(
    project: Project, llmeval: Command, selection: Sequence[str]
) -> None:
    """Rows were left out, of which one may be in it."""
    rows = [{**row, "marks": ["few"] if row["id"] == "good" else []} for row in SLICED]
    project.eval(EXACT, rows)
    project.pytester.makeini(f"[pytest]\n{OPTIONS}markers = few\n")
    assert project.run("evals", *selection).ret == 0
    project.write(thresholds_yaml=OF_A_SLICE.replace("hrad", "hard"))
    done = llmeval("gate")
    assert done.status == 0
    assert "not judged (no case of slice 'hard' was selected): echo exact [hard]" in " ".join(done.out.split())


def test_a_suite_that_was_no_part_of_the_run_is_no_mistake(project: Project, llmeval: Command) -> None:
    """Nor are its slices: only its session could tell a name that is wrong."""
    project.eval(EXACT, SLICED)
    project.run("evals")
    other = "ecko: {exact: {min: 0.9}, slices: {any: {exact: {min: 0.9}}}}"
    project.write(thresholds_yaml=f"version: 1\nsuites: {{echo: {{exact: {{min: 0.5}}}}, {other}}}\n")
    assert llmeval("gate").status == 0


def test_any_run_can_be_judged(project: Project, llmeval: Command) -> None:
    project.eval(EXACT, GOOD_AND_BAD)
    project.write(thresholds_yaml=rules())
    project.run("evals", "--run-name=both")
    project.run("evals", "-k", "good", "--run-name=good")
    assert llmeval("gate", "both", "--json").json()["verdicts"][0]["value"] == 0.5
    assert llmeval("gate", "good", "--json").json()["verdicts"][0]["value"] == 1.0


def test_cases_that_did_not_finish_make_a_run_unmeasurable(store: SqliteStore, here: Path, llmeval: Command) -> None:
    """What was collected and never came is no pass."""
    (here / "thresholds.yaml").write_text("version: 1\nsuites: {qa: {exact: {min: 0.1}}}\n")
    store.start_run(run("r", settings={"suites": {"qa": {"expected": {"m": 3}}}}))
    store.add_case("r", record(scores=(score(),), calls=(call(),)))
    store.finish_run("r", END)
    done = llmeval("gate")
    assert done.status == 10
    assert "2 of 3 cases did not finish" in done.out


def test_a_suite_of_which_no_case_finished_is_shown(store: SqliteStore, here: Path, llmeval: Command) -> None:
    (here / "thresholds.yaml").write_text("version: 1\nsuites: {qa: {exact: {min: 0.1}}}\n")
    store.start_run(run("r", settings={"suites": {"qa": {"expected": {"m": 3}}}}))
    store.finish_run("r", END)
    done = llmeval("gate")
    assert done.status == 10
    assert "qa: no case finished" in done.out
    assert "unmeasurable: exact min=0.1: 3 of 3 cases did not finish" in done.out
    assert done.out.endswith("gate: UNMEASURABLE (1 unmeasurable)\n")


@pytest.fixture
def good_cases(store: SqliteStore, here: Path) -> Callable[..., None]:
    """Begin a run in which all is well so far."""

    def begin(**fields: Any) -> None:
        (here / "thresholds.yaml").write_text("version: 1\nsuites: {qa: {exact: {min: 0.1}}}\n")
        store.start_run(run("r", **fields))
        store.add_case("r", record(scores=(score(),), calls=(call(),)))

    return begin


@pytest.mark.parametrize("exit_code", [1, 2, 3, 5])
def test_an_interrupted_run_keeps_its_status_and_is_not_judged(
    store: SqliteStore, llmeval: Command, good_cases: Callable[..., None], exit_code: int
) -> None:
    good_cases()
    end = RunEnd(finished_at=END.finished_at, status="interrupted", exit_code=exit_code, verdict="none")
    store.finish_run("r", end)
    done = llmeval("gate")
    assert done.status == exit_code
    assert done.out.endswith("gate: stopped, not judged\n")
    told = llmeval("gate", "--json").json()
    ended = {"status": "interrupted", "exit_code": exit_code, "verdict": "none"}
    assert told == {"run": "r", **ended, "partial": False, "baseline": None, "verdicts": [], "warnings": []}


def test_an_interrupted_run_never_succeeds(
    store: SqliteStore, llmeval: Command, good_cases: Callable[..., None]
) -> None:
    good_cases()
    store.finish_run("r", RunEnd(finished_at=END.finished_at, status="interrupted", exit_code=0, verdict="pass"))
    assert llmeval("gate").status == 1


def test_a_crashed_run_never_succeeds(llmeval: Command, good_cases: Callable[..., None]) -> None:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    good_cases(pid=process.pid, process_started=process_started(process.pid))
    done = llmeval("gate")
    assert (done.status, done.out.splitlines()[-1]) == (1, "gate: running, not judged")
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = llmeval("gate")
    assert (done.status, done.out.splitlines()[-1]) == (1, "gate: crashed, not judged")
    assert llmeval("gate", "--json").json()["exit_code"] == 1


@pytest.mark.parametrize("kind", ["budget", "auth", "quota"])
def test_a_run_that_ran_out_of_money_never_succeeds(
    store: SqliteStore, llmeval: Command, good_cases: Callable[..., None], kind: str
) -> None:
    good_cases()
    store.add_case("r", record("b", suite="ungated", outcome="error", error_kind=kind))
    store.finish_run("r", END)
    done = llmeval("gate")
    assert done.status == 10
    assert f"unmeasurable (status 10, unless something failed): 1 case of kind {kind}" in done.out
    assert done.out.splitlines()[-1] == "gate: UNMEASURABLE (1 pass)"
    assert llmeval("gate", "--json").json()["verdict"] == "unmeasurable"


def test_the_installed_command_ends_with_the_status_of_the_gate(
    store: SqliteStore, installed: Command, good_cases: Callable[..., None]
) -> None:
    good_cases()
    store.finish_run("r", END)
    assert installed("gate").status == 0
    store.add_case("r", record("b", suite="ungated", outcome="missed"))
    assert installed("gate").status == 1
    store.add_case("r", record("b", suite="ungated", outcome="error", error_kind="quota"))
    assert installed("gate").status == 10
    assert installed("gate", "nobody").status == 4


@pytest.mark.parametrize(("verdict", "shown"), [("pass", "none"), ("fail", "fail")])
def test_a_stopped_run_that_was_judged_never_shows_success(
    store: SqliteStore, llmeval: Command, good_cases: Callable[..., None], verdict: Any, shown: str
) -> None:
    """As one is whose workers did not come back."""
    good_cases()
    rule = Verdict(suite="qa", model="m", metric="exact", slice=None, rule="min=0.8", verdict=verdict)
    store.set_verdicts("r", [rule])
    store.finish_run("r", replace(END, status="interrupted", exit_code=10, verdict="none"))
    assert llmeval("show", "r", "--json").json()["verdict"] == shown
