"""Names that only a type checker imports: Python 3.14 reads them in annotations when it is asked for these."""

import sys

from tests.support.project import Project, jsonl

HEAD = """
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_llmeval import Model, Response, Sample, Score

"""
FIRST = "" if sys.version_info >= (3, 14) else "from __future__ import annotations\n"
"""With which any Python takes what 3.14 takes without it."""
EVALS = """
from pytest_llmeval.scorers import scorer

@scorer
def short(response: Response, *, most: Length = 5) -> Verdict:
    return len(str(response)) <= most

def prompt(sample: Sample) -> Text:
    return sample.input

@pytest.fixture
def most(sample: Sample) -> Length:
    return sample.target

@pytest.mark.llmeval("data/echo.jsonl", prompt=prompt)
def test_plain(sample: Sample, response: Response, score: Score) -> Nothing:
    score.short(response, most=sample.target)

@pytest.mark.llmeval("data/echo.jsonl", prompt=prompt)
async def test_ahead(model: Model, score: Score) -> Nothing:
    score.short(await model.generate())

@pytest.mark.llmeval("data/echo.jsonl", prompt=prompt)
async def test_in_turn(model: Model, score: Score, most: Length) -> Nothing:
    score.short(await model.generate(), most=most)
"""


def test_evals_and_scorers_name_what_only_a_type_checker_imports(project: Project) -> None:
    project.write(data__echo_jsonl=jsonl({"input": "hello", "target": 5}), evals__test_echo_py=FIRST + HEAD + EVALS)
    result = project.run("evals")
    result.assert_outcomes(passed=3)
    assert "1 ran ahead, 1 in their turn" in result.stdout.str()
    assert len(project.server.ledger) == 3
