"""Which suite a case belongs to: functions, classes, parameter sets."""

import pytest

from tests.plugin.test_outcomes import GATED, ROWS
from tests.support.project import Project, jsonl
from tests.support.row_evals import EXACT, PASS, rows

MARKER = '@pytest.mark.llmeval([{"input": "a"}])'
PARAMETRIZED = """
@pytest.mark.parametrize("style", ["short", pytest.param("long", id="wordy")])
def test_echo(sample, style, model, score):
    score.exact(model.generate_sync(f"{style} {sample.input}"), "short a")
"""


def test_each_parameter_set_is_a_suite_of_its_own(project: Project, dist_args: list[str]) -> None:
    project.eval(PARAMETRIZED, rows("a"))
    result = project.run("evals", *dist_args)
    assert result.ret == 1
    found = project.rows("SELECT suite, sample_id, outcome, nodeid FROM cases ORDER BY suite")
    assert [tuple(row.values()) for row in found] == [
        ("echo[short]", "a", "passed", "evals/test_echo.py::test_echo[a-short]"),
        ("echo[wordy]", "a", "missed", "evals/test_echo.py::test_echo[a-wordy]"),
    ]


def test_rules_may_name_the_suite_of_a_parameter_set(project: Project) -> None:
    project.eval(PARAMETRIZED, rows("a"))
    project.write(
        thresholds_yaml="""
        version: 1
        suites:
          echo[short]: {exact: {min: 1.0}}
          echo[wordy]: {exact: {max: 0.0}}
        """
    )
    result = project.run("evals")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["gate: PASS (2 pass)"])


def test_two_parametrize_marks_and_epochs_give_one_suite_for_each_combination(project: Project) -> None:
    project.eval(
        """
        @pytest.mark.parametrize("left", [1, 2])
        @pytest.mark.parametrize("right", ["x", "y"])
        def test_echo(left, right, response):
            pass
        """,
        rows("a"),
    )
    project.run("evals", "--epochs=2")
    found = project.rows("SELECT suite, COUNT(*) AS n FROM cases GROUP BY suite ORDER BY suite")
    assert [(row["suite"], row["n"]) for row in found] == [
        ("echo[x-1]", 2), ("echo[x-2]", 2), ("echo[y-1]", 2), ("echo[y-2]", 2),
    ]  # fmt: skip
    ids = [row["nodeid"] for row in project.rows("SELECT nodeid FROM cases WHERE suite = 'echo[x-1]' ORDER BY epoch")]
    assert ids == [f"evals/test_echo.py::test_echo[a-e{epoch}-x-1]" for epoch in (1, 2)]  # what sets the suite is last


def test_parametrized_fixtures_make_suites_too(project: Project) -> None:
    project.eval("def test_echo(style, response):\n    pass\n", rows("a"))
    project.write(
        conftest_py="""
        import pytest

        @pytest.fixture(params=["p", "q"])
        def style(request):
            return request.param
        """
    )
    project.run("evals")
    assert {row["suite"] for row in project.rows("SELECT suite FROM cases")} == {"echo[p]", "echo[q]"}


def test_evals_may_be_methods_of_a_class(project: Project, spread: list[str]) -> None:
    project.write(
        data__echo_jsonl=jsonl(*rows("a", "b")),
        evals__test_echo_py="""
        import pytest

        class TestGroup:
            @pytest.mark.llmeval("data/echo.jsonl")
            def test_sync(self, response):
                assert response.text

            @pytest.mark.llmeval("data/echo.jsonl")
            async def test_async(self, model):
                assert str(await model.generate())
        """,
    )
    assert project.run("evals", *spread).ret == 0
    found = project.rows("SELECT suite, nodeid, outcome FROM cases WHERE sample_id = 'a' ORDER BY suite")
    assert [tuple(row.values()) for row in found] == [
        ("async", "evals/test_echo.py::TestGroup::test_async[a]", "passed"),
        ("sync", "evals/test_echo.py::TestGroup::test_sync[a]", "passed"),
    ]


def test_a_mark_on_a_class_or_module_marks_its_functions(project: Project) -> None:
    project.write(
        data__echo_jsonl=jsonl(*rows("a")),
        evals__test_echo_py="""
        import pytest

        @pytest.mark.llmeval("data/echo.jsonl")
        class TestGroup:
            def test_one(self, response):
                pass

            def test_two(self, response):
                pass
        """,
    )
    assert project.run("evals").ret == 0
    assert {row["suite"] for row in project.rows("SELECT suite FROM cases")} == {"one", "two"}


def test_node_ids_of_a_class_reach_a_judge_attack(project: Project) -> None:
    project.write(
        data__echo_jsonl=jsonl(*rows("a")),
        evals__test_echo_py="""
        import pytest

        class TestAttacks:
            @pytest.mark.judge_attack
            @pytest.mark.llmeval("data/echo.jsonl")
            def test_one(self, response):
                pass
        """,
    )
    project.run("evals/test_echo.py::TestAttacks::test_one").assert_outcomes(passed=1)


@pytest.mark.parametrize(("marker", "suite"), [("", "echo"), ('suite="own name"', "own name"), ("suite=None", "echo")])
def test_the_suite_is_the_function_without_test_or_its_own_name(project: Project, marker: str, suite: str) -> None:
    project.eval(PASS, rows("a"), marker=marker)
    project.run("evals")
    assert {row["suite"] for row in project.rows("SELECT suite FROM cases")} == {suite}


def test_two_functions_with_one_suite_are_a_usage_error_naming_both(project: Project) -> None:
    project.eval(PASS, rows("a"))
    project.eval(PASS, rows("a"), name="other")
    result = project.run("evals")
    assert result.ret == 4
    result.stderr.fnmatch_lines(
        ["*suite 'echo' exists in evals/test_echo.py::test_echo and in evals/test_other.py::test_echo; rename one *"]
    )
    assert project.server.ledger == []


@pytest.mark.parametrize("first", ["echo", "other"])
def test_a_suite_named_like_a_parameter_set_of_another_is_a_usage_error(project: Project, first: str) -> None:
    """The cases of both would be one suite's, whichever of them comes first and is selected."""
    second = {"echo": "other", "other": "echo"}[first]
    project.eval(PASS, rows("a"), name=first, marker='suite="qa[a]"')
    sets = '@pytest.mark.parametrize("x", ["a", "b"])\n' + PASS.replace("(", "(x, ")
    project.eval(sets, rows("a"), name=second, marker='suite="qa"')
    for chosen in ([], ["-k", "test_other"]):
        result = project.run("evals", *chosen)
        assert result.ret == 4
        result.stderr.fnmatch_lines(
            ["*suite 'qa[[]a]' exists in evals/test_*.py::test_* and in evals/test_*; rename one with suite='...'"]
        )
    assert project.server.ledger == []


def test_an_inherited_or_imported_test_is_told_where_to_mark_it(project: Project) -> None:
    project.write(
        evals__test_echo_py=f"""
        import pytest

        class Base:
            {MARKER}
            def test_echo(self, response):
                pass

        class TestOne(Base): ...
        class TestTwo(Base): ...
    """
    )
    result = project.run("evals")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*::TestOne::test_echo and in *::TestTwo::test_echo; mark the classes, not the test*"])
    project.eval(PASS, rows("a"))
    project.write(evals__test_two_py="from test_echo import test_echo\n")
    result = project.run("evals", inside=False)
    told = "both are one function: keep one, or mark two that call it, each with suite='...'"
    result.stderr.fnmatch_lines([f"*_two.py::test_echo; {told}"])


def test_two_models_with_one_name_are_a_usage_error(project: Project) -> None:
    project.eval(PASS, rows("a"))
    result = project.run("evals", "--model=openai:echo@http://127.0.0.1:9/v1")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*two models are called 'echo'*models.yaml*"])


def test_the_same_model_twice_is_a_usage_error(project: Project) -> None:
    project.eval(PASS, rows("a"))
    assert project.run("evals", f"--model={project.model}").ret == 4


MISUSED = [
    ('"data/echo.jsonl", sweet="x"', "*marker llmeval: *'sweet'*"),
    ('"data/echo.jsonl", "second"', "*marker llmeval: too many positional arguments*"),
    ("", "*marker llmeval: missing a required argument: 'dataset'*"),
    ('"data/echo.jsonl", suite=""', "*marker llmeval: suite must be a non-empty string*"),
    ('"data/echo.jsonl", suite=3', "*marker llmeval: suite must be a non-empty string*found 3*"),
    ('"data/echo.jsonl", cluster=["doc"]', "*marker llmeval: cluster must be a non-empty string*"),
    ('"data/echo.jsonl", params=[1]', "*marker llmeval: params must be a mapping*"),
    ('"data/echo.jsonl", params=5', "*marker llmeval: params must be a mapping*"),
    ('"data/echo.jsonl", params={"messages": []}', "*marker llmeval: params*messages*"),
    ('"data/echo.jsonl", params={"temprature": 0}', "*params: 'temprature'*did you mean 'temperature'*"),
    ('"data/echo.jsonl", params={"temperature": object()}', "*marker llmeval: params*JSON*"),
    ("5", "*dataset must be a path, a list of dicts or a callable, found 5*"),
    ('{"input": "a"}', "*dataset must be a path, a list of dicts or a callable*"),
    ('"data/echo.jsonl", prompt=5', "*prompt must be a path, a template or a callable, found 5*"),
    ('"data/echo.jsonl", prompt="missing.txt"', "*missing.txt: no such prompt file*"),
    ('"data/echo.jsonl", prompt="../../outside.txt"', "*leads out of the rootdir*"),
]


def test_a_misused_marker_is_a_usage_error_at_its_function(project: Project) -> None:
    project.write(data__echo_jsonl=jsonl({"input": "a"}))
    for number, (call, _) in enumerate(MISUSED):
        body = f"import pytest\n\n@pytest.mark.llmeval({call})\ndef test_n{number}(response):\n    pass\n"
        project.write(**{f"evals__test_n{number}_py": body})
    result = project.run("evals")
    assert result.ret == 4
    for number, (_, message) in enumerate(MISUSED):
        result.stderr.fnmatch_lines([f"*evals/test_n{number}.py{message}"])
    assert "INTERNALERROR" not in result.stdout.str()
    assert project.server.ledger == []


def test_a_marker_without_call_is_a_usage_error(project: Project) -> None:
    project.write(evals__test_echo_py="import pytest\n\n@pytest.mark.llmeval\ndef test_echo(response):\n    pass\n")
    result = project.run("evals")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*missing a required argument: 'dataset'*"])


def test_params_of_the_marker_are_sent_and_those_of_the_call_win(project: Project) -> None:
    project.eval(
        """
        def test_echo(model):
            model.generate_sync()
            model.generate_sync(temperature=1, seed=3)
        """,
        rows("a"),
        marker='params={"temperature": 0, "max_tokens": 5}',
    )
    project.run("evals")
    sent = [{key: entry.body.get(key) for key in ("temperature", "seed")} for entry in project.server.ledger]
    assert sent == [{"temperature": 0, "seed": None}, {"temperature": 1, "seed": 3}]


def test_a_marker_on_one_parameter_set_is_a_usage_error(project: Project, spread: list[str]) -> None:
    """The function has no marker of which cases could be made."""
    sets = f"[1, pytest.param(2, marks={MARKER.removeprefix('@')})]"
    project.write(
        tests__test_set_py=f"import pytest\n\n@pytest.mark.parametrize('n', {sets})\ndef test_set(n):\n    pass\n"
    )
    result = project.run(*spread)
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*test_set.py::test_set[[]2[]]: marker llmeval needs a plain function or class, *"])


def test_doctests_of_a_module_whose_functions_are_evals_run_as_ever(project: Project) -> None:
    source = f"import pytest\n\npytestmark = {MARKER.removeprefix('@')}\n"
    project.write(evals__test_mod_py=f'{source}\ndef test_it(response):\n    """\n    >>> 1\n    1\n    """\n')
    project.run("evals", "--doctest-modules").assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("source", "name"),
    [
        (f"{MARKER}\n{MARKER}\ndef test_echo(response):\n    pass\n", "test_echo"),
        (f"{MARKER}\n{MARKER}\nclass TestEcho:\n    def test_echo(self, response):\n        pass\n", "TestEcho"),
        (
            f"{MARKER}\nclass Base:\n    def test_echo(self, response):\n        pass\n\n"
            f"{MARKER}\nclass TestEcho(Base):\n    pass\n",
            "TestEcho",
        ),
    ],
    ids=["function", "class", "inherited"],
)
def test_two_markers_in_one_place_are_a_usage_error(project: Project, source: str, name: str) -> None:
    """One dataset would be read, and the other silently not."""
    project.write(evals__test_echo_py=f"import pytest\n\n{source}")
    result = project.run("evals")
    assert result.ret == 4
    result.stderr.fnmatch_lines([f"*evals/test_echo.py::*test_echo: 2 markers llmeval stand on {name}, *"])
    assert project.server.ledger == []


def test_the_marker_of_a_function_goes_before_that_of_its_class_and_module(project: Project) -> None:
    project.write(
        evals__test_echo_py="""
        import pytest

        pytestmark = pytest.mark.llmeval([{"id": "module", "input": "a"}])

        @pytest.mark.llmeval([{"id": "class", "input": "a"}])
        class TestEcho:
            @pytest.mark.llmeval([{"id": "function", "input": "a"}], suite="own")
            def test_own(self, response):
                pass

            def test_classes(self, response):
                pass
        """
    )
    assert project.run("evals").ret == 0
    assert project.cases() == {"function": "passed", "class": "passed"}


def test_two_cases_of_one_name_are_a_usage_error_that_names_both(project: Project, spread: list[str]) -> None:
    """Their suite would fall apart: pytest numbers them, and what follows a row's id is a parameter set."""
    url = project.server.url
    project.write(models_yaml=f"models:\n  a: {{spec: 'openai:echo@{url}'}}\n  a-b: {{spec: 'openai:two@{url}'}}\n")
    project.eval(PASS, rows("b-1", "1"))
    result = project.run("evals", "--model=a", "--model=a-b", *spread, model="")
    assert result.ret == 4
    told = "model 'a' with row 'b-1' and model 'a-b' with row '1' are both called a-b-1; name a model *"
    result.stderr.fnmatch_lines([f"*evals/test_echo.py::test_echo: {told}"])
    assert project.server.ledger == []


def test_two_parameter_sets_with_cases_of_one_name_are_a_usage_error(project: Project, spread: list[str]) -> None:
    project.eval(
        "@pytest.mark.parametrize('s', ['c', 'b-c'])\ndef test_echo(response, s):\n    pass\n", rows("a", "a-b")
    )
    result = project.run("evals", *spread)
    assert result.ret == 4
    told = "row 'a' of set 'b-c' and row 'a-b' of set 'c' are both called test_echo[[]a-b-c]; name the sets with ids=*"
    result.stderr.fnmatch_lines([f"*evals/test_echo.py::test_echo: {told}"])
    assert project.server.ledger == []


def test_the_same_ids_are_fine_with_one_of_the_models(project: Project) -> None:
    project.eval(PASS, rows("b-1", "1"))
    assert project.run("evals").ret == 0
    assert project.cases() == {"b-1": "passed", "1": "passed"}


def test_rules_for_other_models_alone_are_none_for_this_session(
    project: Project, spread: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a model by another name would turn the gate off; beside a model with rules a line says that."""
    monkeypatch.setenv("COLUMNS", "200")
    project.eval(EXACT, ROWS)
    project.write(thresholds_yaml=GATED.replace("0.5", "0.5, model: echo"))
    other = f"openai:other@{project.server.url}"
    result = project.run("evals", *spread, model=other)
    result.assert_outcomes(passed=1, failed=1)
    assert result.ret == 1
    told = "warning: no rule on a score of suite echo is about model other: what it missed (1) fails {}"
    result.stdout.fnmatch_lines([told.format("the run"), "gate: no rule was judged (1 not judged), status 1"])
    again = project.llmeval("gate")
    assert again.ret == 1
    again.stdout.fnmatch_lines([told.format("the run")])
    result = project.run("evals", *spread, f"--model={other}")
    assert result.ret == 0
    result.stdout.fnmatch_lines([told.format("nothing"), "gate: PASS (1 pass)", "*2 passed, 2 missed*"])
