import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pytest_llmeval.cli import main
from pytest_llmeval.store.sqlite import SqliteStore
from tests.support.nursery import Nursery
from tests.support.records import call, record, score
from tests.support.stored_runs import END, run


@dataclass(frozen=True, kw_only=True)
class Done:
    """What a command left: its status and what it printed."""

    status: int
    out: str
    err: str

    def json(self) -> Any:
        """Return what was printed as JSON, which it must be as a whole."""
        return json.loads(self.out)


Command = Callable[..., Done]


@pytest.fixture(autouse=True)
def eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture(autouse=True)
def forks(nursery: Nursery) -> Iterator[None]:
    """Sessions that a command starts, and commands in processes of their own."""
    with nursery.used():
        yield


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, in which commands run."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def llmeval(capsys: pytest.CaptureFixture[str]) -> Command:
    """The command, in this process; an exception that it lets out fails the test."""

    def run(*arguments: str) -> Done:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        out, err = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        assert "Traceback" not in out + err
        return Done(status=ended.value.code, out=out, err=err)

    return run


@pytest.fixture
def installed() -> Command:
    """The command as it is installed, in a process of its own; ``stdout`` may go elsewhere."""

    def run(*arguments: str, **options: Any) -> Done:
        command = [str(Path(sys.executable).with_name("llmeval")), *arguments]
        environ = {**os.environ, **options.pop("environ", {})}
        kept = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        done = subprocess.run(command, env=environ, encoding="utf-8", check=False, **kept)
        return Done(status=done.returncode, out=done.stdout or "", err=done.stderr or "")

    return run


@pytest.fixture
def store(here: Path) -> Iterator[SqliteStore]:
    """The store of the folder."""
    opened = SqliteStore(here / ".llmeval" / "llmeval.db")
    yield opened
    opened.close()


@pytest.fixture
def recorded(store: SqliteStore) -> SqliteStore:
    """A run of two cases."""
    store.start_run(run(name="nightly"))
    store.add_case(run().id, record("a", scores=(score(),), calls=(call(),)))
    store.add_case(run().id, record("b", outcome="missed", scores=(score("exact", 0.0, False),), calls=(call(),)))
    store.finish_run(run().id, END)
    return store
