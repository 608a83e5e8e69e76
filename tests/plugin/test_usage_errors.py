"""What a person wrote wrong: status 4, all of it at once, before any call (contract sections 3, 4 and 6)."""

import os

import pytest

from tests.support.project import Project, jsonl
from tests.support.refusals import GOOD, refused, with_data
from tests.support.row_evals import PASS


def test_wrong_rows_name_file_line_and_key(project: Project) -> None:
    """The first and the last row are well; what rows hold is shown cut, and drives no terminal."""
    rows = [jsonl(GOOD), "[1]", "x\x1b[31my", jsonl({"input": "a", "marks": ["x-" * 500]}), jsonl({"input": "z"})]
    with_data(project, "\n".join(each.rstrip() for each in rows))
    told = (
        "a row must be an object with the key 'input', found [1]",
        "not valid JSON: Expecting value at character 1",
        f"marks: '{'x-' * 28}... cannot be a pytest mark; use letters, digits and _",
    )
    lines = [f"data/rows.jsonl:{line}: {message}\n" for line, message in enumerate(told, 2)]
    assert refused(project) == f"ERROR: {''.join(lines)}"


def test_a_doubled_id_names_both_lines(project: Project) -> None:
    with_data(project, jsonl(GOOD, {"id": "b", "input": "y"}, GOOD))
    assert "data/rows.jsonl:3: id 'a' is already used in line 1" in refused(project)


def test_wrong_rows_are_gathered_ten_at_most(project: Project) -> None:
    with_data(project, "{}\n" * 50)
    text = refused(project)
    assert text.count("data/rows.jsonl:") == 11
    assert "data/rows.jsonl:11: the rows from here on were not checked" in text


def test_a_wrong_file_of_each_kind_names_itself_and_the_line(project: Project) -> None:
    """One that cannot be read at all, and one whose rows are wrong; those of other functions beside it."""
    wrong = {
        "csv": ("id;input\na;b\n", "csv:1: the columns are separated by ';'; save the file with commas"),
        "json": ('[\n {"input": "a"},\n {"inptu": 5}\n]', "json:3: unknown key 'inptu'; did you mean 'input'?"),
        "yaml": ("- &a {input: a}\n- *a\n", "yaml:1: an anchor or alias (& or *); write the value out in full"),
        "xlsx": ("x", "xlsx: unknown kind of dataset '.xlsx'; use .jsonl, .csv, .yaml, .json or .parquet"),
    }
    for suffix, (text, _) in wrong.items():
        project.write(**{f"evals__test_{suffix}_py": over(f"'data/{suffix}.{suffix}'", suffix)})
        project.write(**{f"data__{suffix}_{suffix}": text})
    text = refused(project)
    for suffix, (_, message) in wrong.items():
        assert f"data/{suffix}.{message}\n" in text


def over(dataset: str, name: str = "echo") -> str:
    """Return a module with an eval over a dataset."""
    return f"import pytest\n\n@pytest.mark.llmeval({dataset})\n{PASS.replace('echo', name)}"


@pytest.mark.timeout(60)
def test_paths_that_are_no_datasets_are_told_with_their_tests(project: Project) -> None:
    """A pipe and a device are never opened: that could wait for ever, or never end."""
    with_data(project, jsonl(GOOD))
    os.mkfifo(project.root / "data" / "pipe.jsonl")
    paths = {
        "data/pipe.jsonl": "not a regular file; a dataset is a .jsonl, .csv, .yaml, .json or .parquet file",
        "/dev/zero": "leads out of the rootdir; keep the file inside the project, or pass rows by a callable",
        "data/none.jsonl": f"No such file or directory; a path is relative to the rootdir ({project.root}) or to the"
        " test file",
    }
    told = []
    for number, (path, message) in enumerate(paths.items()):
        project.write(**{f"evals__test_{number}_py": over(f"'{path}'", str(number))})
        told.append(f"evals/test_{number}.py::test_{number}: {path}: {message}\n")
    assert refused(project) == f"ERROR: {''.join(told)}"


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


def test_rows_from_code_that_are_wrong_are_told_with_their_tests(project: Project) -> None:
    """Code that ends the process ends no session."""
    datasets = {
        "lambda: __import__('sys').exit(3)": ": <lambda>() raised SystemExit: 3",
        "lambda: [{'input': 'a'}, {'inptu': 'b'}]": " <lambda>():2: unknown key 'inptu'; did you mean 'input'?",
        "[]": " row: empty dataset; it needs at least one row with the key 'input'",
    }
    told = []
    for number, (dataset, message) in enumerate(datasets.items()):
        project.write(**{f"evals__test_{number}_py": over(dataset, str(number))})
        told.append(f"evals/test_{number}.py::test_{number}: dataset{message}\n")
    assert refused(project) == f"ERROR: {''.join(told)}"


def test_of_several_lists_in_a_file_it_is_told_which_one_is_wrong(project: Project) -> None:
    lists = ["[{'input': 'a'}, {'inptu': 'b'}]", "[{'input': 'a', 'target': 1}, {'input': 'a', 'target': 1}]"]
    tests = [f"@pytest.mark.llmeval({rows})\ndef test_{n}(sample): ..." for n, rows in enumerate(lists)]
    project.write(evals__test_two_py="\n\n".join(["import pytest", *tests]))
    first, second = refused(project).splitlines()
    assert first == "ERROR: evals/test_two.py::test_0: dataset row:2: unknown key 'inptu'; did you mean 'input'?"
    assert second.startswith("evals/test_two.py::test_1: dataset row:2: id '") and "already used in row 1;" in second


def test_a_model_that_cannot_be_had(project: Project) -> None:
    """By its name alone, and where nobody could ask it; what was typed drives no terminal."""
    with_data(project, jsonl(GOOD))
    told = "a spec is one word without spaces, such as gpt-4o-mini, openai:NAME@http://host:port/v1 or local:smollm2"
    assert refused(project, model="x\x1b[31my") == f"ERROR: model 'x\\x1b[31my': {told}\n"
    told = "is served by api.openai.com, but OPENAI_API_KEY is not set; set it, name another server (openai:"
    assert refused(project, model="gpt-4o-mini").startswith(f"ERROR: model 'gpt-4o-mini' {told}gpt-4o-mini@http://")


def test_a_wrong_models_yaml_names_its_line(project: Project) -> None:
    with_data(project, jsonl(GOOD))
    project.write(models_yaml="models:\n  small:\n    spce: openai:x\n")
    assert refused(project) == "ERROR: models.yaml:3: unknown key 'spce'; did you mean 'spec'?\n"


def test_a_wrong_threshold_names_its_line(project: Project) -> None:
    """What the file itself shows is told, or else what it says of suites, slices and models that there are."""
    with_data(project, jsonl({**GOOD, "slice": "hard"}))
    project.write(thresholds_yaml="version: 1\nsuites:\n  echo: {exact: {min: '90%', mni: 1}}\n")
    assert refused(project).splitlines() == [
        "ERROR: thresholds.yaml:3: suites.echo.exact.min: found the string '90%'; write 0.9, not 90% (and no quotes)",
        "thresholds.yaml:3: suites.echo.exact.mni: unknown key 'mni'; did you mean 'min'?",
    ]
    rules = "exact: {min: 1, model: ecko}\n    slices: {haard: {exact: {min: 1}}}\n"
    project.write(thresholds_yaml=f"version: 1\nsuites:\n  echo:\n    {rules}")
    assert refused(project).splitlines() == [
        "ERROR: thresholds.yaml:4: suites.echo.exact.model: unknown model 'ecko'; did you mean 'echo'?",
        "thresholds.yaml:5: suites.echo.slices.haard: unknown slice 'haard'; did you mean 'hard'?",
    ]
    with_data(project, jsonl(GOOD, {"id": "b", "inptu": "x", "slice": "easy"}))
    project.write(thresholds_yaml="version: 1\nsuites:\n  echo:\n    slices: {easy: {exact: {min: 1}}}\n")
    assert refused(project).strip() == "ERROR: data/rows.jsonl:2: unknown key 'inptu'; did you mean 'input'?"
    with_data(project, jsonl(GOOD))
    project.write(thresholds_yaml="version: 1\nsuites:\n  ehco: {exact: {min: 1}}\n")
    assert refused(project) == "ERROR: thresholds.yaml:3: suites.ehco: unknown suite 'ehco'; did you mean 'echo'?\n"


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


def test_a_node_id_that_is_not_found_hides_nothing_that_is_wrong(project: Project, spread: list[str]) -> None:
    """Of a broken dataset there is no case to find, and none of models that no one could ask."""
    project.eval("def test_echo(response):\n    pass\n", [{"input": "a", "id": "fr"}])
    known = ["--model=openai:big@http://127.0.0.1:1/v1", "evals/test_echo.py::test_echo[gpt-4o-mini-fr]", *spread]
    result = project.run(*known, model="gpt-4o-mini")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*OPENAI_API_KEY*"])
    result.stderr.no_fnmatch_line("*not found:*")
    project.write(data__echo_jsonl="{broken\n")
    result = project.run("evals/test_echo.py::test_echo[fr]", *spread)
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*data/echo.jsonl:1: *", "*not found: *test_echo"])


def test_a_node_id_of_another_session_is_a_usage_error(project: Project, spread: list[str]) -> None:
    """Beside others that are there, too: no test runs."""
    project.eval("def test_echo(response):\n    pass\n", [{"input": "a", "id": "fr"}])
    project.write(tests__test_own_py="def test_own():\n    pass\n")
    result = project.run("evals/test_echo.py::test_echo[fr]", "tests", "--epochs=2", *spread)
    assert result.ret == 4
    hint = "*pytest --co -q lists the cases: *"
    result.stderr.fnmatch_lines(["ERROR: not found: *test_echo", hint])
    result.assert_outcomes()
    result = project.run("evals/test_echo.py::test_echo[fr]", "tests/test_own.py::test_nope[a]", *spread)
    assert result.ret == 4
    result.stderr.fnmatch_lines(["ERROR: not found: *test_nope*"])
    result.stderr.no_fnmatch_line(hint)
    assert project.server.ledger == []


def test_a_node_id_of_a_row_that_an_option_left_out_names_that_option(
    project: Project, spread: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it was given: a variable that is still set is easily forgotten."""
    project.eval("def test_echo(response):\n    pass\n", [{"input": name, "id": name} for name in ("fr", "jp")])
    monkeypatch.setenv("LLMEVAL_LIMIT", "1")
    result = project.run("evals/test_echo.py::test_echo[jp]", "--shard=1/1", *spread)
    assert result.ret == 4
    result.stderr.fnmatch_lines(
        ["*pytest --co -q lists the cases: *-e1, -e2, ...; --limit, --shard left rows out before"]
    )
    monkeypatch.delenv("LLMEVAL_LIMIT")
    result = project.run("evals/test_echo.py::test_echo[pe]", *spread)
    result.stderr.fnmatch_lines(["*pytest --co -q lists the cases: *-e1, -e2, ..."])


@pytest.mark.parametrize(
    ("asked", "options", "meant"),
    [
        ("fr", [], "france"),
        ("echo-france", [], "france"),
        ("france-e2", [], "france"),
        ("germny", [], "germany"),
        ("france", ["--epochs=2"], "france-e1"),
        ("zzzz", [], None),
    ],
)
def test_the_case_that_was_probably_meant_is_named(
    project: Project, spread: list[str], asked: str, options: list[str], meant: str | None
) -> None:
    """From whatever folder it was named; one that is there is not spoken of."""
    names = ("germany", "france", "greenland")
    project.eval("def test_echo(response):\n    pass\n", [{"input": name, "id": name} for name in names])
    there = "greenland-e1" if options else "greenland"
    named = [f"{project.root}/evals/test_echo.py::test_echo[{there}]", f"evals/test_echo.py::test_echo[{asked}]"]
    result = project.run(*named, *options, *spread)
    assert result.ret == 4
    told = [line.removeprefix("ERROR: ") for line in result.errlines if "did you mean" in line]
    assert told == ([] if meant is None else [f"no case [{asked}]; did you mean test_echo[{meant}]?"])
