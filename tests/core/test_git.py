"""What git says of a folder, and where it says nothing."""

import subprocess
from pathlib import Path

import pytest

from pytest_llmeval.core.git import git, git_refusal


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """A repository without a commit."""
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    return tmp_path


def test_a_repository_without_a_commit_is_no_refusal(empty: Path) -> None:
    assert git(empty, "rev-parse", "HEAD") is None
    assert git(empty, "rev-parse", "--is-inside-work-tree") == "true"
    assert git_refusal(empty) == ""


def test_without_git_nothing_is_said(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(empty))
    assert git(empty, "status") is None
    assert git_refusal(empty) == ""


def test_a_refusal_is_one_line_with_what_to_do(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", "/dev/null")
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    todo = f"run git config --global --add safe.directory {empty}"
    assert git_refusal(empty) == f"detected dubious ownership in repository at '{empty}'; {todo}"


def test_another_one_may_be_looked_at(tmp_path: Path) -> None:
    assert git_refusal(tmp_path).startswith("not a git repository")
    assert git_refusal(tmp_path).endswith("; run git status")
