"""How the rows of a dataset become cases, and what their node ids are: contract section 1."""

import hashlib
import json
from typing import Any

import pytest

from tests.support.project import OPTIONS, Project, jsonl

PASS = "def test_echo(response):\n    pass\n"
EXACT = """
def test_echo(sample, response, score):
    score.exact(response, sample.target)
"""


def listed(project: Project, *arguments: str) -> list[str]:
    """Return the node ids that a session would run, without file and function."""
    result = project.run("evals", "--co", "-q", *arguments)
    assert result.ret == 0
    return [line.partition("::")[2] for line in result.outlines if "::" in line]


def asked(project: Project) -> list[str]:
    """Return what the model was asked, in the order of the requests: the last message of each."""
    return [entry.body["messages"][-1]["content"] for entry in project.server.ledger]


def sha6(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:6]


def rows(*ids: str, **more: Any) -> list[dict[str, Any]]:
    return [{"id": each, "input": each, **more} for each in ids]


def test_the_node_id_is_function_and_sample_id(project: Project) -> None:
    project.eval(PASS, rows("b", "a.1_x-Y"))
    assert listed(project) == ["test_echo[b]", "test_echo[a.1_x-Y]"]


def test_epochs_stand_at_the_end_from_1(project: Project) -> None:
    project.eval(PASS, rows("a", "b"))
    assert listed(project, "--epochs=2") == [f"test_echo[{each}]" for each in ("a-e1", "a-e2", "b-e1", "b-e2")]


def test_each_epoch_is_a_case_with_a_call_of_its_own(project: Project) -> None:
    project.eval(PASS, rows("a"))
    project.run("evals", "--epochs=3")
    assert project.cases() == {"a": "passed", "a-e2": "passed", "a-e3": "passed"}
    assert asked(project) == ["a", "a", "a"]


def test_models_stand_before_the_sample_only_where_there_are_several(project: Project) -> None:
    project.eval(PASS, rows("a"))
    second = f"--model=openai:org/other:7b@{project.server.url}"
    assert listed(project, second) == [f"test_echo[org_other_7b-{sha6('org/other:7b')}-a]", "test_echo[echo-a]"]


def test_a_matrix_asks_every_model_and_keeps_the_original_names(project: Project, dist_args: list[str]) -> None:
    project.eval(PASS, rows("a", "b"))
    assert project.run("evals", f"--model=openai:org/other:7b@{project.server.url}", *dist_args).ret == 0
    found = project.rows("SELECT model, sample_id FROM cases ORDER BY model, sample_id")
    assert [tuple(row.values()) for row in found] == [
        ("echo", "a"), ("echo", "b"), ("org/other:7b", "a"), ("org/other:7b", "b"),
    ]  # fmt: skip
    assert json.loads(project.last_run()["models"]) == ["org/other:7b", "echo"]


def test_the_name_in_models_yaml_stands_in_node_ids(project: Project) -> None:
    project.eval(PASS, rows("a"))
    project.write(models_yaml=f"models:\n  small one:\n    spec: openai:tiny@{project.server.url}\n")
    second = "--model=small one"
    assert listed(project, second) == [f"test_echo[small_one-{sha6('small one')}-a]", "test_echo[echo-a]"]


@pytest.mark.parametrize("name", ["a b", "ü", "a/b", "a[1]", "a::b", "x" * 81, "\U0001f600", "a\tb"])
def test_an_unsafe_id_is_made_safe_and_marked_by_its_digest(project: Project, name: str) -> None:
    safe = "".join(char if char.isascii() and (char.isalnum() or char in "._-") else "_" for char in name)
    project.eval(PASS, rows(name))
    assert listed(project) == [f"test_echo[{safe[:80]}-{sha6(name)}]"]


def test_an_id_of_80_characters_stays_as_it_is(project: Project) -> None:
    project.eval(PASS, rows("x" * 80))
    assert listed(project) == [f"test_echo[{'x' * 80}]"]


def test_the_database_keeps_original_ids(project: Project) -> None:
    ids = ["007", "7", "1e3", "true", "null", "a b", "ü\U0001f600", "0.10", "NaN"]
    project.eval(PASS, rows(*ids))
    assert project.run("evals").ret == 0
    assert [row["sample_id"] for row in project.rows("SELECT sample_id FROM cases ORDER BY rowid")] == ids
    assert {row["kind"] for row in project.rows("SELECT typeof(sample_id) AS kind FROM cases")} == {"text"}


def test_a_sanitised_row_runs_by_its_node_id(project: Project) -> None:
    project.eval(PASS, rows("a b", "a_b"))
    assert project.run(f"evals/test_echo.py::test_echo[a_b-{sha6('a b')}]").ret == 0
    assert project.cases() == {"a b": "passed"}


def test_derived_ids_do_not_move_when_a_row_is_inserted(project: Project) -> None:
    contents: list[dict[str, Any]] = [{"input": "one", "target": 1}, {"input": "two"}]
    project.eval(PASS, contents)
    before = listed(project)
    project.write(data__echo_jsonl=jsonl({"input": "zero"}, *contents))
    after = listed(project)
    assert len(set(before)) == 2
    assert after[1:] == before


def test_derived_ids_depend_on_input_and_target_alone(project: Project) -> None:
    project.eval(PASS, [{"input": {"a": 1, "b": 2}, "slice": "x", "metadata": {"k": 1}}])
    before = listed(project)
    project.write(data__echo_jsonl=jsonl({"metadata": {}, "input": {"b": 2, "a": 1}}))
    assert listed(project) == before


def test_two_rows_without_ids_and_with_equal_content_are_one_too_many(project: Project) -> None:
    project.eval(PASS, [{"input": "a"}, {"input": "b"}, {"input": "a"}])
    result = project.run("evals")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*data/echo.jsonl:3: id * stands in line 1 already*"])


def test_slices_and_row_marks_are_recorded_as_slices(project: Project) -> None:
    project.eval(
        PASS,
        [
            {"id": "a", "input": "a", "slice": "hard", "marks": ["regression"]},
            {"id": "b", "input": "b", "slice": ["x", "y", "x"]},
            {"id": "c", "input": "c"},
        ],
    )
    project.run("evals")
    found = project.rows("SELECT slices FROM cases ORDER BY rowid")
    assert [json.loads(row["slices"]) for row in found] == [["hard", "regression"], ["x", "y"], []]


def test_slice_chooses_rows_and_may_be_repeated(project: Project) -> None:
    data = [{"id": each, "input": each, "slice": each} for each in "abc"]
    project.eval(PASS, data)
    result = project.run("evals", "--slice=a", "--slice", "c")
    assert set(project.cases()) == {"a", "c"}
    result.stdout.fnmatch_lines(["note: partial run (--slice)*"])


def test_limit_counts_after_slice(project: Project) -> None:
    data = [{"id": f"{each}{n}", "input": each, "slice": each} for n in range(3) for each in "ab"]
    project.eval(PASS, data)
    result = project.run("evals", "--slice=b", "--limit=2")
    assert set(project.cases()) == {"b0", "b1"}
    result.stdout.fnmatch_lines(["note: partial run (--limit, --slice)*"])


def test_a_limit_that_leaves_nothing_out_is_no_partial_run(project: Project) -> None:
    project.eval(PASS, rows("a", "b"))
    project.run("evals", "--limit=2").stdout.no_fnmatch_line("note: partial*")


def test_limit_is_for_each_dataset(project: Project) -> None:
    project.eval(PASS, rows("a", "b"))
    project.eval(PASS, rows("c", "d"), name="other", marker='suite="other"')
    project.run("evals", "--limit=1")
    assert set(project.cases()) == {"a", "c"}


def test_an_unknown_slice_is_a_usage_error_with_a_suggestion(project: Project) -> None:
    project.eval(PASS, rows("a", slice="hard"))
    result = project.run("evals", "--slice=herd")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*--slice herd: no row has it; did you mean 'hard'?*"])


def test_a_row_mark_that_pytest_knows_acts(project: Project) -> None:
    project.eval(PASS, [{"id": "a", "input": "a", "marks": ["skip"]}, {"id": "b", "input": "b"}])
    project.run("evals").assert_outcomes(passed=1, skipped=1)
    assert project.cases() == {"a": "skipped", "b": "passed"}


def test_a_row_mark_of_the_project_is_registered_in_its_ini(project: Project) -> None:
    project.eval(PASS, [{"id": "a", "input": "a", "marks": ["smoke"]}, {"id": "b", "input": "b"}])
    project.write(tox_ini=f"[pytest]\n{OPTIONS.rstrip()} --strict-markers\nmarkers = smoke\n")
    project.run("evals", "-m", "smoke").assert_outcomes(passed=1, deselected=1)


@pytest.mark.parametrize(
    "ini", [f"{OPTIONS.rstrip()} --strict-markers", f"{OPTIONS}strict_markers = true", f"{OPTIONS}strict = true"]
)
def test_strict_markers_name_file_and_line_of_unknown_marks(project: Project, ini: str) -> None:
    """All of them at once, each in one line."""
    data = [
        {"id": n, "input": n, "marks": [mark]} for n, mark in zip("abc", ["ok", "strange1", "strange2"], strict=True)
    ]
    project.eval(PASS, data)
    project.write(tox_ini=f"[pytest]\n{ini}\nmarkers = ok\n")
    result = project.run("evals")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*data/echo.jsonl:2: marks: *strange1*", "*data/echo.jsonl:3: marks: *strange2*"])
    assert project.server.ledger == []


def test_without_strict_markers_an_unknown_mark_is_a_warning(project: Project) -> None:
    project.eval(PASS, [{"id": "a", "input": "a", "marks": ["strange3"]}])
    result = project.run("evals", inside=False)
    assert result.ret == 0
    assert project.cases() == {"a": "passed"}
    result.stdout.fnmatch_lines(["*PytestUnknownMarkWarning: Unknown pytest.mark.strange3*"])


def test_warnings_as_errors_name_file_and_line_of_an_unknown_mark(project: Project) -> None:
    project.eval(PASS, [{"id": "a", "input": "a", "marks": ["strange4"]}])
    result = project.run("evals", "-Werror")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*data/echo.jsonl:1: marks: *strange4*"])


@pytest.mark.parametrize("mark", ["parametrize", "usefixtures", "skipif", "filterwarnings", "llmeval", "a-b", "", "_x"])
def test_marks_that_cannot_stand_on_a_row(project: Project, mark: str) -> None:
    project.eval(PASS, [{"id": "a", "input": "a", "marks": [mark]}])
    result = project.run("evals")
    assert result.ret == 4
    result.stderr.fnmatch_lines([f"*data/echo.jsonl:1: marks: '{mark}' can*"])


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


def test_evals_may_be_methods_of_a_class(project: Project, dist_args: list[str]) -> None:
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
    assert project.run("evals", *dist_args).ret == 0
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
        ["*suite 'echo' is named by evals/test_echo.py::test_echo and by evals/test_other.py::test_echo*"]
    )
    assert project.server.ledger == []


def test_two_models_with_one_name_are_a_usage_error(project: Project) -> None:
    project.eval(PASS, rows("a"))
    result = project.run("evals", "--model=openai:echo@http://127.0.0.1:9/v1")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*two models are called 'echo'*models.yaml*"])


def test_the_same_model_twice_is_a_usage_error(project: Project) -> None:
    project.eval(PASS, rows("a"))
    assert project.run("evals", f"--model={project.model}").ret == 4


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ('"data/echo.jsonl", sweet="x"', "*marker llmeval: *'sweet'*"),
        ('"data/echo.jsonl", "second"', "*marker llmeval: too many positional arguments*"),
        ("", "*marker llmeval: missing a required argument: 'dataset'*"),
        ('"data/echo.jsonl", suite=""', "*marker llmeval: suite must be a text*"),
        ('"data/echo.jsonl", suite=3', "*marker llmeval: suite must be a text*found 3*"),
        ('"data/echo.jsonl", cluster=["doc"]', "*marker llmeval: cluster must be a text*"),
        ('"data/echo.jsonl", params=[1]', "*marker llmeval: params must be a mapping*"),
        ('"data/echo.jsonl", params=5', "*marker llmeval: params must be a mapping*"),
        ('"data/echo.jsonl", params={"messages": []}', "*marker llmeval: params*messages*"),
        ('"data/echo.jsonl", params={"temperature": object()}', "*marker llmeval: params*JSON*"),
        ("5", "*dataset must be a path, a list of dicts or a callable, found 5*"),
        ('{"input": "a"}', "*dataset must be a path, a list of dicts or a callable*"),
        ('"data/echo.jsonl", prompt=5', "*prompt must be a path, a template or a callable, found 5*"),
        ('"data/echo.jsonl", prompt="missing.txt"', "*missing.txt: no such prompt file*"),
        ('"data/echo.jsonl", prompt="../../outside.txt"', "*leads out of the rootdir*"),
    ],
)
def test_a_misused_marker_is_a_usage_error_at_its_function(project: Project, call: str, message: str) -> None:
    project.write(
        data__echo_jsonl=jsonl({"input": "a"}),
        evals__test_echo_py=f"import pytest\n\n@pytest.mark.llmeval({call})\ndef test_echo(response):\n    pass\n",
    )
    result = project.run("evals")
    assert result.ret == 4
    result.stderr.fnmatch_lines([f"*evals/test_echo.py{message}"])
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


DATASETS = {
    "list": '[{"id": "a", "input": "x", "target": "x"}, {"id": "b", "input": "y", "target": "y"}]',
    "tuple": '({"id": "a", "input": "x", "target": "x"}, {"id": "b", "input": "y", "target": "y"})',
    "callable": 'lambda: [{"id": i, "input": t, "target": t} for i, t in ("ax", "by")]',
    "generator": "dataset=rows_of",  # pytest takes a lone function for the one that is decorated
}


@pytest.mark.parametrize("kind", DATASETS)
def test_a_dataset_may_be_a_list_or_a_callable(project: Project, kind: str) -> None:
    project.write(
        evals__test_echo_py=f"""
        import pytest

        def rows_of():
            for i, t in ("ax", "by"):
                yield {{"id": i, "input": t, "target": t}}

        @pytest.mark.llmeval({DATASETS[kind]})
        def test_echo(sample, response, score):
            score.exact(response, sample.target)
        """
    )
    assert project.run("evals").ret == 0
    assert project.cases() == {"a": "passed", "b": "passed"}


def test_a_callable_dataset_works_in_workers(project: Project) -> None:
    project.write(
        evals__test_echo_py="""
        import pytest

        @pytest.mark.llmeval(lambda: ({"id": str(n), "input": "x"} for n in range(6)))
        def test_echo(sample, response):
            assert response.text == sample.input
        """
    )
    assert project.run("evals", "-n2").ret == 0
    assert len(project.cases()) == 6


FILES = {
    "csv": 'id,input,target,slice,marks,metadata.doc\na,x,x,p;q,regression,1\nb,"y, z","y, z",,,2\n',
    "json": '[\n {"id": "a", "input": "x", "target": "x", "slice": ["p", "q"], "marks": ["regression"],\n'
    '  "metadata": {"doc": "1"}},\n {"id": "b", "input": "y, z", "target": "y, z", "metadata": {"doc": "2"}}\n]\n',
    "jsonl": '{"id": "a", "input": "x", "target": "x", "slice": ["p", "q"], "marks": ["regression"],'
    ' "metadata": {"doc": "1"}}\n\n{"id": "b", "input": "y, z", "target": "y, z", "metadata": {"doc": "2"}}\n',
    "yaml": "- id: a\n  input: x\n  target: x\n  slice: [p, q]\n  marks: [regression]\n  metadata: {doc: '1'}\n"
    "- id: b\n  input: y, z\n  target: y, z\n  metadata: {doc: '2'}\n",
}


@pytest.mark.parametrize("suffix", FILES)
def test_each_kind_of_file_gives_the_same_cases(project: Project, suffix: str) -> None:
    project.write(**{f"data__rows_{suffix}": FILES[suffix]})
    project.write(
        evals__test_echo_py=f"""
        import pytest

        @pytest.mark.llmeval("data/rows.{suffix}")
        def test_echo(sample, response, score):
            score.exact(response, sample.target)
            assert sample.metadata["doc"] in ("1", "2")
        """
    )
    assert project.run("evals").ret == 0
    found = project.rows("SELECT sample_id, slices, outcome, response FROM cases ORDER BY sample_id")
    assert [tuple(row.values()) for row in found] == [
        ("a", '["p", "q", "regression"]', "passed", "x"),
        ("b", "[]", "passed", "y, z"),
    ]


def test_a_dataset_may_lie_beside_its_test(project: Project) -> None:
    project.write(
        evals__rows_jsonl=jsonl(*rows("a")),
        evals__test_echo_py="import pytest\n\n@pytest.mark.llmeval('rows.jsonl')\ndef test_echo(response):\n    pass\n",
    )
    assert project.run("evals").ret == 0


def test_an_absolute_path_inside_the_project_is_fine(project: Project) -> None:
    project.write(
        data__rows_jsonl=jsonl(*rows("a")),
        evals__test_echo_py="""
        from pathlib import Path

        import pytest

        @pytest.mark.llmeval(Path(__file__).parent.parent / "data" / "rows.jsonl")
        def test_echo(response):
            pass
        """,
    )
    assert project.run("evals").ret == 0


def test_the_sample_of_a_case_is_its_row(project: Project) -> None:
    project.eval(
        """
        def test_echo(sample):
            assert sample.id == "a"
            assert sample.input == {"q": "?", "n": [1, 2.5, None, True]}
            assert sample.target == {"answer": 42}
            assert sample.slices == ("hard", "regression")
            assert sample.marks == ("regression",)
            assert sample.metadata == {"doc": 7}
        """,
        [
            {
                "id": "a",
                "input": {"q": "?", "n": [1, 2.5, None, True]},
                "target": {"answer": 42},
                "slice": "hard",
                "marks": ["regression"],
                "metadata": {"doc": 7},
            }
        ],
    )
    project.run("evals").assert_outcomes(passed=1)
    assert project.server.ledger == []


def test_no_case_can_change_the_row_of_another(project: Project) -> None:
    project.eval(
        """
        def test_echo(sample):
            assert sample.input == {"n": [1]}
            sample.input["n"].append(2)
        """,
        [{"id": "a", "input": {"n": [1]}}],
    )
    assert project.run("evals", "--epochs=2").ret == 0


def test_a_dataset_that_changes_during_the_session_is_an_error(project: Project) -> None:
    project.eval(
        """
        def test_echo(sample):
            from pathlib import Path

            path = Path("data/echo.jsonl")
            path.write_text(path.read_text().replace('"b"', '"c"'))
        """,
        rows("a", "b"),
    )
    assert project.run("evals").ret == 1
    assert project.cases() == {"a": "passed", "b": "error"}
    assert "the file changed" in project.rows("SELECT error FROM cases WHERE sample_id = 'b'")[0]["error"]
