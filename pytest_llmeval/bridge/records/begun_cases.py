"""The cases that have begun and not ended: if a worker dies, its case becomes an error."""

import time
from typing import Any

from pytest_llmeval.bridge.execution.outcomes import START_ATTRIBUTE
from pytest_llmeval.core.transport import load_start
from pytest_llmeval.core.types import CaseStart

__all__ = ["BegunCases"]

_LATE_S = 1.0
"""Seconds to wait for a dead worker's message on its case: it is in the socket, but may not have been read yet."""


class BegunCases:
    """Keeps the starts of these cases, by node id."""

    def __init__(self) -> None:
        self._begun: dict[str, CaseStart] = {}
        self._last: dict[Any, CaseStart] = {}
        """The case that ended last in each worker: if the worker dies now, xdist may report this case as its crash."""

    def __contains__(self, nodeid: object) -> bool:
        return nodeid in self._begun

    def find(self, nodeid: str) -> CaseStart | None:
        """Return the start of a case; None if no such case has begun."""
        return self._begun.get(nodeid)

    def note(self, text: str) -> None:
        """Keep a worker's message on a case that begins, in case the worker dies before the first report."""
        start = load_start(text)
        self._begun.setdefault(start.key.nodeid, start)

    def note_report(self, report: Any) -> None:
        """Take the case that has begun from the report of its setup."""
        start = getattr(report, START_ATTRIBUTE, None)
        if start is not None:
            self._begun[report.nodeid] = start if isinstance(start, CaseStart) else load_start(start)
            self._last.pop(getattr(report, "node", None), None)
            delattr(report, START_ATTRIBUTE)  # pytest keeps every report to its end

    def end(self, report: Any) -> None:
        """Forget the case of its last report."""
        start = self._begun.pop(report.nodeid, None)
        if start is not None and hasattr(report, "node"):
            self._last[report.node] = start

    def crashed(self, report: Any) -> CaseStart | None:
        """Return the case in which xdist says a worker died; the worker's own message on it may arrive only now."""
        last = self._last.get(getattr(report, "node", None))
        if last is not None and last.key.nodeid == report.nodeid:
            self._begun.pop(report.nodeid, None)  # its start arrived late
            return last
        end = time.monotonic() + _LATE_S
        while report.nodeid not in self._begun and time.monotonic() < end:
            time.sleep(0.01)
        return self._begun.get(report.nodeid)
