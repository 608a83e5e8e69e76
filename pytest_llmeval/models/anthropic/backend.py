"""A model behind the Messages API of Anthropic, over any transport."""

from collections.abc import Iterable, Mapping
from json import dumps
from typing import Any

from pytest_llmeval.core.param_levels import bound_of, laid_over
from pytest_llmeval.core.types import Message, Request, Response
from pytest_llmeval.models.anthropic.messages import translated_messages
from pytest_llmeval.models.anthropic.params import translated
from pytest_llmeval.models.anthropic.wire import read_message
from pytest_llmeval.models.http.backend import HttpBackend
from pytest_llmeval.models.http.transport import MESSAGES_PATH, Answer
from pytest_llmeval.models.message_keys import IN_PLACE, WHOLE
from pytest_llmeval.models.named import NamedModel, unsendable, why_unsendable
from pytest_llmeval.models.params import DEFAULT_MAX_TOKENS

__all__ = ["AnthropicBackend", "sent_params"]

_SYSTEM_ROLES = frozenset({"system", "developer"})


class AnthropicBackend(HttpBackend):
    """One model of one server; implements ``core.protocols.Backend``."""

    path = MESSAGES_PATH

    async def complete(self, request: Request) -> Response:
        """Return the answer to ``request``, with attempts, latency and cost, or raise CallError."""
        body = _body(self._model, request)
        return await self._complete_with(lambda: self._attempt(body))

    def _params(self, request: Request) -> Mapping[str, Any]:
        return sent_params(self._model, request)

    def _read(self, answer: Answer) -> Response:
        return read_message(answer.body, self._redact)


def sent_params(model: NamedModel, request: Request) -> dict[str, Any]:
    """Return the parameters of a request; the API knows the bound of an answer as ``max_tokens`` alone."""
    params = laid_over(model.params, request.params)
    bound = bound_of(params)
    params.pop("max_completion_tokens", None)
    return {**params, "max_tokens": DEFAULT_MAX_TOKENS[model.spec.kind] if bound is None else bound}


def _body(model: NamedModel, request: Request) -> bytes:
    """Return the request as ASCII JSON, so that lone surrogates of a prompt are sent as they are.

    Raises:
        CallError: of kind ``bad_request``, where it cannot be sent as it is.
    """
    params = sent_params(model, request)
    problem = why_unsendable(params)
    if problem is not None:
        raise unsendable(model.name, problem)
    if "stream" in params:
        raise unsendable(model.name, "streams of this API are not read; remove 'stream' from params")
    try:
        params = translated(params)
    except ValueError as error:
        raise unsendable(model.name, str(error), "response_format") from None
    system = [message for message in request.messages if _is_system(message)]
    if system and "system" in params:
        raise unsendable(model.name, "'system' stands in params and in the messages; keep one of them")
    data: dict[str, Any] = {"model": model.spec.name}
    if system:
        data["system"] = _system(model, system)
    said = (message for message in request.messages if not _is_system(message))
    try:
        data["messages"] = _told(model, said)
        return dumps({**data, **params}, allow_nan=False).encode("ascii")
    except (TypeError, ValueError, RecursionError) as error:
        raise unsendable(model.name, f"messages or params cannot be sent as JSON: {error}") from None


def _is_system(message: Message) -> bool:
    """Return whether a message is part of the system prompt."""
    return message["role"] in _SYSTEM_ROLES and not message.get(IN_PLACE)


def _told(model: NamedModel, messages: Iterable[Message]) -> list[dict[str, Any]]:
    """Return the messages in the words of the API."""
    try:
        return translated_messages(messages)
    except ValueError as error:
        raise unsendable(model.name, str(error)) from None


def _system(model: NamedModel, messages: Iterable[Message]) -> str | list[dict[str, Any]]:
    """Return the contents of the system messages: one text, or a list of blocks where one of them is a list."""
    contents: list[Any] = [message.get(WHOLE) or message["content"] for message in messages]
    if not all(isinstance(content, str | list | tuple) for content in contents):
        raise unsendable(model.name, "the content of a system message is neither a text nor a list of blocks")
    texts = [content for content in contents if isinstance(content, str)]
    if len(texts) == len(contents):
        return "\n\n".join(texts)
    blocks: list[dict[str, Any]] = []
    for content in contents:
        blocks += [{"type": "text", "text": content}] if isinstance(content, str) else content
    return blocks
