"""What a store of runs is read by, at any time; only the controller writes."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.stored import Label, StoredCase
from pytest_llmeval.core.types import Call, JudgeRecord
from pytest_llmeval.store.records import EarlierOutcome, NamedBaseline, Run, Spending
from pytest_llmeval.store.vote_counts import VoteCounts

if TYPE_CHECKING:
    from pytest_llmeval.core.gate.judging import Verdict

__all__ = ["StoreReader"]


class StoreReader(Protocol):
    """What a store is read by."""

    def runs(self) -> list[Run]:
        """Return all runs, the newest first."""

    def find_run(self, ref: str) -> Run:
        """Return the run that ``ref`` means, as ``pick_run`` says; raise StoreError where none or several do."""

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

    def verdicts(self, run_id: str) -> list["Verdict"]:
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
