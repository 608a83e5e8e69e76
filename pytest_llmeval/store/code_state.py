"""Which code a run was of, as far as git knows it, and whether it went on with other code."""

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
"""The setting of a run, and of a session that went on with it: the digest of what differed from its commit."""
GIT_REFUSED = "git_refused"
"""The setting of a run that holds what git said where it did not tell of the code, and what to do; absent elsewhere."""
OTHER_CODE = "other_code"
"""What a session that went on with a run says where its code was other than that of the session before."""


class CodeState(NamedTuple):
    """A commit, and what differed from it."""

    commit: str | None
    is_dirty: bool | None
    diff: str | None
    """A digest, empty where nothing differed; None where it is not known."""

    @property
    def shown(self) -> str | None:
        """The commit in short, and whether files were changed since."""
        return None if self.commit is None else self.commit[:9] + (" with changes" if self.is_dirty else "")


def code_at_begin(run: Run) -> CodeState:
    """Return the code that a run began with."""
    return CodeState(run.git_commit, run.git_dirty, run.settings.get(CODE_DIFF))


def code_of(run: Run) -> CodeState:
    """Return the code that the newest session of a run was of."""
    for session in reversed(run.settings.get("resumes", [])):
        if session.get("git_commit") is not None:
            return CodeState(session["git_commit"], session.get("git_dirty"), session.get(CODE_DIFF))
    return code_at_begin(run)


def code_changes(before: CodeState, now: CodeState) -> Iterator[str]:
    """Yield what differs between two states, in words."""
    if before.shown != now.shown:
        yield f"commit {_told(before)}, now {_told(now)}"
    elif None not in (before.diff, now.diff) and before.diff != now.diff:
        yield "uncommitted changes"


def resumed_on(run: Run) -> list[str]:
    """Return words that say so where a run went on with other code than it had begun with; else none."""
    sessions: list[dict[str, Any]] = run.settings.get("resumes", [])
    told = [one_line(str(session[OTHER_CODE]), 120) for session in sessions if session.get(OTHER_CODE)]
    return [f"resumed on other code ({'; '.join(told)})"] if told else []


def _told(state: CodeState) -> str:
    return "none" if state.shown is None else one_line(state.shown, 60)
