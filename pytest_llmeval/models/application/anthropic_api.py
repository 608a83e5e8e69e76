"""Server side of Anthropic's Messages API, for requests of an application under test."""

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
    """The Messages API, including threads, whose earlier messages it remembers; implements ``asking.Api``."""

    def __init__(self) -> None:
        self._threads = Threads()

    def read(self, posted: Posted) -> Asked:
        """Return the request as a chat; raise CaseError if it does not ask for a message."""
        if posted.method != "POST" or posted.path != MESSAGES_PATH:
            message = (
                f"{posted.method} {posted.path}: only messages go through the case's model; let the application use"
            )
            raise CaseError(f"{message} its own client for everything else", kind=ErrorKind.CODE)
        body = json_body(posted)
        whole = self._threads.whole(body)
        asked = read_request(whole)
        return Asked(messages=asked.messages, params=asked.params, answer=partial(self._message, body, whole, asked))

    def _message(
        self, body: Mapping[str, Any], whole: Mapping[str, Any], asked: MessageRequest, response: Response, name: str
    ) -> Sent:
        """Return a response in the form in which Anthropic would send it.

        Args:
            body: body of the request.
            whole: the body with the earlier messages of its thread.
            asked: the request in OpenAI's format.
            response: the model's response.
            name: the model's name.
        """
        message = message_of(asked, response, name)
        self._threads.keep(body, whole, message)
        if not asked.is_streamed:
            return Sent(text=json.dumps(message))
        return Sent.events(as_event(json.dumps(event), event["type"]) for event in message_events(message))
