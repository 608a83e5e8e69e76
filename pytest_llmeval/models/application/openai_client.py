"""Clients of OpenAI's SDK for applications: their chat completions and responses become model calls of the case.

Importing this module imports the SDK and its HTTP client.
"""

import openai

from pytest_llmeval.core.protocols import Model
from pytest_llmeval.models.application.asking import Asking
from pytest_llmeval.models.application.embeddings import EmbeddingsClient
from pytest_llmeval.models.application.openai_api import OpenAIApi
from pytest_llmeval.models.application.transports import (
    AsyncCaseTransport,
    CaseTransport,
    Copied,
    async_http_client,
    client_settings,
    http_client,
)

__all__ = ["async_openai_client", "openai_client"]


def openai_client(model: Model, *, embeddings: openai.OpenAI | None = None) -> openai.OpenAI:
    """Return a client for an application under test: its chat completions and responses are calls of ``model``.

    The client is of OpenAI's own class, with streams, structured answers and tools. Its requests leave the process only
    through ``model``: the case's model answers, whichever ``model`` the application names, and the completion says
    which one did. Parameters override those of the marker. Headers, query and timeout of the application are ignored.
    A stream arrives once its answer is complete. Answers include further content of the server's message
    (``Response.extra``), but no ``logprobs`` and no audio; calls of ``functions`` arrive as tool calls.

    A response is requested as a chat completion, with its items as messages. Tools that OpenAI runs, and everything
    else that chat completions do not have, raise CaseError. The client remembers its own answers by their ids
    (``previous_response_id``).

    A failed call raises the exception of ``model.generate_sync`` and none of the errors of ``openai``, so that no
    fallback of the application turns it into an answer. Any other endpoint, and ``n`` above 1, raises CaseError. So
    does a client that was made for another case, or for one that has ended. Each of these failures makes the calling
    case an error, even if the application catches the exception.

    Args:
        model: the ``model`` fixture of the test that uses the client.
        embeddings: a client of the application's own that makes its requests for embeddings. These are not calls of the
            model, and are neither recorded nor counted; one that fails raises CaseError. Without this client they are
            refused like any other endpoint.

    Raises:
        TypeError: ``model`` is not the fixture, or ``embeddings`` is not a synchronous client of OpenAI's SDK.
    """
    own = None if embeddings is None else EmbeddingsClient(embeddings, may_be_awaited=False)
    return _Client(http_client=http_client(CaseTransport(Asking(model, OpenAIApi(), own))), **client_settings("/v1"))


def async_openai_client(
    model: Model, *, embeddings: openai.AsyncOpenAI | openai.OpenAI | None = None
) -> openai.AsyncOpenAI:
    """Return an async client, for an application that awaits its answers; otherwise like ``openai_client``.

    Args:
        model: the ``model`` fixture of the test that uses the client.
        embeddings: as for ``openai_client``; a synchronous client runs in a thread.

    Raises:
        TypeError: ``model`` is not the fixture, or ``embeddings`` is not a client of OpenAI's SDK.
    """
    own = None if embeddings is None else EmbeddingsClient(embeddings, may_be_awaited=True)
    client = async_http_client(AsyncCaseTransport(Asking(model, OpenAIApi(), own)))
    return _AsyncClient(http_client=client, **client_settings("/v1"))


class _Client(Copied, openai.OpenAI):
    """The client for applications; before 3.14 the SDK wraps the model's exception in an APIConnectionError."""


class _AsyncClient(Copied, openai.AsyncOpenAI):
    """The async client for applications."""
