"""The cases that have begun and not ended, of which one is an error where its worker dies."""

import time
from typing import Any

from pytest_llmeval.bridge.execution.outcomes import START_ATTRIBUTE
from pytest_llmeval.core.transport import load_start
from pytest_llmeval.core.types import CaseStart

__all__ = ["BegunCases"]

_LATE_S = 1.0
"""How long after its end is waited for what a dead worker told; it stands in the socket by then."""


class BegunCases:
    """What is known of them, by node id."""

    def __init__(self) -> None:
        self._begun: dict[str, CaseStart] = {}
        self._last: dict[Any, CaseStart] = {}
        """The case that ended last in each worker: should that die now, xdist may say that it died in this one."""

    def __contains__(self, nodeid: object) -> bool:
        return nodeid in self._begun

    def find(self, nodeid: str) -> CaseStart | None:
        """Return what is known of a case; None where none has begun."""
        return self._begun.get(nodeid)

    def note(self, text: str) -> None:
        """Keep what a worker tells of a case before its first report, should it die until then."""
        start = load_start(text)
        self._begun.setdefault(start.key.nodeid, start)

    def note_report(self, report: Any) -> None:
        """Take from the report of a setup which case begins."""
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
        """Return the case in which a worker died as xdist says it, of which the worker may be heard only now."""
        last = self._last.get(getattr(report, "node", None))
        if last is not None and last.key.nodeid == report.nodeid:
            self._begun.pop(report.nodeid, None)  # that it began was heard late
            return last
        end = time.monotonic() + _LATE_S
        while report.nodeid not in self._begun and time.monotonic() < end:
            time.sleep(0.01)
        return self._begun.get(report.nodeid)
