"""What a store of runs offers. The controller is its only writer; readers may come at any time."""

from collections.abc import Iterable, Iterator
from typing import Protocol

from pytest_llmeval.core.gate import Verdict
from pytest_llmeval.core.types import CaseRecord
from pytest_llmeval.store.records import Run, RunEnd, Spending, StoredCase

__all__ = ["Store"]


class Store(Protocol):
    """Runs with their cases, scores, calls and verdicts."""

    def start_run(self, run: Run) -> None:
        """Record a run that begins."""
        ...

    def resume_run(self, run: Run) -> None:
        """Record that a run of before goes on, under a new process and perhaps new settings; its cases stay."""
        ...

    def add_case(self, run_id: str, case: CaseRecord) -> None:
        """Record a finished case, its scores and calls, in one commit; one recorded before is replaced."""
        ...

    def set_verdicts(self, run_id: str, verdicts: Iterable[Verdict]) -> None:
        """Record the verdicts of a run in place of earlier ones."""
        ...

    def finish_run(self, run_id: str, end: RunEnd) -> None:
        """Record how a run ended."""
        ...

    def runs(self) -> list[Run]:
        """Return all runs, the newest first."""
        ...

    def find_run(self, ref: str) -> Run:
        """Return the run that ``ref`` means: an id, a unique prefix of one, a name (its newest run) or ``last``.

        Raises:
            StoreError: no run, or more than one, answers to ``ref``.
        """
        ...

    def cases(self, run_id: str) -> Iterator[StoredCase]:
        """Yield each case with its scores, in the order of recording."""
        ...

    def verdicts(self, run_id: str) -> list[Verdict]:
        """Return the verdicts of a run, in the order of judging."""
        ...

    def spending(self, run_id: str) -> list[Spending]:
        """Return what the calls of a run came to, by role and model, those of unfinished cases too."""
        ...

    def close(self) -> None:
        """Close what is open; calling it again does nothing."""
        ...
