"""Coroutine functions as evals: this plugin runs each exactly once, whatever other async plugins do (section 1)."""

from typing import Any

import pytest

from tests.support.project import Project, jsonl
from tests.support.sessions import wait_until

ROWS = [{"id": each, "input": each} for each in "abc"]
EVAL = """
async def test_echo(sample, model):
    response = await model.generate()
    assert response.text == sample.input
    with open("bodies.txt", "a") as file:
        file.write(sample.id)
"""
SETUPS = {
    "neither": "addopts = -p no:asyncio -p no:anyio\n",
    "asyncio strict": "asyncio_mode = strict\nasyncio_default_fixture_loop_scope = function\n",
    "asyncio auto": "asyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n",
    "anyio auto": "addopts = -p no:asyncio\nanyio_mode = auto\n",
    "both auto": "asyncio_mode = auto\nanyio_mode = auto\nasyncio_default_fixture_loop_scope = function\n",
}


@pytest.fixture
def written(project: Project) -> Project:
    project.eval(EVAL, ROWS)
    return project


@pytest.mark.parametrize("setup", SETUPS)
def test_each_body_runs_exactly_once(written: Project, setup: str) -> None:
    written.write(tox_ini=f"[pytest]\n{SETUPS[setup]}")
    result = written.run("evals", "-p", "no:hypothesispytest", inside=False)
    result.assert_outcomes(passed=3)
    assert sorted((written.root / "bodies.txt").read_text()) == ["a", "b", "c"]
    assert len(written.server.ledger) == 3
    assert written.cases() == {"a": "passed", "b": "passed", "c": "passed"}
    names = written.rows("SELECT DISTINCT suite, nodeid FROM cases ORDER BY nodeid")
    assert [row["suite"] for row in names] == ["echo"] * 3
    assert [row["nodeid"].partition("::")[2] for row in names] == [f"test_echo[{each}]" for each in "abc"]


TRIO = """
import functools
import inspect

import pytest

def started(function, **arguments):
    coroutine = function(**arguments)
    with open("trio.txt", "a") as file:
        file.write(arguments["sample"].id)
    coroutine.close()

def pytest_collection_modifyitems(items):
    for item in items:
        if inspect.iscoroutinefunction(item.obj):
            item.add_marker(pytest.mark.trio(run=None))

@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    if item.get_closest_marker("trio") is not None:
        item.obj = functools.partial(started, item.obj)
    yield
"""


def test_the_mode_of_trio_runs_no_eval_and_its_mark_does(written: Project) -> None:
    """A stand-in for pytest-trio: each body that it started was run by both, and its case was an error."""
    written.eval("@pytest.mark.trio\n" + EVAL.lstrip().replace("test_echo", "test_own"), ROWS, name="own")
    written.write(conftest_py=TRIO, tox_ini=f"[pytest]\nmarkers = trio\n{SETUPS['neither']}")
    written.run("evals", "-p", "no:hypothesispytest").assert_outcomes(passed=6)
    assert sorted((written.root / "bodies.txt").read_text()) == ["a", "b", "c"]
    assert sorted((written.root / "trio.txt").read_text()) == ["a", "b", "c"]
    assert len(written.server.ledger) == 3


GATED = "version: 1\nsuites: {echo: {pass_rate: {min: 0.5}}}\n"


@pytest.mark.parametrize("asked", ["mark", "argument"])
def test_an_eval_for_anyio_runs_as_any_other_where_that_plugin_is_not_there(
    written: Project, spread: list[str], asked: str
) -> None:
    body = EVAL.lstrip()
    if asked == "argument":
        body = body.replace("sample, model", "sample, model, anyio_backend")
        written.write(conftest_py="import pytest\n@pytest.fixture\ndef anyio_backend():\n    return 'asyncio'\n")
    written.eval(f"@pytest.mark.anyio\n{body}" if asked == "mark" else body, ROWS)
    written.write(tox_ini=f"[pytest]\nmarkers = anyio\n{SETUPS['neither']}")
    assert written.run("evals", "-p", "no:hypothesispytest", *spread, inside=False).ret == 0
    assert sorted((written.root / "bodies.txt").read_text()) == ["a", "b", "c"]


WRAPPED = """
import functools

def wrapped(function):
    @functools.wraps(function)
    def call(*args, **kwargs):
        return function(*args, **kwargs)

    return call

"""


@pytest.mark.parametrize(
    ("before", "told"),
    [
        ("@pytest.mark.trio", "its mark trio leaves it to pytest-trio, which is not installed"),
        ("@wrapped", "its function, or a decorator around it, returned a coroutine and is not async"),
    ],
    ids=["trio", "decorator"],
)
def test_an_eval_whose_body_nobody_ran_is_an_error_and_no_miss(
    written: Project, spread: list[str], before: str, told: str
) -> None:
    """Nothing was answered, so nothing is known of the answers."""
    written.eval(f"{before}\n{EVAL.lstrip()}", ROWS)
    path = written.root / "evals" / "test_echo.py"
    path.write_text(f"{WRAPPED}{path.read_text()}")
    written.write(thresholds_yaml=GATED, tox_ini=f"[pytest]\nmarkers = trio\n{SETUPS['neither']}")
    result = written.run("evals", "-p", "no:hypothesispytest", *spread, inside=False)
    assert result.ret == 10, result.stdout.str()
    assert not (written.root / "bodies.txt").exists()
    cases = written.rows("SELECT outcome, error_kind, error FROM cases")
    assert {(row["outcome"], row["error_kind"]) for row in cases} == {("error", "code")}
    assert all(row["error"].startswith(f"the body of this eval did not run: {told}") for row in cases)


def test_an_eval_that_yields_is_refused_with_its_line(written: Project, spread: list[str]) -> None:
    """Of an async generator pytest runs no body, nor does any of its plugins."""
    written.eval(EVAL.rstrip() + "\n    yield\n", ROWS)
    result = written.run("evals", *spread, inside=False)
    assert result.ret == 4
    result.stderr.fnmatch_lines(["ERROR: evals/test_echo.py:3: test_echo is an async generator, as it holds a yield,*"])
    assert written.server.ledger == []


def test_bodies_run_once_in_workers(written: Project) -> None:
    written.write(tox_ini=f"[pytest]\n{SETUPS['asyncio auto']}")
    written.run("evals", "-n2", "-p", "no:hypothesispytest").assert_outcomes(passed=3)
    assert sorted((written.root / "bodies.txt").read_text()) == ["a", "b", "c"]


def test_own_async_tests_of_the_project_stay_with_its_plugin(written: Project) -> None:
    written.write(
        tox_ini=f"[pytest]\n{SETUPS['asyncio strict']}",
        evals__test_own_py="""
        import asyncio

        import pytest

        @pytest.mark.asyncio
        async def test_own():
            assert asyncio.get_running_loop()
        """,
    )
    written.run("evals", inside=False).assert_outcomes(passed=4)


def test_a_fixture_of_another_event_loop_is_named_and_anyio_gives_one_of_the_same(project: Project) -> None:
    own = """
        import asyncio

        import pytest
        import pytest_asyncio

        @pytest.fixture
        def anyio_backend():
            return "asyncio"

        @%s
        async def promise():
            made = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_later(0.01, made.set_result, "done")
            yield made

        %s
        @pytest.mark.llmeval([{"id": "a", "input": "a"}])
        async def test_echo(promise, model):
            assert await promise == "done"
            assert (await model.generate()).text == "a"
        """
    other = own.replace("test_echo", "test_other").replace("assert await promise", "raise RuntimeError('gave up') #")
    project.write(
        tox_ini=f"[pytest]\n{SETUPS['asyncio strict']}",
        evals__test_other_py=other % ("pytest_asyncio.fixture", ""),
        evals__test_theirs_py=own % ("pytest_asyncio.fixture", ""),
        evals__test_same_py=(own % ("pytest.fixture", "@pytest.mark.anyio")).replace("test_echo", "test_same"),
    )
    project.run("evals", "-p", "no:hypothesispytest", inside=False).assert_outcomes(passed=1, errors=2)
    query = "SELECT error FROM cases WHERE outcome = 'error' ORDER BY suite"
    error, of_the_app = (row["error"] for row in project.rows(query))
    assert of_the_app == "RuntimeError: gave up"
    assert "attached to a different loop" in error
    assert "fixture 'promise' may have been made on another event loop than that of the body" in error


GIVING_UP = """
async def test_echo(sample, model):
    import asyncio

    async def fail():
        await asyncio.sleep(0.1)
        raise LookupError("a sibling")

    if sample.id == "a":
        async with asyncio.timeout(0.1):
            await model.generate()
    elif sample.id == "b":
        async with asyncio.TaskGroup() as group:
            group.create_task(model.generate())
            group.create_task(fail())
    else:
        asyncio.create_task(model.generate())
        await asyncio.sleep(0.1)
"""


def test_a_call_that_a_body_gives_up_is_on_its_case_and_its_cost_is_unknown(project: Project) -> None:
    """By a time limit, a sibling that fails, or never awaited: it is paid for, and its answer is kept as it comes."""

    def late(messages: list[dict[str, Any]]) -> str:
        wait_until(lambda: len(project.cases()) == 3, "all cases are recorded")
        return str(messages[-1]["content"])

    project.server.reply = late
    project.write(models_yaml=f"models: {{late: {{spec: '{project.model}', prices: {{input: 1, output: 1}}}}}}\n")
    project.eval(GIVING_UP, ROWS)
    project.run("evals", model="late")
    cases = project.rows("SELECT outcome, cost_usd, input_tokens, attempts FROM cases ORDER BY sample_id")
    assert [case.pop("outcome") for case in cases] == ["error", "error", "passed"]
    assert cases == [{"cost_usd": None, "input_tokens": None, "attempts": 1}] * 3
    calls = project.rows("SELECT status, cost_usd > 0 AS is_paid, response FROM calls ORDER BY response")
    assert calls == [{"status": "ok", "is_paid": 1, "response": each} for each in "abc"]


@pytest.mark.parametrize(
    ("body", "outcome", "kind"),
    [
        ("assert False", "missed", None),
        ("raise RuntimeError('boom')", "error", "code"),
        ("score.record('x', 0.0, passed=False)", "missed", None),
        ("pytest.skip('no')", "skipped", None),
        ("await model.generate([{'role': 'nobody'}])", "error", "code"),
    ],
)
def test_outcomes_of_async_bodies(project: Project, body: str, outcome: str, kind: str | None) -> None:
    project.eval(f"async def test_echo(model, score):\n    {body}\n", ROWS[:1])
    project.run("evals")
    assert project.rows("SELECT outcome, error_kind FROM cases") == [{"outcome": outcome, "error_kind": kind}]


def test_the_sync_call_in_an_async_body_is_an_error_that_says_what_to_do(project: Project) -> None:
    """It would wait for ever on the loop that it blocks."""
    project.eval("async def test_echo(model):\n    model.generate_sync()\n", ROWS[:1])
    assert project.run("evals").ret == 1
    assert "await model.generate()" in project.rows("SELECT error FROM cases")[0]["error"]


def test_async_and_sync_evals_of_one_module_share_a_run(project: Project) -> None:
    project.write(
        data__rows_jsonl=jsonl(*ROWS),
        evals__test_both_py="""
        import pytest

        @pytest.mark.llmeval("data/rows.jsonl")
        def test_sync(sample, response):
            assert response.text == sample.input

        @pytest.mark.llmeval("data/rows.jsonl")
        async def test_async(sample, model):
            first, second = await model.generate(), await model.generate("again")
            assert (first.text, second.text) == (sample.input, "again")
        """,
    )
    assert project.run("evals").ret == 0
    assert len(project.rows("SELECT * FROM cases")) == 6
    assert len(project.rows("SELECT * FROM calls")) == 9
    assert {row["response"] for row in project.rows("SELECT response FROM cases WHERE suite = 'async'")} == {"again"}


def test_several_calls_of_one_body_may_run_together(project: Project) -> None:
    project.eval(
        """
        import asyncio

        async def test_echo(model):
            answers = await asyncio.gather(*(model.generate(str(n)) for n in range(5)))
            assert [answer.text for answer in answers] == list("01234")
        """.replace("\n        import asyncio\n", ""),
        ROWS[:1],
    )
    text = (project.root / "evals" / "test_echo.py").read_text()
    project.write(evals__test_echo_py="import asyncio\n" + text)
    project.run("evals").assert_outcomes(passed=1)
    assert len(project.rows("SELECT * FROM calls")) == 5


def test_the_response_fixture_serves_async_bodies_too(project: Project) -> None:
    project.eval("async def test_echo(sample, response):\n    assert response.text == sample.input\n", ROWS)
    project.run("evals").assert_outcomes(passed=3)


def test_session_fixtures_of_the_project_reach_async_bodies(project: Project) -> None:
    project.eval("async def test_echo(client, model):\n    assert client == 'made'\n", ROWS)
    project.write(conftest_py="import pytest\n\n@pytest.fixture(scope='session')\ndef client():\n    yield 'made'\n")
    project.run("evals").assert_outcomes(passed=3)


def test_print_in_an_async_body_is_captured_for_its_case(project: Project) -> None:
    project.eval(
        "async def test_echo(sample, model):\n    print('said by', sample.id)\n    assert sample.id != 'b'\n", ROWS
    )
    result = project.run("evals")
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*Captured stdout call*", "said by b"])
    result.stdout.no_fnmatch_line("said by a")


def test_a_session_may_run_within_a_loop_of_somebody_elses(project: Project, spread: list[str]) -> None:
    """As in a cell of a notebook, or beside a plugin that leaves its loop running in the main thread."""
    project.eval("def test_echo(sample, model):\n    assert model.generate_sync().text == sample.input\n", ROWS)
    project.write(
        main_py=f"""
        import asyncio

        import pytest

        async def main():
            return pytest.main(["evals", "--model={project.model}", *{spread}])

        raise SystemExit(asyncio.run(main()))
        """
    )
    assert project.pytester.runpython(project.root / "main.py").ret == 0
    assert project.cases() == dict.fromkeys("abc", "passed")


def test_a_loop_that_a_fixture_left_running_is_no_obstacle(project: Project, spread: list[str]) -> None:
    """pytest-playwright's does, for the rest of the session."""
    project.eval("def test_echo(sample, response):\n    assert response.text == sample.input\n", ROWS)
    project.write(
        conftest_py="""
        import asyncio

        import pytest

        @pytest.fixture(scope="session", autouse=True)
        def left_running():
            loop = asyncio.new_event_loop()
            asyncio.events._set_running_loop(loop)
            yield
            asyncio.events._set_running_loop(None)
            loop.close()
        """
    )
    assert project.run("evals", *spread, inside=False).ret == 0
    assert project.cases() == dict.fromkeys("abc", "passed")
