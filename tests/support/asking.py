"""One call to a model, from a test that is not async."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from pytest_llmeval.core.errors import CallError
from pytest_llmeval.core.types import Request, Response
from pytest_llmeval.models.http.retry import RetryPolicy
from pytest_llmeval.models.named import NamedModel, resolve_model
from pytest_llmeval.models.registry import open_model
from tests.support.fault_server import FaultServer

__all__ = ["FAST", "Ask", "Fail", "ask_model", "failure", "sent"]

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


def failure(model: NamedModel | str, text: str = "hello", **options: Any) -> CallError:
    """Return the error with which a call to ``model`` ends."""
    with pytest.raises(CallError) as caught:
        ask_model(model, text, **options)
    return caught.value


def sent(server: FaultServer) -> dict[str, str]:
    """Return the headers of the only request."""
    (entry,) = server.ledger
    return entry.headers
