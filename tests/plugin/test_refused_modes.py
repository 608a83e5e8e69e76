"""Options of other plugins that evals cannot run under: a usage error, before any call."""

import pytest

from tests.support.project import Project

RUN_PARALLEL = """
import functools

import pytest

class RunParallel:
    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session):
        if session.config.option.parallel_threads != "1" or session.config.option.iterations != 1:
            for item in session.items:
                item.obj = twice(item.obj)

def twice(function):
    @functools.wraps(function)
    def inner(**values):
        for _ in range(2):
            function(**values)

    return inner

def pytest_addoption(parser):
    parser.addoption("--parallel-threads", dest="parallel_threads", default=1)
    parser.addoption("--iterations", dest="iterations", default=1, type=int)

def pytest_configure(config):
    config.pluginmanager.register(RunParallel(), "_run-parallel")
"""
"""A stand-in for pytest-run-parallel."""


@pytest.mark.parametrize("option", ["--parallel-threads=4", "--parallel-threads=auto", "--iterations=3"])
def test_pytest_run_parallel_calls_no_eval_several_times_over(project: Project, spread: list[str], option: str) -> None:
    """It would pass every async one, whose coroutine it drops, without a call."""
    project.eval("async def test_echo(model):\n    assert (await model.generate()).text == 'y'\n", [{"input": "x"}])
    project.write(conftest_py=RUN_PARALLEL, tests__test_plain_py="def test_plain():\n    pass\n")
    result = project.run("evals", option, *spread)
    assert result.ret == 4
    name = option.partition("=")[0]
    result.stderr.fnmatch_lines([f"*{name} calls each test several times, *: use {name}=1"])
    assert project.server.ledger == []
    assert project.run("evals", option, "--co").ret == 0
    assert project.run("tests", option).ret == 0
    assert project.run("evals", "--parallel-threads=1", *spread).ret == 1
    assert len(project.server.ledger) == 1
