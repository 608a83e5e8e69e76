"""``llmeval init`` in several projects of one repository, and beside a workflow of somebody's own."""

import re
from pathlib import Path

import pytest
import yaml

from tests.cli.conftest import Command

WORKFLOWS = ".github/workflows"
SERVICES = ("services/billing", "services/chat", "services")


@pytest.fixture
def repository(here: Path) -> Path:
    (here / ".git").mkdir()
    for service in SERVICES:
        (here / service).mkdir(parents=True, exist_ok=True)
        (here / service / "pyproject.toml").touch()
    return here


def shared(text: str) -> dict[str, str]:
    """Return what GitHub knows of a workflow in the whole repository, with what is the same in each run of it."""
    told = yaml.safe_load(text)
    steps = told["jobs"]["evals"]["steps"]
    of = {step["uses"].partition("@")[0].rpartition("/")[2]: step["with"] for step in steps if "uses" in step}
    found = {
        "name": told["name"],
        "check": told["jobs"]["evals"]["name"],
        "group": told["concurrency"]["group"],
        "artifact": of["upload-artifact"]["name"],
        "restored": of["restore"]["restore-keys"],
        "saved": of["save"]["key"],
    }
    assert of["restore"]["key"].startswith(found["restored"]) and found["saved"].startswith(found["restored"])
    return {what: re.sub(r"\$\{\{.*?\}\}", "1", name) for what, name in found.items()}


def test_each_project_has_a_workflow_that_shares_nothing(
    llmeval: Command, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The root's too: no key that is saved begins as those that another one restores."""
    for folder in (".", *SERVICES):
        monkeypatch.chdir(repository / folder)
        done = llmeval("init")
        assert done.status == 0 and "pull requests are judged" in done.out
    texts = [path.read_text("utf-8") for path in (repository / WORKFLOWS).iterdir()]
    assert {yaml.safe_load(text)["defaults"]["run"]["working-directory"] for text in texts} == {".", *SERVICES}
    known = [shared(text) for text in texts]
    for what in known[0]:
        assert len({each[what] for each in known}) == len(texts), what
    for one in known:
        assert [each["saved"].startswith(one["restored"]) for each in known].count(True) == 1


@pytest.mark.parametrize(
    ("below", "text", "said"),
    [
        (".", "run: pytest evals", "commit and push: pull requests are judged"),
        (
            ".",
            "run: make",
            "evals.yaml is your own, and does not run `pytest evals`: until it does, no pull request is judged",
        ),
        ("services/chat", "cd services/chat && pytest evals", "commit and push: pull requests are judged"),
        ("services/chat", "run: pytest evals", "does not run `pytest evals` in services/chat: until it does, no pull"),
    ],
)
def test_of_a_workflow_that_was_there_it_promises_only_what_that_does(
    llmeval: Command, repository: Path, monkeypatch: pytest.MonkeyPatch, below: str, text: str, said: str
) -> None:
    monkeypatch.chdir(repository / below)
    name = "evals.yaml" if below == "." else "evals-services-chat.yaml"
    (repository / WORKFLOWS).mkdir(parents=True)
    (repository / WORKFLOWS / name).write_text(text, encoding="utf-8")
    told = " ".join(llmeval("init", "--missing-only").out.split())
    assert said in told
    assert "step Install" not in told
