"""What the engine needs of whatever keeps its answers."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from pytest_llmeval.core.types import Call, CallName, CaseKey, Kept

__all__ = ["Journal", "Recorded"]


class Journal(Protocol):
    """Keeps answers of one run, and finds answers of this and of earlier runs."""

    damaged: set[str]
    """The ids of answers that were found, and are none as they are damaged."""

    def keep(self, answers: Sequence[Kept], *, begun: Sequence[CallName] = (), failed: Sequence[CallName] = ()) -> None:
        """Make the answers durable: they survive the end of every process from when this returns.

        Args:
            answers: that came.
            begun: calls that are about to be made, so that those without an answer are known when all has ended.
            failed: calls that were begun, and that come to nothing.

        Raises:
            StoreError: they could not be written.
        """
        ...

    def recall(self, case: CaseKey, name: str) -> Call | None:
        """Return what this session was answered to the call ``name`` of a case; None where it was not."""
        ...

    def recall_earlier(self, case: CaseKey, name: str) -> Call | None:
        """Return what earlier sessions of the run were answered to that call; None where they were not."""
        ...

    def cached(self, cache_key: str, request: Mapping[str, Any], sent: Mapping[str, Any] | None = None) -> Call | None:
        """Return the newest answer of any run under a key, to this very request; None without one.

        Args:
            cache_key: a digest of all that decides the answer.
            request: the messages, and the parameters that the case asks with.
            sent: all parameters that go out, the model's own among them; None for those of ``request`` alone.
        """
        ...


class Recorded(Protocol):
    """The calls of another run, which answer those of this one in a session that asks no model."""

    @property
    def run_id(self) -> str:
        """The id of that run."""
        ...

    def find(self, case: CaseKey, name: str, request: Mapping[str, Any]) -> Call | None:
        """Return the call ``name`` of a case with this very request, answered or failed; None without one.

        Raises:
            StoreError: it cannot be looked up.
        """
        ...
