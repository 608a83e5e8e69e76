"""Embeddings for an application's retrieval: made by a client of the application's own, not by the case's model."""

import asyncio
import contextvars
import inspect
import json
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from pytest_llmeval.core.errors import CaseError, ErrorKind
from pytest_llmeval.core.text import one_line, shown_value
from pytest_llmeval.models.application.posted import Posted, Sent, json_body
from pytest_llmeval.models.specs import without_secrets

if TYPE_CHECKING:
    import openai

__all__ = ["EMBEDDINGS_PATH", "EmbeddingsClient"]

EMBEDDINGS_PATH = "/embeddings"
_DEPLOYMENT = re.compile(rf"/deployments/([^/]+){EMBEDDINGS_PATH}$")
"""Path of a request by which Azure's client names a deployment; Azure ignores the model in its body."""


class EmbeddingsClient:
    """Passes requests for embeddings on; one that fails makes the case an error."""

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
        if not (callable(post) and hasattr(client, "embeddings")) or isinstance(client, type):
            raise TypeError(f"`embeddings` takes a client of OpenAI's SDK, found {shown_value(client)}")
        self._post: Callable[..., Any] = post
        self._is_awaited = inspect.iscoroutinefunction(post)
        if self._is_awaited and not may_be_awaited:
            raise TypeError("`embeddings` takes an openai.OpenAI here, found an async client")
        self._is_of_azure = hasattr(client, "_azure_deployment")
        self._address = without_secrets(str(getattr(client, "base_url", "")).rstrip("/"))

    def answer_sync(self, posted: Posted) -> Sent:
        """Return the answer to a request; raise CaseError if there is none."""
        body = self._body(posted)
        with self._explained():
            return _sent(body, self._post(EMBEDDINGS_PATH, cast_to=object, body=body))

    async def answer(self, posted: Posted) -> Sent:
        """Return the answer to a request, asynchronously; a synchronous client runs in a thread of its own."""
        if not self._is_awaited:
            return await _in_thread(lambda: self.answer_sync(posted))
        body = self._body(posted)
        with self._explained():
            return _sent(body, await self._post(EMBEDDINGS_PATH, cast_to=object, body=body))

    def _body(self, posted: Posted) -> dict[str, Any]:
        """Return the body of a request; between two clients of Azure it names the deployment in the path."""
        body, deployment = json_body(posted), _DEPLOYMENT.search(posted.path)
        return {**body, "model": unquote(deployment[1])} if deployment and self._is_of_azure else body

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn every exception of a client into a CaseError, as an application without its retrieval answers worse."""
        try:
            yield
        except Exception as error:
            is_ours = isinstance(error, CaseError)
            message = str(error) if is_ours else f"{type(error).__name__}: {error}{_cause(error)}"
            raise CaseError(f"embeddings from {self._address}: {message}", kind=ErrorKind.CODE) from error


def _cause(error: BaseException) -> str:
    """Return what lies behind an error of the SDK, whose own text for any lost connection is "Connection error."."""
    first: BaseException | None = error.__cause__
    while first is not None and first.__cause__ is not None:
        first = first.__cause__
    if first is None:
        return ""
    text = "" if type(first).__name__ == "LocalProtocolError" else str(first)  # it quotes the header with the key
    return f" ({type(first).__name__}{': ' if text else ''}{one_line(text, 200)})"


def _sent(body: dict[str, Any], made: object) -> Sent:
    """Return the embeddings; raise CaseError if some are missing: it may be a gateway's page under status 200."""
    found = made.get("data") if isinstance(made, dict) else None
    embeddings = [each.get("embedding") if isinstance(each, dict) else None for each in found or ()]
    asked = body.get("input")
    texts = asked if isinstance(asked, list) and not any(isinstance(each, int) for each in asked) else [asked]
    wanted = len(texts)  # integers are the tokens of one text
    if not isinstance(found, list) or len(embeddings) != wanted or not all(embeddings):
        message = f"the answer does not contain {wanted} embedding{'' if wanted == 1 else 's'}, but {shown_value(made)}"
        raise CaseError(message, kind=ErrorKind.CODE)
    return Sent(text=json.dumps(made))


async def _in_thread(work: Callable[[], Sent]) -> Sent:
    """Return the result of ``work``, done in a daemon thread, so that nothing that ends waits for a silent server.

    Event loops join the threads of ``asyncio.to_thread`` as they close: an interrupt would wait for the client's
    deadline, which may be minutes away.
    """
    future: Future[Sent] = Future()
    context = contextvars.copy_context()

    def run() -> None:
        if not future.set_running_or_notify_cancel():
            return
        try:
            future.set_result(context.run(work))
        except BaseException as error:  # noqa: BLE001 - raised where it is awaited
            future.set_exception(error)

    threading.Thread(target=run, name="llmeval-embeddings", daemon=True).start()
    return await asyncio.wrap_future(future)
