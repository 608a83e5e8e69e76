"""Recorded calls of a run, from which the same calls of another run can be answered."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pytest_llmeval.core.ids import case_id, identity_of
from pytest_llmeval.core.types import Call, CaseKey
from pytest_llmeval.store import rows
from pytest_llmeval.store.check import readable_errors
from pytest_llmeval.store.files import first_row, open_to_read

__all__ = ["RecordedCalls"]


class RecordedCalls:
    """The calls of one run, including failed ones; read-only, and to be used by one thread at a time."""

    def __init__(self, database: Path, run_id: str) -> None:
        """Open ``database``; raise StoreError if it cannot be read."""
        self.run_id = run_id
        self._database = database
        with readable_errors(database):
            self._connection = open_to_read(database)

    def find(self, case: CaseKey, name: str, request: Mapping[str, Any]) -> Call | None:
        """Return the call ``name`` of a case if it had this very request; None if not, or if its answer is damaged.

        A failed call has the text of its error in ``detail``.
        """
        own_id = case_id(self.run_id, *identity_of(case))
        found = first_row(self._connection, self._database, "SELECT * FROM calls WHERE id = ?", f"{own_id}-{name}")
        if found is None or not rows.is_reply(found, request):
            return None
        call = rows.to_call(found)
        return call if call.status == "ok" else self._with_error(call, own_id)

    def close(self) -> None:
        """Close the file; calling it again does nothing."""
        self._connection.close()

    def _with_error(self, call: Call, own_id: str) -> Call:
        """Return a failed call with the text of its error; runs of older versions recorded it for the case only."""
        if "error" in call.detail:
            return call
        sql = "SELECT error FROM cases WHERE id = ? AND error_kind = ?"
        case = first_row(self._connection, self._database, sql, own_id, call.status)
        text = case["error"] if case is not None else None
        return replace(call, detail={**call.detail, "error": text or f"it ended so in run {self.run_id}"})
