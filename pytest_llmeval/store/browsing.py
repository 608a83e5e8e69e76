"""The cases of a run page by page, as people look through them: what is wanted is found in SQL, few rows are read.

Nearly every run lies in one stretch of its table, so a page is read from there in the order of recording; what fits
seldom costs one pass over the rows of the run, without their answers.
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
from pytest_llmeval.store.records import Run
from pytest_llmeval.store.sqlite_reader import SqliteReader

__all__ = ["Against", "BrowsingReader", "CasePage", "CasePair", "Group", "Wanted"]

_OF = " AND ".join(f"{{0}}.{name} = {{1}}.{name}" for name in ("run_id", "model", "suite", "sample_id"))
_OTHER = "CASE cases.outcome WHEN 'passed' THEN 'missed' WHEN 'missed' THEN 'passed' END"
_SHARES = ", ".join(
    f"(SELECT {what} FROM cases AS epochs WHERE {_OF.format('epochs', of)} AND epochs.outcome IN ('passed', 'missed'))"  # noqa: S608  # no words but ours
    for of in ("base", "cases")
    for what in ("avg(epochs.outcome = 'passed')", "count(*)")
)
"""Which share of the epochs of a row passed in each of the runs, and how many it is of."""
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
"""A case of a row that flipped, and its partner: the first epoch that came to something else than the same epoch did in
the other run, or than any did there, where their numbers differ."""
_SHORT = 300
"""Characters of a long text that a list shows."""
_SEARCHED = 20_000
"""Cases that a search looks through for one page."""
_LONG = ("error", "response", "target")
_TEXTS = ("sample_id", *_LONG)
"""Columns in which a search looks, beside what was asked."""
_JSON = "target"
"""That of them in which a text may stand as JSON has it, in ASCII, as in what was asked."""
_FOUND = "cases.{column} LIKE ? ESCAPE '!' AND {shown} LIKE ? ESCAPE '!'"
"""A text holds what is searched for, also as it is shown: nobody finds out a key by searching for its beginnings."""
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
"""What was asked holds it, too. Most requests do not hold it at all, and only others are read as JSON."""
_CALLED = """
EXISTS (
    SELECT 1 FROM calls WHERE case_id = cases.id AND role = 'model' AND detail LIKE ? ESCAPE '!' AND EXISTS (
        SELECT 1 FROM json_tree(detail, '$.tool_calls') AS part
        WHERE part.key IN ('name', 'arguments') AND part.type = 'text' AND {shown} LIKE ? ESCAPE '!'
    )
)
"""
"""The name or the arguments of a tool that was called hold it, as with what was asked."""
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
    """A run of the same database that the cases of another are held against."""

    run_id: str
    model: str | None = None
    """The one model of it that all models are held against; None pairs equal models."""
    suite: str | None = None
    """The one suite of it that all suites are held against; None pairs equal suites."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which cases of a run are looked for; None and empty leave a condition out."""

    suite: str | None = None
    model: str | None = None
    slice: str | None = None
    outcome: Outcome | None = None
    search: str = ""
    """A part of the id, of what was asked, answered or expected, of a called tool's name or arguments, or of the error;
    without regard to ASCII case."""
    flipped: Against | None = None
    """Only one case of each row that flipped since, as ``flip_of`` says, with the same input: an epoch that passed
    there and missed here, or the other way round."""


class CasePair(NamedTuple):
    """A case, and its partner in the run that it is held against."""

    case: StoredCase
    partner: StoredCase | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CasePage:
    """Some cases in the order of recording."""

    pairs: Sequence[CasePair]
    before: int | None
    """The place with which the page before is asked for; None where nothing lies before this one."""
    after: int | None
    """The same of the next page. A search that has looked through many cases stops there, and may have found none."""


class Group(NamedTuple):
    """How many cases of a suite and model came to an outcome."""

    suite: str
    model: str
    outcome: Outcome
    cases: int


class _Stretch(NamedTuple):
    """Places of a run, both ends included."""

    first: int
    last: int
    has_before: bool
    """Whether places of the run lie before them."""
    has_after: bool


class BrowsingReader(SqliteReader):
    """A reader of one moment for looking through the cases of large runs."""

    def __init__(self, path: Path, connection: sqlite3.Connection, *, db_option: str = "") -> None:
        """Read ``path`` over ``connection``, which is closed with this object."""
        super().__init__(path, connection, db_option=db_option)
        connection.create_function("flip_of", 4, flip_of, deterministic=True)
        self._spans: dict[str, tuple[Any, ...]] = {}
        self._runs: list[Run] | None = None
        self._shown = "{}"
        """A text of the database as SQL that yields what people may see of it."""

    def shown(self, redact: Callable[[str], str]) -> Self:
        """Return this reader without secrets, as every reader does."""
        self._connection.create_function("shown", 1, lambda text: None if text is None else redact(text))
        own = super().shown(redact)
        own._shown = "shown({})"
        return own

    def runs(self) -> list[Run]:
        """Return all runs, the newest first; they are read once, however often a page asks which one is meant."""
        if self._runs is None:
            self._runs = super().runs()
        return [*self._runs]

    def size(self, run_id: str) -> int:
        """Return how many cases of a run were recorded, at most, without reading them."""
        _, first, last = self._span(run_id)
        return 0 if first is None else last - first + 1

    def groups(self, run_id: str) -> list[Group]:
        """Return how many cases there are by suite, model and outcome, in this order."""
        sql = (
            "SELECT suite, model, outcome, count(*) FROM cases"  # noqa: S608  # a condition of gone_rows.py
            f" WHERE +run_id = ?1 AND rowid BETWEEN ?2 AND ?3 AND NOT {is_gone()}"
            " GROUP BY suite, model, outcome ORDER BY suite, model, outcome"
        )
        return [Group(*row) for row in self._plain(sql, *self._span(run_id))]

    def slice_names(self, run_id: str) -> list[str]:
        """Return the slices that cases of a run lie in, sorted."""
        span = "+run_id = ?1 AND rowid BETWEEN ?2 AND ?3"
        sql = f"SELECT DISTINCT slices FROM cases WHERE {span} AND NOT {is_gone()}"  # noqa: S608
        return sorted({name for (found,) in self._plain(sql, *self._span(run_id)) for name in json.loads(found)})

    def page(
        self, run_id: str, wanted: Wanted, *, size: int, after: int | None = None, before: int | None = None
    ) -> CasePage:
        """Return the cases that are wanted, next to a place.

        Args:
            run_id: of the run.
            wanted: which of its cases.
            size: how many, from 1.
            after: the place behind which they stand; None and no ``before``: the first ones.
            before: the place before which they stand.
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
        """Return the rows to be looked at for one page: up to the end of the run, of a search only so many."""
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
        """Return how many cases are wanted."""
        wanted_cases, parameters = self._from(wanted, self._span(run_id))
        ((found,),) = self._plain(f"SELECT count(*) {wanted_cases}", *parameters)
        return int(found)

    def case(self, case_id: str) -> StoredCase | None:
        """Return a case of any run with its scores and their votes; None where there is none of that id."""
        found = next(self._query("SELECT * FROM cases WHERE id = ?", case_id), None)
        return None if found is None else self._whole(found)

    def run_of(self, case_id: str) -> str | None:
        """Return the id of the run that a case belongs to; None where there is no such case."""
        return next((run_id for (run_id,) in self._plain("SELECT run_id FROM cases WHERE id = ?", case_id)), None)

    def partner(self, case: StoredCase, against: Against) -> StoredCase | None:
        """Return the same case of another run; None where it has none, or its row was another one then."""
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
        """Return number, id and outcome of every epoch of a case's row and model, by number."""
        sql = (
            "SELECT epoch, id, outcome FROM cases WHERE run_id = ? AND suite = ? AND model = ? AND sample_id = ?"
            " ORDER BY epoch"
        )
        key = case.key
        return [(row[0], row[1], row[2]) for row in self._plain(sql, run_id, key.suite, key.model, key.sample_id)]

    def labels_of(self, case_id: str) -> list[Label]:
        """Return what people said of a case, in the order of recording."""
        found = self._query("SELECT * FROM labels WHERE case_id = ? ORDER BY rowid", case_id)
        return [rows.to_label(row) for row in found]

    def labelled_by(self, run_id: str, rater: str) -> set[str]:
        """Return the ids of the cases of a run of which a person said something."""
        sql = "SELECT case_id FROM labels JOIN cases ON cases.id = case_id WHERE rater = ? AND run_id = ?"
        return {case_id for (case_id,) in self._plain(sql, rater, run_id)}

    def labels_given(self) -> tuple[int, str | None]:
        """Return how many labels there are, of all runs, and when the last one was given; None without any."""
        ((count, last),) = self._plain("SELECT count(*), max(at) FROM labels")
        return count, last

    def judged_scores(self, run_id: str) -> Iterator[tuple[Any, ...]]:
        """Yield each score of a dimension that a judge gave or a split panel voted on, in the order of recording.

        As the case's id, suite, model, sample id and epoch, the judge_id, and who decided.
        """
        yield from self._plain(_LABELLABLE, *self._span(run_id))

    def _span(self, run_id: str) -> tuple[Any, ...]:
        """Return the parameters of what reads the cases of a run, which are looked up once for a reader."""
        if run_id not in self._spans:
            self._spans[run_id] = super()._span(run_id)
        return self._spans[run_id]

    def _short_case(self, case_id: str | None) -> StoredCase | None:
        """Return a case as a list shows it: of its long texts the beginning."""
        sql = f"SELECT {self._short_columns()} FROM cases WHERE id = ?"  # noqa: S608  # names of columns
        found = next(self._query(sql, case_id), None) if case_id is not None else None
        return None if found is None else self._with_scores(found)

    def _short_columns(self) -> str:
        """Return the columns of a case as SQL, of long texts the beginning."""
        names = [row[1] for row in self._plain("PRAGMA table_info(cases)")]
        whole = self._shown.format  # of half a key nobody knows that it is one
        return ", ".join(
            f"substr({whole(f'cases.{name}')}, 1, {_SHORT}) AS {name}" if name in _LONG else f"cases.{name}"
            for name in names
        )

    def _from(self, wanted: Wanted, span: tuple[Any, ...]) -> tuple[str, list[object]]:
        """Return the cases that are wanted of a run's ``span`` as SQL, each beside its partner, and the parameters."""
        where, parameters = self._conditions(wanted)
        joined, joins = ("", []) if wanted.flipped is None else _joined(wanted.flipped)
        sql = (
            f"FROM cases {joined} WHERE +cases.run_id = ? AND cases.rowid BETWEEN ? AND ?"
            f" AND NOT {is_gone(run='?')}{''.join(f' AND {each}' for each in where)}"
        )
        return sql, [*joins, *span, span[0], *parameters]

    def _conditions(self, wanted: Wanted) -> tuple[list[str], list[object]]:
        """Return what SQL demands of a case, and the parameters."""
        where: list[str] = []
        parameters: list[object] = []
        for column in ("suite", "model", "outcome"):
            value = getattr(wanted, column)
            if value is not None:
                where.append(f"+cases.{column} = ?")  # its index would lead away from the stretch of the run
                parameters.append(value)
        if wanted.slice is not None:
            where.append("(instr(cases.slices, '[' || ?) OR instr(cases.slices, ' ' || ?))")
            parameters += [json.dumps(wanted.slice)] * 2  # as rows.py writes it: a quote in it follows a backslash
        if wanted.search:
            condition, texts = self._search(wanted.search)
            where.append(condition)
            parameters += texts
        if wanted.flipped is not None:
            where.append(_FLIPPED)
        return where, parameters

    def _search(self, text: str) -> tuple[str, list[object]]:
        """Return what SQL demands of a case in which a text is found, and the parameters."""
        plain, as_json = _like(text), _like(json.dumps(text)[1:-1])
        columns = (*_TEXTS, _JSON)
        shown = {name: self._shown if name in _LONG else "{}" for name in columns}  # pages show ids as they are
        told = [_FOUND.format(column=name, shown=shown[name].format(f"cases.{name}")) for name in columns]
        parts = [sql.format(shown=self._shown.format("part.value")) for sql in (_ASKED, _CALLED)]
        in_parts = [as_json, plain] * len(parts)
        return f"({' OR '.join([*told, *parts])})", [*[plain] * (2 * len(_TEXTS)), *[as_json] * 2, *in_parts]


def _like(text: str) -> str:
    """Return the pattern of LIKE for texts that contain ``text``, in which ``!`` escapes."""
    return "%" + re.sub("([%_!])", r"!\1", text) + "%"


def _joined(against: Against) -> tuple[str, list[object]]:
    """Return the join of a case with an epoch of its row that came to something else, and the parameters.

    That is the same epoch, else the first such one; the table's own UNIQUE index finds it.
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
