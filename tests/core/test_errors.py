"""The tree of errors."""

import copy
import pickle

import pytest

from pytest_llmeval.core import errors
from pytest_llmeval.core.errors import CallError, CaseError, ErrorKind, LlmevalError
from pytest_llmeval.core.types import Usage

TREE = [found for name in errors.__all__ if issubclass(found := getattr(errors, name), LlmevalError)]


def made(kind: type[LlmevalError]) -> LlmevalError:
    """Return an error of that class of which each field says something."""
    if kind is CallError:
        usages = (Usage(input_tokens=3, output_tokens=5),)
        return CallError("slow", kind=ErrorKind.TIMEOUT, attempts=4, latency_s=1.5, param="top_p", usages=usages)
    return CaseError("lost", kind=ErrorKind.CONNECTION) if kind is CaseError else kind("wrong")


@pytest.mark.parametrize("kind", TREE)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_an_error_is_itself_in_another_process(kind: type[LlmevalError], protocol: int) -> None:
    """Its message, its fields and its notes."""
    error = made(kind)
    error.add_note("while judging")
    for same in (pickle.loads(pickle.dumps(error, protocol)), copy.copy(error), copy.deepcopy(error)):
        assert (type(same), str(same), vars(same)) == (kind, str(error), vars(error))
