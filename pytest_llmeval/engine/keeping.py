"""Making answers durable, a few at a time."""

import asyncio
from collections.abc import Callable

from pytest_llmeval.core.errors import CallError, ErrorKind, StoreError
from pytest_llmeval.core.types import Kept
from pytest_llmeval.engine.journal import Journal

__all__ = ["Keeping"]

_KEPT_TOGETHER = 4
"""A commit costs about a third of what else an answer costs: alone it is dear, and many together wait too long."""


class Keeping:
    """Writes answers to the journal; those that come in the same moment share a commit."""

    def __init__(self, journal: Journal, on_fault: Callable[[StoreError], None]) -> None:
        """Prepare.

        Args:
            journal: that answers are written to.
            on_fault: told when one cannot be.
        """
        self._journal = journal
        self._on_fault = on_fault
        self._unkept: list[tuple[Kept, asyncio.Future[None]]] = []

    async def keep(self, kept: Kept) -> None:
        """Return once an answer is durable; a few that came in the same moment are written together.

        Raises:
            CallError: it could not be written.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        if not self._unkept:
            loop.call_soon(self.flush)
        self._unkept.append((kept, done))
        if len(self._unkept) >= _KEPT_TOGETHER:
            self.flush()
        await done

    def flush(self) -> None:
        """Write what waits."""
        batch, self._unkept = self._unkept, []
        if not batch:
            return
        why: str | None = "see the error above"
        try:
            self._journal.keep([kept for kept, _ in batch])
            why = None
        except StoreError as fault:
            why = str(fault)
            self._on_fault(fault)
        finally:  # whatever it was, nobody waits for ever
            for _, done in batch:
                if done.done():
                    continue
                if why is None:
                    done.set_result(None)
                else:
                    message = f"the answer came and could not be kept: {why}"
                    done.set_exception(CallError(message, kind=ErrorKind.STORAGE))
