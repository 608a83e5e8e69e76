"""Sessions of pytest that run while a test watches them, and a server that answers when it is told to."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection
from contextlib import closing
from pathlib import Path
from typing import Any, Self

from pytest_llmeval.store.rows import to_run
from tests.support.fault_server import FaultServer, Reply
from tests.support.project import Project

__all__ = [
    "Held",
    "Session",
    "asked",
    "has_arrived",
    "journal_answers",
    "requests",
    "shown_status",
    "together",
    "wait_until",
]

_STEP_S = 0.005
_LONGEST_S = 30.0


def wait_until(is_so: Callable[[], object], what: str, longest_s: float = _LONGEST_S) -> None:
    """Return once ``is_so`` returns something true; fail where that takes too long."""
    deadline = time.monotonic() + longest_s
    while not is_so():
        assert time.monotonic() < deadline, f"not within {longest_s:g} s: {what}"
        time.sleep(_STEP_S)


async def has_arrived(server: Any) -> None:
    """Return once a request has come; fail where that takes too long."""
    async with asyncio.timeout(_LONGEST_S):
        while not server.ledger:
            await asyncio.sleep(_STEP_S)


def asked(server: FaultServer) -> list[str]:
    """Return the last message of each request, in order of arrival."""
    return [str(entry.body["messages"][-1]["content"]) for entry in list(server.ledger)]


def requests(server: FaultServer) -> Counter[str]:
    """Return how often each last message was sent."""
    return Counter(asked(server))


def journal_answers(project: Project) -> list[str]:
    """Return the answers in the journal of the run that goes on; none before there is one."""
    found = list(project.root.glob(".llmeval/*.journal"))
    try:
        with closing(sqlite3.connect(f"{found[0].as_uri()}?mode=ro", uri=True)) as connection:
            return [str(answer) for (answer,) in connection.execute("SELECT response FROM answers")]
    except (IndexError, sqlite3.OperationalError):  # it is being made
        return []


class Held:
    """An echo that answers some requests at once and holds the others until it is opened."""

    def __init__(
        self, server: FaultServer, free: int, beginning: str = "", *, never_held: Collection[str] = ()
    ) -> None:
        """Answer for ``server`` from now on.

        Args:
            server: that is asked.
            free: how many are answered at once: the first that come.
            beginning: of the texts that are held, and counted.
            never_held: texts that are answered whenever they come.
        """
        self._server = server
        self._free = free
        self._beginning = beginning
        self._never_held = never_held
        self._count = 0
        self._lock = threading.Lock()
        self.answered: set[str] = set()
        """The texts that were answered."""
        self.waiting: set[str] = set()
        """The texts that wait for their answers."""
        self.opened = threading.Event()
        server.reply = self

    def __call__(self, messages: list[dict[str, Any]]) -> str:
        """Return the last message, now or later."""
        text = str(messages[-1]["content"])
        with self._lock:
            self._count += text.startswith(self._beginning)
            is_free = self._count <= self._free or not text.startswith(self._beginning) or text in self._never_held
        if not is_free:
            self.waiting.add(text)
            while not self.opened.wait(0.02) and not self._server.closing.is_set():
                pass
            self.waiting.discard(text)
        self.answered.add(text)
        return text

    def open(self) -> None:
        """Answer everything from now on."""
        self.opened.set()


def together(count: int) -> Reply:
    """Return an echo that answers nobody before ``count`` requests are there, and then them all; again and again."""
    meeting = threading.Barrier(count, timeout=_LONGEST_S)

    def reply(messages: list[dict[str, Any]]) -> str:
        meeting.wait()
        return str(messages[-1]["content"])

    return reply


class Session:
    """A session in a process group of its own; whatever is left of it is killed in the end."""

    def __init__(
        self, project: Project, *arguments: str, shell: str = "", environ: dict[str, str] | None = None
    ) -> None:
        """Start it.

        Args:
            project: whose evals run.
            arguments: of pytest, after the folder ``evals`` and the model.
            shell: a bash script in which ``$RUN`` is the command; empty for the command itself.
            environ: variables added to the environment.
        """
        command = [sys.executable, "-m", "pytest", "evals", f"--model={project.model}", *arguments]
        added = dict(environ or {})
        if shell:
            added["RUN"] = " ".join(command)
            command = ["bash", "-c", shell]
        self._output = project.root / f"session-{time.monotonic_ns()}.txt"
        with self._output.open("w") as output, project.nursery.used():
            self.process = subprocess.Popen(
                command,
                cwd=project.root,
                env={**os.environ, **added},
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if self.members():
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    @property
    def text(self) -> str:
        """What was printed so far."""
        return self._output.read_text(errors="replace")

    def members(self) -> list[int]:
        """Return the ids of the processes that the session consists of and that still run."""
        found = []
        for entry in Path("/proc").iterdir():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split() if entry.name.isdigit() else []
            except OSError:  # it has ended
                continue
            if len(fields) > 3 and int(fields[3]) == self.process.pid and fields[0] not in "ZX":
                found.append(int(entry.name))
        return found

    def interrupt(self, number: int = signal.SIGINT) -> None:
        """Send a signal to the first process alone."""
        self.process.send_signal(number)

    def interrupt_all(self, number: int = signal.SIGINT) -> None:
        """Send a signal to every process, as a terminal does."""
        os.killpg(self.process.pid, number)

    def end(self, timeout_s: float = _LONGEST_S) -> int:
        """Wait for the end, also of what it started, and return the status."""
        status = self.process.wait(timeout_s)
        wait_until(lambda: not self.members(), f"its processes end; it printed {self.text}")
        return status


def shown_status(project: Project) -> str:
    """Return the status of the newest run as people see it; an empty text before there is one."""
    try:
        return to_run(project.last_run()).shown_status
    except (IndexError, sqlite3.OperationalError):  # it is being made
        return ""
