"""What Anthropic's clients ask a server for."""

import json
from collections.abc import Mapping
from functools import partial
from typing import Any

from pytest_llmeval.core.errors import CaseError, ErrorKind
from pytest_llmeval.core.types import Response
from pytest_llmeval.models.application.asking import Asked
from pytest_llmeval.models.application.messages_answer import message_events, message_of
from pytest_llmeval.models.application.messages_request import MessageRequest, read_request
from pytest_llmeval.models.application.messages_threads import Threads
from pytest_llmeval.models.application.posted import Posted, Sent, as_event, json_body
from pytest_llmeval.models.http.transport import MESSAGES_PATH

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
        asked = read_request(whole)
        return Asked(messages=asked.messages, params=asked.params, answer=partial(self._message, body, whole, asked))

    def _message(
        self, body: Mapping[str, Any], whole: Mapping[str, Any], asked: MessageRequest, response: Response, name: str
    ) -> Sent:
        """Return a response as Anthropic would send it.

        Args:
            body: of the request.
            whole: the same with what was said before.
            asked: that in the words of the OpenAI protocol.
            response: of the model.
            name: the model's.
        """
        message = message_of(asked, response, name)
        self._threads.keep(body, whole, message)
        if not asked.is_streamed:
            return Sent(text=json.dumps(message))
        return Sent.events(as_event(json.dumps(event), event["type"]) for event in message_events(message))
