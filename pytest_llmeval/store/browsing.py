"""Paging through the cases of a run for the browser view: filters run in SQL, and few rows are read.

Nearly every run occupies one contiguous stretch of rowids, so a page is read from there in the order of recording. A
filter that few cases match costs one pass over the run's rows, without their answers.
"""

import json
import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

from pytest_llmeval.core.gate.flips import flip_of
from pytest_llmeval.core.stored import Label, StoredCase
from pytest_llmeval.core.types import Outcome
from pytest_llmeval.store import rows
from pytest_llmeval.store.gone_rows import is_gone
from pytest_llmeval.store.records import Run, RunName
from pytest_llmeval.store.sqlite_reader import SqliteReader

__all__ = ["Against", "BrowsingReader", "CasePage", "CasePair", "Group", "Wanted"]

_OF = " AND ".join(f"{{0}}.{name} = {{1}}.{name}" for name in ("run_id", "model", "suite", "sample_id"))
_OTHER = "CASE cases.outcome WHEN 'passed' THEN 'missed' WHEN 'missed' THEN 'passed' END"
_SHARES = ", ".join(
    f"(SELECT {what} FROM cases AS epochs WHERE {_OF.format('epochs', of)} AND epochs.outcome IN ('passed', 'missed'))"  # noqa: S608  # no words but ours
    for of in ("base", "cases")
    for what in ("avg(epochs.outcome = 'passed')", "count(*)")
)
"""Share of a row's epochs that passed, and their number, first in the other run and then in this one."""
_FLIPPED = f"""flip_of({_SHARES}) = CASE cases.outcome WHEN 'passed' THEN 1 ELSE -1 END
AND NOT EXISTS (
    SELECT 1 FROM cases AS epochs WHERE {_OF.format("epochs", "cases")} AND epochs.outcome = cases.outcome AND (
        NOT EXISTS (
            SELECT 1 FROM cases AS was WHERE {_OF.format("was", "base")} AND was.epoch = epochs.epoch
            AND was.outcome = base.outcome
        ), epochs.epoch
    ) < (base.epoch != cases.epoch, cases.epoch)
)
"""  # noqa: S608  # nothing of it is said by anybody
"""Condition that picks one case of a flipped row: the first epoch whose counterpart in the other run had the opposite
outcome; without such a pair, the first epoch that had the opposite outcome of some epoch there."""
_SHORT = 300
"""Number of characters that a list shows of a long text."""
_SEARCHED = 20_000
"""Largest number of cases that a search reads for one page."""
_LONG = ("error", "response", "target")
_TEXTS = ("sample_id", *_LONG)
"""Columns that a search covers, besides the requests."""
_JSON = "target"
"""The searched column that may hold ASCII-escaped JSON, like a request."""
_FOUND = "cases.{column} LIKE ? ESCAPE '!' AND {shown} LIKE ? ESCAPE '!'"
"""A text matches only if it also matches as shown: otherwise a search could find out a key prefix by prefix."""
_ASKED = """
EXISTS (
    SELECT 1 FROM calls WHERE case_id = cases.id AND role = 'model' AND request LIKE ? ESCAPE '!' AND EXISTS (
        SELECT 1 FROM json_tree(request, '$.messages') AS part
        WHERE (
            part.key IN ('content', 'text')
            OR part.key IN ('name', 'arguments') AND part.path LIKE '%tool_calls%'
        )
        AND part.type = 'text' AND {shown} LIKE ? ESCAPE '!'
    )
)
"""
"""Condition on the request. Most requests do not contain the text at all; only the others are parsed as JSON."""
_CALLED = """
EXISTS (
    SELECT 1 FROM calls WHERE case_id = cases.id AND role = 'model' AND detail LIKE ? ESCAPE '!' AND EXISTS (
        SELECT 1 FROM json_tree(detail, '$.tool_calls') AS part
        WHERE part.key IN ('name', 'arguments') AND part.type = 'text' AND {shown} LIKE ? ESCAPE '!'
    )
)
"""
"""The same condition on the name or the arguments of a called tool."""
_LABELLABLE = f"""
SELECT cases.id, cases.suite, cases.model, cases.sample_id, cases.epoch, scores.judge_id, scores.decided_by
FROM cases CROSS JOIN scores ON scores.case_id = cases.id
WHERE +cases.run_id = ?1 AND cases.rowid BETWEEN ?2 AND ?3 AND NOT {is_gone()}
AND scores.judge_id IS NOT NULL AND scores.dimension IS NOT NULL
AND (scores.value IS NOT NULL OR scores.status = 'error')
ORDER BY cases.rowid
"""  # noqa: S608  # a condition of gone_rows.py


@dataclass(frozen=True, slots=True, kw_only=True)
class Against:
    """A run of the same database that the cases of another run are compared with."""

    run_id: str
    model: str | None = None
    """The one model of that run that every model is compared with; None pairs equal models."""
    suite: str | None = None
    """The one suite of that run that every suite is compared with; None pairs equal suites."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Filter for the cases of a run; None and empty values do not filter."""

    suite: str | None = None
    model: str | None = None
    slice: str | None = None
    outcome: Outcome | None = None
    search: str = ""
    """Text to find in the id, the request, the answer, the target, the name or arguments of a called tool, or the
    error; ASCII case is ignored."""
    flipped: Against | None = None
    """Run against which rows flipped (see ``flip_of``) with the same input; each gives one case, an epoch that passed
    there and missed here, or the other way round."""


class CasePair(NamedTuple):
    """A case, and its partner in the run that it is compared with."""

    case: StoredCase
    partner: StoredCase | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CasePage:
    """One page of cases, in the order of recording."""

    pairs: Sequence[CasePair]
    before: int | None
    """Value of ``before`` that asks for the previous page; None if there is none."""
    after: int | None
    """Value of ``after`` that asks for the next page; None if there is none. A search stops after many cases, perhaps
    without a match."""


class Group(NamedTuple):
    """Number of cases of a suite and model with one outcome."""

    suite: str
    model: str
    outcome: Outcome
    cases: int


class _Stretch(NamedTuple):
    """A range of rowids of a run, both ends included."""

    first: int
    last: int
    has_before: bool
    """Whether the run has rowids before the range."""
    has_after: bool


class BrowsingReader(SqliteReader):
    """Reader of one snapshot of the database, for browsing the cases of large runs."""

    def __init__(self, path: Path, connection: sqlite3.Connection, *, db_option: str = "") -> None:
        """Read ``path`` over ``connection``, which is closed with this object."""
        super().__init__(path, connection, db_option=db_option)
        connection.create_function("flip_of", 4, flip_of, deterministic=True)
        self._spans: dict[str, tuple[Any, ...]] = {}
        self._runs: list[Run] | None = None
        self._names: list[RunName] | None = None
        self._shown = "{}"
        """Format string that turns the SQL of a text into the SQL of the text as people may see it."""

    def shown(self, redact: Callable[[str], str]) -> Self:
        """Return a copy of this reader without secrets, like SqliteReader.shown."""
        self._connection.create_function("shown", 1, lambda text: None if text is None else redact(text))
        own = super().shown(redact)
        own._shown = "shown({})"
        return own

    def runs(self) -> list[Run]:
        """Return all runs, newest first; they are read only once."""
        if self._runs is None:
            self._runs = super().runs()
        return [*self._runs]

    def run_names(self) -> list[RunName]:
        """Return the ids and names of all runs; they are read only once, however often a page resolves a run."""
        if self._names is None:
            self._names = super().run_names()
        return [*self._names]

    def size(self, run_id: str) -> int:
        """Return an upper bound of the number of recorded cases of a run, without reading them."""
        _, first, last = self._span(run_id)
        return 0 if first is None else last - first + 1

    def groups(self, run_id: str) -> list[Group]:
        """Return the number of cases by suite, model and outcome, sorted in this order."""
        sql = (
            "SELECT suite, model, outcome, count(*) FROM cases"  # noqa: S608  # a condition of gone_rows.py
            f" WHERE +run_id = ?1 AND rowid BETWEEN ?2 AND ?3 AND NOT {is_gone()}"
            " GROUP BY suite, model, outcome ORDER BY suite, model, outcome"
        )
        return [Group(*row) for row in self._plain(sql, *self._span(run_id))]

    def slice_names(self, run_id: str) -> list[str]:
        """Return the names of the slices of a run's cases, sorted."""
        span = "+run_id = ?1 AND rowid BETWEEN ?2 AND ?3"
        sql = f"SELECT DISTINCT slices FROM cases WHERE {span} AND NOT {is_gone()}"  # noqa: S608
        return sorted({name for (found,) in self._plain(sql, *self._span(run_id)) for name in json.loads(found)})

    def page(
        self, run_id: str, wanted: Wanted, *, size: int, after: int | None = None, before: int | None = None
    ) -> CasePage:
        """Return a page of the wanted cases, next to a place (a rowid).

        Args:
            run_id: the run.
            wanted: the filter.
            size: the largest number of cases, from 1.
            after: the place after which the page starts; None without ``before`` means the first page.
            before: the place before which the page ends.
        """
        stretch = self._stretch(run_id, wanted, after, before)
        wanted_cases, parameters = self._from(wanted, (run_id, stretch.first, stretch.last))
        partner = "base.id" if wanted.flipped is not None else "NULL"
        sql = (
            f"SELECT cases.rowid AS place, {partner} AS partner, {self._short_columns()} {wanted_cases}"
            f" ORDER BY cases.rowid {'ASC' if before is None else 'DESC'} LIMIT ?"
        )
        found = list(self._query(sql, *parameters, size + 1))
        is_more, found = len(found) > size, found[:size]
        if before is not None:
            found.reverse()
        is_more_before, is_more_after = (is_more, False) if before is not None else (False, is_more)
        return CasePage(
            pairs=[CasePair(self._with_scores(row), self._short_case(row["partner"])) for row in found],
            before=found[0]["place"] if is_more_before else stretch.first if stretch.has_before else None,
            after=found[-1]["place"] if is_more_after else stretch.last if stretch.has_after else None,
        )

    def _stretch(self, run_id: str, wanted: Wanted, after: int | None, before: int | None) -> "_Stretch":
        """Return the rows to read for one page: up to the end of the run, but for a search only _SEARCHED of them."""
        _, first, last = self._span(run_id)
        if first is None:
            return _Stretch(0, -1, False, False)
        most = _SEARCHED if wanted.search else last - first + 1
        if before is not None:
            end = min(before - 1, last)
            begin = max(first, end - most + 1)
        else:
            begin = first if after is None else max(first, after + 1)
            end = min(last, begin + most - 1)
        return _Stretch(begin, end, begin > first, end < last)

    def count(self, run_id: str, wanted: Wanted) -> int:
        """Return the number of wanted cases."""
        wanted_cases, parameters = self._from(wanted, self._span(run_id))
        ((found,),) = self._plain(f"SELECT count(*) {wanted_cases}", *parameters)
        return int(found)

    def case(self, case_id: str) -> StoredCase | None:
        """Return a case of any run with its scores and their votes; None if there is no such id."""
        found = next(self._query("SELECT * FROM cases WHERE id = ?", case_id), None)
        return None if found is None else self._whole(found)

    def run_of(self, case_id: str) -> str | None:
        """Return the id of the run that a case belongs to; None if there is no such case."""
        return next((run_id for (run_id,) in self._plain("SELECT run_id FROM cases WHERE id = ?", case_id)), None)

    def partner(self, case: StoredCase, against: Against) -> StoredCase | None:
        """Return the same case of another run; None if there is none, or if its input was different there."""
        key = case.key
        sql = (
            "SELECT id FROM cases"  # noqa: S608  # a condition of gone_rows.py
            " WHERE run_id = ?1 AND suite = ? AND model = ? AND sample_id = ? AND epoch = ?"
            f" AND input_digest IS ? AND NOT {is_gone()}"
        )
        suite = key.suite if against.suite is None else against.suite
        model = key.model if against.model is None else against.model
        found = self._plain(sql, against.run_id, suite, model, key.sample_id, key.epoch, case.input_digest)
        return next((self.case(case_id) for (case_id,) in found), None)

    def epochs(self, run_id: str, case: StoredCase) -> list[tuple[int, str, Outcome]]:
        """Return number, id and outcome of every epoch of a case's row and model, sorted by number."""
        sql = (
            "SELECT epoch, id, outcome FROM cases WHERE run_id = ? AND suite = ? AND model = ? AND sample_id = ?"
            " ORDER BY epoch"
        )
        key = case.key
        return [(row[0], row[1], row[2]) for row in self._plain(sql, run_id, key.suite, key.model, key.sample_id)]

    def labels_of(self, case_id: str) -> list[Label]:
        """Return the labels of a case, in the order of recording."""
        found = self._query("SELECT * FROM labels WHERE case_id = ? ORDER BY rowid", case_id)
        return [rows.to_label(row) for row in found]

    def labelled_by(self, run_id: str, rater: str) -> set[str]:
        """Return the ids of the cases of a run that a rater has labelled."""
        sql = "SELECT case_id FROM labels JOIN cases ON cases.id = case_id WHERE rater = ? AND run_id = ?"
        return {case_id for (case_id,) in self._plain(sql, rater, run_id)}

    def labels_given(self) -> tuple[int, str | None]:
        """Return the number of labels of all runs, and the time of the newest; None for it if there are no labels."""
        ((count, last),) = self._plain("SELECT count(*), max(at) FROM labels")
        return count, last

    def judged_scores(self, run_id: str) -> Iterator[tuple[Any, ...]]:
        """Yield each dimension's score that a judge gave or a split panel voted on, in the order of recording.

        Each is a tuple: the case's id, suite, model, sample id and epoch, the judge_id, and who decided.
        """
        yield from self._plain(_LABELLABLE, *self._span(run_id))

    def _span(self, run_id: str) -> tuple[Any, ...]:
        """Return the parameters of the queries for a run's cases, which are looked up once per reader."""
        if run_id not in self._spans:
            self._spans[run_id] = super()._span(run_id)
        return self._spans[run_id]

    def _short_case(self, case_id: str | None) -> StoredCase | None:
        """Return a case as a list shows it: with long texts cut."""
        sql = f"SELECT {self._short_columns()} FROM cases WHERE id = ?"  # noqa: S608  # names of columns
        found = next(self._query(sql, case_id), None) if case_id is not None else None
        return None if found is None else self._with_scores(found)

    def _short_columns(self) -> str:
        """Return the columns of a case as SQL, with long texts cut."""
        names = [row[1] for row in self._plain("PRAGMA table_info(cases)")]
        whole = self._shown.format  # redact before cutting: half a key would not be recognised
        return ", ".join(
            f"substr({whole(f'cases.{name}')}, 1, {_SHORT}) AS {name}" if name in _LONG else f"cases.{name}"
            for name in names
        )

    def _from(self, wanted: Wanted, span: tuple[Any, ...]) -> tuple[str, list[object]]:
        """Return the FROM and WHERE clauses for the wanted cases in ``span`` and their partners, and the parameters."""
        where, parameters = self._conditions(wanted)
        joined, joins = ("", []) if wanted.flipped is None else _joined(wanted.flipped)
        sql = (
            f"FROM cases {joined} WHERE +cases.run_id = ? AND cases.rowid BETWEEN ? AND ?"
            f" AND NOT {is_gone(run='?')}{''.join(f' AND {each}' for each in where)}"
        )
        return sql, [*joins, *span, span[0], *parameters]

    def _conditions(self, wanted: Wanted) -> tuple[list[str], list[object]]:
        """Return the SQL conditions on a case, and their parameters."""
        where: list[str] = []
        parameters: list[object] = []
        for column in ("suite", "model", "outcome"):
            value = getattr(wanted, column)
            if value is not None:
                where.append(f"+cases.{column} = ?")  # "+" keeps SQLite from using its index instead of the rowid range
                parameters.append(value)
        if wanted.slice is not None:
            where.append("(instr(cases.slices, '[' || ?) OR instr(cases.slices, ' ' || ?))")
            parameters += [json.dumps(wanted.slice)] * 2  # as rows.py writes it, with quotes escaped
        if wanted.search:
            condition, texts = self._search(wanted.search)
            where.append(condition)
            parameters += texts
        if wanted.flipped is not None:
            where.append(_FLIPPED)
        return where, parameters

    def _search(self, text: str) -> tuple[str, list[object]]:
        """Return the SQL condition on a case that contains a text, and its parameters."""
        plain, as_json = _like(text), _like(json.dumps(text)[1:-1])
        columns = (*_TEXTS, _JSON)
        shown = {name: self._shown if name in _LONG else "{}" for name in columns}  # pages show ids as they are
        told = [_FOUND.format(column=name, shown=shown[name].format(f"cases.{name}")) for name in columns]
        parts = [sql.format(shown=self._shown.format("part.value")) for sql in (_ASKED, _CALLED)]
        in_parts = [as_json, plain] * len(parts)
        return f"({' OR '.join([*told, *parts])})", [*[plain] * (2 * len(_TEXTS)), *[as_json] * 2, *in_parts]


def _like(text: str) -> str:
    """Return the LIKE pattern for texts that contain ``text``; ``!`` is the escape character."""
    return "%" + re.sub("([%_!])", r"!\1", text) + "%"


def _joined(against: Against) -> tuple[str, list[object]]:
    """Return the join of a case with an epoch of its row that had the opposite outcome, and the parameters.

    It is the epoch of the same number if that had it, else the first that had; the table's own UNIQUE index finds it.
    """
    named = [each for each in (against.model, against.suite) if each is not None]
    model, suite = (f"cases.{name}" if getattr(against, name) is None else "?" for name in ("model", "suite"))
    sql = (
        "CROSS JOIN cases AS base ON base.rowid = (SELECT place FROM ("  # noqa: S608  # no words but ours
        "SELECT was.rowid AS place, was.epoch != cases.epoch AS is_other, was.epoch AS epoch FROM cases AS was"
        f" WHERE was.run_id = ? AND was.model = {model} AND was.suite = {suite} AND was.sample_id = cases.sample_id"
        f" AND was.outcome = {_OTHER} AND was.input_digest IS cases.input_digest"
        f" AND NOT {is_gone(run='?', cases='was')}"
        ") ORDER BY is_other, epoch LIMIT 1)"
    )
    return sql, [against.run_id, *named, against.run_id]
