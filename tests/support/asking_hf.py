"""Calls to an ``hf:`` model of this process, from a test that is not async."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from pytest_llmeval.core.errors import CallError
from pytest_llmeval.core.protocols import Backend
from pytest_llmeval.core.types import Message, Request, Response
from pytest_llmeval.models.hf.host import HfModels
from pytest_llmeval.models.http.retry import RetryPolicy
from pytest_llmeval.models.named import resolve_model
from pytest_llmeval.models.registry import Hosts, open_model

__all__ = ["answers", "opened", "refusal"]

Texts = Sequence[str | Sequence[Message]]


def opened(models: HfModels, spec: str, *, timeout_s: float = 60) -> Backend:
    """Return a model in memory."""
    model = resolve_model(spec, {})
    assert model.spec.weights is not None
    models.load(model.spec.weights, lambda line: None)
    return open_model(model, environ={}, hosts=Hosts(hf=models), policy=RetryPolicy(timeout_s=timeout_s))


def answers(backend: Backend, texts: Texts, params: Sequence[Mapping[str, Any]] | None = None) -> list[Response]:
    """Return the answers to requests that are made at once; ``params`` are of each, 12 tokens without."""
    chosen = params or [{"max_tokens": 12}] * len(texts)

    async def ask() -> list[Response]:
        asked = [backend.complete(_request(text, each)) for text, each in zip(texts, chosen, strict=True)]
        return await asyncio.gather(*asked)

    return asyncio.run(ask())


def refusal(backend: Backend, text: str | Sequence[Message] = "hi", **params: Any) -> CallError:
    """Return the error of one request."""
    with pytest.raises(CallError) as caught:
        answers(backend, [text], [params])
    return caught.value


def _request(text: str | Sequence[Message], params: Mapping[str, Any]) -> Request:
    messages = ({"role": "user", "content": text},) if isinstance(text, str) else tuple(text)
    return Request(messages=messages, params=params)  # type: ignore[arg-type]
