"""Sessions that are told to end, or are killed: what was paid is kept and never paid again (rows P5 to P12, C1)."""

import os
import signal
import subprocess
import sys
import time
from xml.etree import ElementTree

import pytest

from tests.support.project import Project
from tests.support.sessions import Held, Session, asked, journal_answers, requests, shown_status, wait_until

COUNT = 40
FREE = 12
ROWS = [{"id": f"r{n:02}", "input": f"q{n:02}"} for n in range(COUNT)]
FREE_ROWS = [row["input"] for row in ROWS[:FREE]]
SYNC = "def test_echo(sample, response):\n    assert response.text == sample.input\n"
SLOTS = "--max-connections=4"
DISTS = {"plain": ["-p", "no:xdist"], "n2": ["-n2"]}


SLOW = """
import pathlib
import time

import pytest

def rows():
    pathlib.Path("reading").touch()
    time.sleep(3)
    yield {"input": "x"}

@pytest.mark.llmeval(dataset=rows)
def test_slow(response):
    pass
"""


@pytest.fixture
def held(project: Project) -> Held:
    """A project whose server answers the first few requests and then holds all.

    No early row is held: where its request came late all others would wait behind it, and the slots be free.
    """
    project.eval(SYNC, ROWS)
    return Held(project.server, FREE, never_held=FREE_ROWS)


def wait_for_stall(project: Project, held: Held) -> None:
    """Return once the free answers are kept, and recorded as far as they can be, and held ones fill the slots."""
    wait_until(lambda: len(held.waiting) >= 4, "all slots are in use")
    wait_until(lambda: (project.root / ".llmeval" / "llmeval.db").exists(), "the database is there")
    wait_until(lambda: len(project.cases()) >= FREE // 3, "finished cases are recorded")
    wait_until(lambda: len(journal_answers(project)) >= FREE, "the answers are kept")


def assert_nothing_is_paid_twice(project: Project, held: Held, *, was_waited_for: bool = False) -> None:
    """Resume the run, and fail where an answer that had come is asked for again or a case is missing."""
    before = requests(project.server)
    answered = set(held.answered)
    run_id = project.last_run()["id"]
    held.open()
    result = project.run("evals", "--resume=last", model="")
    assert result.ret == 0, result.stdout.str()
    again = [text for text, count in requests(project.server).items() if text in before and count > before[text]]
    cut_off = project.last_run()["calls_cut_off"]
    assert len(again) <= cut_off <= 4  # they were in flight
    told = (
        f"{cut_off} calls were in flight when a session of this run ended; no answer was kept, and they may have been b"
    )
    assert (told in " ".join(result.stdout.str().split())) == (cut_off > 1)
    if not was_waited_for:
        assert cut_off == 4
    assert not set(again) & answered
    assert project.cases() == dict.fromkeys((row["id"] for row in ROWS), "passed")
    assert [row["id"] for row in project.rows("SELECT id FROM runs")] == [run_id]
    assert (project.last_run()["status"], project.last_run()["exit_code"]) == ("finished", 0)


@pytest.mark.parametrize(
    ("number", "everybody", "dist"),
    [
        (signal.SIGINT, False, "plain"),
        (signal.SIGINT, False, "n2"),
        (signal.SIGINT, True, "n2"),
        (signal.SIGTERM, False, "n2"),
        (signal.SIGHUP, False, "plain"),
    ],
)
def test_a_session_told_to_end_keeps_what_is_paid_and_asks_no_more(
    project: Project, held: Held, number: int, everybody: bool, dist: str
) -> None:
    """Whichever signal, to the first process or to all: status 2, nothing asked later, nothing left running."""
    with Session(project, SLOTS, *DISTS[dist]) as session:
        wait_for_stall(project, held)
        told = time.monotonic()
        (session.interrupt_all if everybody else session.interrupt)(number)
        time.sleep(0.3)  # the answers in flight come while the session ends
        held.open()
        assert session.end() == 2, session.text
    assert [entry for entry in project.server.ledger if entry.time_s > told + 1] == []
    assert shown_status(project) == "interrupted"
    assert (project.last_run()["exit_code"], project.last_run()["verdict"]) == (2, "none")
    assert "--resume" in session.text
    assert_nothing_is_paid_twice(project, held, was_waited_for=True)


@pytest.mark.parametrize("place", ["evals", "tests"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_session_told_to_end_while_it_collects_ends_as_by_an_interrupt(
    project: Project, place: str, number: int
) -> None:
    """Also where its evals lie among the tests, so that nothing tells of them before they are collected."""
    project.write(**{f"{place}__test_slow_py": SLOW, "evals__conftest_py": ""})
    with Session(project, place, "-p", "no:xdist", "--junitxml=junit.xml") as session:
        wait_until((project.root / "reading").exists, "a dataset is read")
        session.interrupt(number)
        assert session.end() == 2, session.text
    assert (project.root / "junit.xml").exists() and "Traceback" not in session.text
    assert project.server.ledger == [] and not (project.root / ".llmeval" / "llmeval.db").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_session_told_to_end_while_its_workers_collect_ends_as_by_an_interrupt(project: Project, number: int) -> None:
    project.write(evals__test_slow_py=SLOW)
    with Session(project, "-n2", "--junitxml=junit.xml") as session:
        wait_until((project.root / "reading").exists, "a dataset is read")
        session.interrupt(number)
        assert session.end() == 2, session.text
    assert (project.root / "junit.xml").exists() and "Traceback" not in session.text
    assert project.server.ledger == []


UNTOUCHED = """
import signal

import pytest

@pytest.mark.smoke
def test_own():
    assert signal.getsignal(signal.SIGTERM) is signal.getsignal(signal.SIGHUP) is signal.SIG_DFL
"""


def test_a_session_without_evals_leaves_the_signals_alone(project: Project) -> None:
    """Be it that evals wait, or that a folder of their name holds other tests; one with evals lets go of them."""
    project.eval(SYNC, ROWS[:1])
    project.write(tests__test_own_py=UNTOUCHED)
    for arguments in ((), ("tests",), ("tests", "-n2")):
        project.run(*arguments, model="", inside=False).assert_outcomes(passed=1)
    (project.root / "evals" / "test_echo.py").write_text(UNTOUCHED)
    for arguments in (("evals",), ("-msmoke", "evals")):
        project.run(*arguments, model="", inside=False).assert_outcomes(passed=1)
    project.eval(SYNC, ROWS[:1])
    project.write(
        conftest_py="""
        import signal

        def pytest_unconfigure(config):
            print("let go:", signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)
        """
    )
    assert "let go: True" in project.run("evals", inside=False).stdout.str()


def test_answers_that_do_not_come_keep_no_worker_and_no_session_from_its_end(project: Project, held: Held) -> None:
    """xdist would wait 10 s for a worker that waits for an answer; a job that is cancelled has 10 s in all."""
    with Session(project, SLOTS, "-n2") as session:
        wait_for_stall(project, held)
        session.interrupt()
        assert session.end(timeout_s=10) == 2, session.text
    assert shown_status(project) == "interrupted"
    assert_nothing_is_paid_twice(project, held)


@pytest.mark.parametrize("dist", ["plain", "n2"])
def test_a_second_interrupt_ends_the_waiting_and_the_run_is_none_that_finished(
    project: Project, held: Held, dist: str
) -> None:
    with Session(project, SLOTS, *DISTS[dist]) as session:
        wait_for_stall(project, held)
        session.interrupt()
        time.sleep(0.3)
        session.interrupt()
        assert session.end(timeout_s=5) == 2, session.text
    assert shown_status(project) == "interrupted"
    assert_nothing_is_paid_twice(project, held)


def test_a_case_that_an_interrupt_finds_waiting_stands_in_the_report_of_junit_once(project: Project) -> None:
    """Its setup was reported as ever, and its call comes late, by the way of what xdist would drop."""
    project.eval("def test_echo(sample, model):\n    assert model.generate_sync().text == sample.input\n", ROWS)
    held = Held(project.server, FREE)
    with Session(project, SLOTS, "-n2", "--junitxml=junit.xml") as session:
        wait_until(lambda: len(project.server.ledger) >= FREE + 2, "both workers wait")
        session.interrupt()
        assert session.end() == 2, session.text
    assert len(project.cases()) > len(held.answered)
    names = [case.get("name") for case in ElementTree.parse(project.root / "junit.xml").iter("testcase")]
    assert sorted(map(str, names)) == sorted(f"test_echo[{sample_id}]" for sample_id in project.cases())


def test_a_session_in_the_background_of_a_script_ends_with_sigterm(project: Project, held: Held) -> None:
    """There Ctrl-C is ignored from the start, as a shell does it for ``pytest &``."""
    with Session(project, SLOTS, "-p", "no:xdist", shell="trap '' INT; exec $RUN") as session:
        wait_for_stall(project, held)
        session.interrupt(signal.SIGINT)
        time.sleep(0.2)
        assert session.process.poll() is None
        session.interrupt(signal.SIGTERM)
        assert session.end() == 2, session.text
    assert shown_status(project) == "interrupted"


@pytest.mark.parametrize(("everybody", "dist"), [(True, "plain"), (False, "n2")])
def test_a_killed_session_leaves_every_answer_that_came(
    project: Project, held: Held, everybody: bool, dist: str
) -> None:
    """Killed, no process can do anything more; workers whose controller is killed end by themselves."""
    with Session(project, SLOTS, *DISTS[dist]) as session:
        wait_for_stall(project, held)
        (session.interrupt_all if everybody else session.interrupt)(signal.SIGKILL)
        assert session.end(timeout_s=5) == -signal.SIGKILL
    assert shown_status(project) == "crashed"
    assert_nothing_is_paid_twice(project, held)


def test_a_cancelled_job_of_github_actions_stops_paying(project: Project) -> None:
    """The step's shell alone is told, and ends; pytest learns of nothing but that its parent is gone."""
    rows = [{"id": f"r{n:03}", "input": f"q{n}"} for n in range(400)]
    project.eval(SYNC, rows)
    project.model = project.server.spec("fault-slow-20")
    with Session(
        project, "--max-connections=1", "-n2", shell="$RUN; true", environ={"GITHUB_ACTIONS": "true"}
    ) as session:
        wait_until(lambda: len(project.server.ledger) > 5, "calls are made")
        session.interrupt(signal.SIGINT)
        time.sleep(0.3)
        session.interrupt(signal.SIGTERM)
        session.process.wait(5)
        asked_before = len(project.server.ledger)
        session.end()
    assert len(project.server.ledger) <= asked_before + 50  # what a second has room for, at 20 ms each
    assert 5 < len(project.server.ledger) < 150
    assert shown_status(project) == "interrupted"
    (kept,) = project.rows("SELECT count(*) AS n FROM calls WHERE response IS NOT NULL")
    cut_off = project.last_run()["calls_cut_off"]
    assert (kept["n"] + cut_off, cut_off <= 1) == (len(project.server.ledger), True)


ENDING = {
    "its calls": "threading.Timer(0.5, end).start()",
    "its journal": "SqliteStore.absorb = interrupted(SqliteStore.absorb)",
    "its verdicts": "SqliteStore.set_verdicts = interrupted(SqliteStore.set_verdicts)",
    "its end": "SqliteStore.finish_run = interrupted(SqliteStore.finish_run)",
}


@pytest.mark.parametrize(("number", "place"), [("SIGINT", "its calls"), *(("SIGTERM", place) for place in ENDING)])
def test_a_session_told_to_end_while_it_ends_is_interrupted(project: Project, number: str, place: str) -> None:
    """It may wait for calls that a test has left; all that has come is kept, and the run goes on where it was."""
    held = Held(project.server, 1)
    project.write(
        thresholds_yaml="version: 1\nsuites: {echo: {exact: {min: 0.5}}}\n",
        conftest_py=f"""
            import os
            import signal
            import threading

            from pytest_llmeval.store.sqlite import SqliteStore

            def end():
                os.kill(os.getpid(), signal.{number})

            def interrupted(method):
                calls = []

                def wrapped(*args, **kwargs):
                    calls.append(args)
                    if len(calls) == 1:
                        end()
                    return method(*args, **kwargs)

                return wrapped

            def pytest_sessionfinish():
                if os.environ.get("ENDS"):
                    {ENDING[place]}
        """,
    )
    project.eval(
        """
        async def test_echo(sample, model, score):
            import asyncio

            score.exact(await model.generate(), sample.input)
            asyncio.ensure_future(model.generate("abandoned"))
            await asyncio.sleep(0.1)
        """,
        [{"id": "a", "input": "a"}],
    )
    with Session(project, "-p", "no:xdist", environ={"ENDS": "1"}) as session:
        assert session.end() == 2, session.text
    run = project.last_run()
    assert (run["exit_code"], run["status"], run["verdict"]) == (2, "interrupted", "none")
    assert "Traceback" not in session.text and "gate: stopped, not judged" in session.text
    assert "--resume" in session.text and not project.rows("SELECT * FROM verdicts")
    assert not list(project.root.glob(".llmeval/*.journal"))
    held.open()
    assert project.run("evals", "--resume=last", model="").ret == 0
    assert (project.last_run()["status"], asked(project.server)[1:]) == ("finished", ["abandoned"])
    if place == "its verdicts":  # and where no case is left, which pytest has a status for
        with Session(project, "-p", "no:xdist", "--resume=last", environ={"ENDS": "1"}) as session:
            assert session.end() == 2, session.text


CHILD = """
import os, sys
from pytest_llmeval.core.child import run_child

with open(os.devnull, "wb") as output:
    run_child([sys.executable, "-m", "pytest", *sys.argv[1:]], output=output)
"""


SHELL = """
import subprocess, sys

subprocess.call([sys.executable, "-m", "pytest", *sys.argv[1:]])
"""
ORPHANED = """
import os, pathlib, time

parent = os.getppid()
pathlib.Path("begun").touch()
while os.getppid() == parent:
    time.sleep(0.01)
"""


@pytest.mark.parametrize("early", ["", "conftest", "module"])
def test_a_session_that_another_one_started_ends_where_that_is_killed(project: Project, early: str) -> None:
    """As a proof of a training is: nobody is left to read what it asks for, though it has asked for nothing yet.

    A conftest is imported before the plugin can look: there a parent that named itself is known to have ended. The
    shell of a GitHub job names itself to nobody, and is looked for before modules are imported.
    """
    project.eval(SYNC, [{"id": f"r{n:03}", "input": f"q{n}"} for n in range(400)])
    if early == "conftest":
        project.write(evals__conftest_py=ORPHANED)
    if early == "module":
        module = project.root / "evals" / "test_echo.py"
        module.write_text(ORPHANED + module.read_text())
    start, environ = (SHELL, {"GITHUB_ACTIONS": "true"}) if early == "module" else (CHILD, {})
    model = project.server.spec("fault-slow-20")
    command = [sys.executable, "-c", start, "evals", f"--model={model}", "--max-connections=1"]
    parent = subprocess.Popen(command, cwd=project.root, env={**os.environ, **environ})
    is_begun = (project.root / "begun").exists if early else lambda: len(project.server.ledger) > 5
    wait_until(is_begun, "it has begun")
    parent.kill()
    parent.wait()
    wait_until((project.root / ".llmeval" / "llmeval.db").exists, "the database is there")
    wait_until(lambda: shown_status(project) == "interrupted", "the run has ended")
    assert len(project.server.ledger) < 150


UNPLACED = """
def jump():
    raise KeyboardInterrupt

units = len(jump.__code__.co_code) // 2
jump.__code__ = jump.__code__.replace(co_linetable=b"\\xf8" * units)  # one unit each, of no line

def pytest_runtest_teardown(item):
    if item.name.endswith("[r03]"):
        jump()
"""


def test_an_interrupt_at_a_place_without_a_line_ends_as_any_other(project: Project) -> None:
    """Python 3.11 compiles jumps that are of no line, pluggy's loop over hooks has one, and pytest counts on lines."""
    project.eval(SYNC, ROWS)
    project.write(conftest_py=UNPLACED)
    result = project.run("evals", "-n0", fresh=True)
    assert result.ret == 2
    result.stdout.fnmatch_lines(["gate: stopped, not judged*", "*KeyboardInterrupt*"])
    result.stdout.no_fnmatch_line("*TypeError*")
    assert shown_status(project) == "interrupted"
