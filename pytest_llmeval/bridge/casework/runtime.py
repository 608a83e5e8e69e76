"""The shared runtime of a process's cases: its event loops, and the engine or line that answers their asks."""

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llmeval.core.errors import CallError, ErrorKind
from pytest_llmeval.core.loop import LoopThread
from pytest_llmeval.core.protocols import Asker
from pytest_llmeval.core.types import Ask, Response

if TYPE_CHECKING:
    from pytest_llmeval.bridge.casework.cases import CaseRun
    from pytest_llmeval.bridge.casework.judges import Judges

__all__ = ["NoSession", "Runtime"]


class Runtime:
    """The event loops of this process, the session's engine or the line to it, and the case whose turn it is."""

    def __init__(self, rootdir: Path, judges: "Judges", *, max_connections: int) -> None:
        self.rootdir = rootdir
        """The project's root, in which rubrics are looked for."""
        self.judges = judges
        self.loop = LoopThread()
        self.bodies = LoopThread("llmeval-bodies", threads=max_connections)
        """Runs async bodies: one that computes for long, or blocks, must not hold up the calls of all others."""
        self.prompts = LoopThread("llmeval-prompts")
        """Calls prompt functions ahead of their turn, one at a time; separate for the same reason."""
        self.alone = threading.Lock()
        """Held while a prompt function is called ahead, or while a test runs that could notice what such a function
        writes."""
        self.asker: Asker = NoSession()
        self.turn: CaseRun | None = None
        """The case whose turn it is; None between two turns."""
        self.turns_in = 0
        """Ident of the thread that runs the turns; 0 before the first turn."""

    def close(self) -> None:
        """End the loops, and whatever still runs on them."""
        for loop in (self.bodies, self.loop, self.prompts):
            loop.close()


class NoSession:
    """Stand-in for the engine before a session has begun, and in a process where none begins."""

    async def ask(self, ask: Ask) -> Response:
        """Raise CallError."""
        raise CallError("no call is made outside a recorded session", kind=ErrorKind.CODE, attempts=0)

    def peek(self, ask: Ask) -> Response | None:
        """Return None."""
        return None

    async def claim(self, total: int, most: int) -> list[int]:
        """Return nothing."""
        return []

    async def ahead(self, ask: Ask, place: int) -> None:
        """Do nothing."""

    async def release(self, place: int) -> None:
        """Do nothing."""

    async def answer_ahead(self, ask: Ask, place: int) -> Response | None:
        """Return None."""
        return None
