"""The classes of Anthropic's clients that are handed out. Importing this module imports the SDK and its HTTP client."""

from typing import Any

import anthropic

from pytest_llmeval.models.application.asking import Asking
from pytest_llmeval.models.application.transports import (
    AsyncWay,
    Copied,
    Way,
    async_http_client,
    client_settings,
    http_client,
)

__all__ = ["async_client", "client"]

_SETTINGS = {**client_settings(), "open_telemetry": False}  # it traces nothing


def client(asking: Asking) -> anthropic.Anthropic:
    """Return the client that asks so."""
    return _Client(http_client=http_client(_FailingWay(asking)), **_SETTINGS)


def async_client(asking: Asking) -> anthropic.AsyncAnthropic:
    """Return the same, awaited."""
    return _AsyncClient(http_client=async_http_client(_AsyncFailingWay(asking)), **_SETTINGS)


class _Client(Copied, anthropic.Anthropic):
    """The client that is handed out."""

    def request(self, *args: Any, **kwargs: Any) -> Any:
        """Return what a request gives; raise what the model raises."""
        try:
            return super().request(*args, **kwargs)
        except _FailedError as failed:
            error = failed.error
        raise error


class _AsyncClient(Copied, anthropic.AsyncAnthropic):
    """The same, awaited."""

    async def request(self, *args: Any, **kwargs: Any) -> Any:
        """Return what a request gives; raise what the model raises."""
        try:
            return await super().request(*args, **kwargs)
        except _FailedError as failed:
            error = failed.error
        raise error


class _FailedError(anthropic.AnthropicError):
    """What the model raised, on its way through the SDK, which retries all but its own errors, or wraps them."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class _FailingWay(Way):
    """To the model, whose errors come as the SDK's own."""

    def handle_request(self, request: Any) -> Any:
        """Return the answer."""
        try:
            return super().handle_request(request)
        except Exception as error:  # noqa: BLE001 - the client raises it again
            raise _FailedError(error) from None


class _AsyncFailingWay(AsyncWay):
    """The same, awaited."""

    async def handle_async_request(self, request: Any) -> Any:
        """Return the answer."""
        try:
            return await super().handle_async_request(request)
        except Exception as error:  # noqa: BLE001 - the client raises it again
            raise _FailedError(error) from None
