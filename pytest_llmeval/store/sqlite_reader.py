"""Reading of runs, cases, calls and labels from the SQLite store."""

import contextlib
import copy
import itertools
import json
import sqlite3
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pytest_llmeval.core.errors import StoreError
from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.stored import Label, StoredCase
from pytest_llmeval.core.types import Call, JudgeRecord, Score, Vote
from pytest_llmeval.store import rows
from pytest_llmeval.store.check import RESTORE, SCHEMA_VERSION, read_only, readable_errors, schema_of
from pytest_llmeval.store.columns import record_of
from pytest_llmeval.store.files import BUSY_TIMEOUT_S, connected_to_read
from pytest_llmeval.store.gone_rows import is_gone
from pytest_llmeval.store.judged import CASES_SQL, OF_CASES, OF_SCORES, SCORES_SQL, judged_cases
from pytest_llmeval.store.lookup import pick_run
from pytest_llmeval.store.records import Bulk, EarlierOutcome, NamedBaseline, Run, RunName, Spending
from pytest_llmeval.store.run_order import NEWEST_FIRST
from pytest_llmeval.store.trainings import Training, to_training
from pytest_llmeval.store.vote_counts import VoteCounts, read_voting

if TYPE_CHECKING:
    from pytest_llmeval.core.gate.judging import Verdict

__all__ = ["SqliteReader", "check_rows"]

_RUNS = """
SELECT *, CASE WHEN status = 'running' THEN (
    SELECT max(cases.started_at) FROM (SELECT max(rowid) AS newest FROM cases WHERE run_id = runs.id)
    JOIN cases ON cases.rowid BETWEEN newest - 63 AND newest WHERE +cases.run_id = runs.id
) END AS last_case_at FROM runs
"""
"""Of each run, ``last_case_at`` reads only the newest cases, found by the index, as a crashed run stays ``running``."""
_UNLUCKY = f"""
SELECT * FROM cases WHERE rowid IN (
    SELECT row FROM (
        SELECT rowid AS row, row_number() OVER (PARTITION BY suite, outcome ORDER BY rowid) AS place
        FROM cases WHERE run_id = ?1 AND outcome IN ('missed', 'error') AND NOT {is_gone()}
    ) WHERE ?2 < 0 OR place <= ?2
) ORDER BY rowid
"""  # noqa: S608  # a condition of gone_rows.py
"""Picks by rowid, so that SQLite reads and sorts the full rows of the shown cases only."""

_VOTES = f"""
SELECT votes.* FROM cases CROSS JOIN votes ON votes.case_id = cases.id
WHERE +cases.run_id = ?1 AND cases.rowid BETWEEN ?2 AND ?3 AND NOT {is_gone()}
ORDER BY cases.rowid, votes.name, votes.repeat, votes.judge
"""  # noqa: S608
"""The votes of a run's cases, in the order of the cases."""
_BY_NAME = f"""
FROM cases CROSS JOIN scores ON scores.case_id = cases.id
WHERE cases.run_id = ?1 AND NOT {is_gone()} GROUP BY scores.name ORDER BY scores.name
"""
_EARLIER = f"""
SELECT * FROM earlier_outcomes WHERE run_id = ?1
AND case_id NOT IN (SELECT id FROM cases WHERE run_id = ?1 AND {is_gone()}) ORDER BY case_id, number
"""  # noqa: S608

_SPENT = """
SELECT role, model, sum(status = 'ok') AS calls,
       CASE WHEN count(read) = count(*) THEN sum(read) END AS input_tokens,
       CASE WHEN count(written) = count(*) THEN sum(written) END AS output_tokens,
       coalesce(sum(read), 0) AS known_input_tokens, coalesce(sum(written), 0) AS known_output_tokens,
       CASE WHEN count(cost_usd) = count(*) THEN sum(cost_usd) END AS cost_usd
FROM (
    SELECT role, model, status, cost_usd,
           CASE WHEN status = 'ok' AND NOT cached THEN input_tokens ELSE 0 END AS read,
           CASE WHEN status = 'ok' AND NOT cached THEN output_tokens ELSE 0 END AS written
    FROM calls WHERE run_id = ? AND (status = 'ok' OR cost_usd > 0)
) GROUP BY role, model ORDER BY role DESC, model
"""
"""Calls, tokens and cost by role and model. Failed calls count only for cost, answers from the cache not for tokens."""

_ANSWERING = """
SELECT DISTINCT model, json_extract(detail, '$.model') AS answered FROM calls
WHERE run_id = ? AND role = 'judge' AND status = 'ok' AND answered IS NOT NULL ORDER BY model, answered
"""

_OF_RUNS = "IN (SELECT value FROM json_each(?1))"
_TEXTS_OF = {
    f"cases WHERE run_id {_OF_RUNS}": ("response", "target", "input", "error", "slices"),
    f"calls WHERE run_id {_OF_RUNS}": ("request", "response", "detail"),
    f"cases JOIN scores ON scores.case_id = cases.id WHERE run_id {_OF_RUNS}": ("scores.reason",),
}
_SIZE = "SELECT count(*), sum(texts + 400 + (texts > 3600) * 2048) FROM (SELECT {texts} AS texts FROM {rows})"
"""Estimates the bytes of rows: their texts, 400 for other columns and indexes, and half a page if a row overflows
one."""
_ALONE = f"""
SELECT count(*) FROM (
    SELECT 1 FROM calls WHERE cache_key IS NOT NULL AND status = 'ok'
    GROUP BY cache_key HAVING min(run_id {_OF_RUNS})
)
"""  # noqa: S608


class _Following:
    """Rows of cases, handed out case by case in the order of the cases."""

    def __init__(self, found: Iterator[Any]) -> None:
        self._rows = found
        self._next = next(found, None)

    def of(self, case_id: str) -> Iterator[Any]:
        """Yield the rows of ``case_id``, which must be the next case; none if the next rows belong to a later case."""
        while self._next is not None and self._next["case_id"] == case_id:
            yield self._next
            self._next = next(self._rows, None)


class SqliteReader:
    """Reads runs from a database file whose schema is that of this version."""

    def __init__(
        self, path: Path, connection: sqlite3.Connection, *, db_option: str = "", if_damaged: str = RESTORE
    ) -> None:
        """Read ``path`` over ``connection``, which is closed with this object.

        Args:
            path: the database file.
            connection: a connection to it.
            db_option: the option by which shown commands find the file, with a leading space; empty if they need none.
            if_damaged: what error messages advise if runs or cases are damaged.
        """
        self.path = path
        self._if_damaged = if_damaged
        self.db_option = db_option
        self._connection = connection
        self._redact: Callable[[str], str] | None = None

    @classmethod
    def open(cls, path: Path, *, db_option: str = "") -> Self:
        """Return a reader that never writes; raise StoreError if the file cannot be read."""
        with readable_errors(path, if_damaged=RESTORE):
            return cls(path, connected_to_read(path), db_option=db_option)

    def shown(self, redact: Callable[[str], str]) -> Self:
        """Return a copy of this reader whose texts have passed through ``redact``, which removes secrets.

        The database holds texts as they were sent, because a cached answer is found by its exact request.
        """
        own = copy.copy(self)
        own._redact = redact
        return own

    @property
    def is_current(self) -> bool:
        """Whether the schema is that of this version, so that everything can be read."""
        with readable_errors(self.path):
            return schema_of(self._connection) == SCHEMA_VERSION

    def runs(self) -> list[Run]:
        """Return all runs, newest first."""
        with readable_errors(self.path, if_damaged=self._if_damaged):
            return [rows.to_run(row) for row in self._query(f"{_RUNS} {NEWEST_FIRST}")]

    def run_names(self) -> list[RunName]:
        """Return the ids and names of all runs, newest first, without reading their other data."""
        return [RunName(*row) for row in self._plain(f"SELECT id, name FROM runs {NEWEST_FIRST}")]  # noqa: S608

    def newest(self, most: int) -> list[Run]:
        """Return up to so many of the newest runs, newest first; the others are not read."""
        found = (self.run(each.id) for each in self.run_names()[:most])
        return [run for run in found if run is not None]

    def run(self, run_id: str) -> Run | None:
        """Return the run with an id; None if there is none."""
        with readable_errors(self.path, if_damaged=self._if_damaged):
            return next((rows.to_run(row) for row in self._query(f"{_RUNS} WHERE id = ?", run_id)), None)

    def known_run(self, run_id: str) -> Run:
        """Return the run with an id; raise StoreError if it does not exist, or no longer."""
        found = self.run(run_id)
        if found is None:
            raise StoreError(f"{self.path}: no run {run_id!r}; `llmeval runs` lists them")
        return found

    def find_run(self, ref: str) -> Run:
        """Return the run that ``ref`` identifies; raise StoreError if there is none or several."""
        trainings = [training for (training,) in self._plain("SELECT id FROM trainings")]
        names, where = self.run_names(), str(self.path)
        return self.known_run(pick_run(names, ref, where=where, baselines=self.baselines(), trainings=trainings).id)

    def trainings(self) -> list[Training]:
        """Return all trainings, newest first."""
        found = self._query("SELECT * FROM trainings ORDER BY started_at DESC, rowid DESC")
        with readable_errors(self.path, if_damaged=self._if_damaged):
            return [to_training(row) for row in found]

    def cases(self, run_id: str) -> Iterator[StoredCase]:
        """Yield each case with its scores, in the order in which they were recorded."""
        span = self._span(run_id)
        scores = _Following(self._query(f"SELECT scores.* {OF_SCORES}", *span))
        votes = _Following(self._query(_VOTES, *span))
        for row in self._query(f"SELECT * {OF_CASES}", *span):
            yield self._case(row, scores.of(row["id"]), votes.of(row["id"]))

    def unlucky(self, run_id: str, *, most: int | None) -> Iterator[StoredCase]:
        """Yield cases whose outcome is missed or error, like ``cases``; at most ``most`` of each suite and outcome."""
        for row in self._query(_UNLUCKY, run_id, -1 if most is None else most):
            yield self._whole(row)

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        """Read everything inside from one snapshot of the database, whatever a live run writes meanwhile."""
        with readable_errors(self.path):
            self._connection.execute("BEGIN")
        try:
            yield
        finally:
            self._connection.rollback()

    def score_names(self, run_id: str) -> dict[str, bool]:
        """Return the names of a run's scores, sorted; the value says whether ``decided_by`` is known of any of them."""
        found = self._plain(f"SELECT scores.name, max(scores.decided_by IS NOT NULL) {_BY_NAME}", run_id)
        return {name: bool(is_known) for name, is_known in found}

    def judged(self, run_id: str) -> Iterator[JudgedCase]:
        """Yield what the gate needs of each case, in the order of recording; texts are not read."""
        span = self._span(run_id)
        with readable_errors(self.path, if_damaged=self._if_damaged):
            yield from judged_cases(self._plain(CASES_SQL, *span), self._plain(SCORES_SQL, *span))

    def calls(self, case_id: str) -> list[Call]:
        """Return the calls of a case in the order of recording, including those of failed attempts."""
        found = self._query("SELECT * FROM calls WHERE case_id = ? ORDER BY rowid", case_id)
        with readable_errors(self.path):
            return [rows.to_call(row) for row in found]

    def run_calls(self, run_id: str) -> Iterator[tuple[str, Call]]:
        """Yield each call of a run with the id of its case; a damaged answer has no cache key, so it is not reused."""
        for row in self._query("SELECT * FROM calls WHERE run_id = ? ORDER BY rowid", run_id):
            with readable_errors(self.path):
                call = rows.to_call(row)
            yield row["case_id"], call if rows.is_whole(row) else replace(call, cache_key=None)

    def earlier_outcomes(self, run_id: str) -> list[EarlierOutcome]:
        """Return the earlier outcomes of cases that ran again, grouped by case and ordered by number."""
        with readable_errors(self.path, if_damaged=self._if_damaged):
            return [rows.to_earlier(row) for row in self._query(_EARLIER, run_id)]

    def judges(self, run_id: str) -> list[JudgeRecord]:
        """Return the judges of a run (what each judge_id stands for), sorted by judge_id."""
        return [
            record_of(JudgeRecord, row)
            for row in self._query("SELECT * FROM judges WHERE run_id = ? ORDER BY judge_id", run_id)
        ]

    def verdicts(self, run_id: str) -> list["Verdict"]:
        """Return the verdicts of a run, in the order in which the gate made them."""
        return [
            rows.to_verdict(row)
            for row in self._query("SELECT * FROM verdicts WHERE run_id = ? ORDER BY rowid", run_id)
        ]

    def labels(self, run_id: str) -> list[Label]:
        """Return the labels that people gave to cases of a run, in the order of recording."""
        return [
            rows.to_label(row)
            for row in self._query(
                "SELECT labels.* FROM labels JOIN cases ON cases.id = labels.case_id"  # noqa: S608
                f" WHERE cases.run_id = ?1 AND NOT {is_gone()} ORDER BY labels.rowid",
                run_id,
            )
        ]

    def labelled_runs(self) -> set[str]:
        """Return the ids of the runs that have labels."""
        sql = "SELECT DISTINCT run_id FROM cases WHERE id IN (SELECT case_id FROM labels)"
        return {run_id for (run_id,) in self._plain(sql)}

    def labelled(self) -> tuple[list[StoredCase], list[Label], list[JudgeRecord]]:
        """Return all labelled cases of all runs, their labels, and one record of every judge_id."""
        cases = [
            self._with_scores(row)
            for row in self._query("SELECT * FROM cases WHERE id IN (SELECT case_id FROM labels) ORDER BY rowid")
        ]
        labels = [rows.to_label(row) for row in self._query("SELECT * FROM labels ORDER BY rowid")]
        judges = [record_of(JudgeRecord, row) for row in self._query("SELECT * FROM judges GROUP BY judge_id")]
        return cases, labels, judges

    def spending(self, run_id: str) -> list[Spending]:
        """Return the calls, tokens and cost of a run by role and model, including calls of unfinished cases."""
        return [Spending(**dict(row)) for row in self._query(_SPENT, run_id)]

    def answering(self, run: Run) -> dict[str, list[str]]:
        """Return the models that reported to have answered for each judge of a run, by the judge's name; all sorted.

        An alias may stand for another model over time. An imported run has no calls; its file recorded the models on
        export.
        """
        if run.answering or not run.judge_models:
            return run.answering
        found: dict[str, list[str]] = {}
        for judge, model in self._plain(_ANSWERING, run.id):
            found.setdefault(judge, []).append(model)
        return found

    def bulk(self, run_ids: Sequence[str]) -> Bulk:
        """Return what runs take of the database, and how many of their cached answers no other run has."""
        ids = json.dumps(run_ids)
        sizes = [self._size(kind, ids) for kind in _TEXTS_OF]
        ((alone,),) = self._plain(_ALONE, ids)
        return Bulk(cases=sizes[0][0], bytes=sum(size for _, size in sizes), cached_answers=alone)

    def voting(self, run_id: str) -> VoteCounts:
        """Return counts of how far the judges of a run agreed, with each other and with themselves."""
        return read_voting(self._plain, run_id)

    def baselines(self) -> list[NamedBaseline]:
        """Return the named baselines, sorted by name, except those whose run was deleted by other means."""
        sql = "SELECT baselines.* FROM baselines JOIN runs ON runs.id = run_id ORDER BY baselines.name"
        return [NamedBaseline(**dict(row)) for row in self._query(sql)]

    def close(self) -> None:
        """Close the file; calling it again does nothing."""
        self._connection.close()

    def _span(self, run_id: str) -> tuple[object, ...]:
        """Return the parameters of the queries for a run's cases: its id, and its first and last rowid."""
        (ends,) = self._plain("SELECT min(rowid), max(rowid) FROM cases WHERE run_id = ?", run_id)
        return (run_id, *ends)

    def _whole(self, row: Any) -> StoredCase:
        """Return the case of a row, with its scores and their votes."""
        return self._with_scores(
            row, self._query("SELECT * FROM votes WHERE case_id = ? ORDER BY name, repeat, judge", row["id"])
        )

    def _with_scores(self, row: Any, votes: Iterable[Any] = ()) -> StoredCase:
        """Return the case of a row with its scores, and with those votes that are given."""
        scores = self._query("SELECT * FROM scores WHERE case_id = ? ORDER BY name", row["id"])
        return self._case(row, scores, votes)

    def _case(self, row: Any, scores: Iterable[Any], votes: Iterable[Any]) -> StoredCase:
        with readable_errors(self.path, if_damaged=self._if_damaged):
            return rows.to_case(row, _voted(scores, votes))

    def _size(self, rows_of_runs: str, ids: str) -> tuple[int, int]:
        """Return the number of such rows, and the approximate bytes that they take."""
        texts = " + ".join(f"ifnull(length({name}), 0)" for name in _TEXTS_OF[rows_of_runs])
        ((count, size),) = self._plain(_SIZE.format(texts=texts, rows=rows_of_runs), ids)
        return int(count), int(size or 0)

    def _query(self, sql: str, *parameters: object) -> Iterator[Any]:
        """Yield rows whose columns are accessible by name, without secrets if this reader redacts."""
        with readable_errors(self.path):
            cursor = self._connection.cursor()
            cursor.row_factory = sqlite3.Row
            found = _unclosed(cursor.execute(sql, parameters))
            yield from found if self._redact is None else (rows.shown(row, self._redact) for row in found)

    def _plain(self, sql: str, *parameters: object) -> Iterator[tuple[Any, ...]]:
        """Yield rows as tuples, which is faster for many rows."""
        with readable_errors(self.path):
            yield from _unclosed(self._connection.execute(sql, parameters))


def check_rows(path: Path) -> None:
    """Read all runs of a database with their cases and calls; raise StoreError if one is damaged.

    A database of an older version is not read.
    """
    with readable_errors(path, if_damaged=RESTORE):
        connection = sqlite3.connect(read_only(path), uri=True, timeout=BUSY_TIMEOUT_S)
    with contextlib.closing(SqliteReader(path, connection)) as reader:
        for run in reader.runs() if reader.is_current else ():
            for rows_of in (reader.cases, reader.run_calls, reader.earlier_outcomes):
                deque(rows_of(run.id), maxlen=0)


_unclosed = itertools.chain
"""Wrapper that keeps a dropped generator from closing its cursor, by which time the database may be closed."""


def _voted(scores: Iterable[Any], votes: Iterable[Any]) -> tuple[Score, ...]:
    """Return the scores of the rows, each with its votes."""
    found: dict[str, list[Vote]] = defaultdict(list)
    for row in votes:
        found[row["name"]].append(record_of(Vote, row))
    return tuple(rows.to_score(row, tuple(found.get(row["name"], ()))) for row in scores)
