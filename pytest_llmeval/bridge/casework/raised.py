"""Classifies what a body or a scorer raised: a miss, a time limit of pytest-timeout, or an error."""

import re
import traceback
from collections.abc import Iterator

import pytest

__all__ = ["is_fault", "is_miss", "is_timeout", "leaves", "name_and_text"]

_MISSES = (AssertionError, pytest.fail.Exception)
_TIMEOUT = re.compile(r"Timeout \(?>?[\d.]+s\)? from pytest-timeout")


def leaves(error: BaseException) -> Iterator[BaseException]:
    """Yield the exceptions in a group, however deep; an exception that is no group is yielded itself."""
    if not isinstance(error, BaseExceptionGroup):
        yield error
        return
    for each in error.exceptions:
        yield from leaves(each)


def is_miss(error: BaseException) -> bool:
    """Return whether an exception from a body says that the answer is not good enough."""
    return all(isinstance(each, _MISSES) and not is_timeout(each) for each in leaves(error))


def is_fault(error: BaseException) -> bool:
    """Whether a scorer's exception is the scorer's own error; if not, it ends the session or is a time limit."""
    if isinstance(error, pytest.exit.Exception) or is_timeout(error):
        return False
    return isinstance(error, (Exception, pytest.fail.Exception, pytest.skip.Exception))


def is_timeout(error: BaseException) -> bool:
    """Whether this is how pytest-timeout ends a test."""
    return isinstance(error, pytest.fail.Exception) and bool(_TIMEOUT.search(name_and_text(error)[1]))


def name_and_text(error: BaseException) -> tuple[str, str]:
    """Return the name and the text of an exception, whatever its own ``__str__`` does."""
    if isinstance(error, pytest.FixtureLookupError):  # str() would show its arguments, a request among them
        return "fixture", error.msg or f"{error.argname!r} not found"
    shown = traceback.TracebackException(type(error), error, None)
    name, _, text = "".join(shown.format_exception_only()).rstrip("\n").partition(": ")
    return name, text
