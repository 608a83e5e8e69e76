"""Whose turn it is, and that what one case was given asks and scores for no other."""

import threading
from typing import TYPE_CHECKING

from pytest_llmeval.bridge.casework.items import CURRENT, CaseNow
from pytest_llmeval.core.errors import CaseError, ErrorKind

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


def asking_case(run: "CaseRun", calls: "Calls") -> "CaseRun":
    """Return the case whose code runs here and uses what ``run`` was given.

    The thread of the turns tells, and elsewhere the context that a body was started in, which its tasks and
    ``asyncio.to_thread`` have too. A thread that an application starts has none, and one that serves several cases has
    that of the first: there it is ``run`` until that is over, and then whose turn it is.
    """
    if calls.turn is not None and threading.get_ident() == calls.turns_in:
        return calls.turn
    now = CURRENT.get()
    if now is not None and now.calls is calls and (now.run is run or not now.run.is_over):
        return now.run
    return calls.turn if run.is_over and calls.turn is not None else run


def check_asking(run: "CaseRun", calls: "Calls", what: str, todo: str) -> None:
    """Raise CaseError where the case that uses ``what`` is not ``run``, or ``run`` is over.

    The case that uses it is an error also where that is caught.
    """
    asking = asking_case(run, calls)
    if asking is run and not run.is_over:
        return
    if asking is run:
        told = f"{what} of a case that has ended: {todo}; it is that of {run.key.nodeid}"
    else:
        whose = "another case" if asking.key != run.key else "an earlier attempt"
        ended = ", which has ended," if run.is_over else ""
        told = f"{what} of {whose}: {todo}; it is that of {run.key.nodeid}{ended} and was used in {asking.key.nodeid}"
    error = CaseError(told, kind=ErrorKind.CODE)
    asking.fail(error)
    raise error
