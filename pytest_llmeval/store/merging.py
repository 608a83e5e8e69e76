"""Joining the shards of a run into one run: its row, and a stream of its cases with their scores, calls and labels."""

import contextlib
import json
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import NoneType
from typing import Any

from pytest_llmeval.core.errors import StoreError
from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.ids import case_id, digest, identity_of
from pytest_llmeval.core.left_out import add_digests, join_left_out, join_unselected, tells_of_cases
from pytest_llmeval.core.stored import Label, StoredCase
from pytest_llmeval.core.text import one_line, shown_value
from pytest_llmeval.core.types import Call, JudgeRecord
from pytest_llmeval.store.baseline_fields import NotALineError, check_types
from pytest_llmeval.store.baseline_lines import checked_case, checked_header, to_header, to_line
from pytest_llmeval.store.check import check_readable, read_only
from pytest_llmeval.store.code_state import CODE_DIFF
from pytest_llmeval.store.files import BUSY_TIMEOUT_S
from pytest_llmeval.store.gone_rows import GONE
from pytest_llmeval.store.records import FAILED_TESTS, EarlierOutcome, Run, RunEnd, known_failed
from pytest_llmeval.store.shards import ShardRun
from pytest_llmeval.store.sqlite import SqliteStore
from pytest_llmeval.store.sqlite_reader import SqliteReader

__all__ = ["import_shards", "joined_run", "judged_in", "runs_in"]

_OF_A_SHARD = ("shard", "baseline", "rescored")
_NO_END = RunEnd(finished_at="", status="interrupted", exit_code=0, verdict="none")
_LARGEST_PID = 2**31 - 1
"""Largest process id that ``os.kill`` accepts: that of a C int."""
_CALL_TEXTS = {"model": (str,), "name": (str,), "status": (str,), "response": (str, NoneType)}
_OF_ALL = ("expected", "made", "deselected", "left_out", "selected_digest", GONE)


def runs_in(path: Path) -> list[Run]:
    """Return the runs of a file from an untrusted source, newest first; the file is not changed.

    Raises:
        StoreError: the file is not a database of this version, or a value is not one that a run writes.
    """
    with _opened(path) as reader, _of_any_hand(path):
        runs = reader.runs()
        for run in runs:
            if type(run.calls_cut_off) is not int:
                raise ValueError(f"calls_cut_off of run {run.id} is not a number")
            if type(run.pid) is not int or not 0 <= run.pid <= _LARGEST_PID:
                raise ValueError(f"pid of run {run.id} is not a number of a process")
            if run.settings.get("shard") is not None:
                ended = run if run.end is not None else replace(run, end=_NO_END)
                checked_header(json.loads(to_header("", ended, cases=0, answers=False)))
        return runs


def joined_run(shards: Sequence[ShardRun], runs: Sequence[Run]) -> Run:
    """Return the run that ``shards`` make up, still without an end.

    Its id is derived from the shards, so that joining them again finds the same run. It starts when the last shard
    started.

    Args:
        shards: all shards of one run, ordered by number.
        runs: the runs of the database, among which rescored shards find the joined run that holds their answers.
    """
    first, ids = shards[0].run, {str(each.shard): each.run.id for each in shards}
    ends = [each.run.end.finished_at for each in shards if each.run.end is not None]
    settings = {key: value for key, value in first.settings.items() if key not in _OF_A_SHARD}
    read = _suites([each.run.suites for each in shards])
    suites = {name: suite for name, suite in read.items() if suite["expected"]}
    unselected = join_unselected(
        list(_unselected(read)), (why for each in shards for why in each.run.settings.get("unselected", ()))
    )
    is_partial = bool(unselected) or any(suite["left_out"] for suite in suites.values())
    diffs = {each.run.settings.get(CODE_DIFF) for each in shards}
    settings |= {
        "shards": ids,
        "options": {**first.settings.get("options", {}), "shard": None},
        "suites": suites,
        "unselected": unselected,
        "unmade": {name: 0 for each in shards for name in each.run.settings.get("unmade", ())},
        "partial": is_partial,
        "other_suites": _other_suites(shards),
        "has_rules": any(each.run.settings.get("has_rules") for each in shards),
        FAILED_TESTS: known_failed(name for each in shards for name in each.run.settings.get(FAILED_TESTS, ())),
        CODE_DIFF: diffs.pop() if len(diffs) == 1 else None,
        "resumes": [session for each in shards for session in each.run.settings.get("resumes", [])],
    }
    if first.settings.get("rescored") is not None:
        scored = {str(each.shard): each.answered for each in shards}
        known = (run.id for run in runs if run.settings.get("shards") == scored)
        settings["rescored"] = next(known, ", ".join(scored.values()))
        settings["partial"] = is_partial or any(each.run.settings.get("partial") for each in shards)
    return Run(
        id=f"{max(ids.values())[:15]}-{digest(json.dumps([sorted(ids.items()), sorted(ends)]))[:6]}",
        name=first.name,
        started_at=max(each.run.started_at for each in shards),
        version=first.version,
        models=tuple(dict.fromkeys(model for each in shards for model in each.run.models)),
        judge_models=tuple(dict.fromkeys(judge for each in shards for judge in each.run.judge_models)),
        git_commit=first.git_commit,
        git_branch=first.git_branch,
        git_dirty=any(each.run.git_dirty for each in shards) if first.git_dirty is not None else None,
        dataset_digest=first.dataset_digest,
        settings=settings,
        calls_cut_off=sum(each.run.calls_cut_off for each in shards),
    )


def _other_suites(shards: Sequence[ShardRun]) -> list[str] | None:
    """Return the suites that some shard has no case of, merged; None if a shard did not collect all evals."""
    found = [each.run.settings.get("other_suites") for each in shards]
    return None if None in found else list(dict.fromkeys(name for others in found for name in others or ()))


def judged_in(shards: Sequence[ShardRun]) -> Iterator[JudgedCase]:
    """Yield what the gate needs of each case of ``shards``, whose files are not changed.

    Raises:
        StoreError: a file cannot be read, or holds values that no run writes.
    """
    for each in shards:
        with _opened(each.path) as reader, _of_any_hand(each.path):
            yield from reader.judged(each.run.id)


def import_shards(store: SqliteStore, run: Run, shards: Sequence[ShardRun]) -> bool:
    """Record ``run`` with the cases, scores, votes, judges, calls and labels of its shards, in one commit.

    The earlier outcomes of cases that ran again are recorded, too.

    Returns:
        Whether the run was new; if not, nothing is changed.

    Raises:
        StoreError: a file cannot be read or holds values that no run writes, or the store cannot be written.
    """
    with contextlib.ExitStack() as stack:
        sources = [_Source(run.id, each, stack.enter_context(_opened(each.path))) for each in shards]
        judges = {judge.judge_id: judge for source in sources for judge in source.judges()}
        return store.import_run(
            run,
            (case for source in sources for case in source.cases()),
            judges.values(),
            calls=(call for source in sources for call in source.calls()),
            labels=(label for source in sources for label in source.labels()),
            earlier=(each for source in sources for each in source.earlier()),
        )


class _Source:
    """A shard, read with the case ids of the joined run."""

    def __init__(self, run_id: str, shard: ShardRun, reader: SqliteReader) -> None:
        self._run_id = run_id
        self._shard = shard
        self._reader = reader
        self._ids: dict[str, str] = {}

    def cases(self) -> Iterator[StoredCase]:
        """Yield each case after a check of all of its fields."""
        path, shard = self._shard.path, self._shard.shard
        with _of_any_hand(path):
            for case in self._reader.cases(self._shard.run.id):
                checked_case(json.loads(to_line(case, answers=True)))
                if not shard.holds(case.key.sample_id):
                    raise NotALineError(f"sample {shown_value(case.key.sample_id)} is not of shard {shard}")
                if any(type(vote.value) not in (int, float) for score in case.scores for vote in score.votes):
                    raise NotALineError(f"sample {shown_value(case.key.sample_id)} has a vote without a number")
                self._ids[case.id] = case_id(self._run_id, *identity_of(case.key))
                yield replace(case, id=self._ids[case.id])

    def judges(self) -> list[JudgeRecord]:
        """Return the judges of the shard (what each judge_id stands for)."""
        with _of_any_hand(self._shard.path):
            return self._reader.judges(self._shard.run.id)

    def calls(self) -> Iterator[tuple[str, Call]]:
        """Yield each call, after ``cases`` was read. A call of an unfinished case gets a case id that no case has."""
        with _of_any_hand(self._shard.path):
            for case, call in self._reader.run_calls(self._shard.run.id):
                check_types({name: getattr(call, name) for name in _CALL_TEXTS}, _CALL_TEXTS, "call")
                yield self._ids.get(case) or digest(f"{self._run_id}:{case}")[:24], call

    def labels(self) -> Iterator[Label]:
        """Yield the labels, after ``cases`` was read."""
        with _of_any_hand(self._shard.path):
            for label in self._reader.labels(self._shard.run.id):
                yield replace(label, case_id=self._ids[label.case_id])

    def earlier(self) -> Iterator[EarlierOutcome]:
        """Yield the earlier outcomes of cases that ran again, after ``cases`` was read."""
        with _of_any_hand(self._shard.path):
            for each in self._reader.earlier_outcomes(self._shard.run.id):
                yield replace(each, case_id=self._ids[each.case_id])


def _suites(shards: Sequence[Mapping[str, Mapping[str, Any]]]) -> dict[str, Any]:
    """Return the suites of all shards, each with the totals of its parts."""
    found: dict[str, Any] = {}
    for name in dict.fromkeys(name for suites in shards for name in suites):
        parts = [suites[name] for suites in shards if name in suites]
        expected: Counter[str] = Counter()
        for part in parts:
            expected.update(part.get("expected", {}))
        found[name] = {
            **{key: value for key, value in parts[0].items() if key not in _OF_ALL},
            "expected": dict(expected),
            "made": sum(part.get("made", 0) for part in parts),
            "deselected": sum(part.get("deselected", 0) for part in parts),
            "left_out": join_left_out(why for part in parts for why in part.get("left_out", ())),
        }
        if gone := sorted({row for part in parts for row in part.get(GONE, ())}):
            found[name][GONE] = gone
        taken = [part["selected_digest"] for part in parts if "selected_digest" in part]
        if len(taken) == len(parts):  # shards of an older version have none
            found[name]["selected_digest"] = add_digests(taken)
    return found


def _unselected(read: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield the suites that no shard has a case of because something other than ``-m`` left cases out."""
    parametrized = {name.partition("[")[0] for name, suite in read.items() if suite["made"] and "[" in name}
    for name, suite in read.items():
        is_known = suite["made"] or name not in parametrized  # a shard without rows does not know the parameter sets
        left_out = suite["left_out"] if not suite["made"] else list(filter(tells_of_cases, suite["left_out"]))
        if is_known and left_out and not suite["expected"]:
            yield name


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[SqliteReader]:
    """Open a file of this version from an untrusted source for reading."""
    check_readable(path)
    connection = sqlite3.connect(read_only(path), uri=True, timeout=BUSY_TIMEOUT_S)
    with contextlib.closing(SqliteReader(path, connection, if_damaged="")) as reader:
        yield reader


@contextlib.contextmanager
def _of_any_hand(path: Path) -> Iterator[None]:
    """Turn errors from reading untrusted rows into a StoreError that names the file."""
    try:
        yield
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise StoreError(f"{path}: it holds what no run records: {one_line(str(error), 200)}") from error
