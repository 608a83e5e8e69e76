"""Shared parts of the subcommands: common options, access to the store, output as JSON or text, terminal width."""

import contextlib
import json
import math
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
    "size_label",
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
    """Return a decorator that adds ``--thresholds PATH``; ``whose`` says in its help whose rules apply by default."""
    message = f"The rules file; without it the one in LLMEVAL_THRESHOLDS, else the one that {whose} used."
    return click.option("--thresholds", type=click.Path(path_type=Path), help=message)


def json_option(function: F) -> F:
    """Add ``--json`` to a subcommand, as the argument ``as_json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(function)


def open_store(project: Project, database: Path | None) -> SqliteStore:
    """Return the store of the project; raise StoreError if it has no database."""
    path = _found(project, database)
    check_database(path)
    return SqliteStore(path, db_option=project.db_option(path))


def open_reader(project: Project, database: Path | None, *, as_sent: bool = False) -> SqliteReader:
    """Return a reader of the project's store, even if the file is not writable; otherwise like ``open_store``.

    Its texts are without secrets, for people. With ``as_sent`` they are as stored, for comparisons.
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
    """Open the store of the project; gives None if it has none, none was named and all ``refs`` are files.

    Args:
        project: the project that the command runs in.
        database: the database file that was named.
        refs: what people named, each of which must be a file for None; empty if that is checked later.
    """
    is_there = database is not None or project.database.exists()
    if not is_there and all(os.path.isfile(project.located(ref.partition("@")[0])) for ref in refs):
        yield None
        return
    with contextlib.closing(open_reader(project, database)) as store:
        yield store


def emit_json(value: Any) -> None:
    """Print ``value`` as indented ASCII JSON that contains nothing a CI system takes for a workflow command."""
    echo_lines([inert_json(json.dumps(plain(value), indent=2))])


def echo_lines(lines: Iterable[str]) -> None:
    """Print ``lines``. If the reader closes the pipe (``| head``), the rest is dropped without an error."""
    try:
        for line in lines:
            click.echo(line)
    except BrokenPipeError:
        drop_output()


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write ``lines`` as UTF-8 to ``path``, atomically (see ``whole_file``).

    Raises:
        SettingsError: the file cannot be written.
    """
    try:
        with whole_file(path) as file:
            file.writelines(f"{line}\n".encode() for line in lines)
    except OSError as error:
        raise SettingsError(f"--output {one_line(str(path))}: cannot be written: {error.strerror or error}") from None


def echo_written(path: Path, line: str) -> None:
    """Print a line about a written file; to standard error if the file is a pipe, which may be standard output."""
    if path.is_file():
        echo_lines([line])
    else:
        click.echo(line, err=True)


def drop_output() -> None:
    """Discard buffered and all further standard output."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def open_streams() -> None:
    """Open the standard streams that the process was started without.

    Writing results then fails, and errors are discarded. Files opened later cannot get the descriptor of a standard
    stream.
    """
    if sys.stdout is None:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 1)
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    if sys.stderr is None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False)


def size_label(count: int) -> str:
    """Return a size of a file, rounded up."""
    return f"{math.ceil(count / 1024):,} KiB" if count < 1024 * 1024 else f"{count / 1024 / 1024:,.1f} MiB"


def terminal_width() -> int:
    """Return the width of a line in characters: 80 if neither COLUMNS nor a terminal tells it."""
    return shutil.get_terminal_size().columns


def table_room() -> int:
    """Return the width of a table in characters: in a pipe, wide enough that no name is cut."""
    return table_columns(terminal_width(), is_terminal=sys.stdout.isatty(), environ=os.environ)
