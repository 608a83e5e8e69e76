"""Journals of runs that are alive or gone, and what stands beside them."""

import os
from contextlib import closing
from pathlib import Path
from typing import Any

from pytest_llmeval.core.types import CaseKey, Kept
from pytest_llmeval.store.journal import SqliteJournal
from pytest_llmeval.store.processes import process_started
from pytest_llmeval.store.records import Run
from tests.support.records import call
from tests.support.stored_runs import look, run

__all__ = ["beside", "case", "dead", "kept", "live", "stored", "write"]


def case(sample: str = "a", epoch: int = 1) -> CaseKey:
    return CaseKey(nodeid=f"t.py::test[{sample}]", suite="qa", sample_id=sample, model="m", epoch=epoch)


def kept(sample: str = "a", name: str = "call-1", **fields: Any) -> Kept:
    """Return an answered call of a case."""
    return Kept(case=case(sample), call=call(name=name, **fields))


def live(run_id: str = "live") -> Run:
    """Return a run of this process."""
    return run(run_id, process_started=process_started(os.getpid()))


def dead(run_id: str = "dead") -> Run:
    """Return a run whose process is gone: nothing has this number and start."""
    return run(run_id, process_started="0")


def write(path: Path, own: Run, *answers: Kept) -> Path:
    """Let a process keep answers and vanish; return its journal."""
    with closing(SqliteJournal(path, own)) as journal:
        journal.keep(answers)
    return journal.path


def beside(path: Path) -> set[str]:
    """Return the names of all files in the folder of a database, without the logs of SQLite."""
    return {each.name for each in path.parent.iterdir() if not each.name.endswith(("-wal", "-shm", ".gitignore"))}


def stored(path: Path) -> list[tuple[str, str, str]]:
    """Return run, name and response of each call in a database."""
    found = look(path, "SELECT run_id, name, response FROM calls ORDER BY run_id, name")
    return [(row["run_id"], row["name"], row["response"]) for row in found]
