"""The contents of a report on a stored run for a pull request: view, cost, notes, worst cases, flips."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_llmeval.reports.comparing import SinceBaseline, flips_since_baseline
from pytest_llmeval.reports.run_notes import run_notes
from pytest_llmeval.reports.run_view import RunCases, RunView, view_run
from pytest_llmeval.reports.worst_cases import WorstCases, worst_cases
from pytest_llmeval.store.records import Run, Spending
from pytest_llmeval.store.sqlite_reader import SqliteReader

__all__ = ["RunReport", "read_report"]

_MOST = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """A run, for readers who did not see it."""

    view: RunView
    spending: Sequence[Spending]
    notes: Sequence[str]
    """Notes and warnings on the run, in sentences."""
    worst: WorstCases
    """The 10 worst misses and the first 10 errors."""
    against: SinceBaseline | None
    """Up to 10 rows that changed since the baseline that the run was judged against; None without one."""


def read_report(run: Run, *, reader: SqliteReader, root: Path) -> RunReport:
    """Return the report of a run.

    Args:
        run: a recorded run.
        reader: its database.
        root: the root of the project.
    """
    cases = RunCases(judged=list(reader.judged(run.id)))
    return RunReport(
        view=view_run(run, cases, reader.verdicts(run.id)),
        spending=reader.spending(run.id),
        notes=run_notes(run, cases.judged, reader),
        worst=worst_cases(reader, run.id, most=_MOST),
        against=flips_since_baseline(run, reader=reader, root=root, most=_MOST),
    )
