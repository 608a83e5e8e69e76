"""Embeddings, by which an application looks something up: no calls of a case's model, but of a client of its own."""

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
    """Makes requests for embeddings as they are; one that fails is an error of the case."""

    def __init__(self, client: "openai.OpenAI | openai.AsyncOpenAI", *, may_be_awaited: bool) -> None:
        """Prepare.

        Args:
            client: has an address, a key, retries and a deadline of its own.
            may_be_awaited: whether all requests come from the loop on which the client was made: its connections
                belong to that.

        Raises:
            TypeError: it is no client of OpenAI's, or one that is awaited where it may not be.
        """
        post = getattr(client, "post", None)
        if not (callable(post) and hasattr(client, "embeddings")):
            raise TypeError(f"`embeddings` takes a client of OpenAI's SDK, found {shown_value(client)}")
        self._post: Callable[..., Any] = post
        self._is_awaited = inspect.iscoroutinefunction(post)
        if self._is_awaited and not may_be_awaited:
            raise TypeError("`embeddings` takes an openai.OpenAI here, found one whose answers are awaited")

    def answer_sync(self, posted: Posted) -> Sent:
        """Return the answer to a request; raise CaseError where there is none."""
        with _told(posted):
            return Sent(text=json.dumps(self._post(EMBEDDINGS_PATH, cast_to=object, body=json_body(posted))))

    async def answer(self, posted: Posted) -> Sent:
        """Return the answer, awaited; a client that is not waits in a thread."""
        if not self._is_awaited:
            return await asyncio.to_thread(self.answer_sync, posted)
        with _told(posted):
            return Sent(text=json.dumps(await self._post(EMBEDDINGS_PATH, cast_to=object, body=json_body(posted))))


@contextmanager
def _told(posted: Posted) -> Iterator[None]:
    """Raise CaseError for whatever a client raises: without what it was to find, an application answers worse."""
    try:
        yield
    except CaseError:
        raise
    except Exception as error:
        told = f"{posted.method} {posted.path}: {type(error).__name__}: {error}"
        raise CaseError(told, kind=ErrorKind.CODE) from error
