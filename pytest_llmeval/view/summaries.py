"""What takes seconds over a large run, worked out once, behind the pages: its metrics, and two runs compared.

A page waits a moment for it and says so where it is not there yet. Of a run that goes on an earlier result is shown
until it is old beside the time that it took.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, TimeoutError
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from pytest_llmeval.core.judge.label_sample import drawn
from pytest_llmeval.core.judge.recorded import settlers
from pytest_llmeval.core.rules import Thresholds
from pytest_llmeval.reports.comparing import compare_found
from pytest_llmeval.reports.comparison import Comparison
from pytest_llmeval.reports.run_view import RunCases, RunView, view_run
from pytest_llmeval.store.baselines import find_baseline
from pytest_llmeval.store.browsing import BrowsingReader, Group
from pytest_llmeval.store.records import Run

__all__ = ["PATIENCE_S", "Found", "Overview", "Summaries"]

T = TypeVar("T")
PATIENCE_S = 0.15
"""Seconds for which a page waits."""
_TIMES_OLDER = 20
"""How many times as old as it took to make may a result of a run that goes on be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """What there is to see of a run beside its cases."""

    view: RunView
    """Without any case."""
    groups: Sequence[Group]
    slices: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found(Generic[T]):
    """A result, and when it was made."""

    value: T
    at: float
    """Seconds of the monotonic clock."""
    took_s: float


class Summaries:
    """Results by what they are of; one thread makes them, the newest wish first come first served."""

    def __init__(self, path: Path, rules_of: Callable[[Run], Thresholds], root: Path) -> None:
        """Summarise the runs of the database ``path``.

        Args:
            path: of the database.
            rules_of: gives the rules that a run is judged by; raises UserError.
            root: of the project.
        """
        self._path = path
        self._rules_of = rules_of
        self._root = root
        self._known: dict[Hashable, Found[Any]] = {}
        self._begun: dict[Hashable, Future[Found[Any]]] = {}
        self._lock = threading.Lock()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="llmeval-view")

    def overview(self, run: Run, *, patience_s: float | None = PATIENCE_S) -> Overview | None:
        """Return what there is to see of a run; None where it takes longer. ``patience_s`` None waits as it takes."""
        return self._get(("overview", run.id), (run,), patience_s, lambda reader: _overview(reader, run))

    def overviews(self, runs: Sequence[Run], *, patience_s: float = PATIENCE_S) -> list[Overview | None]:
        """Return what there is to see of each run, as far as it is known after a moment."""
        deadline = time.monotonic() + patience_s
        return [self.overview(run, patience_s=max(0.0, deadline - time.monotonic())) for run in runs]

    def comparison(self, base: str, current: Run, *, patience_s: float | None = PATIENCE_S) -> Comparison | None:
        """Return what changed from ``base``, as people name it, to a run; None where it takes longer.

        Raises:
            UserError: there is no such base, or the rules cannot be used.
        """

        def compared(reader: BrowsingReader) -> Comparison:
            before, now = (find_baseline(ref, reader=reader, root=self._root) for ref in (base, current.id))
            return compare_found(before, now, self._rules_of(current), reader=reader, most_flips=0)

        return self._get(("comparison", base, current.id), (current,), patience_s, compared)

    def to_label(self, run: Run, *, patience_s: float | None = PATIENCE_S) -> Sequence[str] | None:
        """Return the ids of the cases that people may label, in an order that tells nothing.

        Those from the first on are a random draw at any number. None where it takes longer.
        """
        return self._get(("labels", run.id), (run,), patience_s, lambda reader: _to_label(reader, run))

    def close(self) -> None:
        """Begin nothing more."""
        self._worker.shutdown(wait=False, cancel_futures=True)

    def _get(
        self, key: Hashable, runs: Sequence[Run], patience_s: float | None, make: Callable[[BrowsingReader], T]
    ) -> T | None:
        state = (key, *(run.end for run in runs))  # a run that ended since is read again
        is_final = all(run.end is not None for run in runs)
        with self._lock:
            known: Found[T] | None = self._known.get(state)
            is_fresh = known is not None and (is_final or time.monotonic() - known.at < _TIMES_OLDER * known.took_s)
            if is_fresh and known is not None:
                return known.value
            begun = self._begun.get(state)
            if begun is None:
                begun = self._begun[state] = self._worker.submit(self._made, state, make)
        with contextlib.suppress(TimeoutError):
            found: T = begun.result(timeout=patience_s).value
            return found
        return None if known is None else known.value

    def _made(self, state: Hashable, make: Callable[[BrowsingReader], T]) -> Found[T]:
        begin = time.monotonic()
        try:
            with contextlib.closing(BrowsingReader.open(self._path)) as reader, reader.snapshot():
                value = make(reader)
            end = time.monotonic()
            self._known[state] = Found(value=value, at=end, took_s=end - begin)
            return self._known[state]
        finally:
            with self._lock:
                self._begun.pop(state, None)


def _overview(reader: BrowsingReader, run: Run) -> Overview:
    view = view_run(run, RunCases(list(reader.judged(run.id)), ()), reader.verdicts(run.id))
    return Overview(view=view, groups=reader.groups(run.id), slices=reader.slice_names(run.id))


def _to_label(reader: BrowsingReader, run: Run) -> list[str]:
    """Return the cases whose answers a judge judged, of each row and model the first such epoch, shuffled."""
    checks = {judge.judge_id: settlers(judge) for judge in reader.judges(run.id)}
    first: dict[tuple[str, str, str], tuple[int, str]] = {}
    for case_id, suite, model, sample_id, epoch, judge_id, decided_by in reader.judged_scores(run.id):
        if judge_id in checks and decided_by not in checks[judge_id]:
            row = (suite, model, sample_id)
            first[row] = min(first.get(row, (epoch, case_id)), (epoch, case_id))
    ids = [case_id for _, case_id in first.values()]
    return [ids[place] for place in drawn([()] * len(ids), max(1, len(ids)), seed=0)]
