"""The list of runs, over several pages."""

import re

import pytest
from starlette.testclient import TestClient

from pytest_llmeval.store.sqlite import SqliteStore
from pytest_llmeval.view import app
from tests.support.stored_runs import END, run


def test_runs_of_different_pages_are_compared(
    client: TestClient, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each with the one before it, and any with any."""
    monkeypatch.setattr(app, "_RUNS", 2)
    ids = [f"2026010{day}-000000-aaaaaa" for day in (5, 4, 3, 2, 1)]
    for each in reversed(ids):
        store.start_run(run(each, started_at=f"{each[:4]}-{each[4:6]}-{each[6:8]}T00:00:00.000+00:00"))
        store.finish_run(each, END)
    for skip in (0, 2, 4):
        text = client.get(f"/?skip={skip}").text
        shown = ids[skip : skip + 2]
        links = re.findall(r'href="/compare\?base=([^&]*)&amp;current=([^"]*)"', text)
        assert links == [(before, each) for each, before in zip(ids, ids[1:], strict=False) if each in shown]
        currents, bases = (
            text.split(f'<select name="{name}">')[1].split("</select>")[0] for name in ("current", "base")
        )
        assert re.findall(r'value="([^"]*)"', currents) == shown
        assert re.findall(r'value="([^"]*)"', bases) == ids
        assert re.findall(r'value="([^"]*)" selected', bases) == ids[skip + 1 : skip + 2]
