"""Anthropic's own clients, whose messages are calls of a case."""

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
    """Return a client for an application under test: the messages that it creates are calls of ``model``.

    It is Anthropic's own class, with streams, structured answers, tools and its tool runner. Nothing of it leaves the
    process but through ``model``: the case's model answers, whatever ``model`` the application names, and the message
    says which one did. Where that is one of OpenAI's protocol, messages and parameters are told in its words; what it
    has none for is sent as it is. Parameters go over those of the marker; headers (and so ``betas``), query and timeout
    of the application go nowhere. A stream comes once its answer is whole.

    A call that fails raises what ``model.generate_sync`` raises and none of the errors of ``anthropic``, so that no
    fallback of the application makes an answer of it; any other endpoint (``count_tokens``, batches, files) raises
    CaseError, and so does a call of a tool whose arguments are no JSON object, and a client that was made for another
    case, or for one that has ended. In any of these ways the case that asks is an error, also where the application
    catches it.

    Args:
        model: the fixture of the test that uses the client.

    Raises:
        ModelError: the extra ``anthropic`` is not installed.
    """
    with _importing():
        from pytest_llmeval.models.application.anthropic_classes import client
    return client(Asking(model, AnthropicApi()))


def async_anthropic_client(model: Model) -> "AsyncAnthropic":
    """Return such a client as ``anthropic_client``, for an application that awaits its answers.

    Args:
        model: the fixture.

    Raises:
        ModelError: as ``anthropic_client``.
    """
    with _importing():
        from pytest_llmeval.models.application.anthropic_classes import async_client
    return async_client(Asking(model, AnthropicApi()))


@contextmanager
def _importing() -> Iterator[None]:
    """Say which extra to install, where the SDK is not."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name != "anthropic":
            raise
        raise ModelError("clients of Anthropic need an extra: pip install 'pytest-llmeval[anthropic]'") from None
