"""Server side of OpenAI's chat completions and Responses API, for requests of an application under test."""

import json
from functools import partial

from pytest_llmeval.core.errors import CaseError, ErrorKind
from pytest_llmeval.core.types import Response
from pytest_llmeval.models.application.asking import Asked
from pytest_llmeval.models.application.completions import CompletionRequest
from pytest_llmeval.models.application.embeddings import EMBEDDINGS_PATH
from pytest_llmeval.models.application.posted import Posted, Sent, as_event, json_body
from pytest_llmeval.models.application.responses_answer import response_object
from pytest_llmeval.models.application.responses_events import events
from pytest_llmeval.models.application.responses_request import Answered, ResponseRequest, read_request
from pytest_llmeval.models.http.transport import CHAT_PATH, RESPONSES_PATH

__all__ = ["OpenAIApi"]

_EMBEDDINGS = "for embeddings pass an OpenAI client: `embeddings=client`, next to `model`"
_ELSEWHERE = "let the application use its own client for everything else"


class OpenAIApi:
    """Chat completions, and responses, which it remembers by their ids; implements ``asking.Api``."""

    def __init__(self) -> None:
        self._answered = Answered()

    def read(self, posted: Posted) -> Asked:
        """Return the request as a chat; raise CaseError if it asks for anything but one answer of a model."""
        if posted.method == "POST" and posted.path.endswith(RESPONSES_PATH):
            told = read_request(json_body(posted), self._answered)
            return Asked(messages=told.messages, params=told.params, answer=partial(self._respond, told))
        if posted.method == "POST" and posted.path.endswith(CHAT_PATH):
            asked = CompletionRequest.read(json_body(posted))
            return Asked(messages=asked.messages, params=asked.params, answer=asked.answer)
        what = f"{posted.method} {posted.path}: only chat completions and responses go through the case's"
        instead = _EMBEDDINGS if posted.path.endswith(EMBEDDINGS_PATH) else _ELSEWHERE
        raise CaseError(f"{what} model; {instead}", kind=ErrorKind.CODE)

    def _respond(self, asked: ResponseRequest, response: Response, name: str) -> Sent:
        """Return a response in the form in which OpenAI would send it, and remember it by its id."""
        whole = response_object(asked, response, name)
        self._answered.note(whole["output"])
        if asked.body.get("store") is not False:
            self._answered.keep(whole["id"], asked.items, whole["output"])
        if not asked.body.get("stream"):
            return Sent(text=json.dumps(whole))
        return Sent.events(as_event(json.dumps(event), event["type"]) for event in events(whole))
