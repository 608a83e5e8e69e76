"""An eval in plain pytest, as many write it: a blocking client in a parametrized test."""

import json
import os
from pathlib import Path

import openai
import pytest

ROWS = [json.loads(line) for line in Path("rows.jsonl").read_text().splitlines()]


@pytest.fixture(scope="session")
def client():
    """Return one client for the process."""
    with openai.OpenAI(base_url=os.environ["BENCH_URL"]) as client:
        yield client


@pytest.mark.parametrize("row", ROWS, ids=[row["id"] for row in ROWS])
def test_echo(row, client):
    """Ask and compare."""
    answer = client.chat.completions.create(model="echo", messages=[{"role": "user", "content": row["input"]}])
    assert answer.choices[0].message.content == row["target"]
