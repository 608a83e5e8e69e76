"""Backend of models behind Anthropic's Messages API, over any transport."""

from collections.abc import Iterable, Mapping
from typing import Any

from pytest_llmeval.core.param_levels import bound_of
from pytest_llmeval.core.types import Message, Request, Response
from pytest_llmeval.models.anthropic.messages import translated_messages
from pytest_llmeval.models.anthropic.params import translated
from pytest_llmeval.models.anthropic.wire import read_message
from pytest_llmeval.models.http.backend import HttpBackend
from pytest_llmeval.models.http.transport import MESSAGES_PATH, Answer
from pytest_llmeval.models.message_keys import IN_PLACE, WHOLE
from pytest_llmeval.models.named import unsendable
from pytest_llmeval.models.params import DEFAULT_MAX_TOKENS

__all__ = ["AnthropicBackend"]

_SYSTEM_ROLES = frozenset({"system", "developer"})


class AnthropicBackend(HttpBackend):
    """Backend of one model on one server; implements ``core.protocols.Backend``."""

    path = MESSAGES_PATH

    def _params(self, request: Request) -> Mapping[str, Any]:
        """Return the parameters of a request; ``max_tokens`` is the only name of an answer's bound in this API."""
        params = dict(super()._params(request))
        bound = bound_of(params)
        params.pop("max_completion_tokens", None)
        return {**params, "max_tokens": DEFAULT_MAX_TOKENS[self._model.spec.kind] if bound is None else bound}

    def _data(self, request: Request, params: Mapping[str, Any]) -> dict[str, Any]:
        if "stream" in params:
            raise unsendable(self.name, "streams of this API are not read; remove 'stream' from params")
        try:
            told = translated(params)
        except ValueError as error:
            raise unsendable(self.name, str(error), "response_format") from None
        system = [message for message in request.messages if _is_system(message)]
        if system and "system" in told:
            raise unsendable(self.name, "'system' is in both params and the messages; keep one of them")
        data: dict[str, Any] = {"model": self._model.spec.name}
        try:
            if system:
                data["system"] = _system(system)
            data["messages"] = translated_messages(each for each in request.messages if not _is_system(each))
        except ValueError as error:
            raise unsendable(self.name, str(error)) from None
        return {**data, **told}

    def _read(self, answer: Answer) -> Response:
        return read_message(answer.body, self._redact)


def _is_system(message: Message) -> bool:
    """Return whether a message is part of the system prompt."""
    return message["role"] in _SYSTEM_ROLES and not message.get(IN_PLACE)


def _system(messages: Iterable[Message]) -> str | list[dict[str, Any]]:
    """Return the contents of the system messages: one text, or a list of blocks if any of them is a list.

    Raises:
        ValueError: a content is neither a text nor a list.
    """
    contents: list[Any] = [message.get(WHOLE) or message["content"] for message in messages]
    if not all(isinstance(content, str | list | tuple) for content in contents):
        raise ValueError("the content of a system message is neither a string nor a list of blocks")
    texts = [content for content in contents if isinstance(content, str)]
    if len(texts) == len(contents):
        return "\n\n".join(texts)
    blocks: list[dict[str, Any]] = []
    for content in contents:
        blocks += [{"type": "text", "text": content}] if isinstance(content, str) else content
    return blocks
