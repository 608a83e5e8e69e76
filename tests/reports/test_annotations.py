"""Annotations: in the form that GitHub reads, whatever a project calls its files and rows."""

from pathlib import Path

from pytest_llmeval.reports.annotations import annotation_lines
from pytest_llmeval.reports.run_report import read_report
from pytest_llmeval.store.sqlite import SqliteStore
from tests.support.hostile_run import hostile_run
from tests.support.records import record
from tests.support.stored_runs import END, run


def lines(store: SqliteStore, root: Path) -> list[str]:
    report = read_report(store.find_run("last"), reader=store, root=root)
    return list(annotation_lines(report, root=root, workspace=root))


def test_names_are_encoded(tmp_path: Path) -> None:
    """%, colons and commas of a file's name; %, and line ends of a message."""
    store = SqliteStore(tmp_path / "x.db")
    store.start_run(run())
    case = record("50%", outcome="error", error_kind="code", error="100%\nsecond: line, end")
    object.__setattr__(case.key, "nodeid", "evals/a,b:c%.py::test_x[50_]")
    store.add_case(run().id, case)
    store.finish_run(run().id, END)
    assert lines(store, tmp_path) == [
        "::warning file=evals/a%2Cb%3Ac%25.py,title=llmeval%3A error::qa 50%25 on m: code%0A100%25%0Asecond: line, end"
    ]
    store.close()


def lines_of(folder: Path, *names: str) -> list[str]:
    """Return the lines of a run in which each function of ``test_a.py`` in ``folder`` broke."""
    store = SqliteStore(folder / "x.db")
    store.start_run(run())
    for name in names:
        case = record(name, outcome="error", error_kind="code", error="boom")
        object.__setattr__(case.key, "nodeid", f"test_a.py::{name}[a::b]")
        store.add_case(run().id, case)
    found = lines(store, folder)
    store.close()
    return found


def test_the_line_is_that_of_the_function(tmp_path: Path) -> None:
    """In a class too, and async."""
    (tmp_path / "test_a.py").write_text(
        "x = 1\n\nclass TestX:\n    async def test_y(self):\n        pass\n\ndef test_yy(): pass\n"
    )
    found = lines_of(tmp_path, "TestX::test_y", "test_yy", "test_z")
    assert [line.partition("title")[0] for line in found] == [
        "::error file=test_a.py,line=4,",
        "::error file=test_a.py,line=7,",
        "::error file=test_a.py,",
    ]


def test_hostile_texts_are_ten_lines(tmp_path: Path) -> None:
    """Each of them one command."""
    store = SqliteStore(tmp_path / "x.db")
    hostile_run(store)
    found = lines(store, tmp_path)
    store.close()
    assert len(found) == 10
    for line in found:
        assert line.startswith("::warning file=t.py,title=llmeval%3A ")
        assert line.count("::") >= 2
        assert line.isprintable()
        assert len(line) < 2000


def test_the_line_of_a_method_is_that_of_its_class(tmp_path: Path) -> None:
    """Of several classes with a method of that name; an inherited one stands where it is written."""
    (tmp_path / "test_a.py").write_text(
        "class TestA:\n    def test_x(self): pass\n\nclass TestB:\n    def test_x(self): pass\n\nclass TestC(TestA):\n"
        "    pass\n"
    )
    found = lines_of(tmp_path, "TestA::test_x", "TestB::test_x", "TestC::test_x")
    assert [line.partition(",title")[0].rpartition("=")[2] for line in found] == ["2", "5", "2"]
