"""OpenAI's own clients, whose chat completions and responses are calls of a case.

Importing this module imports the SDK and its HTTP client.
"""

import json
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, Self, runtime_checkable

import httpx2
import openai

from pytest_llmeval.core.errors import CaseError, ErrorKind
from pytest_llmeval.core.protocols import Model
from pytest_llmeval.core.text import shown_value
from pytest_llmeval.core.types import Message, Response, ToolCall
from pytest_llmeval.models.assistant_message import assistant_message, call_id
from pytest_llmeval.models.responses_answer import response_object
from pytest_llmeval.models.responses_events import events
from pytest_llmeval.models.responses_request import RESPONSES_PATH, Answered, ResponseRequest, read_request
from pytest_llmeval.models.responses_tools import custom_names
from pytest_llmeval.models.wire import CHAT_PATH

__all__ = ["async_openai_client", "openai_client"]

_SETTINGS: dict[str, Any] = {
    "api_key": "not-needed",
    "base_url": "http://llmeval.invalid/v1",  # a name that never resolves: https://www.rfc-editor.org/rfc/rfc6761
    "max_retries": 0,
    "timeout": None,
}
"""Of both clients; deadlines and retries are those of the model's calls."""
_RETRIES = "x-stainless-retry-count"
"""The header in which the SDK says how often it has tried a request before."""


def openai_client(model: Model) -> openai.OpenAI:
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
    """
    return _Client(http_client=httpx2.Client(transport=_Way(_fixture(model)), trust_env=False), **_SETTINGS)


def async_openai_client(model: Model) -> openai.AsyncOpenAI:
    """Return such a client as ``openai_client``, for an application that awaits its answers.

    Args:
        model: the fixture.
    """
    client = httpx2.AsyncClient(transport=_AsyncWay(_fixture(model)), trust_env=False)
    return _AsyncClient(http_client=client, **_SETTINGS)


def _fixture(model: Model) -> Model:
    """Return ``model``; raise TypeError where it is the name of one, which clients of other libraries take."""
    if isinstance(model, str):
        raise TypeError(f"a client takes the fixture `model`, found {shown_value(model)}; --model names what it asks")
    return model


@runtime_checkable
class _OfCase(Protocol):
    """A model that knows its case."""

    def refuse(self, error: Exception) -> None:
        """Make the case an error, whatever becomes of the exception."""


class _Copied:
    """Itself in each deep copy: frameworks copy what they are given, and no client of the SDK survives that."""

    def __deepcopy__(self, memo: object) -> Self:
        return self


class _Client(_Copied, openai.OpenAI):
    """The client that is handed out."""


class _AsyncClient(_Copied, openai.AsyncOpenAI):
    """The same, awaited."""


class _Asking:
    """The model that is asked in place of a server, and the case behind it."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._answered = Answered()
        """By responses."""
        self._failed: dict[bytes, Exception] = {}
        """What came of the requests that failed, by their bodies."""

    @contextmanager
    def _request(self, request: httpx2.Request) -> Iterator["_Asked | _AskedResponse"]:
        """Give what a request asks for, and tell the case of all that is raised: who catches it would be scored else.

        SDKs before 3.14 retry whatever is raised, where the application says how often: they meet the same once more.
        """
        asked = None
        try:
            asked = _asked(request, self._answered)
            if request.headers.get(_RETRIES, "0") != "0" and asked.body in self._failed:
                raise self._failed[asked.body]
            yield asked
        except Exception as error:
            if asked is not None:
                self._failed[asked.body] = error
            if isinstance(self._model, _OfCase):
                self._model.refuse(error)
            raise


class _Way(_Asking, httpx2.BaseTransport):
    """To the model."""

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Return the answer; what the model raises the SDK lets through, as it is no error of its HTTP client.

        Before 3.14 it raises an APIConnectionError from it.
        """
        with self._request(request) as asked:
            return asked.answer(self._model.generate_sync(asked.messages, **asked.params), self._model.name)


class _AsyncWay(_Asking, httpx2.AsyncBaseTransport):
    """The same, awaited."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Return the answer; raise as ``_Way`` does."""
        with self._request(request) as asked:
            return asked.answer(await self._model.generate(asked.messages, **asked.params), self._model.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """The chat completion that an application asked for."""

    body: bytes
    """As the SDK wrote it."""
    messages: list[Message]
    params: dict[str, Any]
    """Those that are sent."""
    is_streamed: bool
    wants_usage: bool
    """At the end of its stream."""

    def answer(self, response: Response, name: str) -> httpx2.Response:
        """Return a response as OpenAI would send it, from a model of that name."""
        return _answer(self, response, name)


@dataclass(frozen=True, slots=True, kw_only=True)
class _AskedResponse:
    """The response that an application asked for."""

    body: bytes
    """As the SDK wrote it."""
    told: ResponseRequest
    answered: Answered
    """By this client, so far."""

    @property
    def messages(self) -> list[Message]:
        """Of the chat completion in its place."""
        return self.told.messages

    @property
    def params(self) -> dict[str, Any]:
        """Those that are sent."""
        return self.told.params

    def answer(self, response: Response, name: str) -> httpx2.Response:
        """Return a response as OpenAI would send it, from a model of that name; it is known by its id from now on."""
        whole = response_object(self.told, response, name)
        if self.told.body.get("store") is not False:
            self.answered.keep(whole["id"], self.told.items, whole["output"])
        if not self.told.body.get("stream"):
            return _sent(json.dumps(whole), "application/json")
        told = [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events(whole)]
        return _sent("".join(told), "text/event-stream")


def _asked(request: httpx2.Request, answered: Answered) -> _Asked | _AskedResponse:
    """Return what a request of the SDK asks for; raise CaseError where that is no single answer of a model."""
    path = request.url.path
    if request.method == "POST" and path.endswith(RESPONSES_PATH):
        told = read_request(json.loads(request.content), answered)
        return _AskedResponse(body=request.content, told=told, answered=answered)
    if request.method != "POST" or not path.endswith(CHAT_PATH):
        problem = f"{request.method} {path}: only chat completions and responses go through the case's model;"
        todo = "let the application use a client of its own for anything else"
        raise CaseError(f"{problem} {todo}", kind=ErrorKind.CODE)
    return _asked_completion(request)


def _asked_completion(request: httpx2.Request) -> _Asked:
    """Return what a request for a chat completion asks for; raise CaseError where it is for several choices."""
    body = json.loads(request.content)
    choices = body.pop("n", None)  # 1 is what goes without saying, and not each server takes it
    if choices not in (None, 1):
        told = f"n={choices!r}: the case's model gives one answer to a request; let the application ask once for each"
        raise CaseError(told, kind=ErrorKind.CODE)
    messages = [_with_content(message) for message in body.pop("messages", None) or ()]
    body.pop("model", None)
    options = body.pop("stream_options", None) or {}
    return _Asked(
        body=request.content,
        messages=messages,
        is_streamed=bool(body.pop("stream", False)),
        wants_usage=bool(options.get("include_usage")),
        params=body,
    )


def _with_content(message: Any) -> Any:
    """Return a message as ``Message`` has it: to OpenAI one that calls tools may lack its content."""
    return {"content": None, **message} if isinstance(message, dict) and "tool_calls" in message else message


def _answer(asked: _Asked, response: Response, name: str) -> httpx2.Response:
    """Return a response as OpenAI would send it, from a model of that name."""
    message = _message(asked, response)
    whole = {
        "id": "chatcmpl-llmeval",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": response.model or name,
        "system_fingerprint": response.system_fingerprint,
        "choices": [{"index": 0, "message": message, "finish_reason": response.finish_reason}],
        "usage": _usage(response),
    }
    if not asked.is_streamed:
        return _sent(json.dumps(whole), "application/json")
    events = ["data: " + json.dumps(chunk) for chunk in _chunks(whole, message, wants_usage=asked.wants_usage)]
    return _sent("\n\n".join([*events, "data: [DONE]", ""]), "text/event-stream")


def _sent(text: str, content_type: str) -> httpx2.Response:
    return httpx2.Response(200, content=text.encode("ascii"), headers={"Content-Type": content_type})


def _chunks(whole: dict[str, Any], message: dict[str, Any], *, wants_usage: bool) -> list[dict[str, Any]]:
    """Return the events of a stream: one with all of the answer, and one with the tokens where they are asked for."""
    delta = dict(message)
    if "tool_calls" in delta:
        delta["tool_calls"] = [{"index": index, **call} for index, call in enumerate(delta["tool_calls"])]
    choice = {"index": 0, "delta": delta, "finish_reason": whole["choices"][0]["finish_reason"]}
    chunk = {**whole, "object": "chat.completion.chunk", "choices": [choice], "usage": None}
    return [chunk, {**chunk, "choices": [], "usage": whole["usage"]}] if wants_usage else [chunk]


def _message(asked: _Asked, response: Response) -> dict[str, Any]:
    """Return what the model said."""
    custom = custom_names(asked.params)
    calls = [_tool_call(call, call_id(asked.messages, at), custom) for at, call in enumerate(response.tool_calls)]
    return assistant_message(response.text, refusal=response.refusal, calls=calls, extra=response.extra)


def _tool_call(call: ToolCall, id_: str, custom: Collection[str]) -> dict[str, Any]:
    if call.name in custom:
        return {"id": id_, "type": "custom", "custom": {"name": call.name, "input": call.arguments}}
    return {"id": id_, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _usage(response: Response) -> dict[str, int] | None:
    """Return the tokens; None where one of the counts is not known."""
    asked, said = response.usage.input_tokens, response.usage.output_tokens
    if asked is None or said is None:
        return None
    return {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}
