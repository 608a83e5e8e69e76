"""OpenAI's own clients, whose chat completions and responses are calls of a case.

Importing this module imports the SDK and its HTTP client.
"""

import openai

from pytest_llmeval.core.protocols import Model
from pytest_llmeval.models.application.asking import Asking
from pytest_llmeval.models.application.embeddings import EmbeddingsClient
from pytest_llmeval.models.application.openai_api import OpenAIApi
from pytest_llmeval.models.application.transports import (
    AsyncWay,
    Copied,
    Way,
    async_http_client,
    client_settings,
    http_client,
)

__all__ = ["async_openai_client", "openai_client"]


def openai_client(model: Model, *, embeddings: openai.OpenAI | None = None) -> openai.OpenAI:
    """Return a client for an application under test: its chat completions and responses are calls of ``model``.

    It is OpenAI's own class, with streams, structured answers and tools. Nothing of it leaves the process but through
    ``model``: the case's model answers, whatever ``model`` the application names, and the completion says which one
    did. Parameters go over those of the marker; headers, query and timeout of the application go nowhere. A stream
    comes once its answer is whole. What else its message held (``Response.extra``) comes with it, ``logprobs`` and
    sound do not; calls of ``functions`` come as tool calls.

    A response is asked for as a chat completion, its items as messages: tools that OpenAI runs, and all else that no
    chat completion has, raise CaseError. The client knows its own answers by their ids (``previous_response_id``).

    A call that fails raises what ``model.generate_sync`` raises and none of the errors of ``openai``, so that no
    fallback of the application makes an answer of it; any other endpoint, and ``n`` above 1, raises CaseError, and so
    does a client that was made for another case, or for one that has ended. In any of these ways the case that asks is
    an error, also where the application catches it.

    Args:
        model: the fixture of the test that uses the client.
        embeddings: a client of the application's own, which makes its requests for embeddings: these are no calls of
            the model, and are neither recorded nor counted. Where one fails, CaseError is raised. Without it they are
            refused as any other endpoint is.

    Raises:
        TypeError: ``model`` is not the fixture, or ``embeddings`` is no client of OpenAI's that answers at once.
    """
    own = None if embeddings is None else EmbeddingsClient(embeddings, may_be_awaited=False)
    return _Client(http_client=http_client(Way(Asking(model, OpenAIApi(), own))), **client_settings("/v1"))


def async_openai_client(
    model: Model, *, embeddings: openai.AsyncOpenAI | openai.OpenAI | None = None
) -> openai.AsyncOpenAI:
    """Return such a client as ``openai_client``, for an application that awaits its answers.

    Args:
        model: the fixture.
        embeddings: as there; one that is not awaited waits in a thread.

    Raises:
        TypeError: ``model`` is not the fixture, or ``embeddings`` is no client of OpenAI's.
    """
    own = None if embeddings is None else EmbeddingsClient(embeddings, may_be_awaited=True)
    client = async_http_client(AsyncWay(Asking(model, OpenAIApi(), own)))
    return _AsyncClient(http_client=client, **client_settings("/v1"))


class _Client(Copied, openai.OpenAI):
    """The client that is handed out; before 3.14 the SDK raises an APIConnectionError from what the model raises."""


class _AsyncClient(Copied, openai.AsyncOpenAI):
    """The same, awaited."""
