"""What vendors call a filter, the end of the context and the like, in the words of their own that are not OpenAI's."""

import json

import pytest

from pytest_llmeval.core.attempt_error import AttemptError
from pytest_llmeval.core.errors import ErrorKind
from pytest_llmeval.core.types import Response
from pytest_llmeval.models.anthropic.wire import read_message
from pytest_llmeval.models.http.errors import read_failure
from pytest_llmeval.models.named import resolve_model
from tests.models.chat.test_wire import NOW, plain, read
from tests.support.asking import failure
from tests.support.chat_bodies import completion
from tests.support.responses_server import ONLY_HERE, ResponsesServer


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"code": "content_filter"}, ErrorKind.FILTERED),
        ({"code": "data_inspection_failed"}, ErrorKind.FILTERED),
        ({"code": "invalid_prompt", "message": "Your prompt was flagged as potentially violating"}, ErrorKind.FILTERED),
        ({"code": "invalid_prompt", "message": "Your prompt is too long"}, ErrorKind.BAD_REQUEST),
        (
            {"type": "invalid_request_error", "message": "Output blocked by content filtering policy"},
            ErrorKind.FILTERED,
        ),
        ({"type": "invalid_request_error", "message": "temperature: too high"}, ErrorKind.BAD_REQUEST),
    ],
)
def test_what_a_filter_refuses_under_status_400_is_filtered(error: dict[str, str], kind: ErrorKind) -> None:
    """As Azure, DashScope, OpenAI and Anthropic say it."""
    fault = read_failure(400, {}, json.dumps({"error": error}).encode(), plain, NOW)
    assert (fault.kind, fault.retryable) == (kind, False)


@pytest.mark.parametrize("message", [{"content": "half an"}, {"content": None}, None])
@pytest.mark.parametrize("reason", ["content_filter", "content_filter: RECITATION", "sensitive"])
def test_an_answer_that_a_filter_cut_is_none(reason: str, message: dict[str, object] | None) -> None:
    """Gemini says why, and may leave the message out."""
    choice = {"finish_reason": reason, **({} if message is None else {"message": message})}
    result = read(json.dumps(completion("x") | {"choices": [choice]}).encode())
    assert isinstance(result, AttemptError)
    assert (result.kind, result.retryable) == (ErrorKind.FILTERED, False)
    assert result.usage is not None and result.usage.input_tokens == 7


@pytest.mark.parametrize("content", ["half an", None])
def test_an_answer_that_ended_with_the_context_is_cut(content: str | None) -> None:
    """Mistral's word for it."""
    choice = {"finish_reason": "model_length", "message": {"content": content}}
    result = read(json.dumps(completion("x") | {"choices": [choice]}).encode())
    assert isinstance(result, Response)
    assert (result.finish_reason, result.text) == ("length", content or "")


def test_an_error_in_a_list_is_read() -> None:
    """As Gemini's endpoint has it."""
    assert str(read_failure(400, {}, b'[{"error": {"message": "no such key"}}]', plain, NOW)) == "HTTP 400: no such key"


def test_a_redirect_to_no_utf_8_is_told() -> None:
    told = read_failure(302, {"location": "http://h/\udce9"}, b"", plain, NOW)
    assert (told.kind, str(told)) == (
        ErrorKind.REDIRECT,
        "HTTP 302: redirect to http://h/\\udce9 is not followed; if the server has moved, name its own base URL",
    )


def test_anthropic_s_context_ends_an_answer_as_its_max_tokens_do() -> None:
    message = {"content": [{"type": "text", "text": "half an"}], "stop_reason": "model_context_window_exceeded"}
    found = read_message(json.dumps(message).encode(), plain)
    assert (found.finish_reason, found.text) == ("length", "half an")


def test_a_model_that_only_the_responses_api_serves_says_what_to_do() -> None:
    with ResponsesServer() as server:
        error = failure(resolve_model(server.spec("gpt-5-pro"), {}))
    assert (error.kind, error.attempts, error.param) == (ErrorKind.BAD_REQUEST, 1, "model")
    assert str(error).endswith(
        f"HTTP 404: {ONLY_HERE}; if the Responses API is to be asked, name the model in models.yaml, with"
        " 'api: responses'"
    )


NO_CHAT = "This is not a chat model and thus not supported in the v1/chat/completions endpoint."
OF_PARAM = "Function tools with reasoning_effort are not supported. Please use /v1/responses instead."


@pytest.mark.parametrize(
    ("status", "message", "path", "is_told"),
    [
        (404, NO_CHAT, "/chat/completions", True),
        (400, OF_PARAM, "/chat/completions", True),
        (404, NO_CHAT, "/responses", False),
        (404, "The model does not exist", "/chat/completions", False),
        (429, OF_PARAM, "/chat/completions", False),
    ],
)
def test_the_other_api_is_named_where_the_server_names_it(status: int, message: str, path: str, is_told: bool) -> None:
    body = json.dumps({"error": {"message": message}}).encode()
    error = read_failure(status, {}, body, plain, NOW, url=f"https://h/v1{path}")
    assert ("api: responses" in str(error)) == is_told
