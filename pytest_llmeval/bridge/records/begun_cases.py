"""The cases that have begun and not ended: where a worker dies, its case becomes an error."""

import time
from typing import Any

from pytest_llmeval.bridge.execution.outcomes import START_ATTRIBUTE
from pytest_llmeval.core.transport import load_start
from pytest_llmeval.core.types import CaseStart

__all__ = ["BegunCases"]

_LATE_S = 1.0
"""How long to wait for what a dead worker told of its case: it is in the socket, and may not be read yet."""


class BegunCases:
    """Keeps what is known of them, by node id."""

    def __init__(self) -> None:
        self._begun: dict[str, CaseStart] = {}
        self._last: dict[Any, CaseStart] = {}
        """The case that ended last in each worker: if that dies now, xdist may say that it died in this case."""

    def __contains__(self, nodeid: object) -> bool:
        return nodeid in self._begun

    def find(self, nodeid: str) -> CaseStart | None:
        """Return what is known of a case; None where none has begun."""
        return self._begun.get(nodeid)

    def note(self, text: str) -> None:
        """Keep what a worker tells of a case that begins, in case it dies before the first report."""
        start = load_start(text)
        self._begun.setdefault(start.key.nodeid, start)

    def note_report(self, report: Any) -> None:
        """Take from the report of a setup which case has begun."""
        start = getattr(report, START_ATTRIBUTE, None)
        if start is not None:
            self._begun[report.nodeid] = start if isinstance(start, CaseStart) else load_start(start)
            self._last.pop(getattr(report, "node", None), None)
            delattr(report, START_ATTRIBUTE)  # pytest keeps every report to its end

    def end(self, report: Any) -> None:
        """Forget the case of a report that is its last."""
        start = self._begun.pop(report.nodeid, None)
        if start is not None and hasattr(report, "node"):
            self._last[report.node] = start

    def crashed(self, report: Any) -> CaseStart | None:
        """Return the case in which xdist says that a worker died; the worker's own word of it may come only now."""
        last = self._last.get(getattr(report, "node", None))
        if last is not None and last.key.nodeid == report.nodeid:
            self._begun.pop(report.nodeid, None)  # that it began was heard late
            return last
        end = time.monotonic() + _LATE_S
        while report.nodeid not in self._begun and time.monotonic() < end:
            time.sleep(0.01)
        return self._begun.get(report.nodeid)
