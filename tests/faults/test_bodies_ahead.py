"""Bodies of async evals run side by side, and each case looks as if it had run alone (contract, section 1)."""

import re

import pytest

from tests.support.project import Project
from tests.support.sessions import Held, Session, asked, requests, wait_until

ROWS = [{"id": f"r{n}", "input": f"q{n}"} for n in range(8)]
LOUD = """
import asyncio
import logging
import sys

import pytest

@pytest.mark.llmeval("data/echo.jsonl")
async def test_echo(sample, model):
    print("out before", sample.id)
    response = await model.generate()
    print("out after", sample.id)
    await asyncio.get_running_loop().run_in_executor(None, print, "out of a thread of", sample.id)
    print("err of", sample.id, file=sys.stderr)
    logging.getLogger("own").warning("log of %s", sample.id)
    assert sample.id not in ("r2", "r5")
"""
SHARED = """
import pytest

@pytest.fixture(scope=%r)
def shared():
    note("made")
    yield "whole"
    note("gone")

def note(word):
    with open("trace.txt", "a") as file:
        file.write(word + " ")
"""
USES = """
async def test_echo(sample, model, shared):
    response = await model.generate()
    assert response.text == sample.input
    assert shared == "whole"
    with open("trace.txt", "a") as file:
        file.write("body ")
"""


def test_bodies_wait_for_their_answers_together(project: Project, dist_args: list[str]) -> None:
    """The server answers nobody before many have asked, which one after the other never would.

    A worker knows no more than the two cases that xdist gave it first.
    """
    project.eval("async def test_echo(sample, model):\n    assert (await model.generate()).text\n", ROWS)
    held = Held(project.server, 0)
    together = 4 if "-n2" in dist_args else 8
    with Session(project, "--max-connections=8", *dist_args) as session:
        wait_until(lambda: len(project.server.ledger) == together, "these have asked")
        held.open()
        assert session.end() == 0, session.text
    assert project.server.max_in_flight >= together
    if together == 8:
        assert "8 ran ahead, 0 in their turn" in session.text
    else:
        assert "ran ahead, " in session.text


def test_second_calls_of_bodies_overlap_too(project: Project) -> None:
    """They depend on first answers: nobody but a body that runs can make them."""
    project.eval(
        "async def test_echo(sample, model):\n    first = await model.generate()\n"
        "    await model.generate('again ' + first.text)\n",
        ROWS,
    )
    held = Held(project.server, 0, beginning="again")
    with Session(project, "--max-connections=8", "-p", "no:xdist") as session:
        wait_until(lambda: len(project.server.ledger) == 16, "all have asked twice")
        held.open()
        assert session.end() == 0, session.text
    assert sorted(asked(project.server)) == sorted(f"{word}q{n}" for word in ("", "again ") for n in range(8))


def test_what_a_body_writes_stays_with_its_case(project: Project, dist_args: list[str]) -> None:
    project.eval("", ROWS)
    project.write(evals__test_echo_py=LOUD)
    result = project.run("evals", "--junitxml=out.xml", *dist_args, inside=False)
    assert result.ret == 1
    said = re.findall(r"(?:out before|out after|out of a thread of|err of|log of) (r\d)", result.stdout.str())
    assert sorted(said) == 5 * ["r2"] + 5 * ["r5"]
    for name in ("r2", "r5"):
        shown = result.stdout.str().partition(f"test_echo[{name}]")[2].partition("test_echo[")[0]
        assert shown.index(f"out before {name}") < shown.index(f"out after {name}") < shown.index(f"log of {name}")


@pytest.mark.parametrize("capture", ["fd", "sys", "tee-sys"])
def test_outputs_are_kept_apart_under_each_kind_of_capture(project: Project, capture: str) -> None:
    project.eval("", ROWS)
    project.write(evals__test_echo_py=LOUD)
    result = project.run("evals", f"--capture={capture}", "-p", "no:xdist", inside=False)
    failures = result.stdout.str().partition("= FAILURES =")[2]
    for where in ("after", "of a thread of"):
        assert sorted(re.findall(rf"out {where} (r\d)", failures)) == ["r2", "r5"]
    assert "8 ran ahead" in result.stdout.str()


@pytest.mark.parametrize(("scope", "dist"), [("module", "n0"), ("module", "n1"), ("session", "n0"), ("package", "n0")])
def test_fixtures_that_stay_reach_bodies_and_outlive_them(project: Project, scope: str, dist: str) -> None:
    project.eval(USES, ROWS)
    project.write(conftest_py=SHARED % scope)
    result = project.run("evals", f"-{dist}")
    assert result.ret == 0
    assert (project.root / "trace.txt").read_text().split() == ["made", *8 * ["body"], "gone"]
    told = "7 ran ahead, 1 in their turn (first of its function: 1)" if dist == "n0" else "in their turn"
    assert told in result.stdout.str()


@pytest.mark.parametrize(
    ("fixture", "why"),
    [
        ("@pytest.fixture\ndef own():\n    yield 1\n", "fixture 'own' is made for each test: 8"),
        (
            "@pytest.fixture\ndef own(request):\n    return request.node.name\n",
            "fixture 'own' is made for each test: 8",
        ),
    ],
)
def test_bodies_that_need_their_turn_get_it_and_the_summary_says_why(project: Project, fixture: str, why: str) -> None:
    project.eval("async def test_echo(sample, response, own):\n    assert response.text == sample.input\n", ROWS)
    project.write(conftest_py=f"import pytest\n\n{fixture}")
    result = project.run("evals")
    assert result.ret == 0
    told = " ".join(result.stdout.str().split())
    assert f"0 ran ahead, 8 in their turn ({why})" in told
    assert len(project.server.ledger) == 8


@pytest.mark.parametrize("option", ["-s", "--pdb", "--setup-show"])
def test_options_that_show_one_test_at_a_time_run_one_at_a_time(project: Project, option: str) -> None:
    project.eval("async def test_echo(sample, model):\n    await model.generate()\n", ROWS[:3])
    result = project.run("evals", option, "-p", "no:xdist", inside=False)
    assert result.ret == 0
    assert f"0 ran ahead, 3 in their turn ({option}: 3)" in result.stdout.str()
    assert project.server.max_in_flight == 1


@pytest.mark.parametrize("mode", ["asyncio_mode = auto", "asyncio_mode = strict", "anyio_mode = auto"])
def test_modes_of_other_plugins_change_nothing(project: Project, mode: str) -> None:
    """Bodies run on this plugin's loop, side by side; only an anyio mark of one's own hands them to anyio."""
    project.eval("async def test_echo(sample, model):\n    assert (await model.generate()).text\n", ROWS)
    project.write(tox_ini=f"[pytest]\n{mode}\nasyncio_default_fixture_loop_scope = module\n")
    held = Held(project.server, 1)
    with Session(project, "-p", "no:xdist", "-p", "no:hypothesispytest") as session:
        wait_until(lambda: len(project.server.ledger) == 8, "all have asked")
        held.open()
        assert session.end() == 0, session.text
    assert "ran ahead" in session.text


def test_async_fixtures_of_another_plugin_keep_bodies_in_their_turn(project: Project) -> None:
    """They are made on a loop of their own; what they give can be used all the same."""
    project.eval("async def test_echo(sample, response, own):\n    assert own == 1\n", ROWS)
    project.write(
        tox_ini="[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = module\n",
        conftest_py="""
        import pytest

        @pytest.fixture(scope="module")
        async def own():
            return 1
        """,
    )
    result = project.run("evals", "-p", "no:xdist", "-p", "no:hypothesispytest", inside=False)
    assert result.ret == 0, result.stdout.str()
    assert "0 ran ahead, 8 in their turn (fixture 'own' is async: 8)" in " ".join(result.stdout.str().split())


def test_an_error_in_a_body_that_ran_ahead_is_that_of_its_case(project: Project, spread: list[str]) -> None:
    project.eval(
        """
        async def test_echo(sample, model, score):
            await model.generate()
            if sample.id == "r1":
                raise RuntimeError("boom of r1")
            if sample.id == "r3":
                assert sample.id == "other"
            if sample.id == "r4":
                pytest.skip("not r4")
            score.record("own", 1.0)
        """,
        ROWS,
    )
    result = project.run("evals", *spread)
    assert result.ret == 1
    found = {name: outcome for name, outcome in project.cases().items() if outcome != "passed"}
    assert found == {"r1": "error", "r3": "missed", "r4": "skipped"}
    result.stdout.fnmatch_lines(["*RuntimeError: boom of r1*"])
    assert len(project.rows("SELECT * FROM scores")) == 5


def test_bodies_in_flight_are_given_up_where_x_stops_the_session(project: Project) -> None:
    """They are no cases of the run: their turn never came.

    The first row alone is answered, whoever asks first.
    """
    rows = [{"id": f"r{n}", "input": f"held q{n}" if n else "q0"} for n in range(8)]
    project.eval(
        "async def test_echo(sample, model):\n    await model.generate()\n    assert sample.id != 'r0'\n", rows
    )
    held = Held(project.server, 0, beginning="held")
    with Session(project, "-x", "-p", "no:xdist", "--max-connections=4") as session:
        assert session.end() == 1, session.text
        assert not held.opened.is_set()
    assert project.rows("SELECT sample_id FROM cases") == [{"sample_id": "r0"}]
    assert "Traceback" not in session.text
    assert "never awaited" not in session.text


def test_context_of_one_body_does_not_leak_into_another(project: Project) -> None:
    project.eval("", ROWS)
    project.write(
        evals__test_echo_py="""
        from contextvars import ContextVar

        import pytest

        own = ContextVar("own", default="nobody")

        @pytest.mark.llmeval("data/echo.jsonl")
        async def test_echo(sample, model):
            assert own.get() == "nobody"
            own.set(sample.id)
            await model.generate()
            assert own.get() == sample.id
        """
    )
    assert project.run("evals").ret == 0
    assert requests(project.server).total() == 8


def test_a_body_that_ends_the_process_ends_itself_alone(project: Project, spread: list[str]) -> None:
    project.eval(
        """
        async def test_echo(sample, model):
            await model.generate()
            if sample.id == "r2":
                raise SystemExit("usage: tool FILE")
        """,
        ROWS,
    )
    result = project.run("evals", *spread)
    assert result.ret == 1
    assert {name for name, outcome in project.cases().items() if outcome != "passed"} == {"r2"}
    assert project.rows("SELECT error_kind, error FROM cases WHERE outcome != 'passed'") == [
        {"error_kind": "code", "error": "SystemExit: usage: tool FILE"}
    ]


def test_the_calls_of_the_case_whose_turn_it_is_go_before_those_of_the_cases_behind_it(project: Project) -> None:
    """Also where it is the first of its function, which sets up what the others share."""
    project.eval("async def test_echo(sample, model, shared):\n    await model.generate()\n", ROWS)
    project.write(conftest_py="import pytest\n\n@pytest.fixture(scope='session')\ndef shared():\n    return 1\n")
    project.model = project.server.spec("fault-slow-25")
    assert project.run("evals", "-p", "no:xdist", "--max-connections=1").ret == 0
    assert asked(project.server) == [row["input"] for row in ROWS]


CATCHING = """
import contextlib
import io
import time
import warnings

import pytest

@pytest.mark.parametrize("name", ["capsys", "capfd"])
def test_streams(name, request):
    caught = request.getfixturevalue(name)
    print("mine")
    time.sleep(0.15)
    assert caught.readouterr().out == "mine\\n"

def test_redirected():
    with contextlib.redirect_stdout(io.StringIO()) as caught:
        print("mine")
        time.sleep(0.15)
    assert caught.getvalue() == "mine\\n"

def test_warnings(recwarn):
    with warnings.catch_warnings(record=True) as caught:
        time.sleep(0.15)
    assert [str(each.message) for each in [*caught, *recwarn]] == []
"""
TELLING = """
import time

import pytest

def prompt(sample):
    print("prompt of", sample.id)
    time.sleep(0.05)
    return sample.input

@pytest.mark.llmeval("data/echo.jsonl", prompt=prompt)
def test_echo(response):
    %s
"""


def test_nothing_runs_beside_a_test_that_could_see_it(project: Project) -> None:
    """Streams and warnings are of the whole process; so nothing starts ahead of a test that may catch them."""
    project.eval("async def test_a(sample, model):\n    await model.generate()\n", ROWS[:2], name="a")
    project.eval(
        """
        def test_b(response, capsys):
            print("mine")
            __import__("time").sleep(0.15)
            assert capsys.readouterr().out == "mine\\n"
        """,
        ROWS[:2],
        name="b",
    )
    project.eval(
        """
        async def test_d(sample, model):
            import asyncio
            import warnings

            await model.generate()
            for number in range(60):
                print("of another", sample.id)
                warnings.warn(f"of another {number}")
                await asyncio.sleep(0.01)
        """,
        ROWS[:3],
        name="d",
    )
    project.eval("", ROWS)
    project.write(evals__test_c_py=CATCHING, evals__test_echo_py=TELLING % "pass")
    result = project.run("evals", "-p", "no:xdist", "-W", "always")
    assert result.ret == 0, result.stdout.str()
    told = " ".join(result.stdout.str().split())
    assert "4 ran ahead, 1 in their turn (first behind other tests: 1)" in told


def test_what_a_prompt_function_writes_ahead_is_shown_with_its_own_case(project: Project, spread: list[str]) -> None:
    project.eval("", ROWS)
    project.write(evals__test_echo_py=TELLING % "assert not response.text")
    result = project.run("evals", *spread)
    assert result.ret == 1
    parts = re.split(r"_+ test_echo\[(r\d)\] _+", result.stdout.str())
    shown = {
        name: set(re.findall(r"prompt of (r\d)", part)) for name, part in zip(parts[1::2], parts[2::2], strict=True)
    }
    assert shown == {f"r{n}": {f"r{n}"} for n in range(8)}
