"""The fixtures, under both their names, and the project's own that win over them (contract section 1)."""

import pytest

from tests.support.project import Project, jsonl

ROWS = [{"id": "a", "input": "hello", "target": "hello"}]
OWN_MODEL = """
import pytest

@pytest.fixture
def model():
    return "the project's own"
"""
OWN_SCORE = """
@pytest.fixture
def score(score):
    score.record("extra", 1)
    return score
"""


def test_each_fixture_exists_under_a_long_name_too(project: Project) -> None:
    project.eval(
        """
        def test_echo(llmeval_sample, llmeval_response, llmeval_model, llmeval_judge, llmeval_score,
                      sample, response, model, judge, score):
            assert llmeval_sample is sample
            assert llmeval_response is response
            assert llmeval_model is model
            assert llmeval_score is score
            assert judge is None and llmeval_judge is None
            assert model.name == "echo"
        """,
        ROWS,
    )
    project.run("evals").assert_outcomes(passed=1)
    assert len(project.server.ledger) == 1


@pytest.mark.parametrize("where", ["conftest_py", "evals__conftest_py"])
def test_the_projects_own_fixture_wins_and_the_summary_says_so(project: Project, where: str, spread: list[str]) -> None:
    project.eval(
        """
        def test_echo(model, llmeval_model, response):
            assert model == "the project's own"
            assert llmeval_model.generate_sync("x").text == "x"
            assert response.text == "hello"
        """,
        ROWS,
    )
    project.write(**{where: OWN_MODEL})
    result = project.run("evals", *spread)
    result.assert_outcomes(passed=1)
    note = "note: fixture 'model' comes from the project; the plugin's is llmeval_model"
    assert result.stdout.str().count(note) == 1


@pytest.mark.parametrize("how", ["pytest_plugins", "-p", "PYTEST_PLUGINS"])
def test_a_fixture_of_a_module_that_is_loaded_as_a_plugin_wins_too(
    project: Project, how: str, spread: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the project's own wherever it stands: ordinary tests get it, and evals say so."""
    own = OWN_MODEL + OWN_MODEL.replace("def model", "def training") + OWN_SCORE
    project.write(
        theirs_py=own,
        tests__test_own_py='def test_own(model, training):\n    assert model == training == "the project\'s own"\n',
    )
    project.pytester.syspathinsert()
    if how == "pytest_plugins":
        project.write(conftest_py='pytest_plugins = ["theirs"]\n')
    elif how == "PYTEST_PLUGINS":
        monkeypatch.setenv("PYTEST_PLUGINS", "theirs")
    loaded = ["-p", "theirs"] if how == "-p" else []
    project.eval(
        """
        def test_echo(model, score, llmeval_model, response):
            assert model == "the project's own"
            assert llmeval_model.generate_sync("x").text == "x"
            assert score.exact(response, "hello").passed
        """,
        ROWS,
    )
    result = project.run(*loaded, "tests", "evals", *spread, fresh=True)
    result.assert_outcomes(passed=2)
    for name in ("model", "score"):
        note = f"note: fixture {name!r} comes from the project; the plugin's is llmeval_{name}"
        assert result.stdout.str().count(note) == 1
    assert {row["name"] for row in project.rows("SELECT name FROM scores")} == {"extra", "exact"}


def test_the_summary_says_so_where_evals_ask_by_the_long_name_only(project: Project, spread: list[str]) -> None:
    """The project's wins in its own tests, and whoever reads the eval learns why the name in it is the long one."""
    project.write(conftest_py=OWN_MODEL, tests__test_own_py="def test_own(model):\n    assert 'own' in model\n")
    project.eval("def test_echo(llmeval_model, score):\n    assert llmeval_model.name == 'echo'\n", ROWS)
    result = project.run("tests", "evals", *spread)
    result.assert_outcomes(passed=2)
    note = "note: fixture 'model' comes from the project; the plugin's is llmeval_model"
    assert result.stdout.str().count(note) == 1
    result.stdout.no_fnmatch_line("*fixture 'score'*")


def test_an_own_fixture_that_no_eval_uses_is_not_mentioned(project: Project) -> None:
    project.eval("def test_echo(response):\n    pass\n", ROWS)
    project.write(conftest_py=OWN_MODEL)
    result = project.run("evals")
    assert result.ret == 0
    result.stdout.no_fnmatch_line("*project's own*")


def test_own_fixtures_may_build_on_ours(project: Project) -> None:
    project.eval("def test_echo(score, sample):\n    score.exact('hello', sample.target)\n", ROWS)
    project.write(
        conftest_py=f"import pytest\n{OWN_SCORE}",
    )
    project.run("evals").assert_outcomes(passed=1)
    assert {row["name"] for row in project.rows("SELECT name FROM scores")} == {"extra", "exact"}


@pytest.mark.parametrize("name", ["sample", "response", "model", "judge", "score", "llmeval_score"])
def test_an_ordinary_test_that_asks_for_one_is_told_what_to_do(project: Project, name: str) -> None:
    project.write(tests__test_own_py=f"def test_own({name}):\n    pass\n")
    result = project.run()
    result.assert_outcomes(errors=1)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*belongs to evals: mark the test with @pytest.mark.llmeval(dataset)*"])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_ordinary_tests_beside_evals_are_told_the_same(project: Project) -> None:
    project.eval("def test_echo(response):\n    pass\n", ROWS)
    project.write(evals__test_own_py="def test_own(score):\n    pass\n")
    result = project.run("evals")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*belongs to evals: mark the test*"])


def test_a_project_may_use_all_five_names_for_itself(project: Project) -> None:
    names = ["sample", "response", "model", "judge", "score"]
    fixtures = "".join(f"@pytest.fixture\ndef {name}():\n    return {name!r}\n\n" for name in names)
    project.write(
        conftest_py=f"import pytest\n\n{fixtures}",
        tests__test_own_py=f"def test_own({', '.join(names)}):\n    assert ({', '.join(names)}) == {tuple(names)}\n",
    )
    result = project.run()
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*project's own*")


def test_a_model_call_that_failed_ends_the_case_even_under_a_bare_assert(project: Project) -> None:
    """It is an error and no miss, though the body never reached its assertion."""
    project.eval("def test_echo(model):\n    assert model.generate_sync().text\n", ROWS)
    project.run("evals", model=f"openai:fault-body-badjson@{project.server.url}")
    assert project.rows("SELECT outcome, error_kind FROM cases") == [
        {"outcome": "error", "error_kind": "malformed_response"}
    ]


def test_a_failed_call_may_be_caught_by_the_test_and_is_an_error_all_the_same(project: Project) -> None:
    project.eval(
        """
        def test_echo(model):
            from pytest_llmeval import CallError

            with pytest.raises(CallError) as caught:
                model.generate_sync()
            assert caught.value.kind == "bad_request"
        """,
        ROWS,
    )
    project.run("evals", model=f"openai:fault-status-400@{project.server.url}").assert_outcomes(errors=1)
    assert project.cases() == {"a": "error"}
    assert [row["status"] for row in project.rows("SELECT status FROM calls")] == ["bad_request"]


def test_a_case_without_a_call_is_recorded_without_a_response(project: Project) -> None:
    project.eval("def test_echo(sample, score):\n    score.exact('hello', sample.target)\n", ROWS)
    project.run("evals")
    assert project.rows("SELECT response, latency_s FROM cases") == [{"response": None, "latency_s": None}]
    assert project.rows("SELECT * FROM calls") == []


def test_several_calls_add_up_and_the_last_response_stands(project: Project) -> None:
    project.eval("def test_echo(model):\n    model.generate_sync('one two')\n    model.generate_sync('three')\n", ROWS)
    project.run("evals")
    found = project.rows("SELECT * FROM cases")[0]
    calls = project.rows("SELECT * FROM calls ORDER BY rowid")
    assert found["response"] == "three"
    assert found["output_tokens"] == 3
    assert found["input_tokens"] == 14
    assert found["latency_s"] == pytest.approx(sum(call["latency_s"] for call in calls))
    assert [call["response"] for call in calls] == ["one two", "three"]


def test_the_judge_is_none_and_its_score_says_so(project: Project) -> None:
    project.eval(
        """
        async def test_echo(judge, score):
            assert judge is None
            await score.judge("answer", rubric="qa")
            score.judge_sync("answer", rubric="summary", name="style")
        """,
        ROWS,
    )
    project.run("evals").assert_outcomes(passed=1)
    assert project.rows("SELECT name, value, passed, reason FROM scores ORDER BY name") == [
        {"name": name, "value": None, "passed": None, "reason": "no judge"}
        for name in (
            "completeness",
            "correctness",
            "format",
            "qa",
            *("style", "style_brevity", "style_coverage", "style_faithfulness"),
        )
    ]


def test_unittest_style_and_doctest_items_are_left_alone(project: Project) -> None:
    project.write(
        data__rows_jsonl=jsonl(*ROWS),
        tests__test_unit_py="import unittest\n\nclass T(unittest.TestCase):\n    def test_x(self):\n        pass\n",
        tests__mod_py='def f():\n    """\n    >>> 1\n    1\n    """\n',
    )
    project.run("--doctest-modules").assert_outcomes(passed=2)


@pytest.mark.parametrize("scope", ["session", "module"])
def test_an_own_fixture_that_stays_wins_in_bodies_that_run_ahead_too(
    project: Project, scope: str, dist_args: list[str]
) -> None:
    project.eval(
        """
        async def test_echo(model, llmeval_model, response, llmeval_response, sample, llmeval_sample):
            assert model == "the project's own"
            assert response == "the project's own response"
            assert (await llmeval_model.generate("x")).text == "x"
            assert llmeval_response.text == llmeval_sample.input == sample.input
        """,
        [{"id": f"r{n}", "input": f"q{n}"} for n in range(6)],
    )
    own = OWN_MODEL + OWN_MODEL.replace("def model", "def response").replace('own"', 'own response"')
    project.write(conftest_py=own.replace("@pytest.fixture", f"@pytest.fixture(scope='{scope}')"))
    result = project.run("evals", *dist_args)
    result.assert_outcomes(passed=6)
    assert "ran ahead" in result.stdout.str()


def test_a_score_that_is_recorded_twice_is_an_error_though_the_body_goes_on(project: Project) -> None:
    """Who catches it is told all the same, by whatever name the second comes."""
    project.eval(
        """
        def test_echo(sample, response, score):
            score.exact(response, sample.target)
            with pytest.raises(Exception, match="twice"):
                if sample.id == "a":
                    score.contains(response, sample.target, name="exact")
                else:
                    score.judge_sync(response, rubric="qa", name="exact")
        """,
        [*ROWS, {**ROWS[0], "id": "b"}],
    )
    assert project.run("evals").ret == 1
    told = project.rows("SELECT outcome, error_kind, error FROM cases")
    twice = "the score 'exact' is recorded twice in one case; name one of the calls: name='...'"
    assert [tuple(row.values()) for row in told] == [("error", "scorer", twice)] * 2


def test_an_error_of_a_fixture_elsewhere_is_shown_where_it_is(project: Project) -> None:
    """A test beside an eval has nothing to do with what begins a case."""
    project.write(conftest_py="import pytest\n\n@pytest.fixture\ndef broken():\n    raise ValueError('no')\n")
    project.eval("def test_echo(response, broken):\n    pass\n", ROWS)
    project.write(evals__test_plain_py="def test_plain(broken):\n    pass\n")
    result = project.run("evals")
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(["conftest.py:5: ValueError"] * 2)
    assert "pytest_runtest_setup" not in result.stdout.str()
