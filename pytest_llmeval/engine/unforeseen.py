"""Errors that nobody foresaw, as those of the calls that met them."""

import asyncio
from collections.abc import Awaitable, Callable

from pytest_llmeval.core.errors import CallError, ErrorKind
from pytest_llmeval.core.types import Response

__all__ = ["foreseen"]


async def foreseen(answer: Awaitable[Response], redact: Callable[[str], str]) -> Response:
    """Return what is answered; an error that nobody foresaw shows here, and is a CallError for who asked.

    Args:
        answer: of a call.
        redact: takes secrets out of what the error says.

    Raises:
        CallError: there is none.
    """
    try:
        return await answer
    except CallError:
        raise
    except Exception as error:  # noqa: BLE001 - a bug, which must leave nobody waiting
        asyncio.get_running_loop().call_exception_handler({"message": "the engine broke", "exception": error})
        said = redact(f"{type(error).__name__}: {error}").rstrip(": ")
        raise CallError(f"the engine broke: {said}", kind=ErrorKind.CODE) from None
