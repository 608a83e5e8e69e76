"""What Anthropic's clients ask a server for."""

import json
from dataclasses import dataclass
from typing import Any

from pytest_llmeval.core.errors import CaseError, ErrorKind
from pytest_llmeval.core.types import Message, Response
from pytest_llmeval.models.anthropic_wire import MESSAGES_PATH
from pytest_llmeval.models.application.asking import Asked, Posted, Sent, as_event, json_body
from pytest_llmeval.models.application.messages_answer import message_events, message_of
from pytest_llmeval.models.application.messages_request import MessageRequest, read_request
from pytest_llmeval.models.application.messages_threads import Threads

__all__ = ["AnthropicApi"]


class AnthropicApi:
    """Messages, of whose threads a server remembers what was said; implements ``asking.Api``."""

    def __init__(self) -> None:
        self._threads = Threads()

    def read(self, posted: Posted) -> Asked:
        """Return what a request asks for; raise CaseError where that is no message."""
        if posted.method != "POST" or posted.path != MESSAGES_PATH:
            told = f"{posted.method} {posted.path}: only messages go through the case's model; let the application use"
            raise CaseError(f"{told} a client of its own for anything else", kind=ErrorKind.CODE)
        body = json_body(posted)
        whole = self._threads.whole(body)
        return _AskedMessage(body=body, whole=whole, told=read_request(whole), threads=self._threads)


@dataclass(frozen=True, slots=True, kw_only=True)
class _AskedMessage:
    """The message that an application asks for; implements ``asking.Asked``."""

    body: dict[str, Any]
    """As it came."""
    whole: dict[str, Any]
    """The same with what was said before."""
    told: MessageRequest
    """That in the words of the OpenAI protocol."""
    threads: Threads

    @property
    def messages(self) -> list[Message]:
        """Of a chat."""
        return self.told.messages

    @property
    def params(self) -> dict[str, Any]:
        """Those that are sent."""
        return self.told.params

    def answer(self, response: Response, name: str) -> Sent:
        """Return a response as Anthropic would send it, from a model of that name."""
        message = message_of(self.told, response, name)
        self.threads.keep(self.body, self.whole, message)
        if not self.told.is_streamed:
            return Sent(text=json.dumps(message))
        return Sent.events(as_event(json.dumps(event), event["type"]) for event in message_events(message))
