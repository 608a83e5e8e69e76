"""Where the rows of an eval may come from."""

import csv
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pytest_llmeval.loaders.csv_file import CsvFile
from tests.support.project import Project, jsonl
from tests.support.refusals import GOOD, refused, with_data
from tests.support.row_evals import PASS, rows

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


def test_an_address_in_memory_makes_no_id_of_a_row(project: Project, spread: list[str]) -> None:
    """It would be another one in each process; a row with an id of its own, or of a file, keeps what it has."""
    project.write(
        data__kept_jsonl=jsonl({"input": "<A at 0x7f>"}),
        evals__test_kept_py="""
        import pytest

        @pytest.mark.llmeval("data/kept.jsonl")
        def test_kept(response):
            pass
        """,
        evals__test_echo_py="""
        import pytest

        ROWS = [
            {"id": "own", "input": f"describe {object()!r}"},
            {"input": f"describe {object()!r}"},
            {"input": "x", "target": [str(object())]},
            {"input": "a word at 0x7f"},
        ]

        @pytest.mark.llmeval(lambda: ROWS)
        def test_echo(response):
            pass
        """,
    )
    result = project.run("evals", *spread)
    assert result.ret == 4
    told = [line for line in result.errlines if "says where" in line]
    assert [re.sub(".*(?=dataset)|'0x[0-9a-f]+'.*", "", line) for line in told] == [
        "dataset <lambda>():2: input says where an object lies in memory, found ",
        "dataset <lambda>():3: target says where an object lies in memory, found ",
    ]
    assert [line.rpartition("; ")[2] for line in told] == [
        "leave the address out",
        "give it an 'id', or leave the address out",
    ]
    assert len(list(filter(None, result.errlines))) == 2


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


def test_a_cell_may_be_longer_than_csv_takes_by_default(project: Project) -> None:
    long = "word " * 40_000
    project.write(
        data__long_csv=f"id,input\na,{long}\n",
        evals__test_long_py="""
        import pytest

        @pytest.mark.llmeval("data/long.csv")
        def test_long(sample):
            assert len(sample.input) > 150_000
        """,
    )
    before = csv.field_size_limit(131_072)  # of the whole process; another library may have set it
    try:
        project.run("evals").assert_outcomes(passed=1)
        assert csv.field_size_limit() == 131_072
    finally:
        csv.field_size_limit(before)


def test_long_cells_are_read_by_two_threads_at_once(tmp_path: Path) -> None:
    """The limit is one for both: no one may put it back while the other reads."""
    (tmp_path / "long.csv").write_text("id,input\n" + "".join(f"{n},{'word ' * 30_000}\n" for n in range(4)), "utf-8")
    file = CsvFile(tmp_path / "long.csv", "long.csv")
    refs = [ref for ref, _ in file.rows()] * 10
    before, interval = csv.field_size_limit(), sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(2) as threads:
            read = list(threads.map(file.read, refs))
    finally:
        sys.setswitchinterval(interval)
        found = csv.field_size_limit(before)
    assert {len(sample.input) for sample in read} == {150_000}
    assert found == before


@pytest.mark.parametrize(
    ("link", "real"), [("rows.jsonl", "ab12cd34"), ("rows.jsonl", "ab12.csv"), ("latest", "v3.jsonl")]
)
def test_a_link_s_own_suffix_decides_or_that_of_its_file(project: Project, link: str, real: str) -> None:
    """As of a file in the cache of DVC or git-annex; messages name the link."""
    with_data(project, "{")
    data = project.root / "data"
    (data / "rows.jsonl").rename(data / real)
    (data / link).symlink_to(real)
    project.write(evals__test_echo_py=f"import pytest\n\n@pytest.mark.llmeval('data/{link}')\n{PASS}")
    assert f"data/{link}:1: not valid JSON" in refused(project)
    (data / real).write_text(jsonl(GOOD))
    assert project.run("evals").ret == 0


def test_a_first_line_that_is_a_byte_order_mark_alone_is_blank(project: Project) -> None:
    with_data(project, "\ufeff\n" + jsonl(GOOD))
    assert project.run("evals").ret == 0
