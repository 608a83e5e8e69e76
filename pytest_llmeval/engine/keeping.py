"""Making answers durable, a few at a time."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from pytest_llmeval.core.errors import CallError, ErrorKind, StoreError
from pytest_llmeval.core.types import CallName, Kept
from pytest_llmeval.engine.journal import Journal

__all__ = ["CallCounts", "Keeping"]

_KEPT_TOGETHER = 4
"""A commit costs about a third of what else an answer costs: alone it is dear, and many together wait too long."""


T = TypeVar("T")
_Waiting = list[tuple[T, "asyncio.Future[None]"]]


@dataclass(slots=True, kw_only=True)
class CallCounts:
    """How the calls of a session were answered."""

    answered: int = 0
    """By a model, now."""
    recalled: int = 0
    """From what this run was answered before."""
    cached: int = 0
    """From the cache, or from the run that is scored again."""
    failed: int = 0
    damaged: int = 0
    """Of the answers that are kept."""
    unkept: int = 0
    """Answers that came and could not be written."""


class Keeping:
    """Writes answers and begun calls to the journal; what comes in the same moment shares a commit."""

    def __init__(self, journal: Journal, on_fault: Callable[[StoreError], None], counts: CallCounts) -> None:
        """Prepare.

        Args:
            journal: that answers are written to.
            on_fault: told when one cannot be.
            counts: where those are counted.
        """
        self._journal = journal
        self._on_fault = on_fault
        self._counts = counts
        self._unkept: _Waiting[Kept] = []
        self._begun: _Waiting[CallName] = []
        self._failed: list[CallName] = []

    async def keep(self, kept: Kept) -> None:
        """Return once an answer is durable; a few that came in the same moment are written together.

        Raises:
            CallError: it could not be written.
        """
        done = self._soon()
        self._unkept.append((kept, done))
        if len(self._unkept) >= _KEPT_TOGETHER:
            self.flush()
        await done

    async def begin(self, name: CallName) -> None:
        """Return once it is durable that a call is about to be made; raise CallError where it could not be written.

        That takes 0.04 ms of CPU, as most begin where an answer is written.
        """
        done = self._soon()
        self._begun.append((name, done))
        await done

    def fail(self, name: CallName) -> None:
        """Forget a call that was begun: it has ended without an answer."""
        self._soon()
        self._failed.append(name)

    def flush(self) -> None:
        """Write what waits."""
        (kept, self._unkept), (begun, self._begun), (failed, self._failed) = (
            (self._unkept, []),
            (self._begun, []),
            (self._failed, []),
        )
        if not (kept or begun or failed):
            return
        why: str | None = "see the error above"
        try:
            self._journal.keep([each for each, _ in kept], begun=[name for name, _ in begun], failed=failed)
            why = None
        except StoreError as fault:
            why = str(fault)
            self._on_fault(fault)
        finally:  # whatever it was, nobody waits for ever
            self._counts.unkept += len(kept) if why else 0
            _tell((done for _, done in kept), why and f"the answer came and could not be kept: {why}", attempts=1)
            _tell((done for _, done in begun), why and f"not asked: the answer could not be kept: {why}", attempts=0)

    def _soon(self) -> "asyncio.Future[None]":
        """Return what is done with the next writing, which comes with the next turn of the loop."""
        loop = asyncio.get_running_loop()
        if not (self._unkept or self._begun or self._failed):
            loop.call_soon(self.flush)
        return loop.create_future()


def _tell(waiting: "Iterable[asyncio.Future[None]]", fault: str | None, *, attempts: int) -> None:
    """Let go those who wait for what was written, or could not be."""
    for done in waiting:
        if done.done():
            continue
        if fault is None:
            done.set_result(None)
        else:
            done.set_exception(CallError(fault, kind=ErrorKind.STORAGE, attempts=attempts))
