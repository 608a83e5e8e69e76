"""Laws of reading a body: whatever comes, a response or a fault of two kinds."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmeval.core.attempt_error import AttemptError
from pytest_llmeval.core.errors import ErrorKind
from pytest_llmeval.core.types import Response, ToolCall, Usage
from pytest_llmeval.models.chat.wire import read_completion
from pytest_llmeval.models.http.errors import read_failure, retry_after_s
from pytest_llmeval.models.http.wire import EXCERPT_CHARS, excerpt
from tests.support.chat_bodies import chunks, completion

NOW = datetime(2026, 1, 1, tzinfo=UTC)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


def plain(text: str) -> str:
    return text


def read(body: bytes) -> Response | AttemptError:
    try:
        return read_completion(body, plain)
    except AttemptError as error:
        assert str(error).isprintable() and len(str(error)) < 4 * EXCERPT_CHARS
        return error


@given(st.binary(max_size=200))
def test_any_bytes_are_malformed(body: bytes) -> None:
    """Random bytes are no completion, and no other error escapes."""
    result = read(body)
    assert isinstance(result, AttemptError) and result.kind is ErrorKind.MALFORMED_RESPONSE


@given(st.data())
def test_any_value_anywhere_gives_a_sound_response_or_a_fault(data: st.DataObject) -> None:
    """One part of a good completion replaced by anything: what is returned keeps its types and ranges."""
    body: dict[str, Any] = completion("fine")
    choice = body["choices"][0]
    places = [(body, key) for key in body] + [(choice, key) for key in choice]
    places += [(choice["message"], "content"), (choice["message"], "tool_calls"), (body["usage"], "prompt_tokens")]
    holder, key = data.draw(st.sampled_from(places))
    holder[key] = data.draw(JSON)
    result = read(json.dumps(body).encode())
    if isinstance(result, AttemptError):
        assert result.kind in {ErrorKind.MALFORMED_RESPONSE, ErrorKind.FILTERED}
        return
    assert isinstance(result.text, str)
    assert result.finish_reason is None or isinstance(result.finish_reason, str)
    for count in (result.usage.input_tokens, result.usage.output_tokens):
        assert count is None or (type(count) is int and 0 <= count < 2**53)


def called(arguments: object, **function: object) -> dict[str, Any]:
    return {"id": "1", "type": "function", "function": {"name": "f", "arguments": arguments, **function}}


@pytest.mark.parametrize(
    ("arguments", "read_as"),
    [
        ('{"a": 1.50}', '{"a": 1.50}'),
        ("{cut of", "{cut of"),
        ("", ""),
        ({"b": [1], "a": "ü"}, '{"a":"\\u00fc","b":[1]}'),
        (None, "{}"),
    ],
    ids=["as it came", "no JSON", "empty", "object", "null"],
)
@pytest.mark.parametrize("text", [None, "", "Let me look."])
def test_tool_calls_are_read_beside_the_text(arguments: object, read_as: str, text: str | None) -> None:
    """Whatever a model wrote; some servers send it as an object, which has one form only."""
    result = read(json.dumps(completion(text, finish="tool_calls", tool_calls=2 * [called(arguments)])).encode())
    assert isinstance(result, Response)
    assert result.tool_calls == 2 * (ToolCall(name="f", arguments=read_as),)
    assert (result.text, result.finish_reason) == (text or "", "tool_calls")


@pytest.mark.parametrize(
    ("calls", "problem"),
    [
        ("f", "tool_calls is not a list"),
        ([None], "a tool call that names no function"),
        ([{"type": "custom", "function": {"name": "f", "arguments": "x"}}], "a tool call that names no function"),
        ([{"type": "custom", "custom": {"name": "f"}}], "a call of a custom tool whose input is not a string"),
        ([called("{}", name="")], "a tool call that names no function"),
        ([called([1])], "a tool call whose arguments are no object"),
        ([called({"a": float("nan")})], "a tool call whose arguments are not JSON"),
    ],
)
def test_a_tool_call_that_cannot_be_read_is_a_malformed_response(calls: object, problem: str) -> None:
    result = read(json.dumps(completion("Well.", tool_calls=calls)).encode())
    assert isinstance(result, AttemptError) and result.kind is ErrorKind.MALFORMED_RESPONSE
    assert f"the answer is no chat completion: {problem}: " in str(result)


@pytest.mark.parametrize("streamed", [False, True])
def test_an_answer_that_is_none_to_use_keeps_the_tokens_that_its_server_told(streamed: bool) -> None:
    """It is paid for by them; a server that cannot be understood told none."""
    whole = completion("Well.", tool_calls=[called("{}", name="")])
    body, kind = (b"".join(chunks(whole)), "text/event-stream") if streamed else (json.dumps(whole).encode(), "")
    with pytest.raises(AttemptError) as told:
        read_completion(body, plain, content_type=kind)
    with pytest.raises(AttemptError) as unsupported:
        read_completion(body[:-20] + b"data: {\n\n", plain, content_type=kind)
    assert told.value.usage == Usage(input_tokens=7, output_tokens=1)
    assert unsupported.value.usage == Usage()


OTHER_FORMS: dict[str, tuple[dict[str, Any], str, tuple[ToolCall, ...]]] = {
    "function_call": (
        {"function_call": {"name": "f", "arguments": '{"a": 1}'}},
        "",
        (ToolCall(name="f", arguments='{"a": 1}'),),
    ),
    "both": (
        {"tool_calls": [called('{"a": 1}')], "function_call": {"name": "f", "arguments": '{"a": 1}'}},
        "",
        (ToolCall(name="f", arguments='{"a": 1}'),),
    ),
    "custom tool": (
        {"tool_calls": [{"id": "1", "type": "custom", "custom": {"name": "sql", "input": "SELECT 1"}}]},
        "",
        (ToolCall(name="sql", arguments="SELECT 1"),),
    ),
    "audio": ({"audio": {"id": "audio_1", "data": "UklGRg==", "transcript": "Yes, it is."}}, "Yes, it is.", ()),
}


@pytest.mark.parametrize("form", OTHER_FORMS)
@pytest.mark.parametrize("streamed", [False, True])
def test_an_answer_without_content_says_it_elsewhere(form: str, streamed: bool) -> None:
    """In the older form of a tool call, to a tool of free text, or aloud."""
    message, text, calls = OTHER_FORMS[form]
    whole = completion(None, **message)
    if streamed:
        response = read_completion(b"".join(chunks(whole)), plain, content_type="text/event-stream")
    else:
        response = read_completion(json.dumps(whole).encode(), plain)
    assert (response.text, response.tool_calls) == (text, calls)


@pytest.mark.parametrize(
    "message",
    [
        {"function_call": "f"},
        {"function_call": {"arguments": "{}"}},
        {"audio": {"data": "UklGRg=="}},
        {"audio": {"transcript": 3}},
        {"audio": []},
    ],
)
def test_an_answer_that_says_it_nowhere_is_malformed(message: dict[str, Any]) -> None:
    result = read(json.dumps(completion(None, **message)).encode())
    assert isinstance(result, AttemptError) and result.kind is ErrorKind.MALFORMED_RESPONSE


PLACEHOLDERS = [{"name": "", "arguments": ""}, {"name": None, "arguments": None}, {"arguments": "{}"}, {}, "none", []]


@pytest.mark.parametrize("called", PLACEHOLDERS, ids=str)
@pytest.mark.parametrize("streamed", [False, True])
def test_a_function_call_that_names_none_takes_nothing_from_the_text(called: object, streamed: bool) -> None:
    """Some servers send one with each answer."""
    if streamed:
        delta = {"role": "assistant", "content": "Yes.", "function_call": called}
        chunk = {"choices": [{"index": 0, "delta": delta, "finish_reason": "stop"}]}
        body = f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n".encode()
        response = read_completion(body, plain, content_type="text/event-stream")
    else:
        response = read_completion(json.dumps(completion("Yes.", function_call=called)).encode(), plain)
    assert (response.text, response.tool_calls) == ("Yes.", ())


def test_an_empty_text_beside_an_empty_function_call_is_an_empty_answer() -> None:
    body = json.dumps(completion("", function_call=PLACEHOLDERS[0])).encode()
    assert read_completion(body, plain).text == ""


@given(st.text(st.characters()))
def test_text_reads_back_as_it_was(text: str) -> None:
    """Every text, lone surrogates included."""
    result = read(json.dumps(completion(text)).encode())
    assert isinstance(result, Response) and result.text == text


@given(st.binary(max_size=600))
def test_excerpt_is_one_short_printable_line(body: bytes) -> None:
    """Nothing in a quote can move a terminal's cursor."""
    quote = excerpt(body, plain)
    assert quote and quote.isprintable() and len(quote) <= 10 * EXCERPT_CHARS


@given(st.integers(100, 599), st.binary(max_size=100), st.text(max_size=12))
def test_any_failure_is_a_fault(status: int, body: bytes, retry_after: str) -> None:
    """No status, body or Retry-After escapes as another error or as a senseless wait."""
    headers = dict.fromkeys(("retry-after", "location", "date"), retry_after)
    fault = read_failure(status, headers, body, plain, NOW)
    assert f"HTTP {status}" in str(fault)
    assert fault.retry_after_s is None or 0 <= fault.retry_after_s < float("inf")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("2", 2.0),
        ("0", 0.0),
        ("1.5", 1.5),
        ("-1", None),
        ("nan", None),
        ("inf", None),
        ("1e999", None),
        ("abc", None),
        ("", None),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(NOW - timedelta(seconds=90), usegmt=True), None),
        ("Wed, 99 Xyz 2026 00:00:00 GMT", None),
    ],
)
def test_retry_after(value: str | None, seconds: float | None) -> None:
    """Seconds or a date ahead; nonsense is None."""
    assert retry_after_s(value, NOW) == seconds


def test_a_date_to_retry_after_goes_by_the_clock_of_the_server() -> None:
    """Ours may be an hour behind: https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3."""
    date, later = (format_datetime(NOW + timedelta(seconds=ahead), usegmt=True) for ahead in (3600, 3602))
    assert read_failure(429, {"date": date, "retry-after": later}, b"", plain, NOW).retry_after_s == 2


@pytest.mark.parametrize("status", [101, 304])
def test_a_status_without_an_address_is_no_redirect(status: int) -> None:
    told = read_failure(status, {}, b"", plain, NOW)
    assert (told.kind, str(told)) == (
        ErrorKind.BAD_REQUEST,
        f"HTTP {status}: no answer; is this the address of a model server?",
    )


@pytest.mark.parametrize("reason", ["error", "abort", "insufficient_system_resource", "network_error"])
@pytest.mark.parametrize("text", ["", "Par"])
def test_an_answer_that_the_server_broke_off_is_none(reason: str, text: str) -> None:
    """OpenRouter, vLLM, DeepSeek and GLM say so under status 200."""
    result = read(json.dumps(completion(text, finish=reason)).encode())
    assert isinstance(result, AttemptError)
    assert (result.kind, result.retryable) == (ErrorKind.SERVER_ERROR, True)
    assert f"finish_reason '{reason}'" in str(result)
    assert result.usage == Usage(input_tokens=7, output_tokens=len(text.split()))


def counted(completion_tokens: int, total: object, **more: object) -> int | None:
    """Return the tokens of an answer to 32 tokens."""
    usage = {"prompt_tokens": 32, "completion_tokens": completion_tokens, "total_tokens": total, **more}
    result = read(json.dumps(completion("fine") | {"usage": usage}).encode())
    assert isinstance(result, Response) and result.usage.input_tokens == 32
    return result.usage.output_tokens


def test_thinking_that_only_the_total_counts_is_part_of_the_answer() -> None:
    """xAI tells how much it was, Gemini nothing but the total; others have it in ``completion_tokens``."""
    thought: dict[str, object] = {"completion_tokens_details": {"reasoning_tokens": 94, "audio_tokens": 0}}
    assert counted(9, 135, **thought) == 103
    assert counted(9, 135) == counted(9, 135, completion_tokens_details=None) == 103
    assert counted(103, 135, **thought) == counted(103, 135) == 103


@pytest.mark.parametrize("total", [None, 0, 41, "135", True, 2**53])
def test_a_total_that_tells_of_no_thinking_changes_no_count(total: object) -> None:
    assert counted(9, total) == counted(9, total, completion_tokens_details={"reasoning_tokens": 94}) == 9


def test_what_a_total_has_besides_thinking_is_no_part_of_the_answer() -> None:
    """Cached input, say, which some gateways count beside the prompt."""
    assert counted(9, 135, prompt_tokens_details={"cached_tokens": 94}) == 9
    assert counted(9, 135, completion_tokens_details={"reasoning_tokens": 90}) == 9


@pytest.mark.parametrize("beside", [True, False])
def test_an_error_that_ends_a_stream_is_one(beside: bool) -> None:
    choice = {"delta": {"content": "Par"}, "finish_reason": "stop"}
    chunk: dict[str, Any] = {"choices": [{**choice, "error": {"code": 502}}]} if beside else {"choices": [choice]}
    chunk |= {} if beside else {"error": {"code": 502}}
    body = f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n".encode()
    with pytest.raises(AttemptError) as caught:
        read_completion(body, plain, content_type="text/event-stream")
    assert caught.value.kind is ErrorKind.SERVER_ERROR


def test_a_403_about_one_model_or_one_input_says_nothing_of_the_key() -> None:
    """OpenAI refuses a model that a project may not use so, and OpenRouter an input that its moderation flagged."""
    model = b'{"error": {"code": "model_not_found", "message": "Project `p` does not have access to model `m`"}}'
    assert read_failure(403, {}, model, plain, NOW).kind is ErrorKind.BAD_REQUEST
    flagged = b'{"error": {"code": 403, "message": "flagged", "metadata": {"reasons": ["x"], "flagged_input": "y"}}}'
    assert read_failure(403, {}, flagged, plain, NOW).kind is ErrorKind.FILTERED
    assert read_failure(403, {}, b'{"error": {"message": "no"}}', plain, NOW).kind is ErrorKind.AUTH


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize(
    "error",
    [
        {
            "message": "key not allowed to access model",
            "type": "key_model_access_denied",
            "param": "model",
            "code": "401",
        },
        {"message": "no", "type": "team_model_access_denied"},
        {"message": "no", "param": "model"},
    ],
)
def test_a_gateway_that_denies_one_model_to_a_key_does_not_refuse_the_key(status: int, error: dict[str, str]) -> None:
    """LiteLLM's proxy does so under either status; the key may ask other models."""
    fault = read_failure(status, {}, json.dumps({"error": error}).encode(), plain, NOW)
    assert (fault.kind, fault.retryable, fault.param) == (ErrorKind.BAD_REQUEST, False, "model")


@pytest.mark.parametrize(("status", "may_be_own"), [(401, False), (403, True)])
def test_only_a_403_may_be_about_one_request(status: int, may_be_own: bool) -> None:
    """A firewall before the server says it of what one request holds, and not in JSON."""
    fault = read_failure(status, {}, b"<html>Request blocked</html>", plain, NOW)
    assert (fault.kind, fault.may_be_own) == (ErrorKind.AUTH, may_be_own)


@pytest.mark.parametrize("before", ["", "RateLimitError: OpenAIException - "])
def test_a_429_about_one_request_that_is_too_large_is_none_of_the_rate(before: str) -> None:
    """OpenAI says so, and gateways repeat it: trying again never helps, and the others need not slow down."""
    message = (
        f"{before}Request too large for gpt-4o in organization org-1 on tokens per min (TPM): Limit 30000, Requested"
        " 36278. The input or output tokens must be reduced in order to run successfully."
    )
    error = {"message": message, "type": "tokens", "param": None, "code": "rate_limit_exceeded"}
    fault = read_failure(429, {}, json.dumps({"error": error}).encode(), plain, NOW)
    assert (fault.kind, fault.retryable, fault.param) == (ErrorKind.BAD_REQUEST, False, "messages")
    assert str(fault).startswith("HTTP 429: ")


@pytest.mark.parametrize("status", [400, 403, 429])
@pytest.mark.parametrize("code", ["billing_hard_limit_reached", "insufficient_quota", "exceeded_current_quota_error"])
def test_a_quota_is_told_by_its_code_whatever_the_status(status: int, code: str) -> None:
    """OpenAI says of a hard limit under status 400 that it is reached."""
    body = json.dumps({"error": {"code": code, "message": "Billing hard limit has been reached"}}).encode()
    fault = read_failure(status, {}, body, plain, NOW)
    assert (fault.kind, fault.retryable, fault.may_be_own) == (ErrorKind.QUOTA, False, False)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ('{"error": {"message": "The model `m` does not exist."}}', "The model `m` does not exist."),
        ('{"object": "error", "message": "The model `m` does not exist.", "code": 404}', None),
        ('{"detail": "Model not found"}', None),
        ('{"error": "model \'m\' not found"}', None),
        ('{"error": {"code": "model_not_found", "message": "m is not available"}}', "m is not available"),
        ('{"error": {"param": "model", "message": "m is not available"}}', "m is not available"),
        ('{"error": {"code": "DeploymentNotFound", "message": "The API deployment does not exist."}}',
            "The API deployment does not exist."),
    ],
    ids=["OpenAI", "vLLM", "FastAPI", "Ollama", "code", "param", "Azure"],
)  # fmt: skip
def test_a_model_that_is_not_there_is_no_matter_of_the_address(body: str, told: str | None) -> None:
    """In whatever form it is said; a body that cannot be read is quoted whole."""
    fault = read_failure(404, {}, body.encode(), plain, NOW, url="http://h:1/chat/completions")
    assert str(fault) == f"HTTP 404: {told or body}"


@pytest.mark.parametrize("body", ['{"detail": "Not Found"}', "404 page not found", ""])
def test_an_address_that_is_not_there_is_told(body: str) -> None:
    fault = read_failure(404, {}, body.encode(), plain, NOW, url="http://h:1/chat/completions")
    assert str(fault).startswith("HTTP 404 of http://h:1/chat/completions: ")
    assert str(fault).endswith("; does the address end in /v1?")
