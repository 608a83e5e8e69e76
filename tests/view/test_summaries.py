"""What is worked out beside the pages comes in the end, whatever happens to processes, and is of what there is now."""

import multiprocessing
import os
import time
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from pytest_llmeval.store.processes import process_started
from pytest_llmeval.store.records import Run
from pytest_llmeval.store.sqlite import SqliteStore
from pytest_llmeval.view import summaries
from pytest_llmeval.view.app import make_app
from pytest_llmeval.view.source import Source
from pytest_llmeval.view.summaries import Overview, overview
from tests.support.records import call, record
from tests.support.sessions import wait_until
from tests.support.stored_runs import END, run
from tests.view.conftest import NEW
from tests.view.test_pages import whole


def stuck_at_first(path: Path, root: Path, run: Run) -> Overview:
    """Return an overview, the first time never."""
    mark = root / "begun"
    if not mark.exists():
        mark.touch()
        time.sleep(600)
    return overview(path, root, run)


def test_a_killed_process_holds_up_no_page_for_ever(
    client: TestClient, two_runs: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the system where memory ran out, say: what it was at is begun anew, and so is what comes after."""
    monkeypatch.setattr(summaries, "_MOST_HERE", 0)
    monkeypatch.setattr(summaries, "PATIENCE_S", 0.0)
    monkeypatch.setattr(summaries, "overview", stuck_at_first)
    assert "being worked out" in client.get(f"/run?id={NEW}").text
    wait_until((tmp_path / "begun").exists, "it has begun", longest_s=60)
    for process in multiprocessing.active_children():
        process.kill()
    assert "<figcaption><b>correctness</b>" in whole(client, f"/run?id={NEW}")
    for process in multiprocessing.active_children():
        process.kill()
        process.join()
    assert ">correctness<" in whole(client, f"/compare?base={NEW}&current={NEW}")


def test_no_process_outlives_the_server(
    source: Source, two_runs: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it is at; nobody waits for it."""
    monkeypatch.setattr(summaries, "_MOST_HERE", 0)
    monkeypatch.setattr(summaries, "PATIENCE_S", 0.0)
    monkeypatch.setattr(summaries, "overview", stuck_at_first)
    with TestClient(make_app(source), base_url="http://127.0.0.1:8765") as client:
        client.get(f"/run?id={NEW}")
        wait_until((tmp_path / "begun").exists, "it has begun", longest_s=60)
        begun = multiprocessing.active_children()
    assert begun
    # The pool waits for each, too, and for a moment alone knows how it ended.
    wait_until(lambda: all(process.exitcode is not None for process in begun), "they have ended", longest_s=60)


def test_flips_are_counted_again_while_the_base_goes_on(store: SqliteStore, client: TestClient) -> None:
    base, current = "20260101-000000-aaaaaa", "20260102-000000-bbbbbb"
    store.start_run(run(base, pid=os.getpid(), process_started=process_started(os.getpid())))
    store.start_run(run(current))
    for number in range(40):
        store.add_case(current, record(f"r{number}", outcome="missed"))
    store.finish_run(current, END)
    for already, number in ((0, 30), (30, 35), (35, 40)):
        for each in range(already, number):
            store.add_case(base, record(f"r{each}"))
        if number == 40:
            store.finish_run(base, END)
        assert f"{number} cases flipped" in client.get(f"/compare?base={base}&current={current}").text


def test_tokens_that_a_server_did_not_tell_are_unknown(client: TestClient, store: SqliteStore) -> None:
    store.start_run(run("r"))
    store.add_case("r", record("a", calls=(call(), call(name="b", input_tokens=None, output_tokens=None))))
    store.add_case("r", record("b", calls=(call(model="n", input_tokens=None, output_tokens=None),)))
    text = whole(client, "/run?id=r")
    for figures in (("2", "at least 10", "at least 5"), ("1", "unknown", "unknown")):
        assert "".join(f'<td class="le-figure">{figure}</td>' for figure in figures) in text
