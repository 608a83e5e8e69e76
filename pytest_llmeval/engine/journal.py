"""Protocols of the stores that the engine uses: the journal of its answers, and a recorded run to score again."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from pytest_llmeval.core.types import Call, CallName, CaseKey, Kept

__all__ = ["Journal", "Recorded"]


class Journal(Protocol):
    """Stores answers of one run, and finds answers of this and of earlier runs."""

    damaged: set[str]
    """Ids of answers that were found but cannot be used, as they are damaged."""

    def keep(self, answers: Sequence[Kept], *, begun: Sequence[CallName] = (), failed: Sequence[CallName] = ()) -> None:
        """Make answers durable: once this returns, they survive the end of every process.

        Args:
            answers: answers that have arrived.
            begun: calls that are about to be made, so that calls left without an answer are known in the end.
            failed: begun calls that have ended without an answer.

        Raises:
            StoreError: they could not be written.
        """
        ...

    def recall(self, case: CaseKey, name: str) -> Call | None:
        """Return this session's answer to the call ``name`` of a case; None if there is none."""
        ...

    def recall_earlier(self, case: CaseKey, name: str) -> Call | None:
        """Return the answer of an earlier session of the run to that call; None if there is none."""
        ...

    def cached(self, cache_key: str, request: Mapping[str, Any], sent: Mapping[str, Any] | None = None) -> Call | None:
        """Return the newest answer of any run under a cache key to exactly this request; None if there is none.

        Args:
            cache_key: digest of all that decides the answer.
            request: the messages, and the parameters that the case passes.
            sent: all parameters that are sent, including the model's own; None if they are those of ``request``.
        """
        ...


class Recorded(Protocol):
    """The calls of a recorded run, which answer those of this run in a session that calls no model."""

    @property
    def run_id(self) -> str:
        """The id of the recorded run."""
        ...

    def find(self, case: CaseKey, name: str, request: Mapping[str, Any]) -> Call | None:
        """Return the call ``name`` of a case with exactly this request, answered or failed; None if there is none.

        Raises:
            StoreError: the call cannot be looked up.
        """
        ...
