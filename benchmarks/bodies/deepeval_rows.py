"""deepeval: a test for each row, judged by assert_test with a metric of one line."""

import json
import os
from pathlib import Path

import openai
import pytest
from deepeval import assert_test
from deepeval.metrics import BaseMetric
from deepeval.test_case import LLMTestCase

ROWS = [json.loads(line) for line in Path("rows.jsonl").read_text().splitlines()]


class Exact(BaseMetric):
    """1 where the output is the expected one."""

    threshold = 1.0
    async_mode = False

    def measure(self, test_case: LLMTestCase) -> float:
        """Return the score."""
        self.score = float(test_case.actual_output == test_case.expected_output)
        self.success = self.score == 1
        return self.score

    async def a_measure(self, test_case: LLMTestCase) -> float:
        """Return the score."""
        return self.measure(test_case)

    def is_successful(self) -> bool:
        """Tell whether the row passed."""
        return self.success


@pytest.fixture(scope="session")
def client():
    """Return one client for the process."""
    with openai.OpenAI(base_url=os.environ["BENCH_URL"]) as client:
        yield client


@pytest.mark.parametrize("row", ROWS, ids=[row["id"] for row in ROWS])
def test_echo(row, client):
    """Ask and judge."""
    answer = client.chat.completions.create(model="echo", messages=[{"role": "user", "content": row["input"]}])
    text = answer.choices[0].message.content
    assert_test(LLMTestCase(input=row["input"], actual_output=text, expected_output=row["target"]), [Exact()])
