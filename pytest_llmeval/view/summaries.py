"""Background computation of what takes seconds for a large run: its metrics, and the comparison of two runs.

Each result is computed once. A page waits a moment for it, and says so if it is not ready. Large runs are computed in
separate processes, because threads would hold up every page meanwhile. While a run is in progress, an earlier result is
shown until it is old compared with the time that it took.
"""

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pytest_llmeval.core.judge.label_sample import drawn, first_epochs
from pytest_llmeval.core.judge.recorded import settlers
from pytest_llmeval.core.rules import Thresholds
from pytest_llmeval.reports.comparing import compare_found, recorded_baseline
from pytest_llmeval.reports.comparison import Comparison
from pytest_llmeval.reports.html.escape import Html
from pytest_llmeval.reports.run_notes import run_notes
from pytest_llmeval.reports.run_view import RunCases, RunView, view_run
from pytest_llmeval.store.baselines import FoundBaseline
from pytest_llmeval.store.browsing import BrowsingReader, CasePage, Group, Wanted
from pytest_llmeval.store.records import Run, Spending
from pytest_llmeval.store.sides import find_sides
from pytest_llmeval.view.figures import suite_charts, values_before
from pytest_llmeval.view.rendering import render
from pytest_llmeval.view.source import Source

__all__ = ["PATIENCE_S", "Overview", "Summaries", "comparison", "overview"]

T = TypeVar("T")
PATIENCE_S = 0.15
"""Seconds that a page waits for a result."""
_TIMES_OLDER = 20
"""Largest age of a result for a run in progress, as a multiple of the time that it took."""
_MOST_HERE = 4_000
"""Largest number of cases of a run that is computed in this process."""
_PROCESSES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """Everything that a page shows of a run other than its cases."""

    view: RunView
    """View of the run, without cases."""
    groups: Sequence[Group]
    slices: Sequence[str]
    spending: Sequence[Spending]
    notes: Sequence[str]
    """Notes and warnings on the run, in sentences."""
    suites: Html
    """Charts and figures of each suite and slice, as HTML."""


class _Made(NamedTuple):
    """A result, the monotonic time at which it was ready, and the seconds that it took."""

    value: Any
    at: float
    took_s: float


class Summaries:
    """Computes and caches results, by what they describe."""

    def __init__(self, source: Source) -> None:
        """Summarise the runs of ``source``."""
        self._source = source
        self._path = source.database
        self._made: dict[Hashable, _Made] = {}
        self._begun: dict[Hashable, Future[_Made]] = {}
        self._lock = threading.Lock()
        self._here = ThreadPoolExecutor(_PROCESSES)
        self._beside: ProcessPoolExecutor | None = None
        self._end, self._lifeline = multiprocessing.Pipe(duplex=False)

    def overview(self, run: Run, *, patience_s: float | None = None) -> Overview | None:
        """Return the overview of a run; None if it is not ready in time."""
        return self._get(
            (run,), PATIENCE_S if patience_s is None else patience_s, overview, (self._path, self._source.root, run)
        )

    def overviews(self, runs: Sequence[Run]) -> list[Overview | None]:
        """Return the overview of each run that is known after a moment, None for the others."""
        deadline = time.monotonic() + PATIENCE_S
        return [self.overview(run, patience_s=max(0.0, deadline - time.monotonic())) for run in runs]

    def comparison(self, base: FoundBaseline, current: FoundBaseline) -> Comparison | None:
        """Return the comparison of two sides; None if it is not ready in time.

        Raises:
            UserError: if the rules cannot be used.
        """
        rules = self._source.rules_of(current.run)
        beside = (base.spec, current.spec, repr(rules), self._labelled(rules))  # a change of one makes it anew
        arguments = (self._path, base.spec, current.spec, rules)
        return self._get((current.run, base.run), PATIENCE_S, comparison, arguments, beside)

    def _labelled(self, rules: Thresholds) -> tuple[int, str | None] | None:
        """Return the number of labels and the time of the last one; None if no rule needs labels."""
        if not any(rule.judge for suite in rules.suites.values() for rule in suite.rules):
            return None
        with contextlib.closing(BrowsingReader.open(self._path)) as reader:
            return reader.labels_given()

    def to_label(self, reader: BrowsingReader, run: Run) -> Sequence[str]:
        """Return the ids of the cases that may be labelled, in an uninformative order; computed at once.

        The first n of them, for any n, are a random draw.
        """
        return self._waited_for((run,), ("labels",), lambda: _to_label(reader, run))

    def total(self, reader: BrowsingReader, run: Run, wanted: Wanted, page: CasePage) -> int | None:
        """Return the number of cases that match a filter; None if a text search would have to read all of them."""
        if page.before is None and page.after is None:
            return len(page.pairs)
        if wanted.search:
            return None
        base = None if wanted.flipped is None else reader.run(wanted.flipped.run_id)
        return self._waited_for(
            (run,) if base is None else (run, base), ("total", wanted), lambda: reader.count(run.id, wanted)
        )

    def close(self) -> None:
        """End the processes at once, even in the middle of their work."""
        self._lifeline.close()
        for pool in (self._here, self._beside):
            if pool is not None:
                pool.shutdown(wait=False, cancel_futures=True)

    def _waited_for(self, runs: tuple[Run, ...], name: tuple[Hashable, ...], make: Callable[[], T]) -> T:
        """Return a result computed at once, and cache it if its runs have ended."""
        key = (*name, *((run.id, run.end) for run in runs))
        made = self._made.get(key)
        if made is None:
            made = _Made(make(), time.monotonic(), 0.0)
            if all(run.end is not None for run in runs):
                self._made[key] = made
        found: T = made.value
        return found

    def _get(
        self,
        runs: tuple[Run, ...],
        patience_s: float,
        make: Callable[..., T],
        arguments: tuple[Any, ...],
        beside: Hashable = None,
    ) -> T | None:
        """Return the result of ``make`` for ``runs``, the first of which is the one to load; None if it is not ready.

        It is computed again if one of the runs has ended since, or if ``beside`` has changed.
        """
        key = (make.__name__, *((run.id, run.end) for run in runs), beside)
        ended = all(run.end is not None for run in runs)
        with self._lock:
            self._take(key)
            known = self._made.get(key)
            is_old = known is not None and time.monotonic() - known.at > _TIMES_OLDER * known.took_s
            if known is not None and (ended or not is_old):
                found: T = known.value
                return found
            begun = self._begun.get(key)
            if begun is None:
                begun = self._begun[key] = self._begin(runs[0].id, make, arguments)
        wait([begun], patience_s)
        with self._lock:
            made = self._take(key) or known
        return None if made is None else made.value

    def _take(self, key: Hashable) -> _Made | None:
        """Collect a result if it is ready, and return the latest one.

        An exception is raised once; the next request tries again. A process that was killed (out of memory, say) leaves
        no result, and the next request starts it again.
        """
        begun = self._begun.get(key)
        if begun is not None and begun.done():
            del self._begun[key]
            with contextlib.suppress(BrokenProcessPool):
                self._made[key] = begun.result()
        return self._made.get(key)

    def _begin(self, run_id: str, make: Callable[..., Any], arguments: tuple[Any, ...]) -> "Future[_Made]":
        """Start a computation; for a large run, in a process of its own."""
        with contextlib.closing(BrowsingReader.open(self._path)) as reader:
            is_small = reader.size(run_id) <= _MOST_HERE
        if is_small:
            return self._here.submit(_timed, make, arguments)
        try:
            return self._processes().submit(_timed, make, arguments)
        except BrokenProcessPool:
            self._beside = None
            return self._processes().submit(_timed, make, arguments)

    def _processes(self) -> ProcessPoolExecutor:
        if self._beside is None:
            context = multiprocessing.get_context("spawn")
            self._beside = ProcessPoolExecutor(_PROCESSES, context, _live_until, (self._end,))
        return self._beside


def _live_until(end: Connection) -> None:
    """End this process when its parent ends, however that happens. Ctrl-C is left to the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        end.poll(None)
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()


def overview(path: Path, root: Path, run: Run) -> Overview:
    """Return the overview of a run in the database at ``path``; ``root`` is the root of the project."""
    with contextlib.closing(BrowsingReader.open(path)) as reader, reader.snapshot():
        return overview_in(reader, root, run)


def overview_in(reader: BrowsingReader, root: Path, run: Run) -> Overview:
    """Return the overview of a run from the snapshot of ``reader``, whose texts are as stored."""
    cases = RunCases(judged=list(reader.judged(run.id)))
    view = view_run(run, cases, reader.verdicts(run.id))
    was = values_before(view, recorded_baseline(run, reader=reader, root=root))
    return Overview(
        view=view,
        groups=reader.groups(run.id),
        slices=reader.slice_names(run.id),
        spending=reader.spending(run.id),
        notes=run_notes(run, cases.judged, reader),
        suites=Html(render("suites.html", view=view, charts=suite_charts(view, was))),
    )


def comparison(path: Path, base: str, current: str, rules: Thresholds) -> Comparison:
    """Return the comparison of two sides in the database at ``path``, without the texts of flipped rows.

    Args:
        path: the path of the database.
        base: the reference to the side to compare with.
        current: the reference to the side under test.
        rules: the rules that judge the changes.
    """
    with contextlib.closing(BrowsingReader.open(path)) as reader, reader.snapshot():
        return comparison_in(reader, base, current, rules)


def comparison_in(reader: BrowsingReader, base: str, current: str, rules: Thresholds) -> Comparison:
    """Return the same as ``comparison``, from the snapshot of ``reader``, whose texts are as stored."""
    before, now = find_sides(base, current, reader=reader, root=None)
    return compare_found(before, now, rules, reader=reader, most_flips=0)


def _timed(make: Callable[..., T], arguments: tuple[Any, ...]) -> _Made:
    begin = time.monotonic()
    value = make(*arguments)
    end = time.monotonic()
    return _Made(value, end, end - begin)


def _to_label(reader: BrowsingReader, run: Run) -> list[str]:
    """Return the ids of the cases that may be labelled, shuffled."""
    checks = {judge.judge_id: settlers(judge) for judge in reader.judges(run.id)}
    ids = first_epochs(
        ((suite, model, sample_id), epoch, case_id)
        for case_id, suite, model, sample_id, epoch, judge_id, decided_by in reader.judged_scores(run.id)
        if judge_id in checks and decided_by not in checks[judge_id]
    )
    return [ids[place] for place in drawn([()] * len(ids), max(1, len(ids)), seed=0)]
