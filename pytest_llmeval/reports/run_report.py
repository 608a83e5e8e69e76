"""What reports in a pull request say of a stored run: its view, what it cost, what to look at, what flipped."""

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
    """A run, for people who did not see it."""

    view: RunView
    spending: Sequence[Spending]
    notes: Sequence[str]
    """What there is to say of it beside its figures, in sentences."""
    worst: WorstCases
    """The first 10 of its misses and errors."""
    against: SinceBaseline | None
    """10 of the rows that changed since the baseline that it was judged against; None without one."""


def read_report(run: Run, *, reader: SqliteReader, root: Path) -> RunReport:
    """Return what there is to say of a run.

    Args:
        run: a recorded one.
        reader: of its database.
        root: of the project.
    """
    cases = RunCases(judged=list(reader.judged(run.id)))
    return RunReport(
        view=view_run(run, cases, reader.verdicts(run.id)),
        spending=reader.spending(run.id),
        notes=run_notes(run, cases.judged, reader),
        worst=worst_cases(reader, run.id, most=_MOST),
        against=flips_since_baseline(run, reader=reader, root=root, most=_MOST),
    )
