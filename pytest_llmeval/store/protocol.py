"""Protocol for reading stored runs at any time, while only the controller writes."""

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
    """Read access to a store of runs."""

    def runs(self) -> list[Run]:
        """Return all runs, newest first."""

    def find_run(self, ref: str) -> Run:
        """Return the run that ``ref`` identifies (see ``pick_run``); raise StoreError if there is none or several."""

    def cases(self, run_id: str) -> Iterator[StoredCase]:
        """Yield each case with its scores, in the order in which they were recorded."""

    def judged(self, run_id: str) -> Iterator[JudgedCase]:
        """Yield what the gate needs of each case, in the order of recording; small enough to keep many in memory."""

    def unlucky(self, run_id: str, *, most: int | None) -> Iterator[StoredCase]:
        """Yield cases whose outcome is missed or error, like ``cases``; at most ``most`` of each suite and outcome."""

    def calls(self, case_id: str) -> list[Call]:
        """Return the calls of a case, in the order in which they were recorded."""

    def earlier_outcomes(self, run_id: str) -> list[EarlierOutcome]:
        """Return the earlier outcomes of cases that ran again, grouped by case and ordered by number."""

    def judges(self, run_id: str) -> list[JudgeRecord]:
        """Return the judges of a run (what each judge_id stands for), sorted by judge_id."""

    def verdicts(self, run_id: str) -> list["Verdict"]:
        """Return the verdicts of a run, in the order in which the gate made them."""

    def labels(self, run_id: str) -> list[Label]:
        """Return the labels that people gave to cases of a run, in the order of recording."""

    def spending(self, run_id: str) -> list[Spending]:
        """Return the calls, tokens and cost of a run by role and model, including calls of unfinished cases."""

    def voting(self, run_id: str) -> VoteCounts:
        """Return counts of how far the judges of a run agreed, with each other and with themselves."""

    def baselines(self) -> list[NamedBaseline]:
        """Return the named baselines, sorted by name."""

    def close(self) -> None:
        """Close the store; calling it again does nothing."""
