"""Plugins that note which code each test runs: bodies run in their turn, since another test's would be noted as its."""

import pytest
from coverage import CoverageData

from tests.support.project import Project

ROWS = [{"id": f"r{n}", "input": f"q{n}"} for n in range(6)]
BODY = """
async def test_echo(sample, model):
    import app

    assert app.is_right((await model.generate()).text)
"""


@pytest.mark.usefixtures("all_plugins")
def test_each_case_is_the_context_of_the_code_that_it_runs(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COVERAGE_CORE", "ctrace")  # the one of Python 3.14 knows no contexts
    project.write(app_py="def is_right(text):\n    return bool(text)\n")
    project.eval(BODY, ROWS)
    result = project.run("evals", "--cov=app", "--cov-context=test", "-p", "no:xdist", inside=False)
    assert result.ret == 0, result.stdout.str()
    assert "0 ran ahead, 6 in their turn (--cov-context: 6)" in result.stdout.str()
    data = CoverageData(str(project.root / ".coverage"))
    data.read()
    contexts = data.contexts_by_lineno(str(project.root / "app.py"))
    assert sorted(contexts[2]) == [f"evals/test_echo.py::test_echo[r{n}]|run" for n in range(6)]


def test_testmon_finds_in_their_turn_what_each_case_depends_on(project: Project, spread: list[str]) -> None:
    """Else it leaves out all but one of them when that changes."""
    project.eval("async def test_echo(sample, model):\n    await model.generate()\n", ROWS)
    registering = "config.pluginmanager.register(object(), 'TestmonCollect')"
    project.write(conftest_py=f"def pytest_configure(config):\n    {registering}\n")
    result = project.run("evals", *spread)
    assert result.ret == 0, result.stdout.str()
    assert "0 ran ahead, 6 in their turn (--testmon: 6)" in result.stdout.str()
