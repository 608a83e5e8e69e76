"""What the body of an async eval raises is shown where the test and its application raise it."""

import pytest

from tests.support.project import Project

ROWS = [{"id": "a", "input": "a"}]
APPLICATION = """
import asyncio
import concurrent.futures

async def late():
    await asyncio.wait_for(asyncio.sleep(9), 0.01)

async def gone():
    task = asyncio.create_task(asyncio.sleep(9))
    task.cancel()
    await task

async def unasked():
    future = concurrent.futures.Future()
    future.cancel()
    future.result()
"""
RAISED = {
    "late": ("await asyncio.wait_for(asyncio.sleep(9), 0.01)", "TimeoutError"),
    "gone": ("await task", "asyncio.exceptions.CancelledError"),
    "unasked": ("future.result()", "concurrent.futures._base.CancelledError"),
}


@pytest.mark.parametrize("fixtures", ["", ", tmp_path"], ids=["ahead", "in turn"])
@pytest.mark.parametrize("name", RAISED)
def test_what_asyncio_makes_another_error_of_has_its_own_traceback(
    project: Project, spread: list[str], name: str, fixtures: str
) -> None:
    project.eval(f"async def test_echo(sample{fixtures}):\n    import app\n    await app.{name}()\n", ROWS)
    project.write(evals__app_py=APPLICATION)
    result = project.run("evals", *spread, inside=False)
    assert result.ret == 1
    line, told = RAISED[name]
    result.stdout.fnmatch_lines([f">*await app.{name}()", "evals/test_echo.py:6: ", f"*{line}", f"E*{told}"])
    assert "running.py" not in result.stdout.str() and "bodies.py" not in result.stdout.str()
    assert project.rows("SELECT outcome, error_kind, error FROM cases") == [
        {"outcome": "error", "error_kind": "code", "error": told}
    ]


def test_a_body_that_cancels_itself_is_given_up(project: Project, spread: list[str]) -> None:
    body = "import asyncio\n    asyncio.current_task().cancel()\n    await asyncio.sleep(9)"
    project.eval(f"async def test_echo(sample):\n    {body}\n", ROWS)
    assert project.run("evals", *spread).ret == 1
    (case,) = project.rows("SELECT error_kind, error FROM cases")
    assert case["error_kind"] == "code" and case["error"].endswith("or the body cancelled itself")
