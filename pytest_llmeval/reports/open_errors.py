"""The errors of a run that another attempt may resolve."""

from collections.abc import Iterable

from pytest_llmeval.core.errors import ErrorKind
from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.store.records import Run

__all__ = ["open_errors"]


def open_errors(run: Run, cases: Iterable[JudgedCase]) -> list[JudgedCase]:
    """Return the errors of an unmeasurable run that another attempt may resolve; of any other run, none.

    Those that ``broke_behind_answer`` need a change of code, all others an answer.
    """
    if run.end is None or run.end.status != "unmeasurable":
        return []
    return [case for case in cases if case.outcome == "error" and case.error_kind != ErrorKind.NOT_CACHED]
