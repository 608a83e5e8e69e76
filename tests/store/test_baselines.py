"""What a person may name to compare with, which runs may be a baseline, and what is told of two runs' set-up."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_llmeval.core.errors import StoreError
from pytest_llmeval.store.baseline_file import write_baseline
from pytest_llmeval.store.baselines import (
    FoundBaseline,
    UnknownBaselineError,
    find_baseline,
    refusal,
    set_up_differences,
)
from pytest_llmeval.store.records import Run, RunEnd, utc_now
from pytest_llmeval.store.sqlite import SqliteStore
from tests.support.records import call, record
from tests.support.stored_runs import END, run

OLD, NEW = "20250101-000000-aaaaaa", "20250102-000000-bbbbbb"
Find = Callable[[str], FoundBaseline]


@pytest.fixture
def filled(database: SqliteStore) -> SqliteStore:
    """A store of two runs on the models m and n, the older one named ``main``."""
    for id, at in ((OLD, "2025-01-01"), (NEW, "2025-01-02")):
        database.start_run(run(id, name="nightly", started_at=f"{at}T00:00:00.000+00:00", models=("m", "n")))
        database.add_case(id, record(f"row of {id}", calls=(call(),)))
        database.finish_run(id, END)
    database.set_baseline("main", OLD, "2025-01-03")
    return database


@pytest.fixture
def find(filled: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Find:
    """Look for a baseline from a folder beside the project's root."""
    (tmp_path / "here").mkdir()
    (tmp_path / "root").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return lambda ref: find_baseline(ref, reader=filled, root=tmp_path / "root")


def export(path: Path, **fields: Any) -> None:
    """Write a run of one case."""
    write_baseline(path, shown="", name="kept", run=run("f", end=END, **fields), count=0, cases=[])


@pytest.mark.parametrize(
    ("ref", "name", "kind", "run_id"),
    [
        ("main", "main", "name", OLD),
        (OLD, OLD, "run", OLD),
        ("20250101", OLD, "run", OLD),
        ("nightly", "nightly", "run", NEW),
        ("last", NEW, "run", NEW),
    ],
)
@pytest.mark.parametrize("model", [None, "n"])
def test_a_baseline_or_a_run_is_found(
    find: Find, ref: str, name: str, kind: str, run_id: str, model: str | None
) -> None:
    """Each also with one of its models."""
    found = find(f"{ref}@{model}" if model else ref)
    assert (found.name, found.kind, found.run.id, found.model) == (
        f"{name}@{model}" if model else name,
        kind,
        run_id,
        model,
    )
    assert [case.sample_id for case in found.judged()] == [f"row of {run_id}"]
    (case,) = found.cases()
    assert (case.key.sample_id, case.response) == (f"row of {run_id}", "x")
    assert [each.response for each in found.calls(case.id)] == ["x"]


@pytest.mark.parametrize("folder", ["here", "root"])
def test_a_file_is_found_as_a_shell_does_else_below_the_root(find: Find, tmp_path: Path, folder: str) -> None:
    """With its run, which need not be in the database."""
    export(tmp_path / folder / "kept.jsonl", models=("m", "n"))
    found = find("kept.jsonl")
    assert (found.kind, found.run.id, found.model) == ("file", "f", None)
    assert found.name == ("kept.jsonl" if folder == "root" else str(tmp_path / "here" / "kept.jsonl"))
    assert (list(found.judged()), list(found.cases()), found.calls("x")) == ([], [], [])
    assert find("kept.jsonl@n").model == "n"
    assert find(str(tmp_path / folder / "kept.jsonl")).run.id == "f"


def test_a_name_goes_before_a_run_and_a_run_before_a_file(filled: SqliteStore, find: Find, tmp_path: Path) -> None:
    """The order that is documented."""
    export(tmp_path / "here" / "nightly")
    assert find("nightly").kind == "run"
    filled.set_baseline("nightly", OLD, "2025-01-03")
    assert (find("nightly").kind, find("nightly").run.id) == ("name", OLD)


def test_without_a_database_there_are_files(tmp_path: Path) -> None:
    """As in a job that has downloaded one."""
    export(tmp_path / "kept.jsonl")
    assert find_baseline("kept.jsonl", reader=None, root=tmp_path).run.id == "f"
    with pytest.raises(UnknownBaselineError, match=r"^'main': .* \(there is no database\)"):
        find_baseline("main", reader=None, root=tmp_path)


def test_a_whole_name_goes_before_its_parts(filled: SqliteStore, find: Find, tmp_path: Path) -> None:
    """A run's name, a file's name and a model's name may hold an ``@``."""
    filled.start_run(run("20250103-000000-cccccc", name="nightly@m", models=("m@2", "m")))
    filled.finish_run("20250103-000000-cccccc", END)
    assert (find("nightly@m").run.id, find("nightly@m").model) == ("20250103-000000-cccccc", None)
    assert (find("nightly@m@m@2").run.id, find("nightly@m@m@2").model) == ("20250103-000000-cccccc", "m@2")
    assert (find("nightly@n").run.id, find("nightly@n").model) == (NEW, "n")
    export(tmp_path / "here" / "a@b.jsonl")
    assert find("a@b.jsonl@m").model == "m"


@pytest.mark.parametrize("ref", ["none", "", "a\x00b", "x" * 5000, "here/", "..", "none@m", "@", "@m"])
def test_what_is_not_there_is_told(find: Find, ref: str) -> None:
    """With what was tried and what to do, whatever was written."""
    with pytest.raises(UnknownBaselineError) as caught:
        find(ref)
    told = str(caught.value)
    assert "no baseline, no run in " in told
    assert "`llmeval baseline list`" in told
    assert "\x00" not in told
    assert len(told) < 1000


@pytest.mark.parametrize(("ref", "meant"), [("mian", "main"), ("nigthly@m", "nightly"), ("lats", "last")])
def test_a_name_with_a_letter_wrong_is_told_which_was_meant(find: Find, ref: str, meant: str) -> None:
    with pytest.raises(UnknownBaselineError, match=rf"; did you mean '{meant}'\? `llmeval baseline list`"):
        find(ref)


def test_a_name_whose_run_somebody_deleted_is_not_there(filled: SqliteStore, find: Find) -> None:
    """As the shell of SQLite does, which looks at no keys; the name may be given again."""
    with closing(sqlite3.connect(filled.path)) as connection, connection:
        connection.execute("DELETE FROM runs WHERE id = ?", [OLD])
    assert filled.baselines() == []
    with pytest.raises(UnknownBaselineError, match="'main': no baseline"):
        find("main")
    filled.set_baseline("main", NEW, "2025-01-04")
    assert find("main").run.id == NEW


def test_a_model_that_the_run_does_not_have_is_told(find: Find) -> None:
    """With those that it has."""
    with pytest.raises(StoreError, match=r"^'main@gpt': main has no such model; it has m, n$"):
        find("main@gpt")


def test_a_beginning_that_fits_several_runs_is_told(find: Find) -> None:
    """And taken for none of them."""
    with pytest.raises(StoreError, match="'2025' matches 2 runs: "):
        find("2025")
    with pytest.raises(StoreError, match="'2025' matches 2 runs: "):
        find("2025@m")


def test_a_file_that_is_no_baseline_is_told(find: Find, tmp_path: Path) -> None:
    """Not passed over: it was meant."""
    (tmp_path / "here" / "data.jsonl").write_text('{"id": "a"}\n')
    with pytest.raises(StoreError, match=r"data.jsonl:1: this is not an exported baseline: .*; export it again"):
        find("data.jsonl")


def ended(status: Any = "finished", exit_code: int = 0, verdict: Any = "pass", **settings: Any) -> Run:
    """Return a run with that end and those settings."""
    end = RunEnd(finished_at="2025-01-02", status=status, exit_code=exit_code, verdict=verdict)
    return run("r", end=end, settings=settings)


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (ended("interrupted", 2, "none"), "was interrupted; continue with: pytest --resume r (with the paths of"),
        (
            ended("interrupted", 2, "none", paths=["evals", "a b"]),
            "was interrupted; continue with: pytest --resume r evals 'a b'",
        ),
        (ended("interrupted", 2, "none", rescored="q"), "was interrupted; run it again: llmeval rescore q"),
        (ended("unmeasurable", 10, "unmeasurable"), "is unmeasurable (`llmeval show r` says why); "),
        (run("r", pid=2**22 - 1), "crashed; continue with: pytest --resume r (with the paths of the run)"),
        (run("r", host="elsewhere", started_at=utc_now()), "is still going on; wait for its end"),
        (ended(partial=True), "is partial (cases were left out); "),
        (ended(suites={"qa": {"left_out": ["--limit 5", "-k a"]}, "b": {"left_out": ["-k a"]}}), "is partial (--limit"),
        (ended(shard="1/2"), "is one shard of several; "),
        (ended(resumes=[{"changed": []}, {"changed": ["the prompt changed"]}]), "was resumed after changes (the prom"),
    ],
)
@pytest.mark.parametrize("even_red", [False, True])
def test_a_run_that_is_not_whole_is_refused(found: Run, why: str, even_red: bool) -> None:
    """Whatever is said of red ones."""
    assert (refusal(found, even_red=even_red) or "").startswith(f"run r {why}")


@pytest.mark.parametrize("found", [ended(exit_code=1, verdict="fail"), ended(exit_code=1, verdict="pass")])
def test_a_red_run_is_refused_unless_it_is_wanted(found: Run) -> None:
    """The best of several is no baseline, and a broken one only on purpose."""
    assert "is not green (exit status 1, verdict" in (refusal(found) or "")
    assert refusal(found, even_red=True) is None


@pytest.mark.parametrize("found", [ended(), ended(verdict="none"), ended(markexpr="fast"), ended(resumes=[{}])])
def test_a_whole_green_run_may_be_a_baseline(found: Run) -> None:
    """One without rules, with ``-m`` and resumed unchanged too."""
    assert refusal(found) is None


SUITE = {"prompt_digest": "p", "code_digest": "c", "rows_digest": "r", "row_set_digest": "o"}


@pytest.mark.parametrize(
    ("changes", "settings", "told"),
    [
        ({}, {}, []),
        ({"git_commit": "b" * 40}, {}, ["commit aaaaaaaaa, now bbbbbbbbb"]),
        ({"git_dirty": True}, {}, ["commit aaaaaaaaa, now aaaaaaaaa with changes"]),
        ({"git_commit": None}, {}, ["commit aaaaaaaaa, now none"]),
        ({"git_branch": "topic"}, {}, ["branch main, now topic"]),
        ({"version": "9"}, {}, ["version of pytest-llmeval 0.1.0, now 9"]),
        (
            {"models": ("small", "local")},
            {"models": {"small": "openai:gpt-4o-mini", "local": "local:local"}},
            ["model m, now small (openai:gpt-4o-mini), local"],
        ),
        (
            {"models": ("m", "big")},
            {"models": {"m": "openai:m", "big": "openai:large"}},
            ["model big (openai:large): only in the current run"],
        ),
        ({"models": ()}, {"models": {}}, ["model m: only in the base"]),
        ({}, {"models": {"m": "openai:other"}}, ["model m was openai:m, now openai:other"]),
        ({}, {"model_digests": {"m": "e"}}, ["parameters of model m"]),
        (
            {},
            {"suites": {"qa": {**SUITE, "prompt_digest": "q"}, "b": {**SUITE, "prompt_digest": "q"}}},
            ["prompt of qa, b"],
        ),
        (
            {},
            {"suites": {"qa": {**SUITE, "code_digest": "d", "rows_digest": "s", "row_set_digest": "x"}, "new": {}}},
            ["code of the test or a scorer of qa", "rows of qa"],
        ),
        (
            {},
            {
                "suites": {
                    "qa": {**SUITE, "rows_digest": "s"},
                    "b": {**SUITE, "rows_digest": "s", "row_set_digest": ""},
                }
            },
            ["rows of b"],
        ),
        ({}, {"options": {"epochs": 3, "limit": 5, "slice": ["a", "b"]}}, ["--epochs 1, now 3", "--limit none, now 5"]),
        ({}, {"markexpr": "fast"}, ["-m none, now fast"]),
        ({"judge_models": ("j", "k")}, {}, ["judge none, now j, k"]),
        ({}, {"unmade": {"qa": 2, "new": 0, "b": 2}}, ["suites qa, b, not collected now"]),
        ({"git_branch": "a\x1b[31m\n"}, {}, ["branch main, now a\\x1b[31m\\n"]),
    ],
)
def test_what_differs_in_the_set_up_is_told(changes: dict[str, Any], settings: dict[str, Any], told: list[str]) -> None:
    """A line each, harmless in a terminal, and nothing of what is the same."""
    before = {
        "models": {"m": "openai:m"},
        "model_digests": {"m": "d"},
        "suites": {"qa": SUITE, "b": SUITE},
        "options": {"epochs": 1, "limit": None, "slice": []},
        "markexpr": "",
    }
    base = run("a", git_commit="a" * 40, git_branch="main", git_dirty=False, settings=before)
    current = replace(base, id="b", settings={**before, **settings}, **changes)
    found = set_up_differences(base, current)
    assert found[: len(told)] == told
    assert len(found) == len(told) or found[-1] == "--slice none, now a b"


def test_another_judge_and_the_same_one_asked_otherwise_differ() -> None:
    """It is what flips of scores may be of."""
    asked = {"judge_digests": {"j": "d"}, "options": {"judge_panel": "all"}}
    base = run("a", judge_models=("j",), settings=asked)
    assert set_up_differences(base, run("b", judge_models=("k",), settings=asked)) == ["judge j, now k"]
    assert set_up_differences(base, run("b", settings=asked)) == ["judge j, now none"]
    other = {"judge_digests": {"j": "e"}, "options": {"judge_panel": "escalate"}}
    told = ["parameters of judge j", "--llmeval-judge-panel all, now escalate"]
    assert set_up_differences(base, run("b", judge_models=("j",), settings=other)) == told
