"""An application that takes Anthropic's client: what it asks is asked through the case's model."""

from typing import Any

import pytest

from tests.support.anthropic_server import AnthropicServer
from tests.support.chat_bodies import completion
from tests.support.project import Project

ROWS = [{"id": each, "input": f"say {each}"} for each in "ab"]
SYNC = """
def test_echo(sample, model, score):
    from pytest_llmeval import anthropic_client
    score.exact(app(sample.input, anthropic_client(model)), sample.input)

def app(question, client):
    message = client.messages.create(
        model="claude-any", max_tokens=50, system="Repeat.", stop_sequences=["END"], extra_body={"temperature": 0.5},
        messages=[{"role": "user", "content": question}],
    )
    assert (message.stop_reason, message.usage.input_tokens, message.usage.output_tokens) == ("end_turn", 7, 2)
    assert message.model == "echo"
    return message.content[0].text
"""
ASYNC = (
    SYNC.replace("def ", "async def ")
    .replace("app(sample", "await app(sample")
    .replace("client.mess", "await client.mess")
).replace("anthropic_client", "async_anthropic_client")
PRICED = """
models:
  cheap: {spec: "openai:echo@URL", prices: {input: 1000000, output: 1000000}}
"""


@pytest.mark.parametrize("arguments", [(), ("-n2",)], ids=["", "n2"])
@pytest.mark.parametrize("body", [SYNC, ASYNC], ids=["sync", "async"])
def test_calls_are_those_of_the_case(project: Project, body: str, arguments: tuple[str, ...]) -> None:
    """They go to the case's model with the app's parameters over the marker's, are recorded, and serve a later run."""
    project.eval(body, ROWS, marker='params={"temperature": 0, "seed": 7}')
    project.write(models_yaml=PRICED.replace("URL", project.server.url))
    project.run("evals", *arguments, model="cheap").assert_outcomes(passed=2)
    sent = sorted((entry.body for entry in project.server.ledger), key=str)
    assert [body.pop("messages") for body in sent] == [
        [{"role": "system", "content": "Repeat."}, {"role": "user", "content": row["input"]}] for row in ROWS
    ]
    assert sent == [{"model": "echo", "temperature": 0.5, "seed": 7, "max_tokens": 50, "stop": ["END"]}] * 2
    calls = project.rows("SELECT model, status, input_tokens, output_tokens, cost_usd FROM calls")
    assert [list(call.values()) for call in calls] == [["cheap", "ok", 7, 2, 9.0]] * 2
    project.run("evals", "--cache=only", model="cheap").assert_outcomes(passed=2)
    assert len(project.server.ledger) == 2


def test_pictures_and_tools_are_told_in_the_words_of_openai(project: Project) -> None:
    """Whatever model is asked; what has no word there is sent as it is."""
    body = """
    def test_told(sample, model):
        from pytest_llmeval import anthropic_client
        picture = {"type": "base64", "media_type": "image/png", "data": "aGk="}
        use = {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}}
        results = [
            {"type": "tool_result", "tool_use_id": "a", "content": [{"type": "text", "text": "1"}], "is_error": False},
            {"type": "tool_result", "tool_use_id": "b"},
        ]
        anthropic_client(model).beta.messages.create(
            model="x", max_tokens=9, tool_choice={"type": "any", "disable_parallel_tool_use": True},
            metadata={"user_id": "me"}, extra_body={"top_k": 4}, output_config={"effort": "low"},
            thinking={"type": "disabled"},
            tools=[{"name": "f", "description": "F.", "input_schema": {"type": "object"}, "type": "custom"}],
            messages=[
                {"role": "user", "content": [{"type": "text", "text": "One."}, {"type": "text", "text": "Two."}]},
                {"role": "user", "content": [{"type": "image", "source": picture}, {"type": "text", "text": "What?"}]},
                {"role": "assistant", "content": [{"type": "text", "text": "Hm."}, use, {**use, "id": "b"}]},
                {"role": "user", "content": [*results, {"type": "text", "text": "Well?"}]},
            ],
        )
    """
    project.eval(body, ROWS[:1])
    project.server.reply = lambda messages: completion("Well.")
    project.run("evals").assert_outcomes(passed=1)
    (entry,) = project.server.ledger
    function = {"name": "f", "arguments": '{"x": 1}'}
    calls = [{"id": id_, "type": "function", "function": function} for id_ in "ab"]
    asked = entry.body
    assert asked.pop("messages") == [
        {"role": "user", "content": "One.\n\nTwo."},
        {
            "role": "user",
            "content": [
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}},
                {"type": "text", "text": "What?"},
            ],
        },
        {"role": "assistant", "content": "Hm.", "tool_calls": calls},
        {"role": "tool", "tool_call_id": "a", "content": "1"},
        {"role": "tool", "tool_call_id": "b", "content": ""},
        {"role": "user", "content": "Well?"},
    ]
    schema = {"type": "object"}
    assert asked == {
        "model": "echo",
        "max_tokens": 9,
        "tools": [{"type": "function", "function": {"name": "f", "description": "F.", "parameters": schema}}],
        "tool_choice": "required",
        "parallel_tool_calls": False,
        "top_k": 4,
        "user": "me",
        "reasoning_effort": "low",
        "thinking": {"type": "disabled"},
    }


def test_streams_and_structures(project: Project) -> None:
    """The client is Anthropic's own: whatever it offers with a message works, also in a copy of it."""
    body = """
    def test_echo(sample, model):
        import pydantic
        from pytest_llmeval import anthropic_client

        class Place(pydantic.BaseModel):
            city: str

        class Loose(Place):
            country: str = ""

        messages = anthropic_client(model).with_options(timeout=5, max_retries=3).messages
        asked = {"model": "x", "max_tokens": 9, "messages": [{"role": "user", "content": sample.input}]}
        if sample.id == "stream":
            kinds = [event.type for event in messages.create(**asked, stream=True)]
            block = ["content_block_start", "content_block_delta", "content_block_stop"]
            assert kinds == ["message_start", *block, "message_delta", "message_stop"]
            with messages.stream(**asked) as events:
                assert "".join(events.text_stream) == '{"city": "Rome"}'
                whole = events.get_final_message()
            assert (whole.stop_reason, whole.usage.input_tokens, whole.usage.output_tokens) == ("end_turn", 7, 2)
            assert whole.to_dict() == messages.create(**asked).to_dict()
        elif sample.id == "cut":
            message = messages.create(**asked)
            assert (message.stop_reason, message.content[0].text) == ("max_tokens", "So")
        elif sample.id == "refusal":
            message = messages.create(**asked)
            assert (message.stop_reason, message.content[0].text) == ("refusal", "No.")
            assert message.stop_details.explanation == "No."
        else:
            for kind in (Place, Loose):
                assert messages.parse(**asked, output_format=kind).parsed_output.city == "Rome"
            with messages.stream(**asked, output_format=Place) as events:
                assert events.get_final_message().parsed_output == Place(city="Rome")
            raw = messages.with_raw_response.create(**asked)
            assert raw.status_code == 200 and raw.parse().content[0].text
    """

    def reply(messages: list[dict[str, Any]]) -> str | dict[str, Any]:
        if messages[0]["content"] == "cut":
            return completion("So", finish="length")
        return completion(None, refusal="No.") if messages[0]["content"] == "refusal" else '{"city": "Rome"}'

    project.eval(body, [{"id": id_, "input": id_} for id_ in ("stream", "cut", "refusal", "parse")])
    project.server.reply = reply
    project.run("evals").assert_outcomes(passed=4)
    assert not any("stream" in entry.body for entry in project.server.ledger)
    forms = [entry.body["response_format"] for entry in project.server.ledger if "response_format" in entry.body]
    assert [form["json_schema"].get("strict", False) for form in forms] == [True, False, True]
    assert forms[0]["json_schema"]["schema"]["properties"]["city"]["type"] == "string"


def test_a_deep_copy_of_a_client_is_the_client(project: Project) -> None:
    """As frameworks make one of what they are given."""
    copied = "__import__('copy').deepcopy({'client': %s(model)})['client']"
    for body, client in ((SYNC, "anthropic_client"), (ASYNC, "async_anthropic_client")):
        name = client.partition("_")[0]
        project.eval(body.replace(f"{client}(model)", copied % client), ROWS, name=name, marker=f"suite={name!r}")
    project.run("evals").assert_outcomes(passed=4)
    assert len(project.server.ledger) == 4


CATCHING = """
async def test_echo(sample, model, score):
    import asyncio
    import anthropic
    from pytest_llmeval import anthropic_client, async_anthropic_client

    how, what = sample.input.split()
    kinds = {"api": anthropic.AnthropicError, "all": Exception, "none": ()}
    asked = {"model": "x", "messages": [{"role": "user", "content": "hello"}]}

    def sync():
        ask(anthropic_client(model).with_options(max_retries=2))

    def ask(client):
        if what == "count":
            return client.messages.count_tokens(**asked)
        if what == "batch":
            return client.messages.batches.create(requests=[])
        return client.messages.create(**asked, max_tokens=9)

    try:
        if how.startswith("sync-"):
            await asyncio.to_thread(sync)
        elif how.startswith("blocking-"):
            sync()
        else:
            await ask(async_anthropic_client(model))
        answer = "hello"
    except kinds[how.rpartition("-")[2]]:
        answer = "sorry"
    score.exact(answer, "hello")
"""


@pytest.mark.parametrize("vendor", ["openai", "anthropic"])
def test_a_failed_call_is_an_error_of_its_kind(project: Project, vendor: str) -> None:
    """No handler makes an answer of it: neither one of Anthropic's errors nor one of all exceptions."""
    inputs = ["none", "api", "all", "sync-none", "sync-api", "sync-all"]
    project.eval(CATCHING, [{"id": each, "input": f"{each} chat"} for each in inputs])
    with AnthropicServer() as other:
        server = project.server if vendor == "openai" else other
        project.run("evals", model=server.spec("fault-status-400"))
        assert project.cases() == dict.fromkeys(inputs, "error")
        assert len(server.ledger) == 6
    kinds = project.rows("SELECT DISTINCT error_kind FROM cases WHERE outcome = 'error'")
    assert [row["error_kind"] for row in kinds] == ["bad_request"]
    assert project.rows("SELECT DISTINCT status FROM calls") == [{"status": "bad_request"}]
    project.run("evals", "--cache=only", "-k", "api").assert_outcomes(errors=2)
    kinds = project.rows("SELECT DISTINCT error_kind FROM cases ORDER BY error_kind")
    assert [row["error_kind"] for row in kinds] == ["bad_request", "not_cached"]


def test_anything_but_a_message_is_refused(project: Project) -> None:
    """So is a client that blocks the loop of async bodies; the case is an error also where the app catches that."""
    inputs = {"count": "%s count", "batch": "%s batch", "blocking": "blocking-%s chat"}
    rows = [{"id": f"{how}-{id_}", "input": text % how} for id_, text in inputs.items() for how in ("api", "all")]
    project.eval(CATCHING, rows)
    project.run("evals").assert_outcomes(errors=6)
    found = {case["sample_id"]: case for case in project.rows("SELECT sample_id, error_kind, error FROM cases")}
    assert {case["error_kind"] for case in found.values()} == {"code"}
    for how in ("api", "all"):
        for id_, path in (("count", "/v1/messages/count_tokens"), ("batch", "/v1/messages/batches")):
            told = f"POST {path}: only messages go through the case's model; let the application use its own client"
            assert told in found[f"{how}-{id_}"]["error"]
        assert "`async_anthropic_client(model)`" in found[f"{how}-blocking"]["error"]
    assert project.server.ledger == []


def test_a_call_whose_arguments_are_no_object_is_an_error(project: Project) -> None:
    """Anthropic never sends one, so that no application can be told; that of an empty text has none.

    Calls are told by ids of their own, and by the reason of the stop, whatever the server says of that.
    """
    body = """
    def test_tool(sample, model):
        from pytest_llmeval import anthropic_client
        asked = [{"role": "user", "content": sample.input}]
        try:
            message = anthropic_client(model).messages.create(model="x", max_tokens=9, messages=asked)
        except Exception:
            return
        assert [block.input for block in message.content] == [{}, {}] and message.stop_reason == "tool_use"
        ids = [block.id for block in message.content]
        assert len({*ids}) == 2 and all(len(id_) == 9 and id_.isalnum() for id_ in ids)
    """
    unsaid = {"list": "[1]", "cut": '{"a', "nan": '{"a": NaN}', "infinite": '{"a": 1e999}'}
    project.eval(body, [{"id": id_, "input": text} for id_, text in (*unsaid.items(), ("none", ""))])

    def reply(messages: list[dict[str, Any]]) -> dict[str, Any]:
        function = {"name": "f", "arguments": messages[0]["content"]}
        return completion(None, finish="stop", tool_calls=[{"id": "1", "type": "function", "function": function}] * 2)

    project.server.reply = reply
    project.run("evals")
    assert project.cases() == {**dict.fromkeys(unsaid, "error"), "none": "passed"}
    kinds = project.rows("SELECT DISTINCT error_kind FROM cases WHERE outcome = 'error'")
    assert [row["error_kind"] for row in kinds] == ["malformed_response"]
    found = project.rows("SELECT error_kind, error FROM cases WHERE sample_id = 'list'")[0]
    assert found["error_kind"] == "malformed_response"
    assert "the model called 'f' with arguments that are not a JSON object: '[1]'" in found["error"]


@pytest.mark.parametrize("client", ["anthropic_client", "async_anthropic_client"])
def test_the_name_of_a_model_is_no_model(project: Project, client: str) -> None:
    project.eval(f"def test_echo(model):\n    __import__('pytest_llmeval').{client}('claude')\n", ROWS[:1])
    assert project.run("evals").ret == 1
    (case,) = project.rows("SELECT error_kind, error FROM cases")
    assert case["error_kind"] == "code" and "a client takes the fixture `model`, found 'claude'" in case["error"]


def test_without_the_extra_it_is_told_what_to_install(project: Project) -> None:
    project.write(conftest_py="import sys\nsys.modules['anthropic'] = None\n")
    project.eval(SYNC, ROWS[:1])
    project.run("evals", inside=False, fresh=True)
    (case,) = project.rows("SELECT error_kind, error FROM cases")
    assert "clients of Anthropic need an extra: pip install 'pytest-llmeval[anthropic]'" in case["error"]
