"""What a request of the Responses API may hold, and no chat completion can have."""

from pytest_llmeval.core.errors import CaseError, ErrorKind

__all__ = ["untold"]


def untold(what: str, todo: str) -> CaseError:
    """Return the error of a request that holds ``what``; ``todo`` is what the application can do instead."""
    told = f"{what}: a response is asked of the case's model as a chat, which has no such thing; {todo}"
    return CaseError(told, kind=ErrorKind.CODE)
