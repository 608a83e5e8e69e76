"""One call to a model, from a test that is not async."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from pytest_llmeval.core.errors import CallError
from pytest_llmeval.core.types import Request, Response
from pytest_llmeval.models.http.retry import RetryPolicy
from pytest_llmeval.models.local.host import EmbeddedModel
from pytest_llmeval.models.local.server import LocalServer
from pytest_llmeval.models.named import NamedModel, resolve_model
from pytest_llmeval.models.registry import Hosts, open_model
from pytest_llmeval.models.weights_spec import WeightsSpec
from tests.support.fault_server import FaultServer

__all__ = ["FAST", "Ask", "Fail", "ask_model", "embedded_at", "failure", "sent"]

Ask = Callable[..., Response]
"""``ask_model``, over one of the transports."""
Fail = Callable[..., CallError]
"""``failure``, over one of the transports."""

FAST = RetryPolicy(timeout_s=20, base_s=0.01, cap_s=0.02)
"""The defaults, with pauses that a test can wait for."""


def ask_model(
    model: NamedModel | str,
    text: str = "hello",
    *,
    environ: Mapping[str, str] | None = None,
    params: Mapping[str, Any] | None = None,
    **options: Any,
) -> Response:
    """Return the answer of ``model`` to one user message, in an event loop of its own."""
    if isinstance(model, str):
        model = resolve_model(model, {})
    options.setdefault("policy", FAST)
    backend = open_model(model, environ=environ or {}, **options)

    async def call() -> Response:
        try:
            return await backend.complete(Request(messages=({"role": "user", "content": text},), params=params or {}))
        finally:
            await backend.aclose()

    return asyncio.run(call())


class _ServerAt(LocalServer):
    """One that somebody else runs, or that is not there."""

    def __init__(self, base_url: str, api_key: str) -> None:
        self.base_url, self.api_key = base_url, api_key

    def why_gone(self) -> str | None:
        return None


def embedded_at(base_url: str, api_key: str, adapters: Sequence[WeightsSpec] = ()) -> Hosts:
    """Return what asks the embedded model at an address."""
    return Hosts(local=EmbeddedModel(_ServerAt(base_url, api_key), adapters))


def failure(model: NamedModel | str, text: str = "hello", **options: Any) -> CallError:
    """Return the error with which a call to ``model`` ends."""
    with pytest.raises(CallError) as caught:
        ask_model(model, text, **options)
    return caught.value


def sent(server: FaultServer) -> dict[str, str]:
    """Return the headers of the only request."""
    (entry,) = server.ledger
    return entry.headers
