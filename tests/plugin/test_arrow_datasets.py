"""Datasets from Parquet files and from Hugging Face in a session: rows, workers, digests, and what goes wrong."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa  # type: ignore[import-untyped]  # has no stubs
import pyarrow.parquet as pq  # type: ignore[import-untyped]  # as above
import pytest

from tests.support.project import Project

EVAL = """
import pytest

@pytest.mark.llmeval({dataset!r})
def test_echo(sample, response, score):
    assert isinstance(sample.metadata["page"], int)
    score.exact(response, sample.target)
"""
ROWS: list[dict[str, Any]] = [
    {"id": f"r{number}", "input": f"q{number}", "target": f"q{number}", "metadata": {"page": number}}
    for number in range(5)
]


def as_parquet(folder: Path, rows: Sequence[dict[str, Any]] = ROWS) -> str:
    """Write rows as a Parquet file; return how an eval names it."""
    (folder / "data").mkdir(exist_ok=True)
    pq.write_table(pa.Table.from_pylist(list(rows)), folder / "data" / "x.parquet")
    return "data/x.parquet"


def as_saved(folder: Path) -> str:
    """Write rows as ``datasets`` saves a dictionary of splits; return how an eval names one."""
    datasets.DatasetDict(test=datasets.Dataset.from_list(ROWS)).save_to_disk(folder / "data" / "saved")
    return "hf:data/saved?split=test"


def run(project: Project, dataset: str, *arguments: str, fresh: bool = False) -> pytest.RunResult:
    """Run one eval over ``dataset``."""
    project.write(evals__test_echo_py=EVAL.format(dataset=dataset))
    return project.run("evals", *arguments, inside=False, fresh=fresh)


@pytest.mark.parametrize("written", [as_parquet, as_saved])
def test_each_row_is_a_case(project: Project, written: Callable[[Path], str], spread: list[str]) -> None:
    assert run(project, written(project.root), *spread).ret == 0
    assert project.cases() == {f"r{number}": "passed" for number in range(5)}


def test_both_are_the_same_rows(project: Project) -> None:
    run(project, as_parquet(project.root))
    run(project, as_saved(project.root).partition("?")[0])
    found = project.rows("SELECT DISTINCT sample_id, input_digest FROM cases")
    assert len(found) == 5
    assert len(project.rows("SELECT DISTINCT dataset_digest FROM runs")) == 1


def test_wrong_rows_are_named_before_any_call(project: Project) -> None:
    result = run(project, as_parquet(project.root, [*ROWS, {"id": "r1", "input": "again"}]))
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
    as_parquet(project.root)
    project.write(conftest_py=f"import sys\nsys.modules[{module!r}] = None\n")
    result = run(project, dataset, fresh=True)
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
