"""The finished cases of a session, stored as they come."""

from collections.abc import Callable

from pytest_llmeval.bridge.display.progress import Progress
from pytest_llmeval.bridge.records.closing import Closing
from pytest_llmeval.bridge.records.session_status import SessionStatus
from pytest_llmeval.core.errors import StoreError
from pytest_llmeval.core.types import CaseRecord, Outcome
from pytest_llmeval.store.sqlite import SqliteStore

__all__ = ["CaseLog"]


class CaseLog:
    """Stores each case, and counts it for the status, the progress and the last lines."""

    def __init__(
        self,
        store: SqliteStore,
        run_id: str,
        status: SessionStatus,
        closing: Closing,
        *,
        progress: Progress,
        on_fault: Callable[[StoreError], None],
    ) -> None:
        """Prepare. ``on_fault`` is told, once, when a case cannot be stored."""
        self._store = store
        self._run_id = run_id
        self._status = status
        self._progress = progress
        self._closing = closing
        self._on_fault = on_fault
        self._is_unwritable = False
        self._unpassed: dict[str, tuple[Outcome, float | None]] = {}
        """Outcome and cost of each case that did not pass, by node id: another attempt at it may follow."""

    def add(self, case: CaseRecord) -> None:
        """Store a finished case."""
        if self._is_unwritable:  # a locked database would make each case wait again
            return
        try:
            with self._closing.writing():
                stored = self._store.add_case(self._run_id, case)
        except StoreError as error:
            self._is_unwritable = True
            self._on_fault(error)
            return
        self._closing.note_case(case)
        self._status.count_case(case)
        ended = (case.outcome, stored.cost_usd if case.calls else 0.0)
        self._progress.add(*ended, before=self._unpassed.pop(case.key.nodeid, None))
        if case.outcome != "passed":
            self._unpassed[case.key.nodeid] = ended

    def misses(self) -> list[str]:
        """Return the node ids of the cases whose last attempt missed."""
        return [nodeid for nodeid, (outcome, _) in self._unpassed.items() if outcome == "missed"]
