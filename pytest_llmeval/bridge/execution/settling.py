"""Settles a body that ran: its misses and the errors of its calls are raised where pytest reports its phase."""

from typing import NoReturn

import pytest

from pytest_llmeval.bridge.casework.cases import CaseRun
from pytest_llmeval.bridge.casework.raised import is_miss
from pytest_llmeval.bridge.execution.body_functions import body_of
from pytest_llmeval.core.errors import CaseError, ErrorKind, ScorerError
from pytest_llmeval.core.gate.case import MONEY_KINDS
from pytest_llmeval.core.types import Response, Sample
from pytest_llmeval.scorers import ScoreBook, explain
from pytest_llmeval.scorers.book import begun_of, recorded_twice

__all__ = ["check_missed_body", "close_unbegun", "settle", "settle_late"]


def check_missed_body(item: pytest.Function, run: CaseRun, miss: BaseException) -> None:
    """Raise CaseError if a body's apparent miss is not one, or if an error counts before it."""
    if _never_ran(miss):
        raise CaseError(_why_it_never_ran(item), kind=ErrorKind.CODE) from None
    broken = _broken(run) if is_miss(miss) else None
    if broken is not None:
        raise broken from miss


def _never_ran(error: BaseException) -> bool:
    """Whether this is pytest's message about a coroutine that no plugin awaits, which says nothing about an answer."""
    return isinstance(error, pytest.fail.Exception) and str(error).startswith("async def functions are not natively")


def _why_it_never_ran(item: pytest.Function) -> str:
    message = "the body of this eval did not run: "
    if body_of(item) is None:
        return (
            f"{message}its function, or a decorator around it, returned a coroutine and is not async; write async def"
        )
    if item.get_closest_marker("trio") is not None and not item.config.pluginmanager.hasplugin("trio"):
        return (
            f"{message}its mark trio leaves it to pytest-trio, which is not installed; install it, or remove the mark"
        )
    return f"{message}the plugin that it is left to (mark anyio or trio, argument anyio_backend) did not run it"


def settle(run: CaseRun, *, is_late: bool = False) -> None:
    """Raise the error or the miss that follows from the scores and calls of a body, once the whole body ran."""
    unawaited = _unawaited(run)
    broken = _broken(run) or unawaited  # first: a gather that raised leaves its other calls unawaited
    if broken is not None:
        raise broken
    if is_late:
        _check_ended(run.book)
    if run.book.misses:
        _miss(run.sample, run.own.response, run.book)


def _unawaited(run: CaseRun) -> CaseError | None:
    """Return the error of an async call that the body or a fixture did not await; None if there is none."""
    unbegun = close_unbegun(run)
    if run.forgotten:
        name, todo = f"score.{run.forgotten[0]}", "await it, or the task or asyncio.gather(...) that it is in"
    elif unbegun:
        name = unbegun[0]
        todo = f"write await {name}(...), or {name}_sync(...) where the test is not async"
    else:
        return None
    return CaseError(f"{name}(...) was not awaited: {todo}", kind=ErrorKind.CODE)


def close_unbegun(run: CaseRun) -> list[str]:
    """Close the async calls that nobody began to await, and return their names.

    Python would warn of them later, in another test. A call in a task does not count: the test may have given it up
    because another answer came first.
    """
    made = {"score": begun_of(run.book), **run.asks}
    return [f"{word}.{name}" for word, calls in made.items() for name in calls.close_unbegun()]


def settle_late(run: CaseRun | None) -> None:
    """Raise the error or miss of fixtures in the teardown; the body's scores and calls were settled with the body."""
    if run is None or not run.has_run or isinstance(run.raised, pytest.xfail.Exception):
        return
    try:
        if run.raised is None:
            settle(run, is_late=True)
        elif is_miss(run.raised) and (broken := _broken(run)) is not None:
            raise broken
    except (CaseError, pytest.fail.Exception) as error:
        run.late = error
        raise


def _check_ended(book: ScoreBook) -> None:
    """Raise CaseError if a call of ``score`` still runs, in a thread say: its score would not be recorded."""
    for name in begun_of(book).left()[:1]:
        message = (
            f"score.{name}(...) still ran when its test had ended: wait for the thread, task or future that it is in"
        )
        raise CaseError(message, kind=ErrorKind.CODE)


def _miss(sample: Sample, response: Response | None, score: ScoreBook) -> NoReturn:
    """Raise the misses of a case. ``--pdb`` stops here, after the test, with the test's values as arguments."""
    pytest.fail(explain(score.misses), pytrace=False)


def _broken(run: CaseRun) -> CaseError | None:
    """Return the error of a call, of a broken scorer or of a name recorded twice; None if there is none."""
    failure = None if run.outcome == "error" or run.calls.are_only_left else run.trouble  # a subtest reported it
    if failure is not None and failure.kind in MONEY_KINDS:
        return failure
    if run.book.errors:
        first = run.book.errors[0]
        return ScorerError(f"score.{first.name}: {first.reason}")
    return recorded_twice(run.book) or failure
