"""Signals that come twice: as one, from a tool that tells the process and then its group, or again, to end at once."""

import os
import shutil
import signal
import subprocess
import time

import pytest

from tests.faults.test_ended_early import DISTS, FREE, FREE_ROWS, ROWS, SLOTS, SYNC, wait_for_stall
from tests.support.project import Project
from tests.support.sessions import Held, Session, asked, shown_status

FIRST = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")
"""Runs a command as a container does: as process 1, with a table of processes of its own."""
BOTH = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])


@pytest.mark.parametrize("dist", ["plain", "n2"])
@BOTH
def test_a_signal_that_a_tool_sends_twice_at_once_is_one(project: Project, number: int, dist: str) -> None:
    """``timeout 30m pytest evals`` tells the command, then its process group: what is in flight is waited for."""
    project.eval(SYNC, ROWS)
    held = Held(project.server, FREE, never_held=FREE_ROWS)
    with Session(project, SLOTS, *DISTS[dist]) as session:
        wait_for_stall(project, held)
        session.interrupt(number)
        time.sleep(0.1)
        session.interrupt_all(number)
        time.sleep(0.2)
        held.open()
        assert session.end() == 2, session.text
    assert shown_status(project) == "interrupted"
    assert "continue with: " in session.text and "Traceback" not in session.text
    before = len(project.server.ledger)
    assert project.run("evals", "--resume=last", model="").ret == 0
    assert len(project.server.ledger) == len(set(asked(project.server))) == len(ROWS) > before


@BOTH
def test_a_second_signal_ends_a_session_that_waits_at_once(project: Project, number: int) -> None:
    project.eval(SYNC, ROWS)
    held = Held(project.server, FREE, never_held=FREE_ROWS)
    with Session(project, SLOTS, *DISTS["plain"]) as session:
        wait_for_stall(project, held)
        session.interrupt(number)
        time.sleep(0.8)
        session.interrupt(number)
        assert session.end(timeout_s=1) == -number
    assert shown_status(project) == "crashed"


@BOTH
def test_a_second_signal_ends_the_first_process_of_a_container(project: Project, number: int) -> None:
    """Which the kernel spares a signal that it does not handle."""
    if shutil.which(FIRST[0]) is None or subprocess.run([*FIRST, "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs to begin a PID namespace")
    project.eval(SYNC, ROWS)
    held = Held(project.server, FREE, never_held=FREE_ROWS)
    with Session(project, SLOTS, *DISTS["plain"], shell=f"exec {' '.join(FIRST)} $RUN") as session:
        wait_for_stall(project, held)
        (first,) = set(session.members()) - {session.process.pid}
        os.kill(first, number)
        time.sleep(0.8)
        os.kill(first, number)
        assert session.end(timeout_s=5) == 128 + number
