"""Embeddings for an application's retrieval: made by a client of the application's own, not by the case's model."""

import asyncio
import inspect
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pytest_llmeval.core.errors import CaseError, ErrorKind
from pytest_llmeval.core.text import shown_value
from pytest_llmeval.models.application.posted import Posted, Sent, json_body

if TYPE_CHECKING:
    import openai

__all__ = ["EMBEDDINGS_PATH", "EmbeddingsClient"]

EMBEDDINGS_PATH = "/embeddings"


class EmbeddingsClient:
    """Passes requests for embeddings on unchanged; one that fails makes the case an error."""

    def __init__(self, client: "openai.OpenAI | openai.AsyncOpenAI", *, may_be_awaited: bool) -> None:
        """Prepare.

        Args:
            client: a client with an address, a key, retries and a deadline of its own.
            may_be_awaited: whether an async client is allowed, which requires that all requests come from the event
                loop that its connections belong to.

        Raises:
            TypeError: ``client`` is not a client of OpenAI's SDK, or is an async one that is not allowed.
        """
        post = getattr(client, "post", None)
        if not (callable(post) and hasattr(client, "embeddings")):
            raise TypeError(f"`embeddings` takes a client of OpenAI's SDK, found {shown_value(client)}")
        self._post: Callable[..., Any] = post
        self._is_awaited = inspect.iscoroutinefunction(post)
        if self._is_awaited and not may_be_awaited:
            raise TypeError("`embeddings` takes an openai.OpenAI here, found one whose answers are awaited")

    def answer_sync(self, posted: Posted) -> Sent:
        """Return the answer to a request; raise CaseError if there is none."""
        with _told(posted):
            return _sent(posted, self._post(EMBEDDINGS_PATH, cast_to=object, body=json_body(posted)))

    async def answer(self, posted: Posted) -> Sent:
        """Return the answer to a request, asynchronously; a synchronous client runs in a thread."""
        if not self._is_awaited:
            return await asyncio.to_thread(self.answer_sync, posted)
        with _told(posted):
            return _sent(posted, await self._post(EMBEDDINGS_PATH, cast_to=object, body=json_body(posted)))


def _sent(posted: Posted, made: object) -> Sent:
    """Return the embeddings; raise CaseError if the answer has none: it may be a gateway's page under status 200."""
    if not (isinstance(made, dict) and made.get("data")):
        message = f"{posted.method} {posted.path}: the answer holds no embeddings, but {shown_value(made)}"
        raise CaseError(message, kind=ErrorKind.CODE)
    return Sent(text=json.dumps(made))


@contextmanager
def _told(posted: Posted) -> Iterator[None]:
    """Turn every exception of a client into a CaseError, as an application without its retrieval answers worse."""
    try:
        yield
    except CaseError:
        raise
    except Exception as error:
        message = f"{posted.method} {posted.path}: {type(error).__name__}: {error}"
        raise CaseError(message, kind=ErrorKind.CODE) from error
