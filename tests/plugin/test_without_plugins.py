"""Evals where a plugin that pytest brings along is switched off."""

import pytest

from tests.support.project import Project

BODIES = """
def test_echo(sample, response, score):
    score.exact(response, sample.target)

@pytest.mark.llmeval("data/echo.jsonl")
async def test_later(sample, model, score):
    score.exact(await model.generate(), sample.target)
"""
PLUGINS = (
    "cacheprovider", "capture", "debugging", "faulthandler", "junitxml", "logging", "reports", "setuponly", "setupplan",
    "skipping", "terminal", "threadexception", "unittest", "unraisableexception", "warnings", "xdist",
)  # fmt: skip


@pytest.mark.parametrize("plugin", PLUGINS)
def test_evals_run_without_it(project: Project, plugin: str) -> None:
    """Its options are not there then."""
    project.eval(BODIES, [{"id": "a", "input": "x", "target": "x"}])
    result = project.run("evals", "-p", f"no:{plugin}", fresh=True)
    assert result.ret == 0, result.stdout.str() + result.stderr.str()
    assert project.rows("SELECT suite, outcome FROM cases ORDER BY suite") == [
        {"suite": "echo", "outcome": "passed"},
        {"suite": "later", "outcome": "passed"},
    ]


@pytest.mark.parametrize("plugin", ["setuponly", "setupplan", "capture", "terminal"])
def test_listing_them_asks_nobody_without_it(project: Project, plugin: str) -> None:
    project.eval(BODIES, [{"id": "a", "input": "x", "target": "x"}])
    assert project.run("evals", "--co", "-p", f"no:{plugin}", fresh=True).ret == 0
    assert project.server.ledger == []
    assert not (project.root / ".llmeval").exists()
