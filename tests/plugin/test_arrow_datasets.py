"""Datasets from Parquet files and from Hugging Face in a session: rows, workers, digests, and what goes wrong."""

import subprocess
import sys

import pytest

from tests.support.project import Project

EVAL = """
import pytest

@pytest.mark.llmeval({dataset!r})
def test_echo(sample, response, score):
    assert isinstance(sample.metadata["page"], int)
    score.exact(response, sample.target)
"""
ROWS = [
    {"id": f"r{number}", "input": f"q{number}", "target": f"q{number}", "metadata": {"page": number}}
    for number in range(5)
]


def made(project: Project, code: str) -> None:
    """Run code that writes datasets, in a process of its own: in-process runs forget what they imported."""
    text = f"import datasets, pyarrow as pa, pyarrow.parquet as pq\nROWS = {ROWS!r}\n{code}\n"
    subprocess.run([sys.executable, "-c", text], cwd=project.root, check=True)


def run(project: Project, dataset: str, *arguments: str) -> pytest.RunResult:
    """Run one eval over ``dataset``."""
    project.write(evals__test_echo_py=EVAL.format(dataset=dataset))
    return project.run("evals", *arguments, fresh=True)


PARQUET = "import os; os.makedirs('data'); pq.write_table(pa.Table.from_pylist(ROWS), 'data/x.parquet')"
SAVED = "datasets.DatasetDict(test=datasets.Dataset.from_list(ROWS)).save_to_disk('data/saved')"


@pytest.mark.parametrize(("code", "dataset"), [(PARQUET, "data/x.parquet"), (SAVED, "hf:data/saved?split=test")])
def test_each_row_is_a_case(project: Project, code: str, dataset: str, spread: list[str]) -> None:
    made(project, code)
    assert run(project, dataset, *spread).ret == 0
    assert project.cases() == {f"r{number}": "passed" for number in range(5)}


def test_both_are_the_same_rows(project: Project) -> None:
    made(project, PARQUET)
    made(project, SAVED)
    run(project, "data/x.parquet")
    run(project, "hf:data/saved")
    found = project.rows("SELECT DISTINCT sample_id, input_digest FROM cases")
    assert len(found) == 5
    assert len(project.rows("SELECT DISTINCT dataset_digest FROM runs")) == 1


def test_wrong_rows_are_named_before_any_call(project: Project) -> None:
    made(project, PARQUET.replace("ROWS)", "[*ROWS, {'id': 'r1', 'input': 'again'}])"))
    result = run(project, "data/x.parquet")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*data/x.parquet:6: id 'r1' is already used in row 2; ids must be unique"])
    assert not project.server.ledger


@pytest.mark.parametrize(
    ("module", "dataset", "extra"),
    [("pyarrow", "data/x.parquet", "parquet"), ("datasets", "hf:org/name", "datasets")],
)
def test_a_missing_extra_is_a_usage_error_that_names_it(
    project: Project, module: str, dataset: str, extra: str
) -> None:
    made(project, PARQUET)
    project.write(conftest_py=f"import sys\nsys.modules[{module!r}] = None\n")
    result = run(project, dataset)
    assert result.ret == 4
    result.stderr.fnmatch_lines([f"*{dataset}: needs an extra: pip install 'pytest-llmeval[[]{extra}[]]' (*{module}*"])


def test_nothing_of_them_is_imported_for_other_datasets(project: Project) -> None:
    project.eval("def test_echo(response):\n    pass\n", ROWS)
    project.write(
        conftest_py="""
            import sys

            def pytest_unconfigure():
                print("\\nimported:", sorted({"pyarrow", "datasets", "pandas"} & sys.modules.keys()))
            """,
    )
    result = project.run("evals", fresh=True)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["imported: [[][]]"])
