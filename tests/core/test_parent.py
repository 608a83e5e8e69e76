"""Who started a process, told by it."""

import os
import subprocess
import sys

from pytest_llmeval.core.parent import PARENT

TELL = "from pytest_llmeval.core.parent import parent_pid; print(parent_pid())"


def told(named: str | None) -> str:
    environ = {name: value for name, value in os.environ.items() if name != PARENT}
    if named is not None:
        environ[PARENT] = named
    return subprocess.run([sys.executable, "-c", TELL], env=environ, capture_output=True, text=True).stdout.strip()


def test_it_is_the_parent_that_is_there() -> None:
    assert told(None) == told(str(os.getpid())) == str(os.getpid())


def test_a_parent_that_has_ended_is_still_the_parent() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert told(str(ended.pid)) == str(ended.pid)


def test_what_a_grandparent_said_is_not_for_a_grandchild() -> None:
    assert told(str(os.getppid())) == told("nobody") == told("9" * 30) == told("") == str(os.getpid())
