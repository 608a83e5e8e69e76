import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.testclient import TestClient

from pytest_llmeval.core.gate.judging import Verdict
from pytest_llmeval.core.rules import Thresholds
from pytest_llmeval.core.types import CaseRecord, Vote
from pytest_llmeval.models.redaction import Redactor
from pytest_llmeval.store.records import RunEnd
from pytest_llmeval.store.sqlite import SqliteStore
from pytest_llmeval.view import summaries
from pytest_llmeval.view.app import make_app
from pytest_llmeval.view.source import Source
from tests.support.judged_runs import judged_record, judged_scores
from tests.support.records import call, record, score
from tests.support.stored_runs import END, run

SECRET = "hunter2secret"
OLD, NEW = "20260101-000000-aaaaaa", "20260102-000000-bbbbbb"
VERDICT = Verdict(
    suite="qa",
    model="m",
    metric="correctness",
    slice=None,
    rule="min=0.75",
    value=0.5,
    n=6,
    low=0.2,
    high=0.8,
    verdict="fail",
    reason="0.5 is below 0.75",
)


@pytest.fixture(autouse=True)
def pages_wait_for_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a slow machine too, so that no page reloads by itself while a browser looks at it."""
    monkeypatch.setattr(summaries, "PATIENCE_S", 60.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database is."""
    return tmp_path / ".llmeval" / "llmeval.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    opened = SqliteStore(path)
    yield opened
    opened.close()


@pytest.fixture
def source(path: Path, tmp_path: Path) -> Source:
    return Source(
        database=path,
        shown_as="the.db",
        root=tmp_path,
        rules_of=lambda run: Thresholds(),
        redact=Redactor([SECRET]),
        most_cases=200,
    )


@pytest.fixture
def two_runs(store: SqliteStore) -> SqliteStore:
    """Two runs of six judged rows and two others; row-0 and row-1 flipped between them."""
    record_run(store, OLD, good=(1, 2, 4))
    baseline = {"baseline": {"kind": "run", "run": OLD, "name": OLD}}
    record_run(store, NEW, good=(0, 2, 4), settings=baseline, name="nightly", git_commit="c0ffee" * 6)
    store.set_verdicts(NEW, [VERDICT])
    store.finish_run(NEW, RunEnd(finished_at=END.finished_at, status="finished", exit_code=1, verdict="fail"))
    return store


@pytest.fixture
def client(source: Source, store: SqliteStore) -> Iterator[TestClient]:
    """A browser without scripts, before the pages over the database."""
    with TestClient(make_app(source), base_url="http://127.0.0.1:8765") as opened:
        yield opened


@pytest.fixture
def served(source: Source, two_runs: SqliteStore) -> Iterator[str]:
    """The address of a server with the two runs."""
    with serving(source) as address:
        yield address


class serving:  # noqa: N801  # used as a function
    """The pages behind a real socket, in a thread."""

    def __init__(self, source: Source) -> None:
        config = uvicorn.Config(make_app(source), log_level="error", access_log=False, lifespan="on", ws="none")
        self._server = uvicorn.Server(config)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=lambda: asyncio.run(self._server.serve([self._socket])))

    def __enter__(self) -> str:
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def __exit__(self, *raised: object) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()


def record_run(store: SqliteStore, id: str, *, good: tuple[int, ...], **fields: Any) -> None:
    """Record a finished run of rows that are asked, answered and judged; ``good`` ones are right."""
    started = f"{id[:4]}-{id[4:6]}-{id[6:8]}T00:00:00.000+00:00"
    store.start_run(run(id, started_at=started, **fields))
    for number in range(6):
        store.add_case(id, row(number, is_good=number in good))
    store.add_case(id, record("form", suite="extraction", scores=(score("json_match"),), calls=(call(),)))
    broken: dict[str, Any] = {"outcome": "error", "error_kind": "timeout", "error": "no answer in 60 s"}
    store.add_case(id, record("broken", suite="extraction", slices=("hard",), **broken))
    store.finish_run(id, END)


def row(number: int, *, is_good: bool) -> CaseRecord:
    """Return one of the judged rows."""
    made = judged_record(
        f"row-{number}",
        answer="Kim wrote it" if is_good else "Lee wrote it",
        question=f"Who wrote letter {number}?",
        outcome="passed" if is_good else "missed",
        slices=("even" if number % 2 == 0 else "odd",),
        input_digest=str(number),
        target='"Kim wrote it"',
    )
    votes = (
        Vote(judge="one", repeat=0, value=1.0, level="right", reason="It names the writer."),
        Vote(judge="two", repeat=0, value=0.0, level="wrong", reason="It names nobody."),
    )
    scores = judged_scores("right" if is_good else "wrong")
    return replace(
        made, scores=tuple(replace(each, votes=votes) if each.name == "correctness" else each for each in scores)
    )
