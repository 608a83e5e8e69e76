"""What a request of the Responses API may hold, and no chat completion can have."""

from pytest_llmeval.core.errors import CaseError, ErrorKind

__all__ = ["untold"]


def untold(what: str, todo: str) -> CaseError:
    """Return the error of a request that holds ``what``; ``todo`` is what the application can do instead."""
    told = f"{what}: the case's model answers a response by a chat completion, which has no such thing; {todo}"
    return CaseError(told, kind=ErrorKind.CODE)
