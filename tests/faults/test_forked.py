"""Processes that a test forks: they inherit what cannot serve them, and are told so instead of waiting for ever."""

import subprocess
import sys

from tests.support.project import Project

ROWS = [{"id": "a", "input": "x"}]
ASKING = """
import multiprocessing

import subprocess
import sys

import pytest

from pytest_llmeval import CallError

MODELS = []

def ask():
    return MODELS[0].generate_sync("from the child").text

@pytest.mark.llmeval("data/echo.jsonl")
def test_echo(sample, response, model):
    MODELS[:] = [model]
    with multiprocessing.get_context("fork").Pool(1) as pool:
        with pytest.raises(CallError, match="cannot be asked in a forked child process; ask in the test's own process"):
            pool.apply_async(ask).get(20)
    assert model.generate_sync("after").text == "after"
"""
ENDED = """
def test_echo(sample, response):
    import multiprocessing
    import os
    import signal
    import time

    for number in 10 * (signal.SIGTERM, signal.SIGHUP):
        child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(30,))
        child.start()
        os.kill(child.pid, number)
        child.join(20)
        assert child.exitcode == -number
"""


def test_a_model_asked_in_a_forked_child_says_what_to_do(project: Project, spread: list[str]) -> None:
    """Nobody runs the loop there that makes the calls; the session itself goes on asking."""
    project.eval("", ROWS)
    project.write(evals__test_echo_py=ASKING)
    result = project.run("evals", *spread, inside=False)
    assert result.ret == 0, result.stdout.str()
    assert project.cases() == {"a": "passed"}
    assert "Traceback" not in result.stdout.str() + result.stderr.str()


def test_a_forked_child_ends_by_a_signal_as_without_the_plugin(project: Project) -> None:
    """Only the session itself takes one for a Ctrl-C."""
    project.eval(ENDED, ROWS)
    result = project.run("evals", "-p", "no:xdist", "-s", inside=False)
    assert result.ret == 0, result.stdout.str()
    assert "KeyboardInterrupt" not in result.stdout.str() + result.stderr.str()


TOLD = """
import os
import signal
import time

from pytest_llmeval.bridge.records.interrupts import raised_as_interrupt

told = []
os.register_at_fork(before=lambda: told or (told.append(1), os.kill(os.getpid(), signal.SIGTERM)))
try:
    with raised_as_interrupt():
        if os.fork() == 0:
            os._exit(0)
        time.sleep(20)
except KeyboardInterrupt as error:
    print(error, signal.pthread_sigmask(signal.SIG_BLOCK, []))
"""


def test_a_signal_that_comes_while_the_session_forks_is_not_lost() -> None:
    """Python ignores what is raised within the hooks of a fork."""
    command = [sys.executable, "-W", "ignore:This process:DeprecationWarning", "-c", TOLD]  # it has two threads then
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert (done.stdout, done.stderr) == ("received SIGTERM set()\n", "")


def test_forked_is_a_usage_error_where_evals_are_to_run(project: Project) -> None:
    """pytest-forked has the option; other tests may have it."""
    project.eval("def test_echo(response):\n    pass\n", ROWS)
    project.write(
        conftest_py="def pytest_addoption(parser):\n    parser.addoption('--forked', action='store_true')\n",
        tests__test_plain_py="def test_plain():\n    pass\n",
    )
    result = project.run("evals", "--forked")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*--forked runs each test in a child process*leave it out*"])
    assert project.server.ledger == []
    assert project.run("evals", "--forked", "--co").ret == 0
    assert project.run("tests", "--forked").ret == 0


CHILDREN = """
async def test_echo(sample, model):
    import os
    import sys

    await model.generate()
    for code, status in ((0, 0), (3, 1), (None, 1)):
        pid = os.fork()
        if pid == 0:
            if code is None:
                raise RuntimeError("of the child")
            sys.exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == status
"""


def test_a_child_of_an_async_body_ends_with_it(project: Project) -> None:
    """It has a copy of the loop, and would go on with all the bodies that this has."""
    project.eval(CHILDREN, [{"id": f"r{n}", "input": "x"} for n in range(3)])
    assert project.run("evals", "--timeout-s=10").ret == 0
    assert len(project.server.ledger) == 3
