"""Where a command finds the database: by the option, the variable, the ini key, the nearest project."""

from pathlib import Path

import pytest

from pytest_llmeval.store.sqlite import SqliteStore
from tests.cli.conftest import Command
from tests.support.stored_runs import run


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pytest.ini", "[pytest]\nllmeval_db = out/results.db\n"),
        ("pytest.toml", "[pytest]\nllmeval_db = 'out/results.db'\n"),
        (".pytest.ini", "[pytest]\nllmeval_db = out/results.db\n"),
        ("pyproject.toml", "[tool.pytest]\nllmeval_db = 'out/results.db'\n"),
        ("pyproject.toml", "[tool.pytest.ini_options]\nllmeval_db = 'out/results.db'\n"),
        ("pyproject.toml", "[tool.pytest]\nllmeval_db = 'out/results.db'\n[tool.pytest.ini_options]\n"),
        ("tox.ini", "[pytest]\nllmeval_db = out/results.db\n"),
        ("setup.cfg", "[tool:pytest]\nllmeval_db = out/results.db\n"),
    ],
)
def test_the_ini_key_names_the_database_from_a_subfolder_too(
    here: Path, llmeval: Command, monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    (here / name).write_text(text)
    with_run(here / "out" / "results.db")
    (here / "sub" / "deep").mkdir(parents=True)
    for folder in (here, here / "sub" / "deep"):
        monkeypatch.chdir(folder)
        assert llmeval("runs", "--json").json()[0]["name"] == "found"


def test_a_name_of_another_type_is_read_as_the_plugin_reads_it(here: Path, llmeval: Command) -> None:
    (here / "pytest.toml").write_text("[pytest]\nllmeval_db = 5\n")
    with_run(here / "5")
    assert llmeval("runs", "--json").json()[0]["name"] == "found"
    (here / "pytest.toml").write_text("[pytest]\nllmeval_db = ['5']\n")
    done = llmeval("runs")
    told = "llmeval: pytest.toml: ini key llmeval_db: expected a single string or number, found ['5']\n"
    assert (done.status, done.out, done.err) == (4, "", told)


def with_run(path: Path, name: str = "found") -> None:
    """Make a database with one run."""
    store = SqliteStore(path)
    store.start_run(run(name=name))
    store.close()


def test_the_variable_beats_the_ini_key_and_the_option_beats_both(
    here: Path, llmeval: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "pytest.ini").write_text("[pytest]\nllmeval_db = ini.db\n")
    for name in ("ini", "env", "option"):
        with_run(here / f"{name}.db", name)
    (here / "sub").mkdir()
    monkeypatch.chdir(here / "sub")
    assert llmeval("runs", "--json").json()[0]["name"] == "ini"
    monkeypatch.setenv("LLMEVAL_DB", "env.db")
    assert llmeval("runs", "--json").json()[0]["name"] == "env"
    for flag in ("--llmeval-db", "--db"):
        assert llmeval("runs", "--json", flag, "option.db").json()[0]["name"] == "option"


def test_the_database_is_found_from_a_subfolder_of_a_project_without_configuration(
    here: Path, llmeval: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_run(here / ".llmeval" / "llmeval.db")
    (here / "sub").mkdir()
    monkeypatch.chdir(here / "sub")
    assert llmeval("runs", "--json").json()[0]["name"] == "found"


@pytest.mark.parametrize(
    ("stronger", "weaker"),
    [("pytest.toml", "pytest.ini"), ("pytest.ini", "pyproject.toml"), ("pyproject.toml", "tox.ini")],
)
def test_of_two_configurations_pytests_own_choice_counts(
    here: Path, llmeval: Command, stronger: str, weaker: str
) -> None:
    for name, database in ((stronger, "right.db"), (weaker, "wrong.db")):
        section = "[tool.pytest.ini_options]" if name == "pyproject.toml" else "[pytest]"
        value = f"'{database}'" if name.endswith("toml") else database
        (here / name).write_text(f"{section}\nllmeval_db = {value}\n")
        with_run(here / database, database)
    assert llmeval("runs", "--json").json()[0]["name"] == "right.db"


def test_an_empty_pytest_ini_is_the_projects_configuration(
    here: Path, llmeval: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in pytest: what lies above it belongs to another project."""
    (here / "pytest.ini").write_text("[pytest]\nllmeval_db = outer.db\n")
    inner = here / "inner"
    inner.mkdir()
    (inner / "pytest.ini").touch()
    with_run(inner / ".llmeval" / "llmeval.db")
    monkeypatch.chdir(inner)
    assert llmeval("runs", "--json").json()[0]["name"] == "found"


@pytest.mark.parametrize("text", ["[pytest\n", "\xff\xfe", "[tool.pytest]\nx = 1\n[tool.pytest]\n"])
def test_a_broken_configuration_does_not_stop_the_command(here: Path, llmeval: Command, text: str) -> None:
    for name in ("pytest.ini", "pyproject.toml"):
        (here / name).write_text(text, encoding="latin-1")
    with_run(here / ".llmeval" / "llmeval.db")
    assert llmeval("runs").status == 0
