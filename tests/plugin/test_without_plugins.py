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


REPORTER = """
import sys

import pytest
from _pytest.config import create_terminal_writer

class Reporter:
    def __init__(self, config):
        self.config, self.stats = config, {}
        self._tw = create_terminal_writer(config, sys.stdout)

    def write_sep(self, sep, title=None, **markup):
        self._tw.sep(sep, title, **markup)

    def write_line(self, line, **markup):
        self._tw.line(line, **markup)

    def pytest_sessionfinish(self, session):
        session.config.hook.pytest_terminal_summary(
            terminalreporter=self, exitstatus=session.exitstatus, config=session.config
        )

@pytest.hookimpl(trylast=True)
def pytest_configure(config):
    config.pluginmanager.unregister(name="terminalreporter")
    config.pluginmanager.register(Reporter(config), "terminalreporter")
"""
"""As in pytest-tldr: it has what most plugins ask of a reporter."""


def test_a_reporter_that_does_not_know_of_terminals_is_enough(project: Project) -> None:
    project.eval(BODIES, [{"id": "a", "input": "x", "target": "x"}])
    project.write(short_py=REPORTER)
    project.pytester.syspathinsert()
    result = project.run("evals", "-p", "short", "-p", "no:xdist")
    assert result.ret == 0, result.stdout.str()
    result.stdout.fnmatch_lines(["*= llmeval =*", "echo on echo: 1 passed"])
    assert project.last_run()["status"] == "finished"
