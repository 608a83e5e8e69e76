"""The database file itself: where it is made, with which rights, and what is refused untouched."""

import os
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from pytest_llmeval.core.errors import StoreError
from pytest_llmeval.store.check import check_database, check_readable
from pytest_llmeval.store.sqlite import SqliteStore
from tests.support.file_mode import mode
from tests.support.records import call, record, score
from tests.support.stored_runs import END, look, newer, run
from tests.support.wrong_files import foreign, random_bytes, text_file

OLDEST = Path(__file__).parent / "schema_1.db"
_NOBODY = 65534


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file of a folder."""
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


# Where and how it is made


def test_a_new_file_is_its_owners_alone(path: Path) -> None:
    SqliteStore(path).close()
    assert (mode(path), mode(path.parent)) == (0o600, 0o700)


def test_the_files_beside_it_are_its_owners_alone(database: SqliteStore) -> None:
    database.start_run(run())
    beside = [each for each in database.path.parent.iterdir() if each.name.startswith("llmeval.db-")]
    assert beside
    assert {mode(each) for each in beside} == {0o600}


def test_a_folder_that_was_there_stays_as_it_was(tmp_path: Path) -> None:
    folder = tmp_path / ".results"
    folder.mkdir(mode=0o755)
    SqliteStore(folder / "a.db").close()
    assert [each.name for each in folder.iterdir()] == ["a.db"]
    assert mode(folder) == 0o755


def test_a_file_that_was_there_keeps_its_mode(path: Path) -> None:
    """A group that may read it was given the right on purpose."""
    SqliteStore(path).close()
    path.chmod(0o640)
    SqliteStore(path).close()
    assert mode(path) == 0o640


def test_an_empty_file_becomes_a_database(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.touch()
    with closing(SqliteStore(path)) as store:
        store.start_run(run("r"))
    assert look(path, "SELECT id FROM runs") == [{"id": "r"}]


@pytest.mark.parametrize("name", ["a b.db", "ü.db", "100%.db", "a?b#c.db", "'quoted'.db", "file:x.db", "-x.db"])
def test_a_file_may_have_any_name(tmp_path: Path, name: str) -> None:
    for _ in range(2):
        with closing(SqliteStore(tmp_path / name)) as store:
            store.start_run(run(f"r{_}"))
    assert {each.name for each in tmp_path.iterdir()} == {name}


def test_the_journal_is_a_write_ahead_log_and_keys_are_checked(database: SqliteStore) -> None:
    assert look(database.path, "PRAGMA journal_mode") == [{"journal_mode": "wal"}]
    pragmas = [database._connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("foreign_keys", "synchronous")]
    assert pragmas == [1, 1]


def test_looking_whether_a_file_will_do_makes_none(path: Path) -> None:
    check_database(path)
    assert not path.parent.exists()


def test_looking_at_a_good_file_changes_nothing(path: Path) -> None:
    with closing(SqliteStore(path)) as store:
        store.start_run(run())
        store.finish_run(run().id, END)
    before = contents(path.parent)
    check_database(path)
    assert contents(path.parent) == before


# Refused untouched


def short_text(path: Path) -> None:
    path.write_text("x")


def header_and_garbage(path: Path) -> None:
    path.write_bytes(b"SQLite format 3\x00" + os.urandom(5000))


def foreign_in_wal_mode(path: Path) -> None:
    foreign(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = wal")
        connection.execute("INSERT INTO runs VALUES (1)")
        connection.commit()


def foreign_of_a_higher_version(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE schema_version (version INTEGER)")
        connection.execute("PRAGMA user_version = 12")


def newer_by_its_table(path: Path) -> None:
    SqliteStore(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE schema_version SET version = 999")
        connection.commit()


def folder(path: Path) -> None:
    path.mkdir()


def fifo(path: Path) -> None:
    os.mkfifo(path)


REFUSED: dict[Callable[[Path], None], str] = {
    text_file: r"a\.db: not a database; nothing was changed",
    short_text: r"a\.db: not a database; nothing was changed",
    random_bytes: r"a\.db: not a database; nothing was changed",
    header_and_garbage: r"a\.db: the database cannot be used: .*; restore a copy of it, or name another file",
    foreign: r"a\.db: a database of something else; nothing was changed",
    foreign_in_wal_mode: r"a\.db: a database of something else; nothing was changed",
    foreign_of_a_higher_version: r"a\.db: a database of something else; nothing was changed",
    newer: r"a\.db: written by a newer version \(schema 999, this one knows 10\); upgrade",
    newer_by_its_table: r"a\.db: written by a newer version \(schema 999, this one knows 10\); upgrade",
    folder: r"a\.db: not a regular file",
    fifo: r"a\.db: not a regular file",
}


@pytest.mark.parametrize("make", REFUSED, ids=lambda make: make.__name__)
@pytest.mark.parametrize("use", [check_database, SqliteStore], ids=["check", "open"])
def test_what_is_no_database_of_ours_is_refused_untouched(
    tmp_path: Path, make: Callable[[Path], None], use: Callable[[Path], object]
) -> None:
    path = tmp_path / "a.db"
    make(path)
    before = contents(tmp_path)
    with pytest.raises(StoreError, match=REFUSED[make]):
        use(path)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("use", [check_database, SqliteStore], ids=["check", "open"])
def test_a_name_that_the_system_refuses_is_an_error_with_a_message(
    tmp_path: Path, use: Callable[[Path], object]
) -> None:
    with pytest.raises(StoreError, match="the database cannot be used: .*File name too long"):
        use(tmp_path / ("x" * 300))


def test_a_folder_that_cannot_be_made_is_an_error_with_a_message() -> None:
    with pytest.raises(StoreError, match="the database cannot be used: .*'/proc/none'"):
        SqliteStore(Path("/proc/none/a.db"))


@pytest.mark.parametrize("use", [check_database, SqliteStore], ids=["check", "open"])
@pytest.mark.parametrize("name", ["a.db", "folder/a.db"])
def test_a_file_in_the_place_of_the_folder_is_named(tmp_path: Path, use: Callable[[Path], object], name: str) -> None:
    file = tmp_path / ".llmeval"
    file.write_text("mine")
    with pytest.raises(StoreError) as caught:
        use(file / name)
    assert str(caught.value) == (
        f"{file}: a file, where the folder of the database {file / name} is to be; move or remove it, or name another"
        " database with --llmeval-db"
    )
    assert file.read_text() == "mine"


def test_a_link_to_a_database_is_followed(tmp_path: Path, path: Path) -> None:
    SqliteStore(path).close()
    link = tmp_path / "link.db"
    link.symlink_to(path)
    with closing(SqliteStore(link)) as store:
        store.start_run(run("r"))
    assert look(path, "SELECT id FROM runs") == [{"id": "r"}]


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can reach."""
    with TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name)


@contextmanager
def without_rights() -> Iterator[None]:
    """Be a user without special rights for a moment, whoever runs the tests."""
    if os.geteuid() != 0:
        yield
        return
    os.setresuid(_NOBODY, _NOBODY, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


@pytest.mark.parametrize("use", [check_database, SqliteStore], ids=["check", "open"])
def test_a_read_only_file_is_refused_untouched(open_folder: Path, use: Callable[[Path], object]) -> None:
    path = open_folder / "a.db"
    SqliteStore(path).close()
    path.chmod(0o444)
    before = contents(open_folder)
    with without_rights(), pytest.raises(StoreError, match="cannot be written; change its mode"):
        use(path)
    assert contents(open_folder) == before


def test_a_file_that_may_not_be_read_is_an_error_with_a_message(open_folder: Path) -> None:
    path = open_folder / "a.db"
    SqliteStore(path).close()
    path.chmod(0)
    with without_rights(), pytest.raises(StoreError, match="the database cannot be used: .*Permission denied"):
        check_database(path)


def test_a_read_only_folder_is_an_error_with_a_message(open_folder: Path) -> None:
    open_folder.chmod(0o555)
    with without_rights(), pytest.raises(StoreError, match="the database cannot be used: .*Permission denied"):
        SqliteStore(open_folder / "a.db")


@pytest.mark.parametrize("name", ["a.db", "new.db", ".llmeval/llmeval.db"])
def test_a_folder_that_cannot_be_written_is_named_before_any_call(open_folder: Path, name: str) -> None:
    """A container's user is often another one than who owns the checkout; the file itself may be its own."""
    SqliteStore(open_folder / "a.db").close()
    (open_folder / "a.db").chmod(0o666)
    open_folder.chmod(0o555)
    denied = "Permission denied, or a read-only file system; SQLite puts files"
    told = f"{re.escape(str(open_folder))}: {denied} .* --llmeval-db or LLMEVAL_DB$"
    with without_rights(), pytest.raises(StoreError, match=told):
        check_database(open_folder / name)
    open_folder.chmod(0o777)


def test_a_log_in_a_read_only_folder_is_an_error_that_says_what_to_do(open_folder: Path) -> None:
    """As beside an artifact of a killed job: SQLite puts a file beside a log that it reads."""
    path, log = open_folder / "a.db", open_folder / "a.db-wal"
    SqliteStore(path).close()
    log.touch()
    path.chmod(0o444)
    open_folder.chmod(0o555)
    with without_rights(), pytest.raises(StoreError, match=r"unable to open .*; copy it and a\.db-wal to a folder"):
        check_readable(path)
    open_folder.chmod(0o777)


def test_a_folder_that_may_not_be_entered_is_an_error_with_a_message(open_folder: Path) -> None:
    open_folder.chmod(0)
    with without_rights(), pytest.raises(StoreError, match="the database cannot be used: .*Permission denied"):
        check_database(open_folder / "a.db")
    open_folder.chmod(0o777)


def test_a_page_that_is_damaged_is_an_error_with_a_message(path: Path) -> None:
    with closing(SqliteStore(path)) as store:
        store.start_run(run("r"))
        for number in range(300):
            store.add_case("r", record(str(number), calls=(call(response="x" * 500),)))
        store.finish_run("r", END)
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 4 : -4096] = os.urandom(len(damaged) - 4096 - len(damaged) // 4)
    path.write_bytes(damaged)
    with closing(SqliteStore(path)) as store, pytest.raises(StoreError, match="the database cannot be used: "):
        list(store.cases("r"))


def test_a_call_that_is_damaged_is_an_error_that_names_it(path: Path) -> None:
    with closing(SqliteStore(path)) as store:
        store.start_run(run("r"))
        store.add_case("r", record("a", calls=(call(name="n"),)))
        with closing(sqlite3.connect(path)) as other, other:
            other.execute("UPDATE calls SET request = '{'")
        ((case_id, call_id),) = [(row["case_id"], row["id"]) for row in look(path, "SELECT * FROM calls")]
        for reads in (store, store.shown(str.upper)):
            for read in (lambda own=reads: own.calls(case_id), lambda own=reads: list(own.run_calls("r"))):
                with pytest.raises(StoreError, match=f"call {call_id}: damaged request: [^;]*$"):
                    read()


def gone(path: Path) -> None:
    path.unlink()


def replaced(path: Path) -> None:
    other = path.with_name("other.db")
    SqliteStore(other).close()
    os.replace(other, path)


@pytest.mark.parametrize("lose", [gone, replaced], ids=lambda lose: lose.__name__)
@pytest.mark.parametrize("write", ["case", "verdicts", "end"])
def test_a_file_that_is_lost_while_a_run_is_recorded_is_noticed(
    path: Path, lose: Callable[[Path], None], write: str
) -> None:
    """SQLite itself says nothing, and every later case would vanish."""
    with closing(SqliteStore(path)) as store:
        store.start_run(run("r"))
        lose(path)
        with pytest.raises(StoreError, match="the file was removed or replaced while the run was recorded"):
            if write == "case":
                store.add_case("r", record())
            elif write == "verdicts":
                store.set_verdicts("r", [])
            else:
                store.finish_run("r", END)


def test_another_working_directory_is_no_lost_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with closing(SqliteStore(Path("a.db"))) as store:
        (tmp_path / "sub").mkdir()
        monkeypatch.chdir(tmp_path / "sub")
        store.start_run(run("r"))
    assert look(tmp_path / "a.db", "SELECT id FROM runs") == [{"id": "r"}]


# Older and newer


def test_the_oldest_database_is_opened_and_goes_on(tmp_path: Path) -> None:
    """The fixture was made by the version that first had schema 1; it never changes."""
    path = tmp_path / "a.db"
    path.write_bytes(OLDEST.read_bytes())
    with closing(SqliteStore(path)) as store:
        (old,) = store.runs()
        assert (old.id, old.name, old.models, old.git_dirty) == ("20250102-030405-abc123", "oldest", ("m",), True)
        assert old.shown_status == "finished"
        assert [case.key.sample_id for case in store.cases(old.id)] == ["007", "7"]
        assert [case.outcome for case in store.cases(old.id)] == ["passed", "missed"]
        assert [[(each.name, each.value) for each in case.scores] for case in store.cases(old.id)] == [
            [("exact", 1.0), ("judge", None)],
            [("exact", 0.0)],
        ]
        assert [verdict.verdict for verdict in store.verdicts(old.id)] == ["pass"]
        store.start_run(run("new", started_at="2026-01-01T00:00:00.000+00:00"))
        store.add_case("new", record(scores=(score(),), calls=(call(),)))
        store.finish_run("new", END)
        assert [each.id for each in store.runs()] == ["new", old.id]


def test_an_oldest_database_has_the_tables_of_a_new_one(tmp_path: Path, database: SqliteStore) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(OLDEST.read_bytes())
    SqliteStore(path).close()
    sql = "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY name"
    assert look(path, sql) == look(database.path, sql)


def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    """Tables with our names that are not ours, say."""
    path = tmp_path / "a.db"
    names = ("schema_version", "runs", "cases", "scores", "calls", "verdicts")
    with closing(sqlite3.connect(path)) as connection:
        for name in names:
            connection.execute(f"CREATE TABLE {name} (x)")
    before = look(path, "SELECT * FROM sqlite_master")
    with pytest.raises(StoreError, match="already exists"):
        SqliteStore(path)
    assert look(path, "SELECT * FROM sqlite_master") == before


def test_opening_again_migrates_nothing(path: Path) -> None:
    SqliteStore(path).close()
    before = path.read_bytes()
    SqliteStore(path).close()
    assert path.read_bytes() == before
