"""What the fixture ``model`` hands to a test: one model, bound to the case that uses it."""

import asyncio
from typing import Any

from pytest_llmeval.bridge.cases import CaseRun, Eval
from pytest_llmeval.core.errors import CallError
from pytest_llmeval.core.loop import LoopThread
from pytest_llmeval.core.transport import plain
from pytest_llmeval.core.types import Backend, Call, Message, Request, Response
from pytest_llmeval.loaders.prompts import as_messages

__all__ = ["CaseModel"]


class CaseModel:
    """A model in one case: it knows the case's prompt and records every call."""

    def __init__(self, backend: Backend, *, eval_: Eval, run: CaseRun, loop: LoopThread) -> None:
        self._backend = backend
        self._eval = eval_
        self._run = run
        self._loop = loop

    def __repr__(self) -> str:
        return f"<model {self.name}>"

    @property
    def name(self) -> str:
        """The model's name, as it stands in node ids."""
        return self._backend.name

    async def generate(self, messages: str | list[Message] | None = None, **params: Any) -> Response:
        """Return the model's answer; None sends the case's own prompt, anything else is sent as it is.

        Args:
            messages: a string (one user message), a list of chat messages, or None.
            params: sampling parameters over those of the marker.

        Raises:
            CallError: the call failed after its retries; uncaught, it makes the case an error and not a miss.
            PromptError: ``messages`` are none.
        """
        request = self._request(messages, params)
        if self._loop.is_current():
            return await self._ask(request)
        return await asyncio.wrap_future(self._loop.submit(self._ask(request)))

    def generate_sync(self, messages: str | list[Message] | None = None, **params: Any) -> Response:
        """Return the model's answer, as ``generate`` does, from a test that is not async."""
        return self._loop.run(self._ask(self._request(messages, params)))

    def _request(self, messages: str | list[Message] | None, params: dict[str, Any]) -> Request:
        chat = self._eval.prompt.render(self._run.sample) if messages is None else as_messages(messages, "messages")
        return Request(messages=chat, params={**self._eval.params, **params})

    async def _ask(self, request: Request) -> Response:
        try:
            response = await self._backend.complete(request)
        except CallError as error:
            self._run.calls.append(self._failed(request, error))
            raise
        self._run.calls.append(self._answered(request, response))
        return response

    def _answered(self, request: Request, response: Response) -> Call:
        return Call(
            role="model",
            model=self.name,
            request=plain(request),
            response=response.text,
            status="ok",
            attempts=response.attempts,
            latency_s=response.latency_s,
            input_tokens=response.usage.input_tokens,
            output_tokens=response.usage.output_tokens,
            cost_usd=response.cost_usd,
            cached=response.cached,
        )

    def _failed(self, request: Request, error: CallError) -> Call:
        return Call(
            role="model",
            model=self.name,
            request=plain(request),
            response=None,
            status=str(error.kind),
            attempts=error.attempts,
            latency_s=error.latency_s,
            input_tokens=None,
            output_tokens=None,
            cost_usd=None,
        )
