"""Datasets that are wrong: each mistake in a row, a file, a path or code is named with its place and what to do."""

import os
import socket
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_llmeval.bridge.collection.checked_rows import CheckedRows
from pytest_llmeval.core.errors import DatasetError
from pytest_llmeval.loaders.datasets import open_dataset
from tests.support.project import jsonl

WHERE = "evals/test_echo.py::test_echo"
KEYS = (
    "a row has the keys id, input, target, slice, marks, metadata; anything else goes into input (an object) or"
    " metadata"
)
NO_OBJECT = "a row must be an object with the key 'input', found"
INPUT = "input must be a string, an object, or a list of chat messages with role and content, found"
ID = "id must be a non-empty string, found"
SLICE = "slice must be a string or a list of strings, none of them empty, found"
HOLDS = "a row holds what JSON can hold; "
CR = "a CR that ends no line; end lines with LF or CRLF, and quote cells that hold a CR"
EMPTY = "empty dataset; it needs at least one row with the key 'input'"
OUT = "leads out of the rootdir; keep the file inside the project, or pass rows by a callable"
NAMELESS = "has no name; name it, or delete it (pandas: to_csv(path, index=False))"
KIND = "not a regular file; a dataset is a .jsonl, .csv, .yaml, .json or .parquet file"


async def later() -> list[Any]:
    """Return rows, to who awaits them."""
    return [{"input": "x"}]


async def one_by_one() -> AsyncIterator[dict[str, Any]]:
    """Yield rows, to who awaits them."""
    yield {"input": "x"}


def told(dataset: object, rootdir: Path) -> str:
    """Return the one line that says what is wrong with a dataset."""
    try:
        opened = open_dataset(dataset, rootdir=rootdir, test_file=rootdir / "evals" / "test_echo.py", where=WHERE)
        checked = CheckedRows(opened)
        list(checked)
        (line,) = checked.problems()
    except DatasetError as error:
        line = str(error)
    return line


def says(line: str, message: str) -> bool:
    """Whether a line is the message; what stands for … are words of Python's, which differ by its version."""
    begun, dots, _ = message.partition("…")
    return line.startswith(begun) and len(line) > len(begun) if dots else line == message


def written(folder: Path, name: str, text: str | bytes) -> Path:
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ('{"input": "a"', "not valid JSON: Expecting ',' delimiter at character 15"),
        ("[1]", f"{NO_OBJECT} [1]"),
        ('"text"', f"{NO_OBJECT} 'text'"),
        ("null", f"{NO_OBJECT} None"),
        ('{"input": "a", "tagret": 1}', "unknown key 'tagret'; did you mean 'target'?"),
        ('{"input": "a", "zzz": 1}', f"unknown key 'zzz'; {KEYS}"),
        ('{"input": "a", "expected": 1}', "unknown key 'expected'; did you mean 'target'?"),
        ('{"target": 1}', "key 'input' is missing; found 'target'"),
        ("{}", "key 'input' is missing; found no key at all"),
        ('{"input": 5}', f"{INPUT} 5"),
        ('{"input": null}', f"{INPUT} None"),
        ('{"input": ["a"]}', f"{INPUT} ['a']"),
        ('{"input": [{"role": "boss", "content": "a"}]}', f"{INPUT} [{{'role': 'boss', 'content': 'a'}}]"),
        ('{"input": [{"content": "a"}]}', f"{INPUT} [{{'content': 'a'}}]"),
        ('{"input": []}', f"{INPUT} []"),
        ('{"input": [{"role": ["user"], "content": "a"}]}', f"{INPUT} [{{'role': ['user'], 'content': 'a'}}]"),
        (
            '{"input": "a", "marks": ["' + "x-" * 500 + '"]}',
            f"marks: '{'x-' * 28}... cannot be a pytest mark; use letters, digits and _",
        ),
        ('{"input": "a", "id": 7}', f"{ID} 7"),
        ('{"input": "a", "id": ""}', f"{ID} ''"),
        ('{"input": "a", "id": null}', f"{ID} None; leave the key out where there is none"),
        ('{"input": "a", "slice": 1}', f"{SLICE} 1"),
        ('{"input": "a", "slice": [1]}', f"{SLICE} [1]"),
        ('{"input": "a", "slice": ""}', f"{SLICE} ''"),
        ('{"input": "a", "slice": ["a", ""]}', f"{SLICE} ['a', '']"),
        ('{"input": "a", "slice": "", "marks": ["regression"]}', f"{SLICE} ''"),
        ('{"input": "a", "marks": "regression"}', "marks must be a list of strings, found 'regression'"),
        ('{"input": "a", "metadata": []}', "metadata must be an object, found []"),
        ('{"input": "a", "slice": null}', f"{SLICE} None; leave the key out where there is none"),
        ('{"input": "a", "input": "b"}', "not valid JSON: key 'input' appears twice in one object"),
        ('{"input": {"x": {"y": 1, "y": 2}}}', "not valid JSON: key 'y' appears twice in one object"),
        ('{"input": "a", "target": NaN}', "not valid JSON: NaN is not JSON"),
        ('{"input": "a", "target": -Infinity}', "not valid JSON: -Infinity is not JSON"),
        ('{"input": "a", "target": 1e999}', "not valid JSON: 1e999 is beyond double precision"),
        ('{"input": "a", "target": ' + "9" * 5000 + "}", "not valid JSON: a number with too many digits"),
        ('{"input": "a", "target": ' + "[" * 100_000 + "]" * 100_000 + "}", "not valid JSON: nested too deeply"),
        (b'{"input": "\xff"}', "not valid JSON: byte 12 is not UTF-8"),
        ('{"input": "a"} {"input": "b"}', "not valid JSON: Extra data at character 16"),
        ("\ufeff" + '{"input": "b"}', "not valid JSON: Expecting value at character 1"),
        ("x\x1b[31my", "not valid JSON: Expecting value at character 1"),
    ],
)
def test_a_wrong_row_names_file_line_and_key(tmp_path: Path, row: str | bytes, message: str) -> None:
    """The second line is wrong; the first and the third are well, and read."""
    raw = row if isinstance(row, bytes) else row.encode()
    written(tmp_path, "rows.jsonl", jsonl({"input": "x"}).encode() + raw + b"\n" + jsonl({"input": "z"}).encode())
    checked = CheckedRows(open_dataset("rows.jsonl", rootdir=tmp_path, test_file=tmp_path / "test_x.py"))
    assert [sample.input for _, sample in checked] == ["x", "z"]
    assert checked.problems() == [f"rows.jsonl:2: {message}"]


@pytest.mark.parametrize(
    ("suffix", "text", "message"),
    [
        ("jsonl", "", f": {EMPTY}"),
        ("jsonl", "\n \n", f": {EMPTY}"),
        ("jsonl", '\n[\n  {"input": "a"}\n]', ":2: a JSON array, not one object a line; rename the file to .json"),
        ("csv", "", ":1: no header; the first line names the columns, such as id,input,target"),
        ("csv", "fr,Capital?,Paris\n", ": empty dataset; line 1 names the columns, and no row follows"),
        ("csv", "id,input\na,b,c\n", ":2: 3 cells under 2 columns; quote cells with commas"),
        (
            "csv",
            "id,input\na\n",
            ":2: 1 cell under 2 columns; a cell is missing, or one with a line break has no quotes",
        ),
        ("csv", "id,input,id\na,b,c\n", ":1: column 'id' appears twice"),
        ("csv", "id;input\na;b\n", ":1: the columns are separated by ';'; save the file with commas"),
        ("csv", "id|input\na|b\n", ":1: the columns are separated by '|'; save the file with commas"),
        ("csv", "sep=,\nid,input\na,b\n", ":1: 'sep=,' is a line only for Excel; delete it"),
        ("csv", "input.a,taget.b\nc,d\n", ":1: unknown key 'taget.b'; did you mean 'target.b'?"),
        ("csv", "id,input\na,b\n,\n", ":3: a row without values; delete it"),
        ("csv", "id,inptu\na,b\n", ":1: unknown key 'inptu'; did you mean 'input'?"),
        ("csv", "ID,Input\na,b\n", ":1: unknown key 'ID'; did you mean 'id'? (unknown, too: 'Input')"),
        ("csv", ",input,\n0,b,\n", f":1: column 1 {NAMELESS}"),
        ("csv", "input,,\nb,,c\n", f":1: column 3 {NAMELESS}"),
        ("csv", 'id,input\na,"b\n', ":2: not valid CSV: …"),
        ("csv", b"id,input\na,\xff\n", ":2: byte 3 is not UTF-8; save the file as UTF-8"),
        ("csv", "id,input\r\na,b\r\n".encode("utf-16"), ":1: byte 1 is not UTF-8; save the file as UTF-8"),
        ("csv", "id,input\ra,b\r", f":1: {CR}"),
        ("csv", "id,input\na,b\rc\n", f":2: {CR}"),
        ("json", "", ":1: not valid JSON: Expecting value at character 1"),
        ("json", "[]", f": {EMPTY}"),
        ("json", '{"input": "a"}', ":1: a JSON dataset is an array of rows; one object a line is .jsonl"),
        ("json", '[\n {"input": "a"},\n {"input": 5}\n]', f":3: {INPUT} 5"),
        ("json", '[\n {"input": "a"}\n {"input": 5}\n]', ":3: not valid JSON: expected ',' or ']' after a row"),
        ("json", '[\n {"input": "a"}', ":2: not valid JSON: expected ',' or ']' after a row"),
        ("json", '[\n {"input": "a"},\n]', ":2: not valid JSON: no row after the last ','"),
        ("json", '[{"input": "a"} ,\r\n\t]', ":1: not valid JSON: no row after the last ','"),
        ("json", "[,]", ":1: not valid JSON: Expecting value at character 2"),
        ("json", '[{"input": "a"}] 5', ":1: not valid JSON: Extra data at character …"),
        ("yaml", "", f": {EMPTY}"),
        ("yaml", "input: a", ": a YAML dataset is a list of rows, found dict"),
        ("yaml", "- input: a\n- inptu: b\n", ":2: unknown key 'inptu'; did you mean 'input'?"),
        (
            "yaml",
            "- input: a\n  input: b\n",
            ":2: 0: the key 'input' stands here again (first on line 1); keep one of them",
        ),
        (
            "yaml",
            "- input: a\n- input: no\n",
            ":2: 1.input: no means false in YAML 1.1; write false, or 'no' in quotes",
        ),
        ("yaml", "- input: a\n  target: .nan\n", ":2: 0.target: .nan is not a finite number; write a finite one"),
        ("yaml", "- &a {input: a}\n- *a\n", ":1: an anchor or alias (& or *); write the value out in full"),
        ("yaml", "- input: [unclosed\n", ":2: is not valid YAML: …"),
        ("xlsx", "x", ": unknown kind of dataset '.xlsx'; use .jsonl, .csv, .yaml, .json or .parquet"),
        ("", "x", ": unknown kind of dataset ''; use .jsonl, .csv, .yaml, .json or .parquet"),
    ],
)
def test_a_wrong_file_names_itself_and_the_line(tmp_path: Path, suffix: str, text: str | bytes, message: str) -> None:
    line = told(f"rows.{suffix}", written(tmp_path, f"rows.{suffix}", text))
    assert says(line, f"rows.{suffix}{message}"), line


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("missing.jsonl", "missing.jsonl: No such file or directory; a path is relative to the rootdir (ROOT) or to…"),
        ("../outside.jsonl", f"../outside.jsonl: {OUT}"),
        ("data/../../outside.jsonl", f"data/../../outside.jsonl: {OUT}"),
        ("/etc/passwd", f"/etc/passwd: {OUT}"),
        ("/dev/zero", f"/dev/zero: {OUT}"),
        ("link.jsonl", f"link.jsonl: {OUT}"),
        ("loop.jsonl", "'loop.jsonl' is not a path: …"),
        ("data", f"data: {KIND}"),
        ("folder.jsonl", f"folder.jsonl: {KIND}"),
        ("pipe.jsonl", f"pipe.jsonl: {KIND}"),
        ("socket.jsonl", f"socket.jsonl: {KIND}"),
        ("", "'' is not a path"),
        ("data/a\0b.jsonl", "'data/a\\x00b.jsonl' is not a path: …"),
        ("x" * 300 + ".jsonl", f"'{'x' * 76}... is not a path: File name too long"),
        ("d/" * 3000 + "x.jsonl", f"'{'d/' * 38}... is not a path: File name too long"),
        ("rows.jsonl/x.jsonl", "rows.jsonl/x.jsonl: Not a directory; a path is relative to the rootdir (ROOT) or to…"),
        (
            "https://me:secret@example.com/rows.jsonl?token=t",
            "dataset: an address (https:) is not a path; download the file, or pass a callable",
        ),
        (
            "s3://logs/rows.csv",
            "dataset: an address (s3:) is not a path; download the file, or pass a callable",
        ),
        ("~/rows.jsonl", "~/rows.jsonl: No such file or directory; a path is relative to the rootdir (ROOT) or to…"),
    ],
)
@pytest.mark.timeout(60)
def test_a_path_that_is_no_dataset(tmp_path: Path, path: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe and a device are never opened: that could wait for ever, or never end."""
    root = tmp_path / "project"
    (root / "data").mkdir(parents=True)
    written(root, "rows.jsonl", jsonl({"input": "x"}))
    written(tmp_path, "outside.jsonl", jsonl({"input": "x"}))
    (root / "link.jsonl").symlink_to(tmp_path / "outside.jsonl")
    (root / "loop.jsonl").symlink_to(root / "loop.jsonl")
    (root / "folder.jsonl").mkdir()
    os.mkfifo(root / "pipe.jsonl")
    monkeypatch.chdir(root)  # the path of a socket may not be long
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket.jsonl")
        line = told(path, root)
    whole = message.replace("ROOT", str(root)).replace("or to…", "or to the test file")
    assert says(line, whole), line


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (lambda: 1 / 0, ": <lambda>() raised ZeroDivisionError: division by zero"),
        (lambda: 5, ": <lambda>() raised TypeError: 'int' object is not iterable"),
        (lambda: [{"input": "a"}, {"inptu": "b"}], " <lambda>():2: unknown key 'inptu'; did you mean 'input'?"),
        (lambda: ({"input": 1 / n} for n in (0,)), ": <lambda>() raised ZeroDivisionError: division by zero"),
        (lambda: [], f" <lambda>(): {EMPTY}"),
        (lambda: [{"input": "a", "target": object()}], f" <lambda>():1: {HOLDS}Object of type object is not JSON…"),
        (lambda: [{"input": "a", "target": float("nan")}], f" <lambda>():1: {HOLDS}Out of range float values…"),
        (lambda: [{"input": "a", "target": [{1: "a", "1": "b"}]}], f" <lambda>():1: {HOLDS}the key 1 is not a string"),
        (lambda: [{"input": "a", "target": {1, 2}}], f" <lambda>():1: {HOLDS}Object of type set is not JSON…"),
        (
            lambda: [{5: 1}],
            f" <lambda>():1: unknown key '5'; {KEYS}",
        ),
        (lambda: sys.exit(3), ": <lambda>() raised SystemExit: 3"),
        (later, ": later() is async; pass a function that returns the rows (by asyncio.run, say)"),
        (one_by_one, ": one_by_one() is async; pass a function that returns the rows (by asyncio.run, say)"),
        ([], f" row: {EMPTY}"),
        (
            [{"input": "a", "id": "q"}, {"input": "b", "id": "q"}],
            " row:2: id 'q' is already used in row 1; ids must be unique",
        ),
        (["a"], f" row:1: {NO_OBJECT} 'a'"),
    ],
)
def test_rows_from_code_that_are_wrong(tmp_path: Path, dataset: Callable[[], Any] | list[Any], message: str) -> None:
    line = told(dataset, tmp_path)
    assert says(line, f"{WHERE}: dataset{message}"), line
