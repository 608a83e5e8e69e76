"""pytest-evals: a case for each row, and an analysis over all of them."""

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


@pytest.mark.eval(name="echo")
@pytest.mark.parametrize("row", ROWS, ids=[row["id"] for row in ROWS])
def test_echo(row, client, eval_bag):
    """Ask and note."""
    answer = client.chat.completions.create(model="echo", messages=[{"role": "user", "content": row["input"]}])
    eval_bag.right = answer.choices[0].message.content == row["target"]


@pytest.mark.eval_analysis(name="echo")
def test_echo_analysis(eval_results):
    """Print the mean."""
    print("mean", sum(each.result.right for each in eval_results) / len(eval_results))
