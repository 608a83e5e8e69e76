"""A run in a file: what was written is read, and nothing else is taken for it."""

import gzip
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_llmeval.core.errors import StoreError
from pytest_llmeval.core.stored import StoredCase
from pytest_llmeval.core.types import CaseRecord
from pytest_llmeval.store.baseline_file import BaselineFile, write_baseline
from pytest_llmeval.store.records import Run
from tests.support.judged_cases import to_judged
from tests.support.memory_store import MemoryStore
from tests.support.records import call, case_records, record, score, storable_texts
from tests.support.stored_runs import END, run

SUITE = {"expected": {"m": 2}, "left_out": [], "deselected": 3, "made": 5, "prompt": "p", "rows_digest": "r"}
SETTINGS = {"suites": {"qa": SUITE}, "models": {"m": "openai:m"}, "model_digests": {"m": "d"}, "markexpr": "fast"}
ENDED = run("r", name="nightly", git_commit="c" * 40, git_dirty=False, settings=SETTINGS, end=END)
CASES = (
    record("a", slices=("x", "y"), target='"x"', scores=(score(), score("f1", 0.5, None)), calls=(call(),)),
    record("b", outcome="missed", scores=(score(value=0.0, passed=False, reason="got 'y'"),), calls=(call(),)),
    record("c", outcome="error", error_kind="timeout", error="it took too long"),
)


def stored(cases: Sequence[CaseRecord]) -> list[StoredCase]:
    """Return cases as a store gives them back."""
    store = MemoryStore()
    store.start_run(ENDED)
    for case in cases:
        store.add_case("r", case)
    return list(store.cases("r"))


def write(path: Path, cases: Sequence[StoredCase], *, of: Run = ENDED, **told: Any) -> BaselineFile:
    """Write cases into ``path`` and open it."""
    write_baseline(path, shown=path.name, name="main", run=of, count=len(cases), cases=cases, **told)
    return BaselineFile(path, path.name)


def lines(path: Path) -> list[dict[str, Any]]:
    """Return what each line holds, read by nothing of ours."""
    return [json.loads(line) for line in path.read_text("ascii").splitlines()]


def damaged(path: Path, number: int, change: dict[str, Any]) -> StoreError:
    """Return the error of a good file in which keys of one line are others; None takes a key away."""
    write(path, stored(CASES))
    found = lines(path)
    found[number - 1] = {key: value for key, value in {**found[number - 1], **change}.items() if value is not None}
    path.write_text("".join(json.dumps(line) + "\n" for line in found), "ascii")
    return refused(path)


def refused(path: Path) -> StoreError:
    """Return the error that reading a file as a whole ends with, the same whatever is read of it."""
    errors = []
    for read in (BaselineFile.cases, BaselineFile.judged):
        with pytest.raises(StoreError) as caught:
            list(read(BaselineFile(path, path.name)))
        errors.append(caught.value)
    assert str(errors[0]) == str(errors[1])
    return errors[0]


def told_of_answers(path: Path) -> Any:
    """Return whether a file says that it holds answers."""
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        return json.loads(file.readline())["answers"]


@pytest.mark.parametrize("name", ["b.jsonl", "b.jsonl.gz"])
def test_a_run_is_read_as_it_was_written(tmp_path: Path, name: str) -> None:
    """With what the gate and a comparison need of it; where it ran is nobody's business."""
    file = write(tmp_path / name, stored(CASES))
    assert (file.name, file.count, told_of_answers(file.path)) == ("main", 3, True)
    assert file.run == replace(ENDED, pid=0, host="", process_started=None)
    assert list(file.cases()) == stored(CASES)
    assert list(file.cases()) == list(file.cases())


@settings(max_examples=50, deadline=None)
@given(st.lists(case_records(storable_texts), max_size=4, unique_by=lambda case: replace(case.key, nodeid="")))
def test_whatever_a_run_holds_comes_back(cases: list[CaseRecord]) -> None:
    """Without the single votes; and the gate is told the same of it as by the store."""
    cases = list(
        {(case.key.suite, case.key.model, case.key.sample_id, case.key.epoch): case for case in cases}.values()
    )
    with TemporaryDirectory() as folder:
        file = write(Path(folder) / "b.jsonl.gz", stored(cases))
        assert list(file.cases()) == [
            replace(case, scores=tuple(replace(each, votes=()) for each in case.scores)) for case in stored(cases)
        ]
        for found, expected in zip(file.judged(), map(to_judged, stored(cases)), strict=True):
            assert replace(found, scores={}) == replace(expected, scores={})
            assert dict(found.scores) == dict(expected.scores)


@pytest.mark.parametrize("name", ["b.jsonl", "b.jsonl.gz"])
def test_the_same_run_gives_the_same_bytes(tmp_path: Path, name: str) -> None:
    """Whatever the file is called and whenever it is written."""
    write(tmp_path / name, stored(CASES))
    write(tmp_path / f"other-{name}", stored(CASES))
    assert (tmp_path / name).read_bytes() == (tmp_path / f"other-{name}").read_bytes()


def test_a_row_that_stayed_the_same_is_the_same_line_in_the_next_run(tmp_path: Path) -> None:
    """So that a diff shows what changed."""
    write(tmp_path / "one", stored(CASES))
    write(tmp_path / "two", stored(CASES), of=replace(ENDED, id="r2"))
    one, two = ((tmp_path / name).read_text("ascii").splitlines() for name in ("one", "two"))
    assert one[1:] == two[1:]
    assert one[0] != two[0]


def test_it_is_plain_ascii_and_names_no_machine(tmp_path: Path) -> None:
    """One line a case, whatever stands in it; nothing in it steers a terminal."""
    hostile = record("a\n\u2028\x1b[31m", calls=(call(response="é\r\n::error::x"),))
    write(tmp_path / "b", stored([hostile]))
    text = (tmp_path / "b").read_bytes()
    assert text.count(b"\n") == 2
    assert all(byte == 10 or 32 <= byte < 127 for byte in text)
    assert ENDED.host.encode() not in text
    assert not {"pid", "host", "process_started"} & lines(tmp_path / "b")[0]["run"].keys()


def test_without_answers_no_text_of_model_or_dataset_is_in_it(tmp_path: Path) -> None:
    """The gate is told the same."""
    secret = "s3cret"
    told = record(
        "a",
        outcome="error",
        error_kind="scorer",
        error=secret,
        target=secret,
        scores=(score(reason=secret),),
        calls=(call(response=secret),),
    )
    file = write(tmp_path / "b", stored([told, *CASES[1:]]), answers=False)
    assert secret.encode() not in (tmp_path / "b").read_bytes()
    assert told_of_answers(file.path) is False
    assert [case.response for case in file.cases()] == [None, None, None]
    with_answers = write(tmp_path / "c", stored([told, *CASES[1:]]))
    assert [replace(each, scores={}) for each in file.judged()] == [
        replace(each, scores={}) for each in with_answers.judged()
    ]


def test_what_cannot_be_written_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    """No half a file, and nothing beside it."""
    write(tmp_path / "b", stored(CASES))
    before = (tmp_path / "b").read_bytes()
    with pytest.raises(StoreError, match=r"^b: run r changed while it was written; do it again$"):
        write_baseline(tmp_path / "b", shown="b", name="main", run=ENDED, count=9, cases=stored(CASES))
    bad = replace(stored(CASES)[0], latency_s=float("nan"))
    with pytest.raises(StoreError, match="^b: run r cannot be written: Out of range float values"):
        write(tmp_path / "b", [bad])
    with pytest.raises(StoreError, match="^b: run r cannot be written: run r has not ended"):
        write(tmp_path / "b", stored(CASES), of=replace(ENDED, end=None))
    with pytest.raises(StoreError, match="^b: cannot be written: No such file or directory"):
        write(tmp_path / "none" / "b", stored(CASES))
    assert (tmp_path / "b").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"outcome": "good"}, "'outcome' is 'good'"),
        ({"outcome": None}, "'outcome' is missing"),
        ({"suite": 5}, "'suite' is 5"),
        ({"epoch": True}, "'epoch' is True"),
        ({"epoch": 2**63}, "'epoch' is beyond 64 bits"),
        ({"latency_s": "1"}, "'latency_s' is '1'"),
        ({"slices": "x"}, "'slices' is 'x'"),
        ({"slices": [1]}, "'slices' holds 1"),
        ({"scores": [5]}, "'scores' is 5, and should be an object"),
        ({"scores": [{"name": "f1", "value": "high"}]}, "'scores.value' is 'high'"),
        ({"scores": [{"name": "f1", "status": "odd"}]}, "'scores.status' is 'odd'"),
        ({"scores": [{"name": "f1", "value": 1}, {"name": "f1", "value": 0}]}, "a score appears twice in 'scores'"),
        ({"outcome": "error"}, "'outcome' is 'error' and 'error_kind' None"),
        ({"error_kind": "code"}, "'outcome' is 'missed' and 'error_kind' 'code'"),
        ({"scores": [{"name": "f1"}]}, "'scores.status' is 'scored' and 'scores.value' None"),
        ({"scores": [{"name": "f1", "value": 1, "status": "none"}]}, "'scores.status' is 'none' and 'scores.value' 1"),
        ({"rating": 1}, "unknown key 'rating'"),
        ({"sample_id": "a", "model": "m"}, "sample 'a' appears twice"),
    ],
)
def test_a_bad_case_is_told_with_its_line(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    """What was found, and what to do."""
    error = damaged(tmp_path / "b.jsonl", 3, change)
    assert str(error) == f"b.jsonl:3: {message}; export it again with `llmeval baseline export`"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "other"}, "this is not an exported baseline: its first line is not that of one; export"),
        ({"version": 3}, "written by a newer version (format 3, this one knows 2); upgrade pytest-llmeval"),
        ({"version": 0}, "'version' is 0 and 'cases' 3; export"),
        ({"version": "1"}, "'version' is '1'; export"),
        ({"cases": -1}, "'version' is 1 and 'cases' -1; export"),
        ({"run": 5}, "'run' is 5; export"),
        ({"run": "newer version"}, "'run' is 'newer version'; export"),
        ({"run": {"id": "r"}}, "'run.started_at' is missing; export"),
    ],
)
def test_a_bad_header_is_told(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    """Before any case is looked at."""
    assert str(damaged(tmp_path / "b.jsonl", 1, change)).startswith(f"b.jsonl:1: {message}")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"models": [1]}, "'run.models' holds 1"),
        ({"end": {}}, "'run.end.finished_at' is missing"),
        ({"settings": []}, "'run.settings' is []"),
        ({"settings": {"suites": []}}, "'run.settings.suites' is []"),
        ({"settings": {"suites": {"qa": 1}}}, "'run.settings.suites.qa' is 1"),
        ({"settings": {"suites": {"qa": {"deselected": "1"}}}}, "'run.settings.suites.qa.deselected' is '1'"),
        ({"settings": {"suites": {"qa": {"expected": {"m": "1"}}}}}, "'run.settings.suites.qa.expected.m' is '1'"),
        ({"settings": {"suites": {"qa": {"left_out": [1]}}}}, "'run.settings.suites.qa.left_out' holds 1"),
        ({"settings": {"suites": {"qa": {"selected_digest": "f"}}}}, "'run.settings.suites.qa.selected_digest' is 'f'"),
        ({"settings": {"models": {"m": 1}}}, "'run.settings.models' holds 1"),
        ({"settings": {"paths": [1]}}, "'run.settings.paths' holds 1"),
        ({"settings": {"unmade": {"qa": "1"}}}, "'run.settings.unmade.qa' is '1'"),
        ({"settings": {"resumes": [1]}}, "'run.settings.resumes' holds 1"),
        ({"settings": {"resumes": [{"changed": 1}]}}, "'run.settings.resumes.changed' is 1"),
        ({"settings": {"options": {"thresholds": 1}}}, "'run.settings.options.thresholds' is 1"),
        ({"settings": {"options": {"slice": [1]}}}, "'run.settings.options.slice' holds 1"),
        ({"settings": {"options": {"model": [1]}}}, "'run.settings.options.model' holds 1"),
        ({"settings": {"rescored": {}}}, "'run.settings.rescored' is {}"),
        ({"settings": {"partial": "no"}}, "'run.settings.partial' is 'no'"),
        ({"settings": {"baseline": "main"}}, "'run.settings.baseline' is 'main'"),
        ({"settings": {"baseline": {"name": "main"}}}, "'run.settings.baseline.kind' is missing"),
        (
            {"settings": {"baseline": {"name": "main", "kind": "name", "run": 1}}},
            "'run.settings.baseline.run' is 1",
        ),
    ],
)
def test_bad_settings_are_told(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    """What reads them later may take them as they are."""
    write(tmp_path / "b", [])
    header = lines(tmp_path / "b")[0]
    error = damaged(tmp_path / "b.jsonl", 1, {"run": {**header["run"], **change}})
    assert str(error).startswith(f"b.jsonl:1: {message}; export it again")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"<<<<<<< HEAD\n", "not valid JSON: Expecting value at character 1"),
        (b"\n", "not valid JSON: Expecting value at character 2"),
        (b'{"suite": NaN}\n', "not valid JSON: NaN is not JSON"),
        (b'{"suite": "a", "suite": "b"}\n', "not valid JSON: key 'suite' appears twice in one object"),
        (b'{"suite": "\xff"}\n', "not valid JSON: byte 12 is not UTF-8"),
        (b"[]\n", "it is [], and should be an object"),
    ],
)
def test_a_line_that_is_none_is_told(tmp_path: Path, text: bytes, message: str) -> None:
    """Such as what a merge leaves."""
    path = tmp_path / "b.jsonl"
    write(path, stored(CASES))
    head, *rest = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([head, text, *rest]))
    assert str(refused(path)) == f"b.jsonl:2: {message}; export it again with `llmeval baseline export`"


@pytest.mark.parametrize("kept", [0, 1, 2, 3])
def test_a_file_that_was_cut_off_is_refused(tmp_path: Path, kept: int) -> None:
    """At the end of a line, where every line that is left is good."""
    path = tmp_path / "b.jsonl"
    write(path, stored(CASES))
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:kept]))
    told = f"it holds {kept - 1} cases, and its first line says 3" if kept else "this is not an exported baseline"
    assert told in str(refused(path))


def test_more_cases_than_there_were_are_refused(tmp_path: Path) -> None:
    """Two files that a merge made one."""
    path = tmp_path / "b.jsonl"
    write(path, stored(CASES))
    extra = json.dumps({**lines(path)[1], "sample_id": "d"})
    path.write_text(path.read_text("ascii") + extra + "\n", "ascii")
    assert "it holds 4 cases, and its first line says 3: a part is missing or was added" in str(refused(path))


@pytest.mark.parametrize("kept", [3, 30, -4])
def test_a_compressed_file_that_was_cut_off_is_refused(tmp_path: Path, kept: int) -> None:
    """Wherever."""
    path = tmp_path / "b.jsonl.gz"
    write(path, stored(CASES))
    path.write_bytes(path.read_bytes()[:kept])
    assert str(refused(path)).startswith("b.jsonl.gz: the compressed file is damaged: ")


def test_a_compressed_file_is_known_by_what_is_in_it(tmp_path: Path) -> None:
    """It may have been unpacked, or renamed."""
    write(tmp_path / "b.jsonl.gz", stored(CASES))
    (tmp_path / "b.jsonl.gz").rename(tmp_path / "b")
    assert len(list(BaselineFile(tmp_path / "b", "b").cases())) == 3
    unpacked = gzip.decompress((tmp_path / "b").read_bytes())
    (tmp_path / "c.gz").write_bytes(unpacked)
    assert len(list(BaselineFile(tmp_path / "c.gz", "c.gz").cases())) == 3


def test_a_line_without_end_takes_no_memory_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small compressed file may hold one."""
    monkeypatch.setattr("pytest_llmeval.store.baseline_file._LONGEST_LINE", 1000)
    (tmp_path / "b").write_bytes(gzip.compress(b"x" * 100_000))
    with pytest.raises(StoreError, match="^b:1: it is longer than 1,000 bytes; export it again"):
        BaselineFile(tmp_path / "b", "b")


def test_texts_that_a_database_cannot_hold_are_read_as_it_keeps_them(tmp_path: Path) -> None:
    """So that rows of a file and of a database pair."""
    path = tmp_path / "b.jsonl"
    write(path, stored(CASES))
    text = path.read_text("ascii").replace('"sample_id":"a"', '"sample_id":"a\\ud800\\u0000"')
    path.write_text(text, "ascii")
    assert next(BaselineFile(path, "b").judged()).sample_id == "a\\ud800\\x00"


def test_what_is_no_file_is_told(tmp_path: Path) -> None:
    """A folder, or nothing."""
    with pytest.raises(StoreError, match="^b: cannot be read: Is a directory"):
        BaselineFile(tmp_path, "b")
    with pytest.raises(StoreError, match="^b: cannot be read: No such file or directory"):
        BaselineFile(tmp_path / "none", "b")
