"""The code of a run as git describes it, and whether the run was resumed with other code."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from pytest_llmeval.core.text import one_line
from pytest_llmeval.store.records import Run

__all__ = [
    "CODE_DIFF",
    "GIT_REFUSED",
    "OTHER_CODE",
    "CodeState",
    "code_at_begin",
    "code_changes",
    "code_of",
    "resumed_on",
]

CODE_DIFF = "git_diff"
"""Key in the settings of a run and of its resumed sessions: digest of the differences from the commit."""
GIT_REFUSED = "git_refused"
"""Key in a run's settings: git's message if it refused to describe the code, and what to do; otherwise absent."""
OTHER_CODE = "other_code"
"""Key in the record of a resumed session: how its code differed from that of the session before."""


class CodeState(NamedTuple):
    """A commit, and the uncommitted changes."""

    commit: str | None
    is_dirty: bool | None
    diff: str | None
    """Digest of the uncommitted changes; empty if there are none, None if unknown."""

    @property
    def shown(self) -> str | None:
        """The short commit, and whether there were uncommitted changes."""
        return None if self.commit is None else self.commit[:9] + (" with changes" if self.is_dirty else "")


def code_at_begin(run: Run) -> CodeState:
    """Return the code at the start of a run."""
    return CodeState(run.git_commit, run.git_dirty, run.settings.get(CODE_DIFF))


def code_of(run: Run) -> CodeState:
    """Return the code of the newest session of a run."""
    for session in reversed(run.settings.get("resumes", [])):
        if session.get("git_commit") is not None:
            return CodeState(session["git_commit"], session.get("git_dirty"), session.get(CODE_DIFF))
    return code_at_begin(run)


def code_changes(before: CodeState, now: CodeState) -> Iterator[str]:
    """Yield the differences between two states, in words."""
    if before.shown != now.shown:
        yield f"commit {_told(before)}, now {_told(now)}"
    elif None not in (before.diff, now.diff) and before.diff != now.diff:
        yield "uncommitted changes"


def resumed_on(run: Run) -> list[str]:
    """Return a remark, as a list of one, if a run was resumed with other code; otherwise an empty list."""
    sessions: list[dict[str, Any]] = run.settings.get("resumes", [])
    changes = [one_line(str(session[OTHER_CODE]), 120) for session in sessions if session.get(OTHER_CODE)]
    return [f"resumed on other code ({'; '.join(changes)})"] if changes else []


def _told(state: CodeState) -> str:
    return "none" if state.shown is None else one_line(state.shown, 60)
