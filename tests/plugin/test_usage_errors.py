"""What a person wrote wrong: status 4, all of it at once, before any call (contract sections 3, 4 and 6)."""

import os

import pytest

from tests.support.project import Project, jsonl
from tests.support.refusals import GOOD, refused, with_data
from tests.support.row_evals import PASS


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ('{"input": "a"', "no JSON"),
        ("[1]", "a row is an object"),
        ('"text"', "a row is an object"),
        ("null", "a row is an object"),
        ('{"input": "a", "tagret": 1}', "unknown key 'tagret'; did you mean 'target'?"),
        ('{"input": "a", "zzz": 1}', "unknown key 'zzz'; a row has the keys"),
        ('{"target": 1}', "key 'input' is missing"),
        ("{}", "key 'input' is missing"),
        ('{"input": 5}', "input must be a string, an object, or a list"),
        ('{"input": null}', "input must be"),
        ('{"input": ["a"]}', "input must be"),
        ('{"input": [{"role": "boss", "content": "a"}]}', "input must be"),
        ('{"input": [{"content": "a"}]}', "input must be"),
        ('{"input": []}', "input must be"),
        ('{"input": [{"role": ["user"], "content": "a"}]}', "input must be"),
        ('{"input": "a", "marks": ["' + "x-" * 500 + '"]}', "cannot be a pytest mark"),
        ('{"input": "a", "id": 7}', "id must be a string that is not empty, found 7"),
        ('{"input": "a", "id": ""}', "id must be a string that is not empty"),
        ('{"input": "a", "id": null}', "id must be a string"),
        ('{"input": "a", "slice": 1}', "slice must be a string or a list of strings"),
        ('{"input": "a", "slice": [1]}', "slice must be"),
        ('{"input": "a", "slice": ""}', "slice must be a string or a list of strings, none of them empty, found ''"),
        ('{"input": "a", "slice": ["a", ""]}', "slice must be a string or a list of strings, none of them empty"),
        ('{"input": "a", "slice": "", "marks": ["regression"]}', "none of them empty"),
        ('{"input": "a", "marks": "regression"}', "marks must be a list of strings"),
        ('{"input": "a", "metadata": []}', "metadata must be an object"),
        ('{"input": "a", "input": "b"}', "key 'input' stands twice"),
        ('{"input": {"x": {"y": 1, "y": 2}}}', "key 'y' stands twice"),
        ('{"input": "a", "target": NaN}', "NaN is not JSON"),
        ('{"input": "a", "target": -Infinity}', "-Infinity is not JSON"),
        ('{"input": "a", "target": 1e999}', "beyond double precision"),
        ('{"input": "a", "target": ' + "9" * 5000 + "}", "too many digits"),
        ('{"input": "a", "target": ' + "[" * 100_000 + "]" * 100_000 + "}", "nested too deeply"),
        (b'{"input": "\xff"}', "is not UTF-8"),
        ('{"input": "a"} {"input": "b"}', "no JSON"),
        ("\ufeff" + '{"input": "b"}', "no JSON"),
        ("x\x1b[31my", "no JSON"),
    ],
)  # fmt: skip
def test_a_wrong_row_names_file_line_and_key(project: Project, row: str | bytes, message: str) -> None:
    """The second line is wrong; the first and the third are well."""
    raw = row if isinstance(row, bytes) else row.encode()
    with_data(project, jsonl(GOOD).encode() + raw + b"\n" + jsonl({"input": "z"}).encode())
    line = refused(project).splitlines()[0]
    assert line.startswith("ERROR: data/rows.jsonl:2: ")
    assert message in line
    assert len(line) < 400


def test_a_doubled_id_names_both_lines(project: Project) -> None:
    with_data(project, jsonl(GOOD, {"id": "b", "input": "y"}, GOOD))
    assert "data/rows.jsonl:3: id 'a' is already used in line 1" in refused(project)


def test_wrong_rows_are_gathered_ten_at_most(project: Project) -> None:
    with_data(project, "{}\n" * 50)
    text = refused(project)
    assert text.count("data/rows.jsonl:") == 11
    assert "data/rows.jsonl:11: the rows from here on were not checked" in text


@pytest.mark.parametrize(
    ("suffix", "text", "message"),
    [
        ("jsonl", "", "rows.jsonl: empty dataset"),
        ("jsonl", "\n \n", "rows.jsonl: empty dataset"),
        ("csv", "", "rows.csv:1: no header"),
        ("csv", "fr,Capital?,Paris\n", "rows.csv: empty dataset; line 1 names the columns, and no row follows"),
        ("csv", "id,input\na,b,c\n", "rows.csv:2: 3 cells under 2 columns; quote cells with commas"),
        ("csv", "id,input\na\n", "rows.csv:2: 1 cell under 2 columns; a cell is missing, or one with a line break"),
        ("csv", "id,input,id\na,b,c\n", "rows.csv:1: column 'id' stands twice"),
        ("csv", "id;input\na;b\n", "rows.csv:1: the columns are separated by ';'; save the file with commas"),
        ("csv", "id|input\na|b\n", "rows.csv:1: the columns are separated by '|'; save the file with commas"),
        ("csv", "sep=,\nid,input\na,b\n", "rows.csv:1: 'sep=,' is a line for Excel alone; delete it"),
        ("csv", "input.a,taget.b\nc,d\n", "rows.csv:1: unknown key 'taget.b'; did you mean 'target.b'?"),
        ("csv", "id,input\na,b\n,\n", "rows.csv:3: a row without any value; delete it"),
        ("csv", "id,inptu\na,b\n", "rows.csv:1: unknown key 'inptu'; did you mean 'input'?"),
        ("csv", 'id,input\na,"b\n', "rows.csv:2: no CSV"),
        ("csv", b"id,input\na,\xff\n", "rows.csv:2: byte 3 is not UTF-8"),
        ("json", "", "rows.json:1: no JSON"),
        ("json", "[]", "rows.json: empty dataset"),
        ("json", '{"input": "a"}', "rows.json:1: a JSON dataset is an array of rows"),
        ("json", '[\n {"input": "a"},\n {"input": 5}\n]', "rows.json:3: input must be"),
        ("json", '[\n {"input": "a"}\n {"input": 5}\n]', "rows.json:3: no JSON"),
        ("json", '[\n {"input": "a"}', "rows.json:2: no JSON"),
        ("json", '[\n {"input": "a"},\n]', "rows.json:2: no JSON: no row after the last ','"),
        ("json", '[{"input": "a"} ,\r\n\t]', "rows.json:1: no JSON: no row after the last ','"),
        ("json", "[,]", "rows.json:1: no JSON"),
        ("json", '[{"input": "a"}] 5', "rows.json:1: no JSON"),
        ("yaml", "", "rows.yaml: is empty"),
        ("yaml", "input: a", "rows.yaml: a YAML dataset is a list of rows"),
        ("yaml", "- input: a\n- inptu: b\n", "rows.yaml:2: unknown key 'inptu'; did you mean 'input'?"),
        ("yaml", "- input: a\n  input: b\n", "rows.yaml:2: "),
        ("yaml", "- input: a\n- input: no\n", "rows.yaml:2: "),
        ("yaml", "- input: a\n  target: .nan\n", "rows.yaml:2: "),
        ("yaml", "- &a {input: a}\n- *a\n", "rows.yaml:1: "),
        ("yaml", "- input: [unclosed\n", "rows.yaml:"),
        ("xlsx", "x", "rows.xlsx: unknown kind of dataset '.xlsx'; use .jsonl, .csv, .yaml, .json or .parquet"),
        ("", "x", "rows.: unknown kind of dataset"),
    ],
)
def test_a_wrong_file_names_itself_and_the_line(project: Project, suffix: str, text: str | bytes, message: str) -> None:
    with_data(project, text, suffix)
    assert f"data/{message}" in refused(project)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("data/missing.jsonl", "data/missing.jsonl: No such file or directory"),
        ("../outside.jsonl", "../outside.jsonl: leads out of the rootdir"),
        ("data/../../outside.jsonl", "leads out of the rootdir"),
        ("/etc/passwd", "/etc/passwd: leads out of the rootdir"),
        ("/dev/zero", "/dev/zero: leads out of the rootdir"),
        ("data/link.jsonl", "data/link.jsonl: leads out of the rootdir"),
        ("data/loop.jsonl", "data/loop.jsonl"),
        ("data", "data: not a regular file"),
        ("data/folder.jsonl", "data/folder.jsonl: not a regular file"),
        ("data/pipe.jsonl", "data/pipe.jsonl: not a regular file"),
        ("data/socket.jsonl", "data/socket.jsonl: not a regular file"),
        ("", "'' is no path"),
        ("data/a\\0b.jsonl", "is no path"),
        ("x" * 300 + ".jsonl", "is no path"),
        ("d/" * 3000 + "x.jsonl", "is no path: File name too long"),
        ("data/rows.jsonl/x.jsonl", "Not a directory"),
        ("~/rows.jsonl", "~/rows.jsonl: No such file"),
    ],
)
@pytest.mark.timeout(60)
def test_a_path_that_is_no_dataset(project: Project, path: str, message: str) -> None:
    """A pipe and a device are never opened: that could wait for ever, or never end."""
    import socket

    with_data(project, jsonl(GOOD))
    data = project.root / "data"
    outside = project.root.parent / "outside.jsonl"
    outside.write_text(jsonl(GOOD))
    (data / "link.jsonl").symlink_to(outside)
    (data / "loop.jsonl").symlink_to(data / "loop.jsonl")
    (data / "folder.jsonl").mkdir()
    os.mkfifo(data / "pipe.jsonl")
    project.write(evals__test_echo_py=f"import pytest\n\n@pytest.mark.llmeval('{path}')\n{PASS}")
    with socket.socket(socket.AF_UNIX) as listening, pytest.MonkeyPatch.context() as patch:
        patch.chdir(data)  # the path of a socket may not be long
        listening.bind("socket.jsonl")
        patch.chdir(project.root)
        text = refused(project)
    assert message in text
    assert "evals/test_echo.py::test_echo" in text


def test_a_link_inside_the_project_is_followed(project: Project) -> None:
    with_data(project, jsonl(GOOD))
    (project.root / "data" / "rows.jsonl").rename(project.root / "data" / "real.jsonl")
    (project.root / "data" / "rows.jsonl").symlink_to("real.jsonl")
    assert project.run("evals").ret == 0


def test_a_dataset_without_permission_is_named(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests may run as root, whom no mode keeps out: the opening itself is refused here."""
    import builtins

    with_data(project, jsonl(GOOD))
    real = builtins.open

    def refuse(file: object, *args: object, **kwargs: object) -> object:
        if str(file).endswith("rows.jsonl"):
            raise PermissionError(13, "Permission denied")
        return real(file, *args, **kwargs)  # type: ignore[call-overload]  # passes on what it was given

    monkeypatch.setattr(builtins, "open", refuse)
    assert "data/rows.jsonl: Permission denied" in refused(project)


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        ("lambda: 1 / 0", "raised ZeroDivisionError: division by zero"),
        ("lambda: 5", "TypeError"),
        ("lambda: [{'input': 'a'}, {'inptu': 'b'}]", "():2: unknown key 'inptu'; did you mean 'input'?"),
        ("lambda: ({'input': 1 / n} for n in (0,))", "raised ZeroDivisionError"),
        ("lambda: []", "empty dataset"),
        ("lambda: [{'input': 'a', 'target': object()}]", "():1: a row holds what JSON can hold"),
        ("lambda: [{'input': 'a', 'target': float('nan')}]", "():1: a row holds what JSON can hold"),
        ("lambda: [{'input': 'a', 'target': [{1: 'a', '1': 'b'}]}]", "can hold; the key 1 is no text"),
        ("lambda: [{'input': 'a', 'target': {1, 2}}]", "():1: a row holds what JSON can hold"),
        ("lambda: [{5: 1}]", "():1: unknown key '5'"),
        ("lambda: __import__('sys').exit(3)", "raised SystemExit"),
        ("[]", "empty dataset"),
        ("[{'input': 'a', 'id': 'q'}, {'input': 'b', 'id': 'q'}]", "row:2: id 'q' is already used in row 1; ids must"),
        ("['a']", "row:1: a row is an object"),
    ],
)
def test_rows_from_code_that_are_wrong(project: Project, dataset: str, message: str) -> None:
    project.write(evals__test_echo_py=f"import pytest\n\n@pytest.mark.llmeval({dataset})\n{PASS}")
    text = refused(project)
    assert text.startswith("ERROR: evals/test_echo.py::test_echo: dataset")
    assert message in text


def test_of_several_lists_in_a_file_it_is_told_which_one_is_wrong(project: Project) -> None:
    lists = ["[{'input': 'a'}, {'inptu': 'b'}]", "[{'input': 'a', 'target': 1}, {'input': 'a', 'target': 1}]"]
    tests = [f"@pytest.mark.llmeval({rows})\ndef test_{n}(sample): ..." for n, rows in enumerate(lists)]
    project.write(evals__test_two_py="\n\n".join(["import pytest", *tests]))
    first, second = refused(project).splitlines()
    assert first == "ERROR: evals/test_two.py::test_0: dataset row:2: unknown key 'inptu'; did you mean 'input'?"
    assert second.startswith("evals/test_two.py::test_1: dataset row:2: id '") and "already used in row 1;" in second


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("openia:gpt", "unknown kind 'openia'; did you mean 'openai:gpt'?"),
        ("gpt-4o-mini", "OPENAI_API_KEY is not set"),
        ("openai:gpt-4o-mini", "OPENAI_API_KEY is not set"),
        ("local:smollm3", "unknown local model 'smollm3'; did you mean 'local:smollm2'?"),
        ("openai:x@ftp://h/v1", ""),
        ("openai:x@localhost:8000/v1", "an address needs its scheme"),
        ("openai:", "no name after 'openai:'"),
        ("a b", "a spec is one word without spaces"),
        ("x\x1b[31my", "a spec is one word"),
    ],
)
def test_a_model_that_cannot_be_had(project: Project, spec: str, message: str) -> None:
    with_data(project, jsonl(GOOD))
    text = refused(project, model=spec)
    assert message in text
    assert "\x1b" not in text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("models:\n  small:\n    spce: openai:x\n", "models.yaml:3: "),
        ("models:\n  small:\n    params: {}\n", "models.yaml:2: "),
        ("modles: {}\n", "models.yaml:1: "),
        ("models: [\n", "models.yaml:"),
    ],
)
def test_a_wrong_models_yaml_names_its_line(project: Project, text: str, message: str) -> None:
    with_data(project, jsonl(GOOD))
    project.write(models_yaml=text)
    assert message in refused(project)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("version: 1\nsuits: {}\n", "thresholds.yaml:2: *'suits'; did you mean 'suites'?"),
        ("version: 1\nsuites:\n  echo: {exact: {mni: 0.5}}\n", "thresholds.yaml:3: *'mni'; did you mean 'min'?"),
        ("version: 1\nsuites:\n  echo: {exact: {min: '90%'}}\n", "thresholds.yaml:3: *90%*"),
        ("version: 1\nsuites:\n  echo: {exact: {min: .nan}}\n", "thresholds.yaml:3: *.nan*"),
        ("version: 1\nsuites:\n  echo: {exact: {min: 90}}\n", "thresholds.yaml:3: *found 90, but exact lies in 0..1*"),
        ("version: 1\nsuites:\n  echo: {exact: {min: 0.5}}\n  echo: {}\n", "thresholds.yaml:4: *'echo'*line 3*"),
        (
            "version: 1\nsuites:\n  echo:\n    slices:\n      haard: {exact: {min: 1}}\n",
            "thresholds.yaml:5: *unknown slice 'haard'; did you mean 'hard'?",
        ),
        (
            "version: 1\nsuites:\n  ehco: {exact: {min: 1}}\n",
            "thresholds.yaml:3: *unknown suite 'ehco'; did you mean 'echo'?",
        ),
        (
            "version: 1\nsuites:\n  echo: {exact: {min: 1, model: ecko}}\n",
            "thresholds.yaml:3: *unknown model 'ecko'; did you mean 'echo'?",
        ),
        ("version: 2\n", "thresholds.yaml:1: *version*"),
        ("", "thresholds.yaml: is empty*"),
        ("- 1\n", "thresholds.yaml:1: *"),
        ("version: 1\n\tsuites: {}\n", "thresholds.yaml:2: *"),
    ],
)  # fmt: skip
def test_a_wrong_threshold_names_its_line(project: Project, text: str, message: str) -> None:
    with_data(project, jsonl({**GOOD, "slice": "hard"}))
    project.write(thresholds_yaml=text)
    pytest.LineMatcher(refused(project).splitlines()).fnmatch_lines([f"*{message}*"])


def test_rules_of_a_function_with_parameter_sets_are_told_though_other_evals_wait(project: Project) -> None:
    """They are of no suite: two functions cannot share the name."""
    body = "@pytest.mark.parametrize('style', ['short', 'long'])\ndef test_echo(response, style):\n    pass\n"
    project.eval(body, [GOOD])
    project.write(thresholds_yaml="version: 1\nsuites:\n  echo: {exact: {min: 1}}\n", evals__test_b_py="")
    result = project.run("evals/test_echo.py")
    assert result.ret == 0
    told = "rules of no suite; each set of parameters is a suite of its own: 'echo[short]', 'echo[long]'"
    assert f"thresholds.yaml:3: suites.echo: {told}" in " ".join(result.stdout.str().split())
    project.eval("def test_echo(response):\n    pass\n", marker='suite="echo[en]"')  # written so by hand
    assert "rules of no suite" not in project.run("evals/test_echo.py").stdout.str()


def test_two_tests_of_a_class_whose_marker_names_the_suite_are_told_of_it(project: Project) -> None:
    cases = "    def test_one(self, response): ...\n    def test_two(self, response): ...\n"
    marker = '@pytest.mark.llmeval([{"input": "x"}], suite="both")'
    project.write(evals__test_two_py=f"import pytest\n\n{marker}\nclass TestBoth:\n{cases}")
    told = "leave suite= out of the marker of the class, or rename one with suite='...'"
    assert refused(project).strip().endswith(f"::TestBoth::test_two; {told}")
    each = cases.replace("    def", f"    {marker}\n    def")
    project.write(evals__test_two_py=f"import pytest\n\n{marker.replace('both', 'c')}\nclass TestBoth:\n{each}")
    assert refused(project).strip().endswith("::TestBoth::test_two; rename one with suite='...'")


def test_an_unlike_suite_or_model_in_the_thresholds_is_not_judged(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was not selected: of several models, given as specs, one may be run alone. One that never ran is told of."""
    monkeypatch.setenv("COLUMNS", "200")
    with_data(project, jsonl(GOOD))
    rule = "{pass_rate: {min: 1, model: echo-mini}}"
    project.write(thresholds_yaml=f"version: 1\nsuites:\n  somewhere_else: {{exact: {{min: 1}}}}\n  echo: {rule}\n")
    result = project.run("evals")
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            "*no case of model 'echo-mini' was selected*",
            "note: thresholds.yaml:4: suites.echo.pass_rate.model: no model 'echo-mini' in this session, in *",
            "gate: *2 not judged*",
        ]
    )
    assert project.run("evals", model=f"openai:echo-mini@{project.server.url}").ret == 0
    project.run("evals").stdout.no_fnmatch_line("*no model 'echo-mini'*")


def test_a_similar_suite_is_no_error_where_only_a_part_was_collected(project: Project) -> None:
    """Another file may hold it."""
    with_data(project, jsonl(GOOD))
    project.write(thresholds_yaml="version: 1\nsuites:\n  ehco: {exact: {min: 1}}\n")
    assert project.run("evals/test_echo.py").ret == 0


def test_an_unknown_slice_is_no_error_where_limit_stopped_the_reading(project: Project) -> None:
    with_data(project, jsonl(GOOD, {"input": "y", "slice": "hard"}))
    project.write(thresholds_yaml="version: 1\nsuites: {echo: {slices: {hard: {pass_rate: {min: 1}}}}}\n")
    assert project.run("evals", "--limit=1").ret == 0


@pytest.mark.parametrize("path", ["missing.yaml", "data", "data/missing/rules.yaml"])
def test_thresholds_that_were_named_must_be_there(project: Project, path: str) -> None:
    with_data(project, jsonl(GOOD))
    assert path in refused(project, f"--thresholds={path}")


def test_an_address_that_cannot_be_read_stops_no_listing(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is asked there; a run is refused."""
    project.eval("def test_echo(response):\n    pass\n", [{"id": "a", "input": "x"}])
    project.write(models_yaml="models: {echo: {spec: openai:echo, prices: {input: 1, output: 1}}}\n")
    monkeypatch.setenv("OPENAI_BASE_URL", "localhost:8000")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-mine")
    assert project.run("evals", "--co", model="echo").ret == 0
    assert project.run("evals", model="echo").ret == 4


def test_a_node_id_that_is_not_found_hides_nothing_that_is_wrong(project: Project, dist_args: list[str]) -> None:
    """Of a broken dataset there is no case to find, and none of models that no one could ask."""
    project.eval("def test_echo(response):\n    pass\n", [{"input": "a", "id": "fr"}])
    known = ["--model=openai:big@http://127.0.0.1:1/v1", "evals/test_echo.py::test_echo[gpt-4o-mini-fr]", *dist_args]
    result = project.run(*known, model="gpt-4o-mini")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*OPENAI_API_KEY*"])
    result.stderr.no_fnmatch_line("*not found:*")
    project.write(data__echo_jsonl="{broken\n")
    result = project.run("evals/test_echo.py::test_echo[fr]", *dist_args)
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*data/echo.jsonl:1: *", "*not found: *test_echo"])


def test_a_node_id_of_another_session_is_a_usage_error(project: Project, spread: list[str]) -> None:
    """Beside others that are there, too: no test runs."""
    project.eval("def test_echo(response):\n    pass\n", [{"input": "a", "id": "fr"}])
    project.write(tests__test_own_py="def test_own():\n    pass\n")
    result = project.run("evals/test_echo.py::test_echo[fr]", "tests", "--epochs=2", *spread)
    assert result.ret == 4
    hint = "*the node id of a case has *: pytest --co -q *"
    result.stderr.fnmatch_lines(["ERROR: not found: *test_echo", hint])
    result.assert_outcomes()
    result = project.run("evals/test_echo.py::test_echo[fr]", "tests/test_own.py::test_nope[a]", *spread)
    assert result.ret == 4
    result.stderr.fnmatch_lines(["ERROR: not found: *test_nope*"])
    result.stderr.no_fnmatch_line(hint)
    assert project.server.ledger == []
