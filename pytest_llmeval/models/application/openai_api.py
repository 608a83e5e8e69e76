"""What OpenAI's clients ask a server for."""

import json
from dataclasses import dataclass
from typing import Any

from pytest_llmeval.core.errors import CaseError, ErrorKind
from pytest_llmeval.core.types import Message, Response
from pytest_llmeval.models.application.asking import Asked, Posted, Sent, as_event, json_body
from pytest_llmeval.models.application.completions import AskedCompletion
from pytest_llmeval.models.application.responses_answer import response_object
from pytest_llmeval.models.application.responses_events import events
from pytest_llmeval.models.application.responses_request import RESPONSES_PATH, Answered, ResponseRequest, read_request
from pytest_llmeval.models.wire import CHAT_PATH

__all__ = ["OpenAIApi"]


class OpenAIApi:
    """Chat completions, and responses, of which a server remembers those that it gave; implements ``asking.Api``."""

    def __init__(self) -> None:
        self._answered = Answered()

    def read(self, posted: Posted) -> Asked:
        """Return what a request asks for; raise CaseError where that is no one answer of a model."""
        if posted.method == "POST" and posted.path.endswith(RESPONSES_PATH):
            return _AskedResponse(told=read_request(json_body(posted), self._answered), answered=self._answered)
        if posted.method == "POST" and posted.path.endswith(CHAT_PATH):
            return AskedCompletion.read(json_body(posted))
        what = f"{posted.method} {posted.path}"
        told = f"{what}: only making chat completions and responses goes through the case's model"
        raise CaseError(f"{told}; let the application use a client of its own for anything else", kind=ErrorKind.CODE)


@dataclass(frozen=True, slots=True, kw_only=True)
class _AskedResponse:
    """The response that an application asks for; implements ``asking.Asked``."""

    told: ResponseRequest
    answered: Answered
    """So far."""

    @property
    def messages(self) -> list[Message]:
        """Of the chat completion in its place."""
        return self.told.messages

    @property
    def params(self) -> dict[str, Any]:
        """Those that are sent."""
        return self.told.params

    def answer(self, response: Response, name: str) -> Sent:
        """Return a response as OpenAI would send it, from a model of that name; it is known by its id from now on."""
        whole = response_object(self.told, response, name)
        if self.told.body.get("store") is not False:
            self.answered.keep(whole["id"], self.told.items, whole["output"])
        if not self.told.body.get("stream"):
            return Sent(text=json.dumps(whole))
        return Sent.events(as_event(json.dumps(event), event["type"]) for event in events(whole))
