"""How the rows of a dataset become cases, and what their node ids are: contract section 1."""

import hashlib
import json
from typing import Any

import pytest

from tests.support.project import OPTIONS, Project, jsonl
from tests.support.refusals import refused, with_data
from tests.support.row_evals import PASS, rows


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


def test_the_node_id_is_function_and_sample_id(project: Project) -> None:
    project.eval(PASS, rows("b", "a.1_x-Y"))
    assert listed(project) == ["test_echo[b]", "test_echo[a.1_x-Y]"]


def test_what_others_show_of_a_case_is_its_part_of_the_node_id(project: Project) -> None:
    """Such as Allure, which knows a case in the next session by it; a prompt and places in memory are no part of it."""
    project.eval(PASS, rows("a", "b"), marker="prompt='secret {input}'")
    project.write(
        conftest_py="""
        def pytest_runtest_setup(item):
            print("shown:", *item.callspec.params.values())
    """
    )
    shown = [line for line in project.run("evals", "-s").outlines if "shown: " in line]
    assert [line.partition("shown: ")[2] for line in shown] == ["a", "b"]


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


def test_a_matrix_asks_every_model_and_keeps_the_original_names(project: Project, spread: list[str]) -> None:
    project.eval(PASS, rows("a", "b"))
    assert project.run("evals", f"--model=openai:org/other:7b@{project.server.url}", *spread).ret == 0
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


@pytest.mark.parametrize("odd", ["a\x00b", "a\ud800"])
@pytest.mark.parametrize("key", ["id", "slice"])
def test_what_the_database_cannot_keep_is_no_name(project: Project, key: str, odd: str) -> None:
    """It would be kept as another one, which may be that of another row, too."""
    escaped = odd.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")
    project.eval(PASS, [{"id": "x", "input": "x", key: escaped}, {"id": "y", "input": "y", key: odd}])
    told = "must be without NUL and lone surrogates, which the database cannot keep, found"
    assert refused(project) == f"ERROR: data/echo.jsonl:2: {key} {told} {odd!r}\n"
    project.eval(PASS, rows("x"), marker=f"suite={odd!r}")
    assert refused(project) == f"ERROR: evals/test_echo.py::test_echo: marker llmeval: suite {told} {odd!r}\n"


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
    used = "id '????????????', made of input and target, is already used in line 1"
    fix = "delete one of the two rows, or give each an 'id'"
    result.stderr.fnmatch_lines([f"ERROR: data/echo.jsonl:3: {used}; {fix}"])


def test_a_column_of_a_spreadsheet_is_told_how_it_is_named(project: Project) -> None:
    with_data(project, "question,answer,Art\nWho?,me,x\n", "csv")
    keys = "a row has the keys id, input, target, slice, marks, metadata"
    fix, others = "rename it, or put input. or target. or metadata. before it", "unknown, too: 'answer', 'Art'"
    assert refused(project).strip() == f"ERROR: data/rows.csv:1: unknown key 'question'; {keys}; {fix} ({others})"


@pytest.mark.parametrize("column", ["metadata.", "metdata."])
def test_a_column_of_an_object_has_a_field(project: Project, column: str) -> None:
    with_data(project, f"input,{column}\nWho?,me\n", "csv")
    fix = "put the name of a field behind the dot of 'metadata.'"
    assert refused(project).strip() == f"ERROR: data/rows.csv:1: unknown key '{column}'; {fix}"


@pytest.mark.parametrize(
    ("suffix", "text"),
    [("csv", 'input,target\nx,y,z\nq\n"unterminated,1\n'), ("json", '[\n{"inptu": 1},\n{},\n{"input"\n]')],
)
def test_what_is_wrong_before_a_file_breaks_off_is_told_with_it(project: Project, suffix: str, text: str) -> None:
    with_data(project, text, suffix)
    places = [line.removeprefix("ERROR: ").split(": ")[0] for line in refused(project).splitlines() if line]
    assert places == [f"data/rows.{suffix}:{line}" for line in (2, 3, 4)]


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
    result = project.run("evals", "--limit=2")
    assert result.ret == 0
    assert project.settings()["partial"] is False
    result.stdout.no_fnmatch_line("note: partial*")


def test_limit_is_for_each_dataset(project: Project) -> None:
    project.eval(PASS, rows("a", "b"))
    project.eval(PASS, rows("c", "d"), name="other", marker='suite="other"')
    project.run("evals", "--limit=1")
    assert set(project.cases()) == {"a", "c"}


def test_an_unknown_slice_is_a_usage_error_with_a_suggestion(project: Project) -> None:
    """Known as one only where the rows were read to their end, which --limit spares."""
    project.eval(PASS, [*rows("a", "b", slice="easy"), *rows("c", slice="hard")])
    result = project.run("evals", "--slice=herd", "--limit=1")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*--slice herd: no row has it; did you mean 'hard'?*"])
    project.run("evals", "--slice=easy", "--slice=hard", "--limit=1").assert_outcomes(passed=1)


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
    result.stdout.fnmatch_lines(["*data/echo.jsonl:1: PytestUnknownMarkWarning: Unknown pytest.mark.strange3*"])


def test_warnings_as_errors_name_file_and_line_of_an_unknown_mark(project: Project) -> None:
    project.eval(PASS, [{"id": "a", "input": "a", "marks": ["strange4"]}])
    result = project.run("evals", "-Werror")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*data/echo.jsonl:1: marks: *strange4*"])


def test_marks_that_cannot_stand_on_a_row(project: Project) -> None:
    ours = ("parametrize", "usefixtures", "skipif", "filterwarnings", "llmeval", "timeout", "anyio")
    marks = (*ours, "a-b", "", "_x")
    project.eval(PASS, [{"id": f"r{n}", "input": "a", "marks": [mark]} for n, mark in enumerate(marks)])
    result = project.run("evals")
    assert result.ret == 4
    told = [f"*data/echo.jsonl:{line}: marks: '{mark}' can*" for line, mark in enumerate(marks, 1)]
    result.stderr.fnmatch_lines(told, consecutive=True)
