"""Rows of Parquet files: columns as row keys, what JSON cannot hold, and reading a row again."""

import datetime
import decimal
import random
import threading
import tracemalloc
from pathlib import Path
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]  # has no stubs
import pyarrow.parquet as pq  # type: ignore[import-untyped]  # as above
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_llmeval.core.errors import DatasetError
from pytest_llmeval.core.types import Sample
from pytest_llmeval.loaders.arrow_rows import arrow_rows
from pytest_llmeval.loaders.datasets import open_dataset
from pytest_llmeval.loaders.source import Dataset, RowRef


def opened(folder: Path, table: Any, name: str = "x.parquet", **options: Any) -> Dataset:
    """Return the dataset of a Parquet file in ``folder`` that holds ``table``."""
    pq.write_table(table if isinstance(table, pa.Table) else pa.table(table), folder / name, **options)
    return open_dataset(name, rootdir=folder, test_file=folder / "test_x.py")


def good(dataset: Dataset) -> list[tuple[RowRef, Sample]]:
    """Return all rows, none of which may be an error."""
    found = []
    for ref, sample in dataset.rows():
        assert isinstance(sample, Sample), sample
        found.append((ref, sample))
    return found


def wrong(dataset: Dataset) -> str:
    """Return what is wrong with a dataset as a whole."""
    with pytest.raises(DatasetError) as caught:
        list(dataset.rows())
    return str(caught.value)


def test_columns_are_row_keys_and_structs_and_lists_are_json(tmp_path: Path) -> None:
    row: dict[str, Any] = {
        "id": "a",
        "input": [{"role": "user", "content": "Hi"}],
        "target": {"n": 1, "of": [1.5, None]},
        "slice": ["s", "t"],
        "marks": ["slow"],
        "metadata": {"at": {"page": 3}, "ok": True},
    }
    [(ref, sample)] = good(opened(tmp_path, pa.Table.from_pylist([row])))
    assert sample == Sample(
        id="a",
        input=row["input"],
        target=row["target"],
        slices=("s", "t", "slow"),
        marks=("slow",),
        metadata=row["metadata"],
    )
    assert ref.line == 1


def test_a_null_cell_is_an_absent_key_and_a_null_inside_stays(tmp_path: Path) -> None:
    rows = [{"id": "a", "input": "q", "slice": "s", "metadata": {"k": None, "l": 1}}, {"input": "p"}]
    [(_, first), (_, second)] = good(opened(tmp_path, pa.Table.from_pylist(rows)))
    assert first.metadata == {"k": None, "l": 1}
    assert (second.slices, second.marks, second.metadata, second.target) == ((), (), {}, None)
    assert second.id == good_id(tmp_path, '{"input": "p"}')


def good_id(folder: Path, line: str) -> str:
    """Return the id that a row of JSONL without one gets."""
    (folder / "y.jsonl").write_text(line)
    return good(open_dataset("y.jsonl", rootdir=folder, test_file=folder / "test_x.py"))[0][1].id


@pytest.mark.parametrize(
    ("array", "target"),
    [
        (pa.array([datetime.date(2026, 11, 25)]), "2026-11-25"),
        (pa.array([datetime.time(9, 30)]), "09:30:00"),
        (pa.array([datetime.datetime(2026, 11, 25, 9, 30)]), "2026-11-25T09:30:00"),
        (pa.array([0], pa.timestamp("ms", tz="Europe/Paris")), "1970-01-01T01:00:00+01:00"),
        (pa.array([[{"at": datetime.date(2026, 1, 2)}]]), [{"at": "2026-01-02"}]),
        (pa.array([[("k", 1), ("l", 2)]], pa.map_(pa.string(), pa.int8())), {"k": 1, "l": 2}),
        (pa.array(["x"]).dictionary_encode(), "x"),
        (pa.array([[1, 2]], pa.list_(pa.int8(), 2)), [1, 2]),
        (pa.array([2**64 - 1], pa.uint64()), 2**64 - 1),
        (pa.array([3.8], pa.float32()), 3.8),
        (pa.array([{"a": [0.1, None, -2.0]}], pa.struct({"a": pa.list_(pa.float32())})), {"a": [0.1, None, -2.0]}),
        (pa.array([[("k", 3.4028235e38)]], pa.map_(pa.string(), pa.float32())), {"k": 3.4028235e38}),
        (pa.array([0.1], pa.float32()).dictionary_encode(), 0.1),
        (pa.array([0.5, 0.1], pa.float16())[1:], 0.1),
        (pa.array([0.1], pa.float32()).cast(pa.float64()), 0.10000000149011612),
        (pa.array([None]), None),
    ],
)  # fmt: skip
def test_what_a_value_becomes_in_json(tmp_path: Path, array: Any, target: object) -> None:
    assert good(opened(tmp_path, {"input": ["q"], "target": array}))[0][1].target == target


@pytest.mark.parametrize(
    ("array", "column", "kind"),
    [
        (pa.array([b"x"]), "target", "binary"),
        (pa.array([{"a": [{"raw": b"x"}]}]), "target.a.raw", "binary"),
        (pa.array([decimal.Decimal("1.50")]), "target", "decimal128(3, 2)"),
        (pa.array([datetime.timedelta(1)]), "target", "duration[us]"),
        (pa.array([[(1, "x")]], pa.map_(pa.int8(), pa.string())), "target", "map<int8, string ('target')>"),
    ],
)
def test_a_type_that_json_cannot_hold_is_one_error_of_its_column(
    tmp_path: Path, array: Any, column: str, kind: str
) -> None:
    said = wrong(opened(tmp_path, {"input": ["q"], "target": array}))
    assert said == (
        f"x.parquet: column {column!r} holds {kind}, which JSON cannot hold; write it as text or as a number,"
        " or leave it out"
    )


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (pa.array([1.0, float("nan"), 2.0]), "target holds nan, which JSON cannot hold; write null"),
        (pa.array([{"a": [1.0]}, {"a": [float("-inf")]}, None]), "target holds -inf, which"),
        (pa.array([[1.0], [float("nan"), None], None], pa.list_(pa.float32())), "target holds nan, which"),
        (pa.array([[], [("k", 1), ("k", 2)], []], pa.map_(pa.string(), pa.int8())), "duplicate keys"),
        (pa.array([0, 2**60, 0], pa.timestamp("ms")), "cannot be read"),
    ],
)
def test_a_value_that_json_cannot_hold_is_an_error_of_its_row_alone(tmp_path: Path, target: Any, said: str) -> None:
    found = [row for _, row in opened(tmp_path, {"input": ["a", "b", "c"], "target": target}).rows()]
    assert [isinstance(row, DatasetError) for row in found] == [False, True, False]
    assert str(found[1]).startswith("x.parquet:2: ")
    assert said in str(found[1])


def test_a_wrong_row_is_named_by_its_number_in_the_file(tmp_path: Path) -> None:
    table = pa.table(
        {"input": [f"q{number}" for number in range(600)], "id": ["" if n == 555 else f"r{n}" for n in range(600)]}
    )
    found = [str(row) for _, row in opened(tmp_path, table, row_group_size=100).rows() if isinstance(row, DatasetError)]
    assert found == ["x.parquet:556: id must be a non-empty string, found ''"]


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (
            {"input": ["q"], "tags": ["t"]},
            "x.parquet: unknown key 'tags'; groups of a row are its slice, marks of pytest its marks, and anything else"
            " goes into metadata",
        ),
        ({"input": ["q"], "tagret": ["t"]}, "x.parquet: unknown key 'tagret'; did you mean 'target'?"),
        ({"id": ["a"], "target": ["t"]}, "x.parquet: column 'input' is missing; found id, target"),
        ({}, "x.parquet: column 'input' is missing; found no column"),
        (pa.table([["a"], ["b"]], names=["input", "input"]), "x.parquet: column 'input' appears twice"),
    ],
)
def test_columns_that_are_no_row_keys_are_named(tmp_path: Path, columns: Any, said: str) -> None:
    assert wrong(opened(tmp_path, columns)) == said


@pytest.mark.parametrize("content", [b"", b"PAR1", b"no parquet at all, but long enough"])
def test_a_file_that_is_no_parquet_says_so(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.parquet").write_bytes(content)
    assert wrong(open_dataset("x.parquet", rootdir=tmp_path, test_file=tmp_path / "t.py")).startswith(
        "x.parquet: not a Parquet file: "
    )


def test_a_damaged_page_is_an_error_of_the_file(tmp_path: Path) -> None:
    opened(tmp_path, {"input": [f"q{number}" * 50 for number in range(5000)]}, compression="zstd", use_dictionary=False)
    raw = bytearray((tmp_path / "x.parquet").read_bytes())
    raw[200:400] = b"\xff" * 200
    (tmp_path / "x.parquet").write_bytes(raw)
    assert wrong(open_dataset("x.parquet", rootdir=tmp_path, test_file=tmp_path / "t.py")).startswith("x.parquet: ")


def test_every_row_is_read_again_in_any_order_and_thread(tmp_path: Path) -> None:
    dataset = opened(tmp_path, {"input": [f"ü{number}" for number in range(2000)]}, row_group_size=300)
    found = good(dataset)
    (tmp_path / "x.parquet").unlink()
    different: list[int] = []

    def check(step: int) -> None:
        for index in range(0, 2000 * step, step):
            ref, sample = found[index % 2000]
            if dataset.read(ref) != sample:
                different.append(index)

    threads = [threading.Thread(target=check, args=(step,)) for step in (1, 7, 1999)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert different == []


def test_a_large_row_group_is_never_held_as_a_whole(tmp_path: Path) -> None:
    """Of 40 MB in one row group, pages of each column are in memory at once."""
    rng = random.Random(0)
    table = pa.table({"input": [rng.randbytes(1_000).hex() for _ in range(20_000)]})
    assert table.nbytes > 40e6
    dataset = opened(tmp_path, table, row_group_size=table.num_rows)
    del table
    before, arrow = pa.total_allocated_bytes(), 0
    tracemalloc.start()
    try:
        for _ in dataset.rows():
            arrow = max(arrow, pa.total_allocated_bytes() - before)
        python = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert 0 < arrow + python < 15e6


VALUES = st.recursive(
    st.integers(-(2**63), 2**63 - 1) | st.text() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.dictionaries(st.text(min_size=1), inner, min_size=1, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from([pa.float16(), pa.float32()]), st.data())
def test_a_narrow_float_is_the_shortest_number_that_is_it(kind: Any, data: st.DataObject) -> None:
    value = data.draw(st.floats(width=kind.bit_width, allow_nan=False, allow_infinity=False))
    ((_, row),) = arrow_rows([pa.table({"input": pa.array([value], kind)})], "x")
    assert pa.array([row["input"]], kind).equals(pa.array([value], kind))
    assert _digits(row["input"]) <= _digits(value)


def _digits(value: float) -> int:
    """Return how many digits a number is written with, but for the zeros that give its size."""
    return len(decimal.Decimal(repr(value)).normalize().as_tuple().digits)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(inputs=st.lists(st.text(), min_size=1, max_size=6), target=VALUES)
def test_what_was_written_is_what_is_read(tmp_path: Path, inputs: list[str], target: object) -> None:
    rows = [{"input": text, "target": target} for text in inputs]
    read = good(opened(tmp_path, pa.Table.from_pylist(rows)))
    assert [(sample.input, sample.target) for _, sample in read] == [(text, target) for text in inputs]
