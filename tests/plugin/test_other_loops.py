"""Async fixtures and marks of other plugins: what works in the auto mode of pytest-asyncio, and what is told."""

import pytest

from tests.support.project import Project

AUTO = "[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\nfilterwarnings = error\n"
STRICT = ("-o", "asyncio_mode=strict")
PROMISES = """
import asyncio
import contextlib

import pytest

def made():
    return asyncio.get_running_loop().create_future()

@pytest.fixture
def anyio_backend():
    return "asyncio"

@pytest.fixture
async def promise():
    yield made()

@pytest.fixture(scope="session")
def opened():
    @contextlib.asynccontextmanager
    async def opened():
        yield made()

    return opened
"""
LEFT = """
@pytest.mark.anyio
async def test_echo(sample, promise):
    import asyncio
    asyncio.get_running_loop().call_soon(promise.set_result, "done")
    assert await promise == "done"
"""
IN_BODY = """
async def test_echo(sample, opened):
    import asyncio
    async with opened() as promise:
        asyncio.get_running_loop().call_soon(promise.set_result, "done")
        assert await promise == "done"
"""
ROWS = [{"id": each, "input": each} for each in "ab"]


@pytest.fixture
def auto(project: Project) -> Project:
    """A project in pytest-asyncio's auto mode, with a fixture that only its own event loop can use."""
    project.write(tox_ini=AUTO, evals__conftest_py=PROMISES)
    return project


def told(text: str) -> str:
    return " ".join(text.split())


def test_what_a_body_opens_works_in_auto_mode(auto: Project, spread: list[str]) -> None:
    auto.eval(IN_BODY, ROWS)
    result = auto.run("evals", "-p", "no:hypothesispytest", *spread, inside=False)
    assert result.ret == 0, result.stdout.str()


def test_what_is_left_to_anyio_works_in_strict_mode_and_auto_mode_is_told_so(auto: Project, spread: list[str]) -> None:
    auto.eval(LEFT, ROWS)
    options = ("evals", "-p", "no:hypothesispytest", *spread)
    result = auto.run(*options, inside=False)
    assert result.ret == 1
    for row in auto.rows("SELECT error FROM cases"):
        assert "attached to a different loop" in row["error"]
        assert "fixture 'promise' may have been made on another event loop than that of the body" in row["error"]
        assert "(mark anyio) and run with -o asyncio_mode=strict" in row["error"]
    result = auto.run(*options, *STRICT, inside=False)
    assert result.ret == 0, result.stdout.str()


@pytest.mark.parametrize("mode", [(), STRICT], ids=["auto", "strict"])
def test_a_mark_that_asks_for_another_loop_is_told(auto: Project, spread: list[str], mode: tuple[str, ...]) -> None:
    for name, mark in (("a", "asyncio(loop_scope='session')"), ("b", "asyncio"), ("c", "filterwarnings('error')")):
        auto.eval(f"@pytest.mark.{mark}\nasync def test_{name}(sample):\n    pass\n", ROWS, name=name)
    result = auto.run("evals", "-p", "no:hypothesispytest", *spread, *mode, inside=False)
    assert result.ret == 0, result.stdout.str()
    note = "note: the mark asyncio(loop_scope='session') of test_a has no effect: async evals run on an event loop"
    assert note in told(result.stdout.str())
    assert result.stdout.str().count("has no effect") == 1
