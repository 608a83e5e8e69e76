"""Runs in a repository that git will not look at, as its files are of another user: in a container, say."""

import subprocess

import pytest

from tests.support.project import Project

SHA = "0123456789" * 4
SAID = "detected dubious ownership in repository at '{root}'; run git config --global --add safe.directory {root}"


@pytest.fixture
def owned(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A repository of somebody else."""
    project.eval("def test_echo(response):\n    pass\n", [{"id": "a", "input": "a"}])
    who = ("-c", "user.name=a", "-c", "user.email=a@b.invalid")
    for arguments in (("init", "-q", "-b", "main"), ("add", "."), ("commit", "-qm", "one")):
        subprocess.run(["git", *who, *arguments], cwd=project.root, check=True, capture_output=True)
    for name, value in {
        "GIT_TEST_ASSUME_DIFFERENT_OWNER": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_SYSTEM": "/dev/null",
    }.items():
        monkeypatch.setenv(name, value)
    return project


def code(project: Project) -> tuple[object, ...]:
    run = project.last_run()
    return run["git_commit"], run["git_branch"], run["git_dirty"]


def test_what_git_says_is_told_with_what_to_do(owned: Project, spread: list[str]) -> None:
    result = owned.run("evals", *spread)
    assert result.ret == 0
    assert code(owned) == (None, None, None)
    told = f"note: the commit is not recorded, as git refuses to look: {SAID.format(root=owned.root)}"
    for shown in (result, owned.llmeval("show", "last")):
        assert "".join(told.split()) in "".join(shown.stdout.str().split())


def test_in_a_checkout_of_github_the_commit_is_the_one_that_it_names(
    owned: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_SHA", SHA)
    monkeypatch.setenv("GITHUB_REF_NAME", "topic")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(owned.root / "elsewhere"))
    owned.run("evals")
    assert code(owned) == (None, None, None)
    monkeypatch.setenv("GITHUB_WORKSPACE", str(owned.root))
    text = "".join(owned.run("evals").stdout.str().split())
    assert code(owned) == (SHA, "topic", None)
    assert "note:whetherfilesarechangedsincethecommit,asGitHubnamesit,isnotrecorded" in text
    monkeypatch.setenv("GITHUB_REF_TYPE", "tag")
    owned.run("evals")
    assert code(owned) == (SHA, None, None)


@pytest.mark.parametrize("has_folder", [False, True])
def test_a_folder_without_a_repository_has_no_note(project: Project, has_folder: bool) -> None:
    project.eval("def test_echo(response):\n    pass\n", [{"id": "a", "input": "a"}])
    if has_folder:
        (project.root / ".git").mkdir()
    assert "git refuses" not in project.run("evals").stdout.str()
    assert code(project) == (None, None, None)


def test_a_repository_that_is_broken_is_told_too(owned: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GIT_TEST_ASSUME_DIFFERENT_OWNER")
    (owned.root / ".git" / "config").write_text("[core")
    text = owned.run("evals").stdout.str()
    assert "note: the commit is not recorded, as git refuses to look: bad config line" in " ".join(text.split())
