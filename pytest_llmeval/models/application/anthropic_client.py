"""Clients of Anthropic's SDK for applications under test: their messages become model calls of the case."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.core.protocols import Model
from pytest_llmeval.models.application.anthropic_api import AnthropicApi
from pytest_llmeval.models.application.asking import Asking

if TYPE_CHECKING:
    from anthropic import Anthropic, AsyncAnthropic

__all__ = ["anthropic_client", "async_anthropic_client"]


def anthropic_client(model: Model) -> "Anthropic":
    """Return a client for an application under test: each message that it creates is a call of ``model``.

    The client is of Anthropic's own class, with streams, structured answers, tools and the tool runner. Its requests
    leave the process only through ``model``: the case's model answers, whichever ``model`` the application names, and
    the message says which one did. For a model behind OpenAI's protocol, messages and parameters are translated; what
    that protocol has no counterpart for is sent unchanged. Parameters override those of the marker. Headers (including
    ``betas``), query and timeout of the application are ignored. A stream arrives once its answer is complete.

    A failed call raises the exception of ``model.generate_sync`` and none of the errors of ``anthropic``, so that no
    fallback of the application turns it into an answer. Any other endpoint (``count_tokens``, batches, files) raises
    CaseError. So do a tool call whose arguments are not a JSON object, and a client that was made for another case, or
    for one that has ended. Each of these failures makes the calling case an error, even if the application catches the
    exception.

    Args:
        model: the ``model`` fixture of the test that uses the client.

    Raises:
        ModelError: the extra ``anthropic`` is not installed.
    """
    with _importing():
        from pytest_llmeval.models.application.anthropic_classes import client
    return client(Asking(model, AnthropicApi()))


def async_anthropic_client(model: Model) -> "AsyncAnthropic":
    """Return an async client, for an application that awaits its answers; otherwise like ``anthropic_client``.

    Args:
        model: the ``model`` fixture of the test that uses the client.

    Raises:
        ModelError: the extra ``anthropic`` is not installed.
    """
    with _importing():
        from pytest_llmeval.models.application.anthropic_classes import async_client
    return async_client(Asking(model, AnthropicApi()))


@contextmanager
def _importing() -> Iterator[None]:
    """Raise ModelError, which names the extra to install, if the SDK is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name != "anthropic":
            raise
        raise ModelError("clients of Anthropic need an extra: pip install 'pytest-llmeval[anthropic]'") from None
