"""What a store of runs offers. The controller is its only writer; readers may come at any time."""

from collections.abc import Iterable, Iterator
from typing import Protocol

from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.gate.judging import Verdict
from pytest_llmeval.core.types import Call, CaseRecord, JudgeRecord
from pytest_llmeval.store.records import (
    EarlierOutcome,
    Label,
    NamedBaseline,
    Run,
    RunEnd,
    Spending,
    StoredCase,
    VoteCounts,
)

__all__ = ["Store", "StoreReader"]


class StoreReader(Protocol):
    """What a store is read by."""

    def runs(self) -> list[Run]:
        """Return all runs, the newest first."""

    def find_run(self, ref: str) -> Run:
        """Return what an id, a unique prefix of one, a name (its newest) or ``last`` means; else raise StoreError."""

    def cases(self, run_id: str) -> Iterator[StoredCase]:
        """Yield each case with its scores, in the order of recording."""

    def judged(self, run_id: str) -> Iterator[JudgedCase]:
        """Yield what the gate needs of each case, in the order of recording, small enough for many to be kept."""

    def unlucky(self, run_id: str, *, most: int | None) -> Iterator[StoredCase]:
        """Yield cases that missed or ended in an error, as ``cases`` does; ``most`` of each suite and outcome."""

    def calls(self, case_id: str) -> list[Call]:
        """Return the calls of a case, in their order."""

    def earlier_outcomes(self, run_id: str) -> list[EarlierOutcome]:
        """Return what cases of a run came to before they ran again, those of a case together, in their order."""

    def judges(self, run_id: str) -> list[JudgeRecord]:
        """Return what stands behind the judge_ids of a run, sorted by them."""

    def verdicts(self, run_id: str) -> list[Verdict]:
        """Return the verdicts of a run, in the order of judging."""

    def labels(self, run_id: str) -> list[Label]:
        """Return what people said of the cases of a run, in the order of recording."""

    def spending(self, run_id: str) -> list[Spending]:
        """Return what the calls of a run came to, by role and model, those of unfinished cases too."""

    def voting(self, run_id: str) -> VoteCounts:
        """Return how the judges of a run agreed."""

    def baselines(self) -> list[NamedBaseline]:
        """Return the named baselines, sorted by name."""

    def close(self) -> None:
        """Close what is open; calling it again does nothing."""


class Store(StoreReader, Protocol):
    """Runs with their cases, scores, calls and verdicts, and the names that some have as baselines."""

    def start_run(self, run: Run) -> None:
        """Record a run that begins."""

    def resume_run(self, run: Run, *, seen: Run | None = None) -> bool:
        """Record that a run of before goes on, under a new process and perhaps new settings; its cases stay.

        Return whether it did; where its process is no longer the one of ``seen``, another one has taken it up.
        """

    def add_case(self, run_id: str, case: CaseRecord) -> None:
        """Record a finished case, its scores and calls, in one commit; what it came to before is kept apart."""

    def set_verdicts(self, run_id: str, verdicts: Iterable[Verdict]) -> None:
        """Record the verdicts of a run in place of earlier ones."""

    def finish_run(self, run_id: str, end: RunEnd) -> None:
        """Record how a run ended."""

    def import_run(
        self,
        run: Run,
        cases: Iterable[StoredCase],
        judges: Iterable[JudgeRecord] = (),
        *,
        calls: Iterable[tuple[str, Call]] = (),
        labels: Iterable[Label] = (),
        earlier: Iterable[EarlierOutcome] = (),
    ) -> bool:
        """Record a run of elsewhere as a whole; return whether its id was new: else it only gets judges that it lacked.

        Each call comes with the id of its case.
        """

    def add_labels(self, labels: Iterable[Label]) -> int:
        """Record what people say, in one commit; return how many took the place of one by the same rater."""

    def set_baseline(self, name: str, run_id: str, at: str) -> None:
        """Name a run, in place of the one that had the name; raise StoreError where there is no such run."""

    def drop_baseline(self, name: str) -> bool:
        """Take a name off its run, which stays; return whether it had one."""
