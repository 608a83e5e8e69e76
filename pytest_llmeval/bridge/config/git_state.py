"""The state of the project's git repository, for the record of a run."""

from dataclasses import dataclass
from pathlib import Path

from pytest_llmeval.core.git import git
from pytest_llmeval.core.ids import digest

__all__ = ["GitState", "git_state"]

_DIFF = ("diff", "HEAD", "--unified=0", "--full-index", "--no-color", "--no-ext-diff", "--no-textconv", "--")


@dataclass(frozen=True, slots=True, kw_only=True)
class GitState:
    """Where the project stands; all None outside a repository or without git."""

    commit: str | None = None
    branch: str | None = None
    """None where HEAD is detached."""
    dirty: bool | None = None
    """Whether a tracked file is changed."""
    diff: str | None = None
    """A short digest of what differs from the commit in tracked files; empty where nothing does."""


def git_state(folder: Path) -> GitState:
    """Return the state of the repository that holds ``folder``."""
    commit = git(folder, "rev-parse", "HEAD")
    if commit is None:
        return GitState()
    branch = git(folder, "symbolic-ref", "--short", "--quiet", "HEAD")
    changes = git(folder, *_DIFF)
    if changes is None:
        return GitState(commit=commit, branch=branch)
    return GitState(commit=commit, branch=branch, dirty=bool(changes), diff=changes and digest(changes)[:12])
