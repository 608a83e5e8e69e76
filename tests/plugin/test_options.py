"""Options: long names always, short names where nobody else took them, and which source wins (contract section 3)."""

from typing import Any

import pytest

from tests.support.project import OPTIONS, Project, jsonl
from tests.support.row_evals import PASS

ROWS = [{"id": each, "input": each, "slice": each} for each in "abcd"]
TAKES_MODEL = """
def pytest_addoption(parser):
    parser.addoption("--model", default="theirs", help="the project's own")

def pytest_report_header(config):
    return f"their model: {config.getoption('--model')}"
"""


@pytest.fixture
def written(project: Project) -> Project:
    project.eval(PASS, ROWS)
    return project


def options(project: Project) -> dict[str, Any]:
    """Return the settings that the newest run recorded."""
    recorded: dict[str, Any] = project.settings()["options"]
    return recorded


@pytest.mark.parametrize("form", ["--model={}", "--model {}", "--llmeval-model={}", "--llmeval-model {}"])
def test_short_and_long_names_with_and_without_equals(written: Project, form: str) -> None:
    assert written.run("evals", *form.format(written.model).split(" "), model="").ret == 0
    assert options(written)["model"] == [written.model]


def test_short_names_are_understood_in_addopts(written: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    written.write(tox_ini=f"[pytest]\n{OPTIONS.rstrip()} --limit=2\n")
    monkeypatch.setenv("PYTEST_ADDOPTS", "--epochs 2")
    assert written.run("evals").ret == 0
    assert len(written.cases()) == 4
    assert (options(written)["limit"], options(written)["epochs"]) == (2, 2)


def test_short_names_are_understood_in_a_file_of_arguments(written: Project) -> None:
    """The command that goes on with a run has them as they stand there."""
    written.write(more_txt="--epochs=2\n-k\nb\n", args_txt="evals\n--limit\n2\n@more.txt\n")
    written.eval("def test_echo(response):\n    assert False\n", ROWS)
    result = written.run("@args.txt", "-x")
    assert result.ret == 1
    assert options(written)["epochs"] == 2
    result.stdout.fnmatch_lines(["continue with: pytest --resume * evals -x"])
    result = written.run("@none.txt")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*No such file*none.txt*"])


def test_short_names_reach_workers(written: Project) -> None:
    assert written.run("evals", "--limit", "2", "--epochs=2", "-n2").ret == 0
    assert len(written.cases()) == 4


@pytest.mark.parametrize("where", ["", "evals/"])
def test_a_short_name_that_a_conftest_took_stays_its_own(written: Project, where: str) -> None:
    """The conftest in a folder that is named on the command line may declare options too."""
    (written.root / f"{where}conftest.py").write_text(TAKES_MODEL)
    result = written.run("evals", "--model=theirs2", f"--llmeval-model={written.model}", model="")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["their model: theirs2"])
    assert options(written)["model"] == [written.model]


def test_a_short_name_that_a_plugin_took_stays_its_own(written: Project) -> None:
    written.write(theirs_py=TAKES_MODEL)
    written.pytester.syspathinsert()
    result = written.run("-p", "theirs", "evals", "--model", "x", f"--llmeval-model={written.model}", model="")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["their model: x"])


OWN_OPTIONS = """
from pathlib import Path

def opened(name):
    return Path(name).open("x")

def refused(text):
    raise RuntimeError(f"cannot read {text}")

def pytest_addoption(parser):
    parser.addoption("--baseline", action="store_true")
    parser.addoption("--model", choices=("small", "large"))
    parser.addoption("--limit", type=opened)
    parser.getgroup("theirs").addoption("--epochs", "--rounds", type=refused)

def pytest_report_header(config):
    return f"theirs: {config.getoption('baseline')} {config.getoption('model')}"
"""


def test_what_the_projects_own_options_take_is_not_tried_out(written: Project, dist_args: list[str]) -> None:
    """A flag, choices, a type that opens a file and one that raises: each would end the session, or leave a file."""
    written.write(conftest_py=OWN_OPTIONS, tests__test_own_py="def test_own():\n    pass\n")
    result = written.run("tests", "--baseline", "--model=small", *dist_args, model="")
    result.assert_outcomes(passed=1)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["theirs: True small"])
    assert not (written.root / "1").exists()
    result = written.run("evals", f"--llmeval-model={written.model}", "--llmeval-limit=2", "--slice=a", model="")
    assert result.ret == 0
    assert written.cases() == {"a": "passed"}
    result = written.run("evals", f"--llmeval-model={written.model}", "--llmeval-limit=1", model="")
    result.stdout.fnmatch_lines(["note: partial run (--llmeval-limit): *"])


def test_a_conftest_found_only_at_collection_may_take_a_short_name(written: Project, spread: list[str]) -> None:
    written.write(tests__deep__conftest_py=TAKES_MODEL, tests__deep__test_own_py="def test_own():\n    pass\n")
    result = written.run(*spread, model="")
    assert result.ret == 0
    assert result.parseoutcomes()["passed"] == 1


def test_what_follows_a_double_dash_is_left_as_it_is(written: Project) -> None:
    result = written.run("--", "evals", "--limit=1", model="")
    assert result.ret == 4
    assert "--limit=1" in result.stderr.str()
    assert "--llmeval" not in result.stderr.str()


def test_no_abbreviation_of_a_name_is_understood(written: Project) -> None:
    assert written.run("evals", "--epoch=2").ret == 4
    assert written.run("evals", "--llmeval-epoch=2").ret == 4


@pytest.mark.parametrize(
    ("ini", "variable", "argument", "expected"),
    [
        (None, None, None, None),
        ("1", None, None, 1),
        ("1", "2", None, 2),
        ("1", "2", "3", 3),
        (None, "2", "3", 3),
        ("1", None, "3", 3),
    ],
)
def test_command_line_beats_environment_beats_ini(
    written: Project,
    monkeypatch: pytest.MonkeyPatch,
    ini: str | None,
    variable: str | None,
    argument: str | None,
    expected: int | None,
) -> None:
    if ini:
        written.write(tox_ini=f"[pytest]\n{OPTIONS}llmeval_limit = {ini}\n")
    if variable:
        monkeypatch.setenv("LLMEVAL_LIMIT", variable)
    assert written.run("evals", *([f"--limit={argument}"] if argument else [])).ret == 0
    assert options(written)["limit"] == expected
    assert len(written.cases()) == (expected or 4)


def test_several_values_in_environment_and_ini_are_quoted_as_in_a_shell(
    written: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    written.write(
        data__echo_jsonl=jsonl(*ROWS, {"id": "e", "input": "e", "slice": "two words"}),
        tox_ini=f"[pytest]\n{OPTIONS}llmeval_slice = a 'two words'\n",
    )
    written.run("evals")
    assert set(written.cases()) == {"a", "e"}
    monkeypatch.setenv("LLMEVAL_SLICE", "b c")
    written.run("evals")
    assert set(written.cases()) == {"b", "c"}


@pytest.mark.parametrize("table", ["tool.pytest", "tool.pytest.ini_options"])
def test_a_toml_table_holds_numbers_truth_values_and_lists(written: Project, table: str) -> None:
    """As anyone writes them there; pytest itself takes none but texts."""
    written.write(
        pyproject_toml=f"""
        [{table}]
        addopts = {OPTIONS.partition("= ")[2].split()}
        llmeval_model = [{written.model!r}, {written.model.replace("echo", "other")!r}]
        llmeval_epochs = 2
        llmeval_timeout_s = 7.5
        llmeval_slice = ["a", "b"]
        llmeval_allow_self_judge = true
        llmeval_db = "of.db"
        llmeval_paths = "evals data"
        """
    )
    result = written.run("evals", "--llmeval-db=.llmeval/llmeval.db", model="")
    result.assert_outcomes(passed=8, warnings=0)
    found = options(written)
    assert (len(found["model"]), found["epochs"], found["timeout_s"], found["slice"]) == (2, 2, 7.5, ["a", "b"])


def test_an_unclosed_quote_in_several_values_is_a_usage_error(
    written: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMEVAL_SLICE", "'a")
    result = written.run("evals")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*LLMEVAL_SLICE: *"])
    monkeypatch.delenv("LLMEVAL_SLICE")
    written.write(tox_ini=f"[pytest]\n{OPTIONS}llmeval_paths = 'evals\n")
    for arguments, told in (
        ((), 'tox.ini: ini key llmeval_paths: No closing quotation, found "\'evals"'),
        (("-o", "llmeval_paths='data"), '-o: ini key llmeval_paths: No closing quotation, found "\'data"'),
    ):
        result = written.run("evals", *arguments)
        assert (result.ret, result.stderr.str()) == (4, f"ERROR: {told}\n")


def test_every_option_has_a_variable_and_an_ini_key(written: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    written.write(rules_yaml="version: 1\n", other_yaml="version: 1\n")
    values = {"run_name": "from ini", "thresholds": "rules.yaml", "timeout_s": "7", "epochs": "2", "db": "ini.db"}
    written.write(tox_ini=f"[pytest]\n{OPTIONS}" + "".join(f"llmeval_{key} = {values[key]}\n" for key in values))
    written.run("evals")
    assert (written.root / "ini.db").is_file()
    for key, value in {"run_name": "from env", "thresholds": "other.yaml", "timeout_s": "9", "db": "env.db"}.items():
        monkeypatch.setenv(f"LLMEVAL_{key.upper()}", value)
    monkeypatch.setenv("LLMEVAL_MODEL", written.model)
    result = written.run("evals", "--llmeval-db=.llmeval/llmeval.db", model="")
    result.stdout.fnmatch_lines(["run * (from env) is in .llmeval/llmeval.db"])
    found = options(written)
    assert (found["thresholds"], found["timeout_s"], found["epochs"]) == ("other.yaml", 9.0, 2)
    assert written.last_run()["name"] == "from env"


def test_a_repeated_single_option_takes_the_last_value(written: Project) -> None:
    written.run("evals", "--limit=1", "--llmeval-limit=2", "--limit=3")
    assert len(written.cases()) == 3


def test_no_option_is_recorded_with_a_secret(written: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMEVAL_API_KEY", "sk-very-secret")
    written.run("evals")
    assert written.server.ledger[0].headers["authorization"] == "Bearer sk-very-secret"
    assert b"sk-very-secret" not in (written.root / ".llmeval" / "llmeval.db").read_bytes()


def test_help_names_the_options(written: Project) -> None:
    result = written.run("--help", model="")
    for name in ("model", "limit", "slice", "epochs", "timeout-s", "thresholds", "run-name", "db"):
        result.stdout.fnmatch_lines([f"*--llmeval-{name}=*"])


def test_the_database_is_found_from_the_rootdir_in_a_subfolder(
    written: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(written.root / "evals")
    assert written.run("--limit=1").ret == 0
    assert (written.root / ".llmeval" / "llmeval.db").is_file()
    assert not (written.root / "evals" / ".llmeval").exists()


def test_the_timeout_bounds_a_call_with_its_retries(written: Project) -> None:
    slow = f"openai:fault-hang@{written.server.url}"
    assert written.run("evals", "--timeout-s=0.3", "--limit=1", model=slow).ret == 1
    assert [row["error_kind"] for row in written.rows("SELECT error_kind FROM cases")] == ["timeout"]


def test_a_variable_that_no_option_has_is_told_before_any_call(
    written: Project, monkeypatch: pytest.MonkeyPatch, spread: list[str]
) -> None:
    """One that holds a key, of ours or of models.yaml, is known; one that is empty says nothing."""
    model = f"{{spec: 'openai:echo@{written.server.url}', api_key_env: LLMEVAL_LAB_KEY}}"
    written.write(models_yaml=f"models: {{lab: {model}}}\n")
    known = ("LLMEVAL_API_KEY", "LLMEVAL_VLLM", "LLMEVAL_LAB_KEY", "LLMEVAL_PARENT_PID", "LLMEVAL_EPOCHS")
    for name in known:
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("LLMEVAL_MAXCOST", "CANARY")
    monkeypatch.setenv("LLMEVAL_OF_MY_OWN_FOLDER", "CANARY")
    monkeypatch.setenv("LLMEVAL_EPOCH", "")
    result = written.run("evals", *spread, model="lab")
    assert result.ret == 0
    text = " ".join(result.stdout.str().split())
    told = "no setting has this variable, so it has no effect"
    for note in (f"LLMEVAL_MAXCOST: {told}; did you mean LLMEVAL_MAX_COST?", f"LLMEVAL_OF_MY_OWN_FOLDER: {told} "):
        assert f"llmeval: environment variable {note}" in text
        assert f"note: environment variable {note}" in text
    assert text.count(told) == 4
    assert "CANARY" not in text
