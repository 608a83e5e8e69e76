"""What every subcommand shares: the database option, JSON on request, the width of the terminal."""

import contextlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from pytest_llmeval.cli.project import Project, project_redactor
from pytest_llmeval.core.errors import SettingsError, StoreError
from pytest_llmeval.core.text import inert_json, one_line
from pytest_llmeval.core.transport import plain
from pytest_llmeval.reports.line_room import table_columns
from pytest_llmeval.store.check import check_database, check_readable, exists, is_writable, readable_errors
from pytest_llmeval.store.sqlite import SqliteStore
from pytest_llmeval.store.sqlite_reader import SqliteReader
from pytest_llmeval.store.whole_file import whole_file

__all__ = [
    "database_option",
    "drop_output",
    "echo_lines",
    "echo_written",
    "emit_json",
    "json_option",
    "open_reader",
    "open_store",
    "open_streams",
    "opened_store",
    "table_room",
    "terminal_width",
    "thresholds_option",
    "write_lines",
]

F = TypeVar("F", bound=Callable[..., Any])


def database_option(function: F) -> F:
    """Add ``--llmeval-db PATH`` to a subcommand, as the argument ``database``."""
    add = click.option("--llmeval-db", "--db", "database", type=click.Path(path_type=Path), help="The database file.")
    return add(function)


def thresholds_option(whose: str) -> Callable[[F], F]:
    """Return what adds ``--thresholds PATH`` to a subcommand; ``whose`` used the rules that count without any other."""
    told = f"The rules file; without it the one in LLMEVAL_THRESHOLDS, else the one that {whose} used."
    return click.option("--thresholds", type=click.Path(path_type=Path), help=told)


def json_option(function: F) -> F:
    """Add ``--json`` to a subcommand, as the argument ``as_json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(function)


def open_store(project: Project, database: Path | None) -> SqliteStore:
    """Return the store of the project; raise StoreError where it has no database."""
    path = _found(project, database)
    check_database(path)
    return SqliteStore(path, db_option=project.db_option(path))


def open_reader(project: Project, database: Path | None, *, as_sent: bool = False) -> SqliteReader:
    """Return what reads the store of the project, also where it cannot be written to; else as ``open_store``.

    Its texts are without secrets, for people; with ``as_sent`` they are as they are stored, to be compared.
    """
    path = _found(project, database)
    if path.is_file() and not is_writable(path):
        check_readable(path)
        store = SqliteReader.open(path, db_option=project.db_option(path))
    else:
        store = open_store(project, database)
    return store if as_sent else store.shown(project_redactor(project))


def _found(project: Project, database: Path | None) -> Path:
    path = project.database_at(database)
    with readable_errors(path):
        is_there = exists(path)
    if not is_there:
        check_database(path, to_write=False)
        raise StoreError(
            f"{project.shown(path)}: no such database; `{project.run_evals}` makes one, --llmeval-db names another"
        )
    return path


@contextlib.contextmanager
def opened_store(project: Project, database: Path | None, refs: Sequence[str] = ()) -> Iterator[SqliteReader | None]:
    """Give the store of the project; None where it has none, none was named and exported files do.

    Args:
        project: where the command runs.
        database: the file that was named.
        refs: what people named, of which each must be a file; empty where that is looked at later.
    """
    is_there = database is not None or project.database.exists()
    if not is_there and all(os.path.isfile(project.located(ref.partition("@")[0])) for ref in refs):
        yield None
        return
    with contextlib.closing(open_reader(project, database)) as store:
        yield store


def emit_json(value: Any) -> None:
    """Print ``value`` as indented ASCII JSON, in which a CI system finds no command of its own."""
    echo_lines([inert_json(json.dumps(plain(value), indent=2))])


def echo_lines(lines: Iterable[str]) -> None:
    """Print ``lines``; where their reader has seen enough (``| head``) the rest goes nowhere and nothing fails."""
    try:
        for line in lines:
            click.echo(line)
    except BrokenPipeError:
        drop_output()


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write ``lines`` as UTF-8 into ``path`` as ``whole_file`` does.

    Raises:
        SettingsError: the file cannot be written.
    """
    try:
        with whole_file(path) as file:
            file.writelines(f"{line}\n".encode() for line in lines)
    except OSError as error:
        raise SettingsError(f"--output {one_line(str(path))}: cannot be written: {error.strerror or error}") from None


def echo_written(path: Path, line: str) -> None:
    """Print what was written into ``path``; to standard error where that is a pipe, which may be standard output."""
    if path.is_file():
        echo_lines([line])
    else:
        click.echo(line, err=True)


def drop_output() -> None:
    """Send what Python still holds of the output, and all that follows, nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def open_streams() -> None:
    """Open the outputs that the process was started without: writing to that of results fails, and errors go nowhere.

    No file that is opened later then takes the number of one of them.
    """
    if sys.stdout is None:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 1)
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    if sys.stderr is None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False)


def terminal_width() -> int:
    """Return how many characters a line may have: 80 where neither COLUMNS nor a terminal says."""
    return shutil.get_terminal_size().columns


def table_room() -> int:
    """Return how many characters a line of a table may have: into a pipe so many that no name is cut."""
    return table_columns(terminal_width(), is_terminal=sys.stdout.isatty(), environ=os.environ)
