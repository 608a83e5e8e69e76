"""What the store in memory and the one in a file have in common: the same tests hold both to it."""

from collections.abc import Iterable
from typing import Protocol

from pytest_llmeval.core.gate.judging import Verdict
from pytest_llmeval.core.stored import Label, StoredCase
from pytest_llmeval.core.types import Call, CaseRecord, JudgeRecord
from pytest_llmeval.store.protocol import StoreReader
from pytest_llmeval.store.records import EarlierOutcome, Run, RunEnd

__all__ = ["Store"]


class Store(StoreReader, Protocol):
    """Runs with their cases, scores, calls and verdicts, and the names that some have as baselines."""

    def start_run(self, run: Run) -> None:
        """Record a run that begins."""

    def resume_run(self, run: Run, *, seen: Run | None = None) -> bool:
        """Record that a run of before goes on, under a new process and perhaps new settings; its cases stay.

        Return whether it did; where its process is no longer the one of ``seen``, another one has taken it up.
        """

    def add_case(self, run_id: str, case: CaseRecord) -> StoredCase:
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
