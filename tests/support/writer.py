"""A process that records a run until it has done its cases or is killed: ``python -m tests.support.writer DB RUN N``.

It prints the number of each case once the store has taken it: what is printed has been acknowledged.
"""

import sys
from pathlib import Path

from pytest_llmeval.store.sqlite import SqliteStore
from tests.support.records import call, record, score
from tests.support.stored_runs import END, run

__all__: list[str] = []


def main(path: str, run_id: str, cases: str) -> None:
    """Record the run."""
    store = SqliteStore(Path(path))
    store.start_run(run(run_id))
    for number in range(int(cases)):
        store.add_case(run_id, record(str(number), scores=(score("a"), score("b")), calls=(call(response="x" * 200),)))
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()
    store.finish_run(run_id, END)
    store.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
