"""The store in memory: the same promises as the SQLite one, for tests and for reading exported runs."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from pytest_llmeval.core.gate import Verdict
from pytest_llmeval.core.types import Call, CaseRecord
from pytest_llmeval.store.lookup import pick_run
from pytest_llmeval.store.records import Run, RunEnd, Spending, StoredCase, spent, stored_case

__all__ = ["MemoryStore"]


class MemoryStore:
    """Runs that last as long as this object."""

    def __init__(self) -> None:
        self._runs: dict[str, Run] = {}
        self._cases: dict[str, dict[str, StoredCase]] = {}
        self._calls: dict[str, dict[str, dict[str, Call]]] = {}
        self._verdicts: dict[str, list[Verdict]] = {}

    def start_run(self, run: Run) -> None:
        """Record a run that begins."""
        self._runs[run.id] = run
        self._cases[run.id] = {}
        self._calls[run.id] = {}
        self._verdicts[run.id] = []

    def resume_run(self, run: Run) -> None:
        """Record that a run of before goes on; its cases stay."""
        self._runs[run.id] = run
        self._verdicts[run.id] = []

    def add_case(self, run_id: str, case: CaseRecord) -> None:
        """Record a finished case; one recorded before is replaced."""
        stored = stored_case(run_id, case)
        self._cases[run_id].pop(stored.id, None)
        kept = {name: call for name, call in self._calls[run_id].get(stored.id, {}).items() if call.status == "ok"}
        named = {call.name or str(number): call for number, call in enumerate(case.calls, 1)}
        self._calls[run_id][stored.id] = {**kept, **named}
        ordered = tuple(sorted(stored.scores, key=lambda score: score.name))
        self._cases[run_id][stored.id] = replace(stored, scores=ordered)

    def set_verdicts(self, run_id: str, verdicts: Iterable[Verdict]) -> None:
        """Record the verdicts of a run in place of earlier ones."""
        self._verdicts[run_id] = list(verdicts)

    def finish_run(self, run_id: str, end: RunEnd) -> None:
        """Record how a run ended."""
        self._runs[run_id] = replace(self._runs[run_id], end=end)

    def runs(self) -> list[Run]:
        """Return all runs, the newest first."""
        return sorted(reversed(self._runs.values()), key=lambda run: run.started_at, reverse=True)

    def find_run(self, ref: str) -> Run:
        """Return the run that ``ref`` means; raise StoreError where none or several do."""
        return pick_run(self.runs(), ref, where="memory")

    def cases(self, run_id: str) -> Iterator[StoredCase]:
        """Yield each case with its scores, in the order of recording."""
        return iter(list(self._cases.get(run_id, {}).values()))

    def verdicts(self, run_id: str) -> list[Verdict]:
        """Return the verdicts of a run, in the order of judging."""
        return list(self._verdicts.get(run_id, ()))

    def spending(self, run_id: str) -> list[Spending]:
        """Return what the calls of a run came to, by role and model."""
        calls = [call for of_case in self._calls[run_id].values() for call in of_case.values() if call.status == "ok"]
        kinds = sorted({(call.role, call.model) for call in calls}, key=lambda kind: (kind[0] != "model", kind[1]))
        return [spent(*kind, (call for call in calls if (call.role, call.model) == kind)) for kind in kinds]

    def close(self) -> None:
        """Do nothing."""
