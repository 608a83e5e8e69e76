"""Whose turn it is, and which case is asking: what one case was given must not be used by another."""

import threading
from typing import TYPE_CHECKING

from pytest_llmeval.bridge.casework.items import CURRENT, CaseNow
from pytest_llmeval.core.errors import CaseError, ErrorKind
from pytest_llmeval.core.loop import task_here

if TYPE_CHECKING:
    from pytest_llmeval.bridge.casework.cases import CaseRun
    from pytest_llmeval.bridge.casework.runtime import Runtime

__all__ = ["asking_case", "begin_turn", "check_asking", "end_turn"]


def begin_turn(now: CaseNow) -> None:
    """Begin the turn of a case, in the thread that runs all turns; an earlier attempt at the case is over."""
    runtime = now.runtime
    if runtime.turn is not None and runtime.turn is not now.run:
        runtime.turn.is_over = True
    runtime.turn, runtime.turns_in = now.run, threading.get_ident()
    CURRENT.set(now)


def end_turn(run: "CaseRun", runtime: "Runtime") -> None:
    """End the turn of a case; its record is made now."""
    run.is_over, runtime.turn = True, None
    CURRENT.set(None)


def asking_case(runtime: "Runtime") -> "CaseRun | None":
    """Return the case whose own code calls this; None if that cannot be known.

    In the thread that runs the turns, that is the case whose turn it is. In the task of a body, or in a thread to which
    the body handed work, it is the case of the body. Any other task or thread may belong to an application that serves
    several cases, or may be a leftover of an earlier case: its context tells only who started it.
    """
    task = task_here()
    if task is not None:
        now = CURRENT.get()
        return now.run if now is not None and now.runtime is runtime and now.run.task is task else None
    return runtime.turn if threading.get_ident() == runtime.turns_in else None


def check_asking(run: "CaseRun", runtime: "Runtime", what: str, todo: str) -> None:
    """Raise CaseError if ``what``, which belongs to ``run``, is used by another case, or after the end of ``run``.

    The case that uses it becomes an error even if its body catches this exception. If the using case cannot be known,
    the case whose turn it is becomes the error, unless it makes a call itself. Leftovers of ``run``, such as a task
    that goes on, are not blamed on other cases.
    """
    asking = asking_case(runtime)
    if asking in (None, run) and not run.is_over:
        return
    if asking is None or asking is run:
        message = f"{what} of a case that has ended: {todo}; it is that of {run.key.nodeid}"
    else:
        whose = "another case" if asking.key != run.key else "an earlier attempt"
        ended = ", which has ended," if run.is_over else ""
        message = (
            f"{what} of {whose}: {todo}; it is that of {run.key.nodeid}{ended} and was used in {asking.key.nodeid}"
        )
    error = CaseError(message, kind=ErrorKind.CODE)
    if asking is not None:
        asking.fail(error)
    elif (turn := runtime.turn) is not None and not _was_begun_by(run, runtime):
        turn.doubt = error
    raise error


def _was_begun_by(run: "CaseRun", runtime: "Runtime") -> bool:
    """Whether the task that calls this was started by the body of ``run``, on the event loop of the bodies.

    On other loops the context proves nothing: anyio runs all bodies in one task, whose context is that of the first.
    """
    now = CURRENT.get()
    return now is not None and now.run is run and runtime.bodies.is_current()
