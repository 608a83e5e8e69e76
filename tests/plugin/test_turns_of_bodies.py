"""Which async bodies may run ahead of their turn, and which wait for what is theirs alone: contract section 1."""

import pytest

from tests.support.project import Project

ROWS = [{"id": each, "input": each} for each in "abcd"]
ASYNCIO = "[pytest]\naddopts = -p no:anyio -p no:hypothesispytest\nasyncio_default_fixture_loop_scope = function\n"
ECHO = "async def test_echo(sample, model):\n    assert (await model.generate()).text == sample.input\n"


def turns(result: pytest.RunResult) -> str:
    """Return what the summary says of async bodies."""
    told = " ".join(result.stdout.str().split())
    return told.partition("async bodies: ")[2].partition(" gate:")[0]


@pytest.fixture(params=["no plugin", "asyncio"])
def either(project: Project, request: pytest.FixtureRequest) -> Project:
    """A project without and with pytest-asyncio, whose fixtures stand beside those of each test."""
    if request.param == "asyncio":
        project.write(tox_ini=f"{ASYNCIO}asyncio_mode = auto\n")
    return project


def test_a_body_that_takes_request_gets_its_own(either: Project, spread: list[str]) -> None:
    """There is one for each test, whatever its name says: pytest lists no fixture behind it."""
    either.eval(
        "async def test_echo(sample, request):\n    assert request.node.name == f'test_echo[{sample.id}]'\n", ROWS
    )
    result = either.run("evals", *spread, inside=False)
    assert result.ret == 0, result.stdout.str()
    assert turns(result).startswith("0 ran ahead, 4 in their turn (takes the fixture request: 4)")


def test_a_case_says_how_long_it_waited_for_answers_in_its_turn(project: Project) -> None:
    """Calls that a body makes at once count once; what it does beside them, and what it asks ahead, does not."""
    project.eval(
        """
        async def test_echo(sample, model, judge, request):
            import asyncio

            await asyncio.sleep(1)
            await asyncio.gather(model.generate("a"), model.generate("b"), judge.generate("c"))
        """,
        ROWS[:1],
    )
    project.eval(
        """
        async def test_threaded(sample, model):
            import asyncio

            await asyncio.to_thread(model.generate_sync)
        """,
        ROWS[:1],
        name="threaded",
    )
    judge, model = (project.server.spec(f"fault-slow-{ms}") for ms in (200, 201))
    result = project.run("evals", f"--judge-model={judge}", "-p", "no:xdist", model=model)
    waited, ahead = (row["waited_s"] for row in project.rows("SELECT waited_s FROM cases ORDER BY suite"))
    assert 0.2 <= waited < 1
    assert ahead < 0.1
    assert f"cases waited {waited + ahead:.1f} s for answers" in result.stdout.str()


def test_a_fixture_that_stays_may_take_request(either: Project) -> None:
    either.eval(ECHO.replace("sample, model", "sample, model, whole"), ROWS)
    either.write(
        conftest_py="import pytest\n\n@pytest.fixture(scope='session')\ndef whole(request):\n    return request.scope\n"
    )
    result = either.run("evals", "-p", "no:xdist", inside=False)
    assert result.ret == 0, result.stdout.str()
    assert turns(result).startswith("3 ran ahead, 1 in their turn (first of its function: 1)")


def test_a_plugin_that_is_only_there_keeps_no_body_in_its_turn(either: Project) -> None:
    """pytest-asyncio gives every test of a session a fixture of its own that no body of ours takes."""
    either.eval(ECHO, ROWS)
    result = either.run("evals", "-p", "no:xdist", inside=False)
    assert result.ret == 0, result.stdout.str()
    assert turns(result).startswith("4 ran ahead, 0 in their turn")


def test_a_body_that_takes_what_that_plugin_makes_is_given_it(project: Project) -> None:
    project.write(tox_ini=f"{ASYNCIO}asyncio_mode = strict\n")
    project.eval("async def test_echo(sample, model, event_loop_policy):\n    assert event_loop_policy\n", ROWS)
    result = project.run("evals", "-p", "no:xdist", inside=False)
    assert result.ret == 0, result.stdout.str()
    assert turns(result).startswith("3 ran ahead, 1 in their turn (first of its function: 1)")


def test_each_case_gets_its_own_parameters(either: Project, spread: list[str]) -> None:
    either.eval(
        """
        @pytest.mark.parametrize("word", ["hot", "cold"])
        @pytest.mark.parametrize("number", [1, 2])
        async def test_echo(sample, model, word, number, score):
            answer = await model.generate(f"{sample.id} {word} {number}")
            score.record(f"{word}{number}", 1.0 if answer.text == f"{sample.id} {word} {number}" else 0.0)
        """,
        ROWS,
    )
    result = either.run("evals", *spread, inside=False)
    assert result.ret == 0, result.stdout.str()
    scores = either.rows("SELECT suite, sample_id, name, value FROM scores JOIN cases ON cases.id = case_id")
    assert {row["value"] for row in scores} == {1.0}
    assert {(row["sample_id"], row["suite"]) for row in scores} == {
        (row["id"], f"echo[{number}-{word}]") for row in ROWS for word in ("hot", "cold") for number in (1, 2)
    }
    assert all(row["suite"] == f"echo[{row['name'][-1]}-{row['name'][:-1]}]" for row in scores)
    if "-n2" not in spread:
        assert turns(result).startswith("16 ran ahead, 0 in their turn")


def test_parameters_of_its_own_keep_no_case_from_what_others_share(project: Project) -> None:
    """Cases with unlike parameters follow each other, and what stays is the same for all of them."""
    project.eval(
        """
        @pytest.mark.parametrize("word", ["hot", "cold"])
        async def test_echo(sample, model, whole, word):
            assert (await model.generate(f"{whole} {word}")).text in ("whole hot", "whole cold")
        """,
        ROWS,
    )
    project.write(conftest_py="import pytest\n\n@pytest.fixture(scope='session')\ndef whole():\n    return 'whole'\n")
    result = project.run("evals", "-p", "no:xdist")
    assert result.ret == 0
    assert turns(result).startswith("7 ran ahead, 1 in their turn (first of its function: 1)")


@pytest.mark.parametrize("how", ["indirect=True", "scope='module'"])
def test_a_parameter_that_a_fixture_makes_something_of_is_shared_by_those_that_have_it(
    project: Project, how: str
) -> None:
    project.eval(
        f"""
        @pytest.mark.parametrize("word", ["hot", "cold"], {how})
        async def test_echo(sample, model, word, made):
            assert made == "made of " + word
            assert (await model.generate(word)).text == word
        """,
        ROWS,
    )
    project.write(
        conftest_py="""
        import pytest

        @pytest.fixture(scope="module")
        def word(request):
            return request.param

        @pytest.fixture(scope="module")
        def made(word):
            return "made of " + word
        """
    )
    result = project.run("evals", "-p", "no:xdist")
    assert result.ret == 0, result.stdout.str()
    assert turns(result).startswith("6 ran ahead, 2 in their turn (first of its function: 2)")


def test_a_parameter_may_stand_for_a_fixture_of_ours(project: Project) -> None:
    project.eval(
        "@pytest.mark.parametrize('judge', ['me'])\nasync def test_echo(sample, judge):\n    assert judge == 'me'\n",
        ROWS,
    )
    result = project.run("evals", "-p", "no:xdist")
    assert result.ret == 0, result.stdout.str()
    assert turns(result).startswith("4 ran ahead, 0 in their turn")


@pytest.mark.parametrize(
    ("plugin", "told"),
    [
        ("capture", "0 ran ahead, 4 in their turn (output cannot be kept apart: 4)"),
        ("debugging", "4 ran ahead, 0 in their turn"),
    ],
)
def test_a_plugin_of_pytest_that_is_switched_off_is_no_crash(project: Project, plugin: str, told: str) -> None:
    project.eval(ECHO, ROWS)
    result = project.run("evals", "-p", f"no:{plugin}", "-p", "no:xdist", inside=False)
    assert result.ret == 0, result.stdout.str() + result.stderr.str()
    assert turns(result).startswith(told)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (
            "class TestEcho:\n    def setup_method(self):\n        self.known = 'yes'\n\n"
            "    async def test_echo(self, sample, model):\n        assert self.known == 'yes'\n",
            "setup_method runs for each test",
        ),
        (
            "async def test_echo(sample, model):\n    assert test_echo.known == 'yes'\n\n"
            "def setup_function(function):\n    function.known = 'yes'\n\n"
            "def teardown_function(function):\n    del function.known\n",
            "setup_function runs for each test",
        ),
        (
            "class TestEcho:\n    @pytest.fixture(scope='class')\n    def known(self):\n        return 'yes'\n\n"
            "    async def test_echo(self, sample, model, known):\n        assert known == 'yes'\n",
            "fixture 'known' is made for each class",
        ),
    ],
    ids=["setup_method", "setup_function", "class"],
)
def test_what_is_set_up_for_each_test_or_class_keeps_a_body_in_its_turn(either: Project, body: str, why: str) -> None:
    """In xunit's way, too, which pytest calls from fixtures of its own."""
    either.eval(body, ROWS)
    result = either.run("evals", "-p", "no:xdist", inside=False)
    assert result.ret == 0, result.stdout.str()
    assert turns(result).startswith(f"0 ran ahead, 4 in their turn ({why}: 4)")


def test_what_a_case_patches_or_filters_is_seen_by_no_other_body(project: Project) -> None:
    """Neither by those behind it nor by its own other cases; nothing of it is left, and its own filters hold for it."""
    project.write(
        shop_py="""
        async def ask(text):
            return "own"

        async def answer(text):
            return await ask(text)
        """
    )
    project.write(
        evals__test_all_py="""
        import asyncio, os, sys, warnings
        import unittest.mock as um
        from unittest import mock
        from unittest.mock import patch as p

        import pytest

        sys.path.insert(0, str(__import__("pathlib").Path(__file__).parents[1]))
        import shop

        ROWS = [{"id": each, "input": each} for each in "ab"]

        async def stub(text):
            return "stub"

        async def sees(model, told):
            await model.generate()
            await asyncio.sleep(0.05)
            assert await shop.answer("q") == told

        def own(name):
            @pytest.mark.llmeval(ROWS, suite=name)
            async def test_own(sample, model):
                await sees(model, "own")
                warnings.warn("old", DeprecationWarning)

            return test_own

        @pytest.mark.llmeval(ROWS)
        async def test_fixture(sample, model, monkeypatch):
            monkeypatch.setattr(shop, "ask", stub)
            await sees(model, "stub")

        test_own_1 = own("own_1")

        @pytest.mark.llmeval(ROWS)
        @mock.patch("shop.ask", new_callable=mock.AsyncMock, return_value="stub")
        async def test_decorated(patched, sample, model):
            await sees(model, "stub")

        test_own_2 = own("own_2")

        @pytest.mark.llmeval(ROWS)
        async def test_within(sample, model):
            with p("shop.ask", stub):
                await sees(model, "stub")

        test_own_3 = own("own_3")

        class TestSync:
            @pytest.fixture(autouse=True)
            def stubbed(self):
                with um.patch.multiple(shop, ask=stub):
                    yield

            @pytest.mark.llmeval(ROWS)
            def test_sync(self, sample):
                __import__("time").sleep(0.1)
                assert shop.ask is stub

        test_own_4 = own("own_4")

        @pytest.mark.llmeval(ROWS)
        @pytest.mark.filterwarnings("error::DeprecationWarning")
        async def test_strict(sample, model):
            with pytest.raises(DeprecationWarning):
                await sees(model, "own")
                warnings.warn("old", DeprecationWarning)

        test_own_5 = own("own_5")

        def test_nothing_is_left():
            assert shop.ask.__name__ == "ask"
        """
    )
    result = project.run("evals", "-p", "no:xdist", inside=False)
    result.assert_outcomes(passed=21, warnings=10)
    told = [
        "5 ran ahead, 13 in their turn (fixture 'monkeypatch' is of the whole process: 2, first behind other tests: 5",
        "its patch is of the whole process: 4",
        "mark filterwarnings is of the whole process: 2",
    ]
    assert [each for each in told if each not in turns(result)] == []


def test_a_case_that_patches_in_a_function_of_its_module_is_alone(project: Project) -> None:
    project.eval(
        """
        async def test_echo(sample, model):
            await stubbed(model)

        async def stubbed(model):
            with mock.patch("os.sep", "stub"):
                await model.generate()

        from unittest import mock
        """,
        ROWS,
    )
    result = project.run("evals", "-p", "no:xdist")
    assert turns(result).startswith("0 ran ahead, 4 in their turn (its patch is of the whole process: 4)")


SHUFFLED = """
import pytest

def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.callspec.id)

@pytest.fixture(scope="session", autouse=True)
def opened():
    yield "open"

@pytest.fixture(scope="session")
def whole(opened):
    return opened
"""
TWO = """
import pytest

@pytest.mark.llmeval("data/echo.jsonl")
async def test_echo(sample, model):
    assert (await model.generate()).text == sample.input

@pytest.mark.llmeval("data/echo.jsonl"){marks}
async def test_other(sample, model, whole):
    assert whole == "{whole}"
    assert (await model.generate()).text == sample.input
"""


@pytest.fixture
def shuffled(project: Project) -> Project:
    """A project where the cases of two functions take turns, as pytest-randomly may have them."""
    project.eval(ECHO, ROWS)
    project.write(conftest_py=SHUFFLED, evals__test_echo_py=TWO.format(marks="", whole="open"))
    return project


def test_what_stays_for_the_session_is_there_for_bodies_of_any_function(shuffled: Project, spread: list[str]) -> None:
    """Each waits for what is not made yet, and for nothing that another function's case had made."""
    result = shuffled.run("evals", *spread)
    assert result.ret == 0, result.stdout.str()
    assert len(shuffled.server.ledger) == 8
    if "-n2" not in spread:
        assert turns(result).startswith("6 ran ahead, 2 in their turn (first of its function: 2)")


def test_the_first_case_of_a_function_runs_ahead_where_all_is_made(shuffled: Project) -> None:
    shuffled.write(evals__test_echo_py=TWO.format(marks="", whole="open").replace("whole", "opened"))
    result = shuffled.run("evals", "-p", "no:xdist")
    assert result.ret == 0, result.stdout.str()
    assert turns(result).startswith("7 ran ahead, 1 in their turn (first of its function: 1)")


def test_what_a_test_parametrizes_is_made_again_and_not_taken_from_another_function(shuffled: Project) -> None:
    marks = "\n@pytest.mark.parametrize('opened', ['shut'], indirect=True)"
    shuffled.write(evals__test_echo_py=TWO.format(marks=marks, whole="shut"))
    text = SHUFFLED.replace("def opened():", "def opened(request):")
    shuffled.write(conftest_py=text.replace('yield "open"', 'yield getattr(request, "param", "open")'))
    result = shuffled.run("evals", "-p", "no:xdist")
    assert result.ret == 0, result.stdout.str()
    assert "8 in their turn" in turns(result)
