"""Evals where plugins that pytest brings along are switched off."""

import pytest

from tests.support.project import Project

BODIES = """
def test_echo(sample, response, score):
    score.exact(response, sample.target)

@pytest.mark.llmeval("data/echo.jsonl")
async def test_later(sample, model, score):
    score.exact(await model.generate(), sample.target)
"""
ALONE = ("capture", "logging", "terminal", "unittest", "xdist")
"""Those on which others build: what is left of pytest differs without each."""
TOGETHER = (
    "cacheprovider", "debugging", "faulthandler", "junitxml", "reports", "setuponly", "setupplan", "skipping",
    "threadexception", "unraisableexception", "warnings",
)  # fmt: skip


def without(*plugins: str) -> list[str]:
    return [argument for plugin in plugins for argument in ("-p", f"no:{plugin}")]


@pytest.mark.parametrize("plugins", [TOGETHER, *((plugin,) for plugin in ALONE)], ids=lambda each: each[0])
def test_evals_run_without_them(project: Project, plugins: tuple[str, ...]) -> None:
    """Their options are not there then."""
    project.eval(BODIES, [{"id": "a", "input": "x", "target": "x"}])
    result = project.run("evals", *without(*plugins), fresh=True)
    assert result.ret == 0, result.stdout.str() + result.stderr.str()
    assert project.rows("SELECT suite, outcome FROM cases ORDER BY suite") == [
        {"suite": "echo", "outcome": "passed"},
        {"suite": "later", "outcome": "passed"},
    ]


@pytest.mark.parametrize("plugins", [("setuponly", "setupplan", "capture"), ("terminal",)], ids=lambda each: each[0])
def test_listing_them_asks_nobody_without_them(project: Project, plugins: tuple[str, ...]) -> None:
    project.eval(BODIES, [{"id": "a", "input": "x", "target": "x"}])
    assert project.run("evals", "--co", *without(*plugins), fresh=True).ret == 0
    assert project.server.ledger == []
    assert not (project.root / ".llmeval").exists()
