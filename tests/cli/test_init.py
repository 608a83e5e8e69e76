"""``llmeval init``: what it writes, keeps and where it puts it; tests/test_embedded_model.py shows that it works."""

import os
import shlex
import shutil
import subprocess
import sys
from itertools import takewhile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from packaging.requirements import Requirement

from tests.cli.conftest import Command
from tests.support.fault_server import FaultServer
from tests.support.workflow import Workflow

EVAL, ROWS, RULES = "evals/test_capitals.py", "data/capitals.jsonl", "thresholds.yaml"
WORKFLOW = ".github/workflows/evals.yaml"
ALL = [EVAL, ROWS, RULES, WORKFLOW]


def files(root: Path) -> dict[str, str]:
    """Return the text of each file below a folder, by its path."""
    return {path.relative_to(root).as_posix(): path.read_text("utf-8") for path in root.rglob("*") if path.is_file()}


def test_an_empty_folder_gets_all_files(llmeval: Command, here: Path) -> None:
    done = llmeval("init")
    assert done.status == 0
    assert sorted(files(here)) == sorted(ALL)
    assert [line.removeprefix("wrote ") for line in done.out.splitlines() if line.startswith("wrote ")] == ALL
    assert "  pytest evals  " in done.out
    assert len((here / ROWS).read_text("utf-8").splitlines()) == 10


def test_a_second_call_has_nothing_to_do(llmeval: Command, here: Path) -> None:
    llmeval("init")
    before = files(here)
    done = llmeval("init")
    assert done.status == 0
    assert "nothing to do: all files are there" in done.out
    assert "wrote" not in done.out
    assert files(here) == before


@pytest.mark.parametrize("taken", ALL)
def test_a_file_that_differs_is_named_and_nothing_is_written(llmeval: Command, here: Path, taken: str) -> None:
    (here / taken).parent.mkdir(parents=True, exist_ok=True)
    (here / taken).write_text("mine", encoding="utf-8")
    done = llmeval("init")
    assert done.status == 4
    assert taken in done.err
    assert "--missing-only" in done.err
    assert files(here) == {taken: "mine"}


@pytest.mark.parametrize("taken", ALL)
def test_what_is_missing_is_written_beside_it_on_request(llmeval: Command, here: Path, taken: str) -> None:
    (here / taken).parent.mkdir(parents=True, exist_ok=True)
    (here / taken).write_text("mine", encoding="utf-8")
    done = llmeval("init", "--missing-only")
    assert done.status == 0
    assert f"kept  {taken}, which is yours" in done.out
    assert sorted(files(here)) == sorted(ALL)
    assert (here / taken).read_text("utf-8") == "mine"
    assert ("min: 0.5" in done.out) == (taken == RULES)


def test_rules_of_yours_for_its_suite_are_told_nothing(llmeval: Command, here: Path) -> None:
    (here / RULES).write_text("version: 1\nsuites:\n  capitals: {contains: {min: 0.9}}\n", encoding="utf-8")
    assert "without rules" not in llmeval("init", "--missing-only").out


def test_a_link_that_leads_nowhere_is_a_file_of_yours(llmeval: Command, here: Path) -> None:
    (here / RULES).symlink_to(here / "elsewhere.yaml")
    assert llmeval("init").status == 4
    assert llmeval("init", "--missing-only").status == 0
    assert not (here / "elsewhere.yaml").exists()


def test_a_file_in_the_place_of_a_folder_is_named(llmeval: Command, here: Path) -> None:
    (here / "data").write_text("mine", encoding="utf-8")
    done = llmeval("init", "--missing-only")
    assert done.status == 4
    assert "the project already has data" in done.err
    assert files(here) == {"data": "mine"}


def test_a_folder_that_cannot_be_written_is_no_traceback(llmeval: Command, here: Path) -> None:
    (here / "evals").symlink_to("/proc/self")
    done = llmeval("init")
    assert done.status == 4
    assert "cannot be written" in done.err


def test_below_the_root_of_a_project_it_writes_to_the_root(
    llmeval: Command, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "[tool.pytest.ini_options]\naddopts = '-ra'\n"
    (here / "pyproject.toml").write_text(text, encoding="utf-8")
    (here / "src" / "app").mkdir(parents=True)
    monkeypatch.chdir(here / "src" / "app")
    done = llmeval("init")
    assert sorted(files(here)) == sorted([*ALL, "pyproject.toml"])
    assert (here / "pyproject.toml").read_text("utf-8") == text
    assert f"  cd {here}  " in done.out


def test_a_folder_with_a_blank_is_shown_as_a_shell_takes_it(
    llmeval: Command, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "svc a" / "src").mkdir(parents=True)
    (here / "svc a" / "pyproject.toml").write_text("[tool.pytest.ini_options]\n", encoding="utf-8")
    monkeypatch.chdir(here / "svc a" / "src")
    assert f"  cd '{here / 'svc a'}'  " in llmeval("init").out


def test_in_a_larger_repository_the_workflow_goes_to_its_root(
    llmeval: Command, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / ".git").mkdir()
    project = here / "services" / "chat: beta"
    project.mkdir(parents=True)
    (project / "pyproject.toml").touch()
    monkeypatch.chdir(project)
    done = llmeval("init", "--json").json()
    assert done["root"] == str(project)
    assert done["written"] == [EVAL, ROWS, RULES, f"../../{own_workflow('services-chat__beta-09dd80')}"]
    workflow = yaml.safe_load((here / own_workflow("services-chat__beta-09dd80")).read_text("utf-8"))
    assert workflow["defaults"] == {"run": {"working-directory": "services/chat: beta"}}


def own_workflow(slug: str) -> str:
    """Return the path of the workflow of a project below the root of its repository."""
    return f".github/workflows/evals-{slug}.yaml"


@pytest.mark.parametrize(("below", "name"), [(".", WORKFLOW), ("a/project", own_workflow("a-project"))])
def test_its_last_lines_say_what_is_left_to_do(
    llmeval: Command, here: Path, monkeypatch: pytest.MonkeyPatch, below: str, name: str
) -> None:
    """In words that need nothing but the file that they name."""
    (here / ".git").mkdir()
    (here / below).mkdir(parents=True, exist_ok=True)
    (here / below / "pyproject.toml").touch()
    monkeypatch.chdir(here / below)
    lines = llmeval("init").out.partition("next:\n")[2].splitlines()
    last = " ".join(line.strip() for line in lines if not line.startswith("  pytest ") and "  # " not in line)
    workflow = os.path.relpath(here / name)
    assert last == (
        f"in the step Install of {workflow}, put the address of a copy of this package (until it is published)"
        " commit and push: pull requests are judged"
    )
    assert max(map(len, lines[-3:])) <= 80


def test_its_json_tells_what_was_written_and_kept(llmeval: Command, here: Path) -> None:
    (here / RULES).write_text("mine", encoding="utf-8")
    done = llmeval("init", "--missing-only", "--json").json()
    assert done["written"] == [EVAL, ROWS, WORKFLOW]
    assert done["kept"] == [RULES]
    assert "pytest evals" in done["next"]


def test_without_the_embedded_model_it_says_what_to_install(
    llmeval: Command, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "pip install" not in llmeval("init").out
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "pip install 'pytest-llmeval[local]'" in llmeval("init").out


@pytest.fixture
def workflow(llmeval: Command, here: Path) -> Any:
    """The workflow, read."""
    llmeval("init")
    return yaml.safe_load((here / WORKFLOW).read_text("utf-8"))


def test_the_workflow_installs_nothing_of_this_name_from_an_index(workflow: Any) -> None:
    """Where it is not ours; until an address is put in, it leads nowhere: no host has a name of that end."""
    installs = [step["run"] for step in workflow["jobs"]["evals"]["steps"] if "pip install" in step.get("run", "")]
    (asked,) = [Requirement(shlex.split(line, comments=True)[-1]) for line in installs]
    assert (asked.name, asked.extras) == ("pytest-llmeval", {"local"})
    address = urlsplit(str(asked.url))
    assert address.scheme == "git+https" and str(address.hostname).endswith(".invalid")


def test_the_workflow_says_what_it_uploads_and_what_to_upload_instead(llmeval: Command, here: Path) -> None:
    llmeval("init")
    lines = (here / WORKFLOW).read_text("utf-8").splitlines()
    at = next(number for number, line in enumerate(lines) if "upload-artifact" in line)
    comments = list(takewhile(lambda line: line.startswith("#"), map(str.strip, reversed(lines[:at]))))
    told = " ".join(line.removeprefix("# ") for line in reversed(comments))
    assert "prompts, targets and answers" in told and "secret" in told and "public repository" in told
    assert "llmeval export html last --output report.html" in told


def test_the_workflow_gives_no_secret_to_pull_requests(workflow: Any) -> None:
    assert workflow[True].keys() == {"push", "pull_request"}  # YAML 1.1 reads `on` so; never pull_request_target
    assert workflow["permissions"] == {}
    assert workflow["jobs"]["evals"]["permissions"] == {"contents": "read"}
    assert "secrets" not in str(workflow)


def test_the_workflow_compares_pull_requests_with_main(
    llmeval: Command, here: Path, tmp_path_factory: pytest.TempPathFactory, server: FaultServer
) -> None:
    """Its shell steps, as a runner runs them; the model repeats the question, which holds no capital."""
    llmeval("init")
    (here / RULES).write_text(
        "version: 1\nbaseline: main\nsuites: {capitals: {contains: {max_drop: 0.02}}}\n", encoding="utf-8"
    )
    environ = {
        "HOME": str(tmp_path_factory.mktemp("home")),
        "LLMEVAL_MODEL": f"openai:echo@{server.url}",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    flow = Workflow(here / WORKFLOW, {})

    def steps(event: str, *names: str) -> str:
        done = [flow.run("evals", name, cwd=here, GITHUB_EVENT_NAME=event, **environ) for name in names]
        assert [one.returncode for one in done] == [0] * len(names), done
        shutil.rmtree(here / ".llmeval")
        return done[0].stdout

    assert "\n::warning::no run of main is in the cache" in f"\n{steps('pull_request', 'Run the evals')}"
    assert "compared with" not in steps("push", "Run the evals", "Keep the run of main as the next baseline")
    compared = steps("pull_request", "Run the evals")
    assert "compared with baseline main" in compared and "::warning::" not in compared
    assert "compared with" not in steps("push", "Run the evals", "Keep the run of main as the next baseline")


@pytest.mark.parametrize(("files", "expected"), [
    ({".llmeval/llmeval.db", "inner/pyproject.toml"}, "inner"),
    ({".llmeval/llmeval.db"}, "."),
    ({"setup.py"}, "."),
    ({"inner/setup.py", "pyproject.toml"}, "."),
])  # fmt: skip
def test_a_project_without_a_configuration_begins_where_pytest_has_it(
    llmeval: Command, here: Path, monkeypatch: pytest.MonkeyPatch, files: set[str], expected: str
) -> None:
    """What is written there is read from there; a database of pytest runs in a folder above decides no more."""
    for name in files:
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).touch()
    (here / "inner" / "sub").mkdir(parents=True)
    monkeypatch.chdir(here / "inner" / "sub")
    assert llmeval("init").status == 0
    assert (here / expected / RULES).exists()
    if not any(name.endswith(".db") for name in files):
        command = [
            sys.executable,
            "-m",
            "pytest",
            "--co",
            "-q",
            "-p",
            "no:cacheprovider",
            str(here / expected / "evals"),
        ]
        told = subprocess.run(command, capture_output=True, text=True, check=True)
        assert "test_capitals.py::test_capitals[" in told.stdout


@pytest.mark.parametrize(
    ("commands", "branch"),
    [
        (["init -b master"], "master"),
        (["init -b a-change"], "main"),
        (["init -b a-change", "symbolic-ref refs/remotes/origin/HEAD refs/remotes/origin/release/2"], "release/2"),
        ([], "main"),
    ],
)
def test_the_workflow_runs_on_the_branch_that_others_are_merged_into(
    llmeval: Command, here: Path, commands: list[str], branch: str
) -> None:
    """Else no baseline would ever be kept, and nothing would say so."""
    for command in commands:
        subprocess.run(["git", "-C", str(here), *command.split()], check=True, capture_output=True)
    llmeval("init")
    workflow = yaml.safe_load((here / WORKFLOW).read_text("utf-8"))
    assert workflow[True]["push"] == {"branches": [branch]}
