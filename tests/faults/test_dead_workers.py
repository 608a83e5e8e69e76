"""An xdist worker that dies costs no second call, and no case but its own (row C7)."""

from collections import Counter

import pytest

from pytest_llmeval.core.ids import input_digest
from tests.faults.test_workers import ONCE, ROWS
from tests.support.project import Project
from tests.support.sessions import requests

DYING = """
import os
import pathlib

import pytest

@pytest.mark.llmeval("data/echo.jsonl")
def test_echo(sample, response, score):
    if sample.id == "r03" and (%s or not pathlib.Path("died").exists()):
        pathlib.Path("died").touch()
        os.kill(os.getpid(), 9)
    score.exact(response, sample.target)
"""
ALWAYS, AT_FIRST = "True", "False"
DYING_IN_SETUP = """
import os

def pytest_runtest_setup(item):
    if "r03" in item.name:
        os._exit(9)
"""
HEARD_LATE = """
import time

from pytest_llmeval.bridge.records.begun_cases import BegunCases

note = BegunCases.note

def note_late(begun, text):
    time.sleep(0.3 if "r03" in text else 0)
    note(begun, text)

BegunCases.note = note_late
"""


def test_a_worker_that_dies_before_its_score_costs_no_second_call(project: Project) -> None:
    """Its answer is kept; whoever runs the case again is told it, and the run that is resumed too."""
    project.eval("", ROWS)
    project.write(evals__test_echo_py=DYING % AT_FIRST)
    result = project.run("evals", "-n2")
    assert result.ret == 1
    assert requests(project.server) == ONCE
    assert project.rows("SELECT sample_id, error_kind FROM cases WHERE outcome != 'passed'") == [
        {"sample_id": "r03", "error_kind": "worker_crashed"}
    ]
    assert project.run("evals", "--resume=last", model="").ret == 0
    assert requests(project.server) == ONCE
    assert set(project.cases().values()) == {"passed"}


def test_a_case_that_always_kills_its_worker_lets_the_others_run(project: Project) -> None:
    project.eval("", ROWS)
    project.write(evals__test_echo_py=DYING % ALWAYS)
    for more, model in (((), None), (("--resume=last",), "")):
        assert project.run("evals", "-n2", *more, model=model).ret == 1
        assert Counter(project.cases().values()) == {"passed": 9, "error": 1}
        assert project.rows("SELECT sample_id, error_kind, model, suite FROM cases WHERE outcome != 'passed'") == [
            {"sample_id": "r03", "error_kind": "worker_crashed", "model": "echo", "suite": "echo"}
        ]
        assert requests(project.server) == ONCE
        assert project.last_run()["status"] == "finished"


@pytest.mark.parametrize(("dist", "killer"), [("load", "r03"), ("worksteal", "r03"), ("loadfile", "r09")])
def test_an_async_case_that_always_kills_its_worker_lets_the_others_run(
    project: Project, dist: str, killer: str
) -> None:
    """Ahead of its turn it takes the case along that is there, asked or not; in place of a dead worker none runs so."""
    project.eval(
        f"""
        async def test_echo(sample, model, score):
            response = await model.generate()
            if sample.id == "{killer}":
                __import__("os").kill(__import__("os").getpid(), 9)
            score.exact(response, sample.target)
        """,
        ROWS,
    )
    project.write(thresholds_yaml="version: 1\nsuites: {echo: {exact: {min: 0.1}, settings: {max_error_rate: 0.5}}}\n")
    result = project.run("evals", "-n2", f"--dist={dist}")
    errors = project.rows("SELECT sample_id, error_kind FROM cases WHERE outcome != 'passed'")
    assert {row["error_kind"] for row in errors} == {"worker_crashed"}
    assert killer in {row["sample_id"] for row in errors} and len(errors) <= 2
    assert len(project.cases()) == len(ROWS)
    assert result.ret == 0
    assert "a worker died: " in " ".join(map(str.strip, result.outlines))
    unasked = {f"q{row['sample_id'][1:]}" for row in errors} - {f"q{killer[1:]}"} - requests(project.server).keys()
    assert requests(project.server) == Counter({each: 1 for each in ONCE if each not in unasked})


def test_a_worker_that_dies_as_xdist_turns_to_it_does_not_end_the_session(project: Project) -> None:
    """It is asked for work that another one could do, which execnet refuses to send before xdist hears of its end."""
    project.eval(
        """
        def test_echo(sample, response, score):
            import pathlib, time
            hangs = pathlib.Path("hangs")
            if sample.id == "r01":
                hangs.touch()
                time.sleep(60)
            while sample.id >= "r05" and not hangs.exists():  # the half of the other worker, which must not be done yet
                time.sleep(0.01)
            score.exact(response, sample.target)
        """,
        ROWS,
    )
    project.write(
        evals__conftest_py="""
            from pathlib import Path

            from xdist.workermanage import WorkerController

            def sendcommand(self, name, **kwargs):
                if name == "steal" and Path("hangs").exists():
                    self.gateway._io.popen.kill()
                    raise OSError("cannot send (already closed?)")
                send(self, name, **kwargs)

            send, WorkerController.sendcommand = WorkerController.sendcommand, sendcommand
        """
    )
    result = project.run("evals", "-n2", "--dist=worksteal")
    assert not [line for line in result.outlines if "INTERNALERROR" in line]
    assert project.rows("SELECT sample_id, error_kind FROM cases WHERE outcome != 'passed'") == [
        {"sample_id": "r01", "error_kind": "worker_crashed"}
    ]
    assert len(project.cases()) == len(ROWS)
    assert requests(project.server) == ONCE


@pytest.mark.parametrize(("hook", "min_"), [("logstart", 0.1), ("logfinish", 0.1), ("logfinish", None)])
def test_a_worker_that_dies_beside_a_case_leaves_what_it_recorded(
    project: Project, hook: str, min_: float | None
) -> None:
    """Before its setup it leaves an error, behind its teardown what the case came to; the gate decides of both.

    Without one it fails the session, which the run tells.
    """
    project.eval("def test_echo(sample, response, score):\n    score.exact(response, sample.target)\n", ROWS)
    project.write(
        evals__conftest_py=f"""
            import os

            class Dying:
                def pytest_runtest_{hook}(self, nodeid):
                    if "r03" in nodeid:
                        os._exit(9)

            def pytest_configure(config):
                if hasattr(config, "workerinput"):
                    config.pluginmanager.register(Dying())
        """,
    )
    if min_ is not None:
        rules = f"{{exact: {{min: {min_}}}, settings: {{max_error_rate: 0.2}}}}"
        project.write(thresholds_yaml=f"version: 1\nsuites: {{echo: {rules}}}\n")
    result = project.run("evals", "-n2", "--junitxml=junit.xml")
    assert project.cases()["r03"] == ("error" if hook == "logstart" else "passed")
    assert Counter(project.cases().values())["passed"] == (9 if hook == "logstart" else 10)
    assert result.ret == project.last_run()["exit_code"] == (min_ is None)
    assert project.last_run()["verdict"] == ("none" if min_ is None else "pass")
    told = " ".join(map(str.strip, result.outlines))
    assert ("failed, and with it the session: evals/test_echo.py::test_echo[r03]" in told) is (min_ is None)
    assert '"llmeval_error_kind" value="worker_crashed"' in (project.root / "junit.xml").read_text("utf-8")


@pytest.mark.parametrize("late", ["", HEARD_LATE], ids=["soon", "late"])
def test_a_worker_that_dies_before_the_first_report_of_a_case_leaves_an_error(project: Project, late: str) -> None:
    """Within its setup, which nobody heard of but by the socket, be it late: its category is that of errors."""
    project.eval("def test_echo(sample, response, score):\n    score.exact(response, sample.target)\n", ROWS)
    project.write(
        evals__conftest_py=DYING_IN_SETUP + late,
        thresholds_yaml="version: 1\nsuites: {echo: {exact: {min: 0.1}, settings: {max_error_rate: 0.2}}}\n",
    )
    result = project.run("evals", "-n2")
    assert project.cases()["r03"] == "error"
    assert Counter(project.cases().values()) == {"passed": 9, "error": 1}
    assert result.ret == 0
    result.assert_outcomes(passed=9, errors=1)
    assert project.last_run()["verdict"] == "pass"


@pytest.mark.parametrize("gated", [False, True])
def test_workers_that_nobody_replaces_leave_a_run_that_is_not_green(project: Project, gated: bool) -> None:
    """One of two workers, and then both: the cases that never ran make it unmeasurable, or fail it."""
    project.eval("", ROWS)
    project.write(evals__test_echo_py=DYING.replace('sample.id == "r03"', 'sample.id in ("r02", "r08")') % ALWAYS)
    if gated:
        project.write(
            thresholds_yaml="version: 1\nsuites: {echo: {exact: {min: 0.1}, settings: {max_error_rate: 0.9}}}\n"
        )
    result = project.run("evals", "-n2", "--max-worker-restart=0")
    run = project.last_run()
    assert run["exit_code"] == result.ret == (10 if gated else 1)
    assert run["verdict"] == ("unmeasurable" if gated else "none")
    assert run["status"] == ("unmeasurable" if gated else "interrupted")
    result.stdout.fnmatch_lines(["note: * cases of the run did not finish", f"continue with: * --resume {run['id']} *"])
    for more in ((), ("--even-red",)):
        assert project.llmeval("baseline", "set", "main", "last", *more).ret == 4
    assert project.rows("SELECT * FROM baselines") == []
    assert requests(project.server) <= ONCE


def test_a_worker_that_dies_while_a_run_goes_on_is_replaced_by_one_that_means_the_same_cases(project: Project) -> None:
    """The new one collects when this session has finished some already; what is left stays what it was."""
    project.eval("", ROWS)
    body = """
import os
import pathlib

import pytest

@pytest.mark.llmeval("data/echo.jsonl")
def test_echo(sample, response, score):
    is_first = not pathlib.Path("again").exists()
    if is_first and sample.id != "r04":
        raise RuntimeError("not yet")
    if sample.id == "r07" and not pathlib.Path("died").exists():
        pathlib.Path("died").touch()
        os.kill(os.getpid(), 9)
    with open(f"ran-{sample.id}", "a") as file:
        file.write("x")
    score.exact(response, sample.target)
"""
    project.write(evals__test_echo_py=body)
    project.run("evals")
    (project.root / "again").touch()
    (project.root / "ran-r04").unlink()
    result = project.run("evals", "-n1", "--resume=last", model="")
    assert result.ret == 1
    assert (project.root / "died").exists()
    assert {name for name, outcome in project.cases().items() if outcome != "passed"} == {"r07"}
    ran = {path.name: path.read_text() for path in project.root.glob("ran-*")}
    assert ran == {f"ran-{row['id']}": "x" for row in ROWS if row["id"] not in ("r04", "r07")}
    assert requests(project.server) == ONCE


@pytest.mark.parametrize("rules", ["", "version: 1\nsuites: {echo: {slices: {hard: {exact: {every: true}}}}}\n"])
def test_a_worker_that_dies_before_the_body_leaves_a_case_of_its_row(project: Project, rules: str) -> None:
    project.eval("", [{**row, "slice": "hard" if row["id"] == "r03" else "easy"} for row in ROWS])
    project.write(
        evals__test_echo_py="""
import os

import pytest

@pytest.fixture(autouse=True)
def fragile(llmeval_sample):
    if llmeval_sample.id == "r03":
        os.kill(os.getpid(), 9)

@pytest.mark.llmeval("data/echo.jsonl")
def test_echo(sample, response, score):
    score.exact(response, sample.target)
""",
        **({"thresholds_yaml": rules} if rules else {}),
    )
    result = project.run("evals", "-n2")
    result.stdout.fnmatch_lines(["*9 passed*1 error*"])
    kept = project.rows("SELECT sample_id, slices, error_kind FROM cases WHERE outcome != 'passed'")
    assert kept == [{"sample_id": "r03", "slices": '["hard"]', "error_kind": "worker_crashed"}]
    digests = {row["sample_id"]: row["input_digest"] for row in project.rows("SELECT * FROM cases")}
    assert digests == {row["id"]: input_digest(row["input"], row["target"]) for row in ROWS}
    if rules:
        assert (result.ret, project.last_run()["verdict"]) == (10, "unmeasurable")


def test_a_worker_that_dies_beside_a_baseline_named_last_is_replaced(project: Project) -> None:
    """The new one begins when the newest run is this session's own."""
    project.eval("", ROWS)
    project.write(evals__test_echo_py=DYING % AT_FIRST)
    (project.root / "died").touch()
    assert project.run("evals").ret == 0
    (project.root / "died").unlink()
    result = project.run("evals", "-n1", "--baseline=last")
    assert (result.ret, (project.root / "died").exists()) == (1, True)
    assert "INTERNALERROR" not in result.stdout.str()
    assert Counter(project.cases().values()) == {"passed": 9, "error": 1}


DYING_EARLY = """
import os
import threading
import time

import pytest

@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session):
    if hasattr(session.config, "workerinput") and not os.path.exists("died"):
        open("died", "w").close()
        threading.Timer(0.5, os._exit, (9,)).start()
        time.sleep(5)
"""


def test_a_worker_that_dies_before_any_case_leaves_one_that_did_not_end(project: Project) -> None:
    """It is no ordinary test that failed, and whoever resumes the run asks for it."""
    project.eval("def test_echo(sample, response, score):\n    score.exact(response, sample.target)\n", ROWS)
    project.write(conftest_py=DYING_EARLY, thresholds_yaml="version: 1\nsuites: {echo: {exact: {min: 0}}}\n")
    result = project.run("evals", "-n2")
    text = " ".join(result.stdout.str().split())
    assert "that is not an eval failed" not in text
    assert "1 case of the run did not finish" in text
    assert result.ret == 10
    project.run("evals", "--resume=last", model="")
    assert len(project.cases()) == len(ROWS)


def test_after_a_crash_that_stopped_nobody_a_run_is_judged(project: Project) -> None:
    """xdist counts no crash for -x, so that all cases end."""
    project.eval("", ROWS)
    project.write(evals__test_echo_py=DYING % ALWAYS)
    project.write(thresholds_yaml="version: 1\nsuites: {echo: {settings: {max_error_rate: 0.5}, exact: {min: 0}}}\n")
    result = project.run("evals", "-n2", "-x")
    assert len(project.cases()) == len(ROWS)
    assert "gate: stopped" not in result.stdout.str()
    assert project.last_run()["status"] == "finished"
