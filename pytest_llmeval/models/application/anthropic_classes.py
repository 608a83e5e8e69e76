"""Subclasses of Anthropic's clients for applications. Importing this module imports the SDK and its HTTP client."""

from typing import Any

import anthropic

from pytest_llmeval.models.application.asking import Asking
from pytest_llmeval.models.application.transports import (
    AsyncCaseTransport,
    CaseTransport,
    Copied,
    async_http_client,
    client_settings,
    http_client,
)

__all__ = ["async_client", "client"]

_SETTINGS = {**client_settings(), "open_telemetry": False}  # no tracing


def client(asking: Asking) -> anthropic.Anthropic:
    """Return a client whose requests are answered by ``asking``."""
    return _Client(http_client=http_client(_FailingTransport(asking)), **_SETTINGS)


def async_client(asking: Asking) -> anthropic.AsyncAnthropic:
    """Return the async counterpart of ``client``."""
    return _AsyncClient(http_client=async_http_client(_AsyncFailingTransport(asking)), **_SETTINGS)


class _Client(Copied, anthropic.Anthropic):
    """The client for applications."""

    def request(self, *args: Any, **kwargs: Any) -> Any:
        """Return the result of a request; raise the model's own exception if it fails."""
        try:
            return super().request(*args, **kwargs)
        except _FailedError as failed:
            error = failed.error
        raise error


class _AsyncClient(Copied, anthropic.AsyncAnthropic):
    """The async client for applications."""

    async def request(self, *args: Any, **kwargs: Any) -> Any:
        """Return the result of a request; raise the model's own exception if it fails."""
        try:
            return await super().request(*args, **kwargs)
        except _FailedError as failed:
            error = failed.error
        raise error


class _FailedError(anthropic.AnthropicError):
    """Carries an exception of the model through the SDK, which retries or wraps all exceptions but its own."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class _FailingTransport(CaseTransport):
    """The transport to the model; it raises the model's exceptions as one of the SDK's own."""

    def handle_request(self, request: Any) -> Any:
        """Return the answer."""
        try:
            return super().handle_request(request)
        except Exception as error:  # noqa: BLE001 - the client raises it again
            raise _FailedError(error) from None


class _AsyncFailingTransport(AsyncCaseTransport):
    """The async counterpart of ``_FailingTransport``."""

    async def handle_async_request(self, request: Any) -> Any:
        """Return the answer."""
        try:
            return await super().handle_async_request(request)
        except Exception as error:  # noqa: BLE001 - the client raises it again
            raise _FailedError(error) from None
