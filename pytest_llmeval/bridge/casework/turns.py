"""Whose turn it is, and that what one case was given asks and scores for no other."""

import threading
from typing import TYPE_CHECKING

from pytest_llmeval.bridge.casework.items import CURRENT, CaseNow
from pytest_llmeval.core.errors import CaseError, ErrorKind
from pytest_llmeval.core.loop import task_here

if TYPE_CHECKING:
    from pytest_llmeval.bridge.casework.calls import Calls
    from pytest_llmeval.bridge.casework.cases import CaseRun

__all__ = ["asking_case", "begin_turn", "check_asking", "end_turn"]


def begin_turn(now: CaseNow) -> None:
    """Have the turn of a case begin, in the thread that runs all of them; an attempt that it repeats is over."""
    calls = now.calls
    if calls.turn is not None and calls.turn is not now.run:
        calls.turn.is_over = True
    calls.turn, calls.turns_in = now.run, threading.get_ident()
    CURRENT.set(now)


def end_turn(run: "CaseRun", calls: "Calls") -> None:
    """Have the turn of a case end, as its record is made."""
    run.is_over, calls.turn = True, None
    CURRENT.set(None)


def asking_case(calls: "Calls") -> "CaseRun | None":
    """Return the case whose own code runs here; None where nobody can tell.

    That is the one whose turn it is in the thread of the turns, and the one whose body a task runs, or has run in a
    thread. Any other task or thread may be an application's that serves several cases, or that one left behind: its
    context only tells who began it.
    """
    task = task_here()
    if task is not None:
        now = CURRENT.get()
        return now.run if now is not None and now.calls is calls and now.run.task is task else None
    return calls.turn if threading.get_ident() == calls.turns_in else None


def check_asking(run: "CaseRun", calls: "Calls", what: str, todo: str) -> None:
    """Raise CaseError where another case uses ``what`` than ``run``, or ``run`` is over.

    The case that uses it is an error also where that is caught. Where nobody can tell which one does, it is that whose
    turn it is, unless that one asks for something itself; what a case left behind is no fault of others.
    """
    asking = asking_case(calls)
    if asking in (None, run) and not run.is_over:
        return
    if asking is None or asking is run:
        told = f"{what} of a case that has ended: {todo}; it is that of {run.key.nodeid}"
    else:
        whose = "another case" if asking.key != run.key else "an earlier attempt"
        ended = ", which has ended," if run.is_over else ""
        told = f"{what} of {whose}: {todo}; it is that of {run.key.nodeid}{ended} and was used in {asking.key.nodeid}"
    error = CaseError(told, kind=ErrorKind.CODE)
    if asking is not None:
        asking.fail(error)
    elif (turn := calls.turn) is not None and not _was_begun_by(run, calls):
        turn.doubt = error
    raise error


def _was_begun_by(run: "CaseRun", calls: "Calls") -> bool:
    """Whether a case began the task that runs here, on a loop of ours.

    Elsewhere the context is no sign: anyio runs all bodies in one task, whose context is that of the first.
    """
    now = CURRENT.get()
    return now is not None and now.run is run and calls.bodies.is_current()
