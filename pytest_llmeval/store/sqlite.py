"""The store of runs in one SQLite file: write-ahead log, one commit per finished case."""

import contextlib
import json
import os
import sqlite3
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_llmeval.core.errors import StoreError
from pytest_llmeval.core.stored import Label, StoredCase
from pytest_llmeval.core.types import Call, CaseRecord, JudgeRecord
from pytest_llmeval.store import rows
from pytest_llmeval.store.call_table import CALL_COLUMNS, SET_ASIDE
from pytest_llmeval.store.check import RESTORE, check_database, readable_errors
from pytest_llmeval.store.columns import columns_of
from pytest_llmeval.store.files import BUSY_TIMEOUT_S, bindable, make_private, switch_to_wal, write_row
from pytest_llmeval.store.journal import Orphan, orphans, unread
from pytest_llmeval.store.migrating import migrate
from pytest_llmeval.store.records import FAILED_TESTS, EarlierOutcome, Run, RunEnd, known_failed, stored_case
from pytest_llmeval.store.sqlite_reader import SqliteReader
from pytest_llmeval.store.trainings import Training, from_training

if TYPE_CHECKING:
    from pytest_llmeval.core.gate.judging import Verdict

__all__ = ["SqliteStore"]

_PROCESS = ("pid", "host", "process_started")
"""Columns that identify the process that records a run."""
_CUT_OFF = """
UPDATE main.runs SET calls_cut_off = calls_cut_off + (
    SELECT count(*) FROM journal.begun WHERE id NOT IN (SELECT id FROM journal.answers)
) WHERE id = ?
"""
"""Adds, to a run's count, the calls that a journal shows as begun but neither answered nor failed."""
_TIMES_BEFORE = "SELECT count(*) FROM earlier_outcomes WHERE run_id = ? AND case_id = ?"
_SET_ASIDE = f"""
UPDATE calls SET id = id || :mark, name = name || :mark
WHERE case_id = :case_id AND status != 'ok' AND instr(name, '{SET_ASIDE}') = 0
"""  # noqa: S608  # a sign of call_table.py
"""Renames the failed calls of a case that runs again: SET_ASIDE and the number of that execution follow the name."""


class SqliteStore(SqliteReader):
    """Reads and writes runs in a database file, which is created if it does not exist."""

    def __init__(self, path: Path, *, db_option: str = "") -> None:
        """Open ``path`` and migrate its tables to this version.

        Args:
            path: the database file.
            db_option: see SqliteReader.

        Raises:
            StoreError: the file is not a database, belongs to something else, was written by a newer version, or cannot
                be written.
        """
        check_database(path)
        with readable_errors(path, if_damaged=RESTORE):
            make_private(path)
            connection = sqlite3.connect(path.absolute(), timeout=BUSY_TIMEOUT_S, check_same_thread=False, uri=True)
            super().__init__(path, connection, db_option=db_option)
            self._file = path.absolute()
            self._opened = _identity(self._file)
            self._pid = os.getpid()
            try:
                self._prepare()
            except BaseException:
                self._connection.close()
                raise

    def start_run(self, run: Run) -> None:
        """Record the start of a run."""
        with self._transaction():
            self._insert("runs", [rows.from_run(run)])

    def resume_run(self, run: Run, *, seen: Run | None = None) -> bool:
        """Record that an earlier run continues; its cases stay.

        Args:
            run: the run as it continues.
            seen: the run as the caller found it; None if no other process can resume it.

        Returns:
            Whether the run was still as ``seen``. If another process has resumed it since, nothing is recorded.
        """
        row = rows.from_run(run)
        changes = ", ".join(f"{column} = :{column}" for column in row if column not in ("id", "calls_cut_off"))
        found = rows.from_run(seen) if seen is not None else {}
        same = "".join(f" AND {column} IS :seen_{column}" for column in _PROCESS if found)
        values = {**bindable(row), **{f"seen_{column}": found[column] for column in _PROCESS if found}}
        with self._transaction():
            self._connection.execute("BEGIN IMMEDIATE")
            changed = self._connection.execute(f"UPDATE runs SET {changes} WHERE id = :id{same}", values)  # noqa: S608
            if changed.rowcount:
                self._connection.execute("DELETE FROM verdicts WHERE run_id = ?", [run.id])
        return changed.rowcount > 0

    def add_case(self, run_id: str, case: CaseRecord) -> StoredCase:
        """Record a finished case, its scores and calls in one commit, and return it; an earlier outcome is kept."""
        stored = stored_case(run_id, case)
        with self._transaction():
            row = rows.from_case(run_id, stored)
            if not self._insert("cases", [row], verb="INSERT OR IGNORE"):  # recorded before, or refused
                ((last,),) = self._plain("SELECT max(rowid) FROM cases")  # else it may get its old rowid
                self._set_aside(run_id, stored)
                self._insert("cases", [{**row, "rowid": (last or 0) + 1}])
            self._insert("scores", rows.from_scores(stored))
            self._insert("votes", rows.from_votes(stored))
            self._insert("judges", [columns_of(judge, run_id=run_id) for judge in case.judges], verb="INSERT OR IGNORE")
            for call in rows.from_calls(run_id, stored.id, case.calls):  # never overwrite an answer with a failure
                verb = "INSERT OR REPLACE" if call["status"] == "ok" else "INSERT OR IGNORE"
                self._insert("calls", [call], verb=verb)
        return stored

    def _set_aside(self, run_id: str, stored: StoredCase) -> None:
        """Move the earlier record of a case to ``earlier_outcomes``, and rename its failed calls to free their names.

        Labels are kept only if input and response are still those that the rater saw.
        """
        case_id = stored.id
        ((before,),) = self._plain(_TIMES_BEFORE, run_id, case_id)
        for case in list(self._query("SELECT * FROM cases WHERE id = ?", case_id)):
            scores = self._query("SELECT * FROM scores WHERE case_id = ?", case_id)
            earlier = EarlierOutcome.of(rows.to_case(case, tuple(map(rows.to_score, scores))), number=before + 1)
            self._insert("earlier_outcomes", [rows.from_earlier(run_id, earlier)])
            if (case["input_digest"], case["response"]) != (stored.input_digest, stored.response):
                self._connection.execute("DELETE FROM labels WHERE case_id = ?", [case_id])
        self._connection.execute("DELETE FROM cases WHERE id = ?", [case_id])
        self._connection.execute(_SET_ASIDE, {"case_id": case_id, "mark": f"{SET_ASIDE}{before + 1}"})

    def set_verdicts(self, run_id: str, verdicts: Iterable["Verdict"]) -> None:
        """Record the verdicts of a run, replacing earlier ones."""
        with self._transaction():
            self._connection.execute("DELETE FROM verdicts WHERE run_id = ?", [run_id])
            self._insert("verdicts", [columns_of(verdict, run_id=run_id) for verdict in verdicts])

    def finish_run(
        self, run_id: str, end: RunEnd, *, name: str | None = None, failed_tests: Iterable[str] = ()
    ) -> None:
        """Record how a run ended, and move the write-ahead log into the database file unless somebody is reading it.

        Readers are not waited for, because no signal is handled during that wait; whoever closes the file last moves
        the log. A ``name`` is one that the run gets only by ending well. ``failed_tests`` are node ids of tests that
        are not cases.
        """
        with self._transaction():
            self._connection.execute(
                "UPDATE runs SET finished_at = ?, status = ?, exit_code = ?, verdict = ?, name = coalesce(?, name)"
                " WHERE id = ?",
                [end.finished_at, end.status, end.exit_code, end.verdict, name, run_id],
            )
            if names := known_failed(failed_tests):
                ((settings,),) = self._plain("SELECT settings_json FROM runs WHERE id = ?", run_id)
                told = json.dumps({**json.loads(settings), FAILED_TESTS: names})
                self._connection.execute("UPDATE runs SET settings_json = ? WHERE id = ?", [told, run_id])
        self._fold_log()

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
        """Record a run that was recorded in another database, in one commit.

        If its id exists already, the run is left as it is, except that missing judges are added (files of older
        versions lack them). Its cases are read all the same, so that an error in them is raised.

        Args:
            run: the run.
            cases: its cases; they are read before the arguments below.
            judges: what the judge_ids of its scores stand for.
            calls: each call with the id of its case.
            labels: the labels of its cases.
            earlier: the earlier outcomes of cases that ran again.

        Returns:
            Whether the run was new.
        """
        with self._transaction():
            if not self._insert("runs", [rows.from_run(run)], verb="INSERT OR IGNORE"):
                deque(cases, maxlen=0)
                self._insert("judges", [columns_of(judge, run_id=run.id) for judge in judges], verb="INSERT OR IGNORE")
                return False
            for case in cases:
                self._insert("cases", [rows.from_case(run.id, case)])
                self._insert("scores", rows.from_scores(case))
                self._insert("votes", rows.from_votes(case))
            self._insert("judges", [columns_of(judge, run_id=run.id) for judge in judges])
            self._insert("calls", (rows.from_call(run.id, case_id, call) for case_id, call in calls))
            self._insert("labels", map(columns_of, labels))
            self._insert("earlier_outcomes", (rows.from_earlier(run.id, each) for each in earlier))
        return True

    def add_labels(self, labels: Iterable[Label]) -> int:
        """Record labels in one commit; return how many replaced one of the same case, score and rater."""
        replaced = 0
        with self._transaction():
            for label in labels:
                row = columns_of(label)
                earlier = "DELETE FROM labels WHERE case_id = :case_id AND name = :name AND rater = :rater"
                replaced += self._connection.execute(earlier, bindable(row)).rowcount
                self._insert("labels", [row])
        return replaced

    def set_baseline(self, name: str, run_id: str, at: str) -> None:
        """Set a named baseline, replacing an earlier one of that name; raise StoreError if the run does not exist."""
        if not any(self._query("SELECT 1 FROM runs WHERE id = ?", run_id)):
            raise StoreError(f"{self.path}: no run {run_id!r}; `llmeval runs` lists them")
        with self._transaction():
            row = {"name": name, "run_id": run_id, "set_at": at}
            self._insert("baselines", [row], verb="INSERT OR REPLACE")

    def drop_baseline(self, name: str) -> bool:
        """Remove a named baseline, but not its run; return whether it existed."""
        with self._transaction():
            return self._connection.execute("DELETE FROM baselines WHERE name = ?", [name]).rowcount > 0

    @property
    def data_version(self) -> int:
        """A number that changes when another connection has written to the file."""
        ((version,),) = self._plain("PRAGMA data_version")
        return int(version)

    def delete_run(self, run_id: str, *, is_wanted: Callable[[str], bool]) -> bool:
        """Delete a run with everything of it in one commit, if ``is_wanted`` still agrees; return whether it did."""
        with self._transaction():
            self._connection.execute("BEGIN IMMEDIATE")
            if not is_wanted(run_id):
                return False
            return self._connection.execute("DELETE FROM runs WHERE id = ?", [run_id]).rowcount > 0

    def free_share(self) -> float:
        """Return the share of the file, from 0 to 1, that is free."""
        ((free,),), ((pages,),) = (list(self._plain(f"PRAGMA {name}")) for name in ("freelist_count", "page_count"))
        return float(free / max(1, pages))

    def shrink(self) -> bool:
        """Rewrite the file without its free pages; raise StoreError if another process or a full disk prevents that.

        Returns:
            Whether the file is smaller now. It is not while another process reads it: the write-ahead log, which holds
            the new pages, then replaces them when that process closes the file.
        """
        with readable_errors(self.path):
            self._connection.execute("VACUUM")
        return self._fold_log()

    def put_training(self, training: Training) -> None:
        """Record a training, replacing its earlier record."""
        with self._transaction():
            self._insert("trainings", [from_training(training)], verb="INSERT OR REPLACE")

    def absorb_journals(self, run_id: str | None = None) -> None:
        """Move the journals of runs whose process is gone, and that of ``run_id`` in any case, into the database.

        A journal that cannot be read is left where it is. One that another process took over in the meantime is
        skipped.

        Raises:
            StoreError: the journal of ``run_id`` cannot be taken over. If the journal does not even tell its run, the
                error comes when the run opens its next journal.
        """
        for orphan in orphans(self.path):
            if orphan.run.id == run_id or self._is_dead(orphan):
                try:
                    self.absorb(orphan)
                except StoreError as error:
                    if orphan.run.id == run_id and orphan.path.exists():
                        raise unread(orphan.path, error) from error

    def _is_dead(self, orphan: Orphan) -> bool:
        """Whether the process that wrote a journal is gone; on another machine, whether it is long silent.

        In that case neither the journal nor this database may have been written to for LONGEST_SILENCE, because a live
        process would lose its journal.
        """
        if orphan.run.is_here:
            return orphan.run.shown_status == "crashed"
        known = self.run(orphan.run.id) or orphan.run
        return orphan.is_silent and known.shown_status != "running"

    def absorb(self, orphan: Orphan) -> None:
        """Move the answers of a journal, whose process is gone or this one, into the database; remove the journal.

        Calls of recorded cases are in the database already; the others were left by a killed process. Calls that were
        begun but neither answered nor failed were in flight: they are counted in ``calls_cut_off``.
        """
        columns = ", ".join(CALL_COLUMNS)
        with readable_errors(self.path):
            self._connection.execute("ATTACH ? AS journal", [orphan.uri])
            try:
                with self._transaction():
                    self._connection.execute("BEGIN IMMEDIATE")
                    if not orphan.is_there:  # another process took it over while this one waited for the lock
                        return
                    self._insert("runs", [rows.from_run(orphan.run)], verb="INSERT OR IGNORE")
                    self._connection.execute(
                        f"INSERT INTO main.calls ({columns}) SELECT {columns} FROM journal.answers AS kept"  # noqa: S608
                        " WHERE NOT EXISTS (SELECT 1 FROM main.calls WHERE main.calls.id = kept.id"
                        " AND main.calls.status = 'ok') ON CONFLICT (id) DO UPDATE SET status = 'ok',"
                        " response = excluded.response, attempts = excluded.attempts, latency_s = excluded.latency_s,"
                        " input_tokens = excluded.input_tokens, output_tokens = excluded.output_tokens,"
                        " cost_usd = excluded.cost_usd, cache_key = excluded.cache_key, detail = excluded.detail,"
                        " checksum = excluded.checksum"
                    )
                    if any(self._plain("SELECT 1 FROM journal.sqlite_master WHERE name = 'begun'")):
                        self._connection.execute(_CUT_OFF, [orphan.run.id])
                        self._connection.execute("DELETE FROM journal.begun")
            finally:
                self._connection.execute("DETACH journal")
        orphan.remove()

    def _fold_log(self) -> bool:
        """Move the write-ahead log into the database file, unless somebody is reading it; return whether it was."""
        with readable_errors(self.path):
            self._connection.execute("PRAGMA busy_timeout = 0").fetchall()
            ((is_busy, *_),) = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            self._connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_S * 1000:g}").fetchall()
        return not is_busy

    def _insert(self, table: str, values: Iterable[dict[str, Any]], verb: str = "INSERT") -> int:
        """Write rows, and return how many were written."""
        return sum([write_row(self._connection, table, row, verb=verb) for row in values])

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        """Commit everything that is written inside, or nothing.

        This uses the connection's own context manager. With an explicit BEGIN, an interrupt could strike before the
        code that rolls back is in place, and everything stored afterwards would be lost.
        """
        # https://sqlite.org/howtocorrupt.html#_carrying_an_open_database_connection_across_a_fork_
        if os.getpid() != self._pid:
            raise StoreError(f"{self.path}: opened by process {self._pid}; its forked child writes nothing there")
        if _identity(self._file) != self._opened:
            raise StoreError(
                f"{self.path}: the file was removed or replaced while the run was recorded; SQLite would write to the"
                " old one, and nobody would find it"
            )
        with readable_errors(self.path), self._connection:
            yield

    def _prepare(self) -> None:
        self.journal_mode = switch_to_wal(self._connection)
        for pragma in ("synchronous = NORMAL", "foreign_keys = ON"):
            self._connection.execute(f"PRAGMA {pragma}").fetchall()
        migrate(self._connection, self._file)
        self.absorb_journals()


def _identity(path: Path) -> tuple[int, int] | None:
    """Return device and inode, which tell a file from another of the same name; None if there is no file."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
