"""xdist workers: what is recorded is the same, and one that dies costs no second call (rows P1 to P4, C7)."""

import os
import socket
import tempfile
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pytest_llmeval.core.ids import input_digest
from tests.faults.test_money import llmeval
from tests.support.project import Project
from tests.support.sessions import requests

ROWS = [{"id": f"r{n:02}", "input": f"q{n:02}", "target": f"q{n:02}"} for n in range(10)]
ONCE = Counter(row["input"] for row in ROWS)
MIXED = """
import pytest

@pytest.mark.llmeval("data/echo.jsonl")
async def test_echo(sample, model, score):
    response = await model.generate()
    if sample.id == "r03":
        raise RuntimeError("boom")
    score.exact(response, "other" if sample.id == "r07" else sample.target)
    score.record("length", len(response.text))

@pytest.mark.llmeval("data/echo.jsonl")
def test_more(sample, response, score):
    if sample.id == "r05":
        pytest.skip("not now")
    score.exact(response, sample.target)

def test_ordinary():
    pass
"""
GATED = """
version: 1
suites:
  echo: {exact: {min: 0.8}, settings: {max_error_rate: 0.2}, slices: {odd: {exact: {min: 0.99}}}}
"""
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


def tables(project: Project) -> dict[str, Any]:
    """Return what the run left, apart from times and ids."""
    cases = (
        "suite, sample_id, model, epoch, slices, outcome, error_kind, error, input_digest, response, attempts, cached"
    )
    return {
        "run": project.rows("SELECT status, exit_code, verdict, models, dataset_digest FROM runs"),
        "cases": project.rows(f"SELECT nodeid, {cases} FROM cases ORDER BY nodeid"),
        "scores": project.rows(
            "SELECT nodeid, name, value, passed, reason, scorer_digest FROM scores JOIN cases ON cases.id = case_id"
            " ORDER BY nodeid, name"
        ),
        "calls": project.rows(
            "SELECT nodeid, calls.model, request, calls.response, status, calls.input_tokens FROM calls"
            " JOIN cases ON cases.id = case_id ORDER BY nodeid"
        ),
        "verdicts": project.rows(
            "SELECT suite, model, metric, slice, rule, value, n, low, high, verdict FROM verdicts"
            " ORDER BY suite, metric, slice, rule"
        ),
    }


def test_every_distribution_leaves_the_same_tables_and_status(project: Project) -> None:
    project.eval("", [{**row, "slice": "odd" if n % 2 else "even"} for n, row in enumerate(ROWS)])
    project.write(evals__test_echo_py=MIXED, thresholds_yaml=GATED)
    spread = (["-p", "no:xdist"], ["-n0"], ["-n1"], ["-n2"], ["-n2", "--dist=loadfile"], ["-n2", "--dist=worksteal"])
    found = []
    for arguments in spread:
        result = project.run("evals", *arguments)
        found.append((result.ret, tables(project)))
        (project.root / ".llmeval" / "llmeval.db").unlink()
    assert found[1:] == found[:1] * 5
    assert found[0][0] == 1  # the slice odd has a miss
    assert len(found[0][1]["cases"]) == 20
    assert {row["verdict"] for row in found[0][1]["verdicts"]} == {"pass", "fail"}
    assert requests(project.server) == Counter({text: 12 for text in ONCE})


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
    """Ahead of its turn it takes the case along that is there; in place of a dead worker none runs ahead."""
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
    result.stdout.fnmatch_lines(["note: * cases of the run did not end", f"continue with: * --resume {run['id']} *"])
    for more in ((), ("--even-red",)):
        assert llmeval(project, "baseline", "set", "main", "last", *more).returncode == 4
    assert project.rows("SELECT * FROM baselines") == []
    assert requests(project.server) <= ONCE


@pytest.mark.usefixtures("all_plugins")
def test_reruns_ask_nobody_and_change_no_answer(project: Project, spread: list[str]) -> None:
    """pytest-rerunfailures runs a body again; the model is not rolled again."""
    numbers = iter(range(10_000))
    project.server.reply = lambda messages: f"answer {next(numbers)}"
    project.eval(
        "def test_echo(sample, response, score):\n    with open('seen.txt', 'a') as file:\n"
        "        file.write(f'{sample.id} {response.text}\\n')\n"
        "    score.exact(response, 'never')\n",
        ROWS[:4],
    )
    result = project.run("evals", "--reruns=2", *spread)
    assert result.ret == 1
    seen = Counter((project.root / "seen.txt").read_text().splitlines())
    assert len(seen) == 4 and set(seen.values()) == {3}
    assert len(project.server.ledger) == 4
    assert project.rows("SELECT outcome, attempts FROM cases") == 4 * [{"outcome": "missed", "attempts": 1}]


@pytest.mark.usefixtures("all_plugins")
def test_async_reruns_ask_nobody(project: Project) -> None:
    project.eval(
        """
        async def test_echo(sample, model):
            with open("ran.txt", "a") as file:
                file.write(f"{sample.id}\\n")
            assert (await model.generate()).text == ""
        """,
        ROWS[:4],
    )
    assert project.run("evals", "--reruns=2").ret == 1
    assert Counter((project.root / "ran.txt").read_text().split()) == {row["id"]: 3 for row in ROWS[:4]}
    assert len(project.server.ledger) == 4


def test_a_temporary_folder_with_a_long_name_is_no_obstacle(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The path of a socket has at most 107 bytes."""
    folder = tmp_path / ("d" * 120)
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    project.eval("def test_echo(response):\n    pass\n", [{"id": "a", "input": "x"}])
    assert project.run("evals", "-n2").ret == 0


def test_the_socket_of_a_killed_session_is_swept_by_a_later_one(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing else, be it of a name like that: what a person keeps in the temporary folder is theirs."""
    with tempfile.TemporaryDirectory() as name:  # a short one: see above
        folder = Path(name)
        left, empty = folder / "llmeval-0123456789abcdef", folder / "llmeval-00000000000000ff"
        kept = [folder / f"llmeval-{own}" for own in ("results", "0123456789abcdef0", "fedcba9876543210")]
        linked = folder / "llmeval-1111111111111111"
        for each in (left, empty, *kept):
            each.mkdir()
        linked.symlink_to(kept[0])
        with closing(socket.socket(socket.AF_UNIX)) as server, closing(socket.socket(socket.AF_UNIX)) as other:
            server.bind(str(left / "engine"))
            other.bind(str(kept[0] / "engine"))
        (kept[2] / "engine").mkdir()
        (kept[2] / "engine" / "notes.txt").touch()
        for each in (left, empty, *kept):
            os.utime(each, (0, 0))
        os.utime(linked, (0, 0), follow_symlinks=False)
        monkeypatch.setenv("TMPDIR", name)
        project.eval("def test_echo(response):\n    pass\n", [{"id": "a", "input": "x"}])
        assert project.run("evals", "-n2").ret == 0
        there = set(folder.iterdir())
        assert there >= {linked, *kept}
        assert not there & {left, empty}
        assert (kept[0] / "engine").is_socket()
        assert (kept[2] / "engine" / "notes.txt").exists()


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
