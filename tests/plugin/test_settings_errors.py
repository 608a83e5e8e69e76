"""Wrong databases and settings, and what is told of them in every way to run."""

import os
from pathlib import Path

import pytest

from pytest_llmeval.bridge.config.options import OPTIONS as SETTINGS
from tests.support.project import OPTIONS, Project, jsonl
from tests.support.refusals import GOOD, refused, with_data
from tests.support.row_evals import PASS
from tests.support.stored_runs import newer
from tests.support.wrong_files import foreign, text_file


def broken(path: Path) -> None:
    path.write_bytes(b"SQLite format 3\x00" + b"\xff" * 5000)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (text_file, "not a database; nothing was changed"),
        (foreign, "a database of something else; nothing was changed"),
        (newer, "written by a newer version (schema 999"),
        (broken, "the database cannot be used"),
        (Path.mkdir, "not a regular file"),
        (os.mkfifo, "not a regular file"),
    ],
)
def test_a_file_that_is_not_our_database_is_refused_and_left_alone(
    project: Project, make: object, message: str
) -> None:
    with_data(project, jsonl(GOOD))
    path = project.root / "mine.db"
    make(path)  # type: ignore[operator]  # a function of the path
    before = path.read_bytes() if path.is_file() else b""
    text = refused(project, "--llmeval-db=mine.db")
    assert "mine.db" in text
    assert message in text
    assert (path.read_bytes() if path.is_file() else b"") == before


def test_a_file_where_the_folder_of_the_database_is_to_be_is_refused(project: Project) -> None:
    with_data(project, jsonl(GOOD))
    (project.root / ".llmeval").write_text("mine")
    text = refused(project)
    assert f"{project.root / '.llmeval'}: a file, where the folder of the database " in text
    assert "move or remove it, or name another database with --llmeval-db" in text
    assert (project.root / ".llmeval").read_text() == "mine"


COUNT, SECONDS = "a whole number from 1", "seconds above 0"
FILLED = "a non-empty string"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        *(("limit", value, COUNT) for value in ("0", "-1", "many", "1.5", "")),
        *(("epochs", value, COUNT) for value in ("0", "x")),
        *(("timeout-s", value, SECONDS) for value in ("0", "nan", "inf", "soon")),
        ("model", "", FILLED),
        ("run-name", " ", FILLED),
        ("run-name", "last", "a name other than none and last, which mean no run of that name"),
        ("thresholds", "", FILLED),
    ],
)
def test_a_bad_value_is_refused_with_what_is_expected(name: str, value: str, expected: str) -> None:
    option = next(each for each in SETTINGS if each.name == name)
    with pytest.raises(ValueError) as caught:
        option.parse(value)
    assert str(caught.value) == f"expected {expected}"


@pytest.mark.parametrize(
    ("arguments", "variable", "source", "found"),
    [
        (["--limit=0"], "many", "argument --llmeval-limit", "0"),
        (["--limit="], "many", "argument --llmeval-limit", ""),
        ([], "many", "environment variable LLMEVAL_LIMIT", "many"),
        ([], "", "tox.ini: ini key llmeval_limit", "1.5"),
    ],
)
def test_a_bad_value_names_its_source(
    project: Project, monkeypatch: pytest.MonkeyPatch, arguments: list[str], variable: str, source: str, found: str
) -> None:
    """What goes before the others is told alone."""
    with_data(project, jsonl(GOOD))
    project.write(tox_ini=f"{(project.root / 'tox.ini').read_text()}\nllmeval_limit = 1.5\n")
    monkeypatch.setenv("LLMEVAL_LIMIT", variable)
    result = project.run("evals", *arguments)
    assert (result.ret, project.server.ledger) == (4, [])
    assert f"{source}: expected a whole number from 1, found {found!r}\n" in result.stderr.str()


def test_an_empty_variable_or_ini_key_is_none(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    with_data(project, jsonl(GOOD))
    keys = ("limit", "epochs", "timeout_s", "model", "run_name", "thresholds")
    empty = "".join(f"llmeval_{key} =\n" for key in keys)
    project.write(tox_ini=f"{(project.root / 'tox.ini').read_text()}\n{empty}")
    for key in keys:
        monkeypatch.setenv(f"LLMEVAL_{key.upper()}", "")
    assert project.run("evals").ret == 0


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("llmeval_resume = ['a']", "llmeval_resume: expected a single string or number, found ['a']"),
        ("llmeval_epochs = 2.5", "llmeval_epochs: expected a whole number from 1, found 2.5"),
        ("llmeval_limit = {a = 1}", "llmeval_limit: expected a single string or number, found {'a': 1}"),
        ("llmeval_paths = [['evals']]", "llmeval_paths: expected a single string or number, found [['evals']]"),
    ],
)
def test_a_value_of_a_type_that_makes_no_sense_is_named(project: Project, line: str, told: str) -> None:
    """In workers and their controller too, which looks for a run to go on with before all else."""
    with_data(project, jsonl(GOOD))
    project.write(pytest_toml=f"[pytest]\naddopts = {OPTIONS.partition('= ')[2].split()}\n{line}\n")
    for arguments in ([], ["--co"], *([["-n2"]] if "resume" in line else [])):
        assert refused(project, *arguments) == f"ERROR: pytest.toml: ini key {told}\n"


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("evalz", "did you mean 'evals'?"),
        ("'*/evals'", "patterns are not expanded, name each folder"),
        ("checks/of/models", "evals outside of them run whenever pytest does"),
    ],
)
def test_a_misspelt_folder_lets_no_eval_run_that_is_to_wait(project: Project, name: str, advice: str) -> None:
    with_data(project, jsonl(GOOD))
    ini = (project.root / "tox.ini").read_text()
    project.write(tests__test_own_py="def test_own():\n    pass\n", tox_ini=f"{ini}\nllmeval_paths = evals {name}\n")
    assert project.run().ret == 0
    project.write(tox_ini=f"{ini}\nllmeval_paths = {name}\n")
    result = project.run()
    assert (result.ret, project.server.ledger) == (4, [])
    shown = name.strip("'")
    told = (
        f"tox.ini: ini key llmeval_paths: expected folders in the rootdir, found {shown!r}, which is not one; {advice}"
    )
    assert result.stderr.str() == f"ERROR: {told}\n"
    project.run("tests").assert_outcomes(passed=1)


def test_bad_settings_end_no_session_without_an_eval(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    with_data(project, jsonl(GOOD))
    project.write(tests__test_own_py="def test_own():\n    pass\n")
    monkeypatch.setenv("LLMEVAL_LIMIT", "many")
    project.run().assert_outcomes(passed=1, deselected=1)


def everything_wrong(project: Project) -> None:
    """Break a row, a path, a model, the thresholds and the database at once."""
    with_data(project, "{}\n" + jsonl(GOOD, GOOD))
    project.write(
        evals__test_two_py=f"import pytest\n\n@pytest.mark.llmeval('gone.jsonl')\n{PASS.replace('echo', 'two')}",
        evals__test_three_py="def test_three():\n    pass\n",
        thresholds_yaml="version: 1\nsuits: {}\n",
    )
    project.write(**{".llmeval__llmeval_db": "notes"})


def test_a_wrong_model_hides_no_wrong_judge_and_no_wrong_baseline(project: Project, spread: list[str]) -> None:
    project.eval("def test_echo(response):\n    pass\n", [{"id": "a", "input": "x"}])
    project.write(thresholds_yaml="version: 1\nsuites: {echo: {exact: {mni: 1}}}\n")
    result = project.run("evals", "--judge-model=worse:y", "--baseline=old", *spread, model="bad:x")
    assert result.ret == 4
    told = result.stderr.str() + result.stdout.str()
    for part in ("thresholds.yaml:2: suites.echo.exact.mni", "model 'bad:x'", "model 'worse:y'", "--baseline old: "):
        assert told.count(part) == 1, told
    assert project.server.ledger == []


def test_all_that_is_wrong_is_shown_once_in_every_distribution(project: Project, dist_args: list[str]) -> None:
    everything_wrong(project)
    text = refused(project, *dist_args, model="openia:x")
    for part in (
        "rows.jsonl:1: ",
        "rows.jsonl:3: ",
        "gone.jsonl: ",
        "unknown kind 'openia'",
        "yaml:2: ",
        "llmeval.db: ",
    ):
        assert text.count(part) == 1
    assert (project.root / ".llmeval" / "llmeval.db").read_text() == "notes"


@pytest.mark.parametrize("arguments", [["--co"], ["-x"], ["-q"], ["--dist=loadfile", "-n2"], ["--maxfail=1", "-n2"]])
def test_a_usage_error_stays_one_beside_other_options(project: Project, arguments: list[str]) -> None:
    with_data(project, "{}\n")
    assert "rows.jsonl:1: " in refused(project, *arguments)


@pytest.mark.parametrize("args", [["-p", "no:xdist"], ["-n0"], ["-n2"]])
def test_a_module_that_cannot_be_imported_begins_no_run_and_no_call(project: Project, args: list[str]) -> None:
    """One without any case would be recorded, and what it needs first, its database and models, opened and started."""
    with_data(project, jsonl(GOOD))
    project.write(evals__test_broken_py="import nothing_of_that_name\n")
    result = project.run("evals", *args)
    assert result.ret == (1 if "-n2" in args else 2)
    result.stdout.fnmatch_lines(["llmeval: a module could not be imported; no eval was run"])
    assert project.server.ledger == []
    assert not (project.root / ".llmeval").exists()


def test_the_other_evals_run_where_pytest_is_to_go_on(project: Project, spread: list[str]) -> None:
    with_data(project, jsonl(GOOD))
    project.write(evals__test_broken_py="import nothing_of_that_name\n")
    assert project.run("evals", "--continue-on-collection-errors", *spread).ret == 1
    assert project.cases() == {"a": "passed"}


def test_links_to_nowhere_are_files_that_cannot_be_read_and_not_none(project: Project) -> None:
    """An image built without what they lead to would pass without a gate."""
    with_data(project, jsonl(GOOD))
    for name in ("thresholds.yaml", "models.yaml"):
        (project.root / name).symlink_to("nowhere.yaml")
    text = refused(project)
    for name in ("thresholds.yaml", "models.yaml"):
        assert f"{name}: cannot be read (No such file or directory)" in text


def test_several_bad_datasets_of_several_functions_are_told_together(project: Project) -> None:
    project.eval(PASS, [{"nope": 1}])
    project.eval(PASS, [{"nope": 2}], name="other", marker='suite="other"')
    text = refused(project)
    assert "data/echo.jsonl:1: " in text
    assert "data/other.jsonl:1: " in text


def test_two_functions_over_one_bad_dataset_tell_it_once(project: Project) -> None:
    with_data(project, "{}\n")
    project.write(evals__test_two_py=f"import pytest\n\n@pytest.mark.llmeval('data/rows.jsonl')\n{PASS}")
    assert refused(project).count("rows.jsonl:1: ") == 1


def test_rules_in_a_file_of_another_ending_are_noticed(project: Project) -> None:
    project.eval("def test_echo(sample, response):\n    pass\n", [{"id": "a", "input": "x"}])
    project.write(thresholds_yml="version: 1\nsuites: {echo: {pass_rate: {min: 1}}}\n")
    result = project.run("evals")
    result.stdout.fnmatch_lines(["note: thresholds.yml is not read: rules go into thresholds.yaml"])


def test_a_name_that_may_stand_in_an_unread_file_is_asked_of_nobody(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file would have said which server is meant, and with what: a spec says so itself."""
    project.eval("def test_echo(response):\n    pass\n", [{"id": "a", "input": "x"}])
    project.write(models_yml=f"models: {{lab: {{spec: 'openai:echo@{project.server.url}'}}}}\n")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none-0123456789")
    monkeypatch.setenv("OPENAI_BASE_URL", project.server.url)
    told = "model 'lab' may be one of models.yml, which is not read: models go into models.yaml; rename the file"
    assert told in refused(project, model="lab")
    assert told in refused(project, "--judge-model=lab")
    note = "models.yml is not read: models go into models.yaml of the rootdir"
    result = project.run("evals", model="openai:lab")
    result.stdout.fnmatch_lines([f"llmeval: {note}", "evals/test_echo.py*", f"note: {note}"])
    project.write(models_yaml="models: {}\n")
    assert project.run("evals", model="lab").ret == 0


def test_models_in_another_folder_are_noticed(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.pytester.makeini(f"[pytest]\nllmeval_paths = evals checks\n{OPTIONS}")
    project.eval("def test_echo(response):\n    pass\n", [{"id": "a", "input": "x"}])
    project.write(evals__models_yaml="models: {}\n", checks__models_yml="models: {}\n", models_yaml="models: {}\n")
    (project.root / "evals" / "models.yml").symlink_to(project.root / "models.yaml")
    result = project.run("evals")
    assert result.ret == 0
    told = "is not read: models go into models.yaml of the rootdir"
    result.stdout.fnmatch_lines([f"note: evals/models.yaml {told}", f"note: checks/models.yml {told}"])
    assert "evals/models.yml" not in result.stdout.str()


def test_models_beside_the_evals_of_a_rootdir_are_told_once(project: Project) -> None:
    project.pytester.makeini(f"[pytest]\nllmeval_paths = . ./evals/\n{OPTIONS}")
    project.eval("def test_echo(response):\n    pass\n", [{"id": "a", "input": "x"}])
    project.write(models_yml="models: {}\n", evals__models_yaml="models: {}\n")
    result = project.run("evals")
    told = [line for line in result.outlines if "is not read" in line and line.startswith("note:")]
    rest = "is not read: models go into models.yaml of the rootdir"
    assert told == [f"note: models.yml {rest}", f"note: evals/models.yaml {rest}"]


def test_a_name_like_that_of_the_embedded_model_is_asked_of_a_server_of_ones_own(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At OpenAI it is a slip; a model of models.yaml that is not asked stops nothing."""
    with_data(project, jsonl(GOOD))
    big = f"{{spec: 'openai:echo@{project.server.url}'}}"
    project.write(models_yaml=f"models: {{small: {{spec: smollm2}}, big: {big}}}\n")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none-0123456789")
    for name in ("smollm", "local"):
        told = f"model {name!r}: did you mean 'local:smollm2'?"
        assert told in refused(project, model=name)
        assert told in refused(project, f"--judge-model={name}", model="big")
    assert project.run("evals", model="big").ret == 0
    monkeypatch.setenv("OPENAI_BASE_URL", project.server.url)
    assert project.run("evals", "--judge-model=local", model="smollm").ret == 0
