"""What a run records of its rows for later comparison: targets, clusters, and how many ``-m`` left out."""

from typing import Any

import pytest

from tests.support.project import OPTIONS, Project
from tests.support.row_evals import PASS


def row(id: str, **fields: Any) -> dict[str, Any]:
    return {"id": id, "input": id, **fields}


def recorded(project: Project, column: str) -> dict[str, Any]:
    """Return a column of the cases by sample id."""
    return {each["sample_id"]: each[column] for each in project.rows(f"SELECT sample_id, {column} FROM cases")}


def suite(project: Project) -> dict[str, Any]:
    found: dict[str, Any] = project.settings()["suites"]["echo"]
    return found


def test_targets_are_recorded_as_json(project: Project, spread: list[str]) -> None:
    rows = [row("a", target="é"), row("b", target={"y": [1, None], "x": 0.5}), row("c"), row("d", target={"n": 2**64})]
    project.eval(PASS, rows)
    assert project.run("evals", *spread).ret == 0
    told = {"a": '"\\u00e9"', "b": '{"x": 0.5, "y": [1, null]}', "c": None, "d": f'{{"n": {2**64}}}'}
    assert recorded(project, "target") == told


def test_the_cluster_of_a_row_is_the_value_of_the_key_as_text(project: Project, spread: list[str]) -> None:
    values: list[Any] = ["doc 1", 7, True, {"b": 1, "a": [2]}, None]
    data = [row(f"r{number}", metadata={"doc": value}) for number, value in enumerate(values)]
    project.eval(PASS, [*data, row("without")], marker='cluster="doc"')
    assert project.run("evals", *spread).ret == 0
    told = ["doc 1", "7", "true", '{"a": [2], "b": 1}', None]
    assert recorded(project, "cluster") == {**{f"r{n}": text for n, text in enumerate(told)}, "without": None}


def test_without_a_key_no_row_has_a_cluster(project: Project) -> None:
    project.eval(PASS, [row("a", metadata={"doc": "x"})])
    assert project.run("evals").ret == 0
    assert recorded(project, "cluster") == {"a": None}


def test_odd_values_of_a_callable_dataset_end_no_session(project: Project) -> None:
    """Its rows never went through JSON."""
    project.write(
        evals__test_echo_py="""
        import pytest

        class Odd(str):
            def __str__(self):
                raise RuntimeError("no")

        def rows():
            yield {"id": "a", "input": "a", "target": "\\ud800\\x00", "metadata": {"doc": Odd("x")}}
            yield {"id": "b", "input": "b", "target": [1.5], "metadata": {"doc": "\\ud800"}}

        @pytest.mark.llmeval(rows, cluster="doc")
        def test_echo(response):
            pass
        """
    )
    assert project.run("evals").ret == 0
    assert recorded(project, "target") == {"a": '"\\ud800\\u0000"', "b": "[1.5]"}
    assert recorded(project, "cluster") == {"a": "x", "b": "\\ud800"}


@pytest.mark.parametrize(
    ("metadata", "advice"),
    [
        ({"document": "x", "page": 1}, "did you mean 'document'?"),
        ({"page": 1, "author": "y", "documnt": None}, "metadata keys are author, page"),
        ({}, "the rows have no metadata keys"),
    ],
)
def test_a_cluster_key_that_no_row_has_is_a_usage_error(
    project: Project, metadata: dict[str, Any], advice: str
) -> None:
    project.eval(PASS, [row("a", metadata=metadata), row("b")], marker='cluster="documnt"')
    result = project.run("evals")
    assert result.ret == 4
    result.stderr.fnmatch_lines(
        [
            "*evals/test_echo.py::test_echo: marker llmeval: cluster='documnt': no row of data/echo.jsonl has this key"
            f" in its metadata; {advice}"
        ]
    )
    assert project.server.ledger == []


@pytest.mark.parametrize("option", ["--co", "--cache=off"])
def test_rows_that_lack_the_cluster_key_of_others_are_counted(project: Project, option: str) -> None:
    """As where a table is filled in the first row of each group alone: before any call, and of a part of the rows."""
    data = [row("a", metadata={"doc": "x"}), row("b"), row("c", metadata={"doc": None}), row("d", metadata={"doc": 0})]
    project.eval(PASS, [*data, row("e")], marker='cluster="doc"')
    result = project.run("evals", "--limit=4", option)
    assert result.ret == 0
    told = "suite echo: cluster='doc': 2 of 4 rows have no such key and count as independent of all"
    result.stdout.fnmatch_lines([f"llmeval: {told}"])
    assert " ".join(result.stdout.str().split()).count(told) == (1 if option == "--co" else 2)
    project.eval(PASS, data[::3], marker='cluster="doc"')
    assert "cluster=" not in project.run("evals", option).stdout.str()


def test_the_rows_that_were_taken_decide_whether_there_is_a_cluster(project: Project) -> None:
    project.eval(PASS, [row("a"), row("b", metadata={"doc": "x"})], marker='cluster="doc"')
    assert project.run("evals", "--limit=1").ret == 4
    assert project.run("evals").ret == 0


@pytest.mark.parametrize("epochs", [1, 3])
def test_the_rows_that_m_left_out_are_counted_once_whatever_the_epochs(
    project: Project, epochs: int, spread: list[str]
) -> None:
    data = [row(name, marks=["regression"] if name < "c" else []) for name in "abcde"]
    project.eval(PASS, data)
    project.write(tox_ini=f"[pytest]\nmarkers = slow\n{OPTIONS}")
    assert project.run("evals", f"--epochs={epochs}", "-m", "regression", *spread).ret == 0
    assert (suite(project)["made"], suite(project)["deselected"], suite(project)["left_out"]) == (5 * epochs, 3, [])


def test_what_left_rows_out_otherwise_is_not_counted_as_m(project: Project) -> None:
    project.eval(PASS, [row(name) for name in "abc"])
    assert project.run("evals/test_echo.py::test_echo[a]").ret == 0
    found = suite(project)
    assert (found["made"], found["deselected"], len(found["left_out"])) == (3, 0, 1)


def test_a_resumed_run_keeps_what_it_began_with(project: Project) -> None:
    """The rest of a run may be selected in another way than the whole was."""
    data = [row(name, marks=["regression"] if name < "c" else []) for name in "abcde"]
    project.eval(
        "def test_echo(response):\n    if response.text == 'b':\n        raise RuntimeError('not yet')\n", data
    )
    assert project.run("evals", "-m", "regression").ret == 1
    began = suite(project)
    result = project.run("evals", "--resume=last", "--lf", inside=False)
    assert result.ret == 1
    assert len(project.settings()["resumes"]) == 1
    assert {key: suite(project)[key] for key in ("made", "deselected", "left_out")} == {
        key: began[key] for key in ("made", "deselected", "left_out")
    }


@pytest.mark.parametrize("kind", ["body", "prompt"])
def test_what_a_test_does_with_its_row_changes_nothing_that_is_recorded_of_it(
    project: Project, spread: list[str], kind: str
) -> None:
    """As a chat that goes on in the list it began with: a baseline would not know its rows again."""
    data = [row("a", target={"n": 1}, metadata={"doc": "x"})]
    data[0]["input"] = [{"role": "user", "content": "first"}]
    project.eval(PASS, data, marker='cluster="doc"')
    assert project.run("evals").ret == 0
    change = 'sample.input.append({"role": "user", "content": "and?"})'
    more = f'{change}\n    sample.target["n"] = 2\n    sample.metadata["doc"] = "y"'
    if kind == "body":
        project.eval(f"def test_echo(sample, response):\n    {more}\n", data, marker='cluster="doc"')
    else:
        head = f"import pytest\n\ndef asked(sample):\n    {more}\n    return sample.input\n\n"
        mark = '@pytest.mark.llmeval("data/echo.jsonl", prompt=asked, cluster="doc")\n'
        project.write(evals__test_echo_py=head + mark + PASS)
    assert project.run("evals", *spread).ret == 0
    first, second = project.rows("SELECT input_digest, target, cluster FROM cases")
    assert first == second
    assert first["target"] == '{"n": 1}'
    assert first["cluster"] == "x"
