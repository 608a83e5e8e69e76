"""A process that keeps answers in the journal of a run until it is killed: ``python -m tests.support.keeper DB RUN``.

It prints the number of each answer once the journal has taken it: what is printed has been acknowledged.
"""

import itertools
import os
import sys
from pathlib import Path

from pytest_llmeval.core.types import CaseKey, Kept
from pytest_llmeval.store.journal import SqliteJournal
from pytest_llmeval.store.processes import process_started
from pytest_llmeval.store.sqlite import SqliteStore
from tests.support.records import call
from tests.support.stored_runs import run

__all__: list[str] = []


def main(path: str, run_id: str) -> None:
    """Keep answers."""
    store = SqliteStore(Path(path))
    own = run(run_id, process_started=process_started(os.getpid()))
    store.start_run(own)
    journal = SqliteJournal(Path(path), own)
    for number in itertools.count():
        case = CaseKey(nodeid="t.py::test", suite="qa", sample_id=str(number), model="m", epoch=1)
        journal.keep([Kept(case=case, call=call(response="x" * 200, name=f"call-{number}"))])
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
