"""Agents that take Anthropic's client: what they send back reaches the model's server as it would without us."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.anthropic_server import AnthropicServer, message
from tests.support.chat_bodies import completion
from tests.support.project import Project

ROWS = [{"id": each, "input": f"How warm is it in {each}?"} for each in ("Rome", "Oslo")]
THOUGHT = {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}
HIDDEN = {"type": "redacted_thinking", "data": "aGlk"}
FUNCTION = {"name": "warmth", "arguments": '{"city": "Rome"}'}
AGENT = """
async def test_agent(sample, model, score):
    from pytest_llmeval import async_anthropic_client
    score.exact(await agent(sample.input, async_anthropic_client(model)), "20")

async def agent(question, client):
    messages = [{"role": "user", "content": question}]
    tools = [{"name": "warmth", "input_schema": {"type": "object"}}]
    while True:
        said = await client.messages.create(model="x", max_tokens=99, messages=messages, tools=tools)
        if said.stop_reason != "tool_use":
            return said.content[0].text
        messages.append({"role": "assistant", "content": said.content})
        uses = [block for block in said.content if block.type == "tool_use"]
        results = [{"type": "tool_result", "tool_use_id": use.id, "content": "20"} for use in uses]
        messages.append({"role": "user", "content": results})
"""
STREAMED = AGENT.replace(
    "        said = await client.messages.create(model",
    "        async with client.messages.stream(model",
).replace("tools=tools)\n", "tools=tools) as events:\n            said = await events.get_final_message()\n")
RUNNER = """
def test_agent(sample, model, score):
    from anthropic import beta_tool
    from pytest_llmeval import anthropic_client

    @beta_tool
    def warmth(city: str) -> str:
        '''Tell how warm it is.'''
        return "20" if city == "Rome" else "?"

    runner = anthropic_client(model).beta.messages.tool_runner(
        model="x", max_tokens=99, tools=[warmth], messages=[{"role": "user", "content": sample.input}]
    )
    score.exact(runner.until_done().content[0].text, "20")
"""


@pytest.fixture
def api() -> Iterator[AnthropicServer]:
    with AnthropicServer() as running:
        yield running


def reply(messages: list[dict[str, Any]]) -> dict[str, Any]:
    """Call a tool, and answer with its result where what was thought came back with it."""
    thought = f"Hm: {messages[0]['content']}"
    signed = {"extra_content": {"google": {"thought_signature": "c2ln"}}}
    call = {"id": "1", "type": "function", "function": FUNCTION, **signed}
    if len(messages) == 1:
        return completion("Let me see.", finish="tool_calls", tool_calls=[call], reasoning_content=thought, score=1)
    result = messages[2]
    called = {"tool_calls": [{**call, "id": result["tool_call_id"]}]}
    whole = {"role": "assistant", "content": "Let me see.", "reasoning_content": thought, "score": 1, **called}
    return completion(result["content"] if messages[1] == whole else f"lost: {messages[1]}", reasoning_content="20.")


@pytest.mark.parametrize("arguments", [(), ("-n2",)], ids=["", "n2"])
@pytest.mark.parametrize("body", [AGENT, STREAMED, RUNNER], ids=["whole", "streamed", "runner"])
def test_what_another_vendors_message_holds_comes_back(project: Project, body: str, arguments: tuple[str, ...]) -> None:
    """Its thoughts as a block that the agent sends back; now, and where the answer is one of an earlier run."""
    project.eval(body, ROWS)
    project.server.reply = reply
    project.run("evals", *arguments).assert_outcomes(passed=2)
    project.run("evals", "--cache=only", *arguments).assert_outcomes(passed=2)
    assert len(project.server.ledger) == 4


def test_thoughts_are_told_where_they_are_asked_for_or_needed(project: Project) -> None:
    """An application of Anthropic's that asks for none takes the first block for the answer."""
    body = """
    def test_thoughts(sample, model):
        from pytest_llmeval import anthropic_client
        create = anthropic_client(model).messages.create
        asked = {"model": "x", "max_tokens": 9, "messages": [{"role": "user", "content": sample.input}]}
        assert [block.type for block in create(**asked).content] == ["text"]
        for thinking in ({"type": "adaptive"}, {"type": "disabled"}):
            blocks = create(**asked, thinking=thinking).content
            assert [block.type for block in blocks][:-1] == sample.metadata["told"] * (thinking["type"] == "adaptive")
        message = {"role": "assistant", "content": create(**asked, thinking={"type": "adaptive"}).content}
        create(**{**asked, "messages": [*asked["messages"], message, *asked["messages"]]})
        if sample.metadata["told"]:
            broken = {"type": "redacted_thinking", "data": "llmeval-extra:{"}
            try:
                create(**{**asked, "messages": [{"role": "assistant", "content": [broken]}]})
            except Exception as error:
                assert "a redacted_thinking block was changed" in str(error)
    """
    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}, {"type": "text", "text": "20"}]
    answers: dict[str, tuple[Any, dict[str, Any], list[str]]] = {
        "content": ("20", {"reasoning_content": "Hm."}, ["thinking"]),
        "parts": (parts, {}, ["thinking"]),
        "opaque": ("20", {"reasoning_details": [{"type": "encrypted"}]}, ["redacted_thinking"]),
        "sources": ("20", {"annotations": [{"type": "url_citation"}]}, []),
    }
    rows = [{"id": id_, "input": id_, "metadata": {"told": told}} for id_, (_, _, told) in answers.items()]
    project.eval(body, rows)
    project.server.reply = lambda messages: completion(
        answers[messages[0]["content"]][0], **answers[messages[0]["content"]][1]
    )
    project.run("evals")
    assert project.cases() == {"content": "error", "parts": "error", "opaque": "error", "sources": "passed"}
    kinds = project.rows("SELECT DISTINCT error_kind FROM cases WHERE outcome = 'error'")
    assert [row["error_kind"] for row in kinds] == ["code"]
    sent = [entry.body["messages"][1] for entry in project.server.ledger if len(entry.body["messages"]) == 3]
    assert sent == [
        {"role": "assistant", "content": content, **(extra if told else {})}
        for content, extra, told in answers.values()
    ]


TWICE = """
def test_same(sample, model):
    import anthropic, contextlib, json
    from pytest_llmeval import anthropic_client
    answers = []
    with anthropic.Anthropic(base_url="URL", api_key="x", max_retries=0) as other:
        for client in (other, anthropic_client(model)):
            messages = client.beta.messages if sample.metadata.get("beta") else client.messages
            asked = {"model": "echo", "max_tokens": 99, **json.loads(sample.input)}
            if sample.metadata.get("parse"):
                class Place(__import__("pydantic").BaseModel):
                    city: str
                answers.append(messages.parse(**asked, output_format=Place))
            else:
                answers.append(messages.create(**asked))
    first, second = (answer.to_dict() for answer in answers)
    assert {**first, "id": second["id"], "stop_details": None} == second
"""
PICTURE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}
PDF = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "aGk="}}
CACHED = {"cache_control": {"type": "ephemeral"}}
USE = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"b": [1, 2.5, None], "a": {"ü": ""}}}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1"}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL = {"name": "f", "description": "F.", "input_schema": SCHEMA}
SEARCH = {"type": "web_search_20250305", "name": "web_search", "max_uses": 2}
SEARCHED = [
    {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}},
    {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
    {"type": "text", "text": "20", "citations": [{"type": "web_search_result_location", "url": "u"}]},
]
ASKED = {"role": "user", "content": "{}"}


def parts(*blocks: Any, role: str = "user") -> dict[str, Any]:
    return {"role": role, "content": list(blocks)}


def said(*blocks: Any) -> dict[str, Any]:
    return parts(*blocks, role="assistant")


def text(said: str, **beside: Any) -> dict[str, Any]:
    return {"type": "text", "text": said, **beside}


REQUESTS: dict[str, dict[str, Any]] = {
    "text": {"system": "Be brief.", "messages": [ASKED], "stop_sequences": ["END"], "metadata": {"user_id": "me"}},
    "cached": {"system": [text("Long.", **CACHED), text("x")], "messages": [parts(text("Hi", **CACHED), text("you"))]},
    "pictures": {"messages": [parts(text("What?"), PICTURE, {**PICTURE, **CACHED})]},
    "linked": {"messages": [parts({"type": "image", "source": {"type": "url", "url": "https://x/a.png"}})]},
    "filed": {"messages": [parts({"type": "image", "source": {"type": "file", "file_id": "file_1"}})]},
    "documents": {"messages": [parts(PDF, {**PDF, "title": "A", "citations": {"enabled": True}, **CACHED})]},
    "named documents": {"messages": [parts({**PDF, "title": "document.pdf"})]},
    "other choice": {"tools": [TOOL], "tool_choice": {"type": "auto", "odd": 1}, "messages": [ASKED]},
    "plain documents": {"messages": [parts({"type": "document", "source": {"type": "text", "data": "x"}})]},
    "tools": {
        "tools": [TOOL, {**TOOL, "name": "g", "strict": True, **CACHED}, SEARCH],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
        "messages": [
            ASKED,
            said(THOUGHT, HIDDEN, text("Let me look."), USE, {**USE, "id": "b", "caller": {"type": "direct"}}),
            parts({**RESULT, "content": "no such city", "is_error": True}, {**RESULT, "tool_use_id": "b", **CACHED}),
        ],
    },
    "choice": {"tools": [TOOL], "tool_choice": {"type": "tool", "name": "f"}, "messages": [ASKED]},
    "results": {"messages": [ASKED, said(USE), parts({**RESULT, "content": [text("a", **CACHED), PICTURE]})]},
    "searched": {"messages": [ASKED, said(*SEARCHED, USE), parts({**RESULT, "content": "1"})]},
    "mixed": {"messages": [ASKED, said(USE, text("and"), THOUGHT, USE), parts({**RESULT, "content": "1"})]},
    "several": {
        "system": [text("a"), text("b")],
        "messages": [parts(text("c"), text("d")), said(text("e"), text("f"))],
    },
    "noted": {"system": "a", "messages": [ASKED, {"role": "system", "content": "b"}, parts(text("c"), text("d"))]},
    "prefill": {"messages": [ASKED, {"role": "assistant", "content": "20"}]},
    "thinking": {"thinking": {"type": "adaptive"}, "messages": [ASKED], "output_config": {"effort": "max"}},
    "form": {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}, "messages": [ASKED]},
    "others": {
        "service_tier": "auto",
        "container": "c",
        "extra_body": {"top_k": 4, "temperature": 1.0},
        "messages": [ASKED],
    },
}


@pytest.mark.parametrize("beta", [False, True], ids=["", "beta"])
def test_what_reaches_anthropics_api_is_what_its_own_client_sends(
    project: Project, api: AnthropicServer, beta: bool
) -> None:
    """To the byte of the JSON values; and what comes back is what that client gives."""
    rows = [{"id": id_, "input": json.dumps(asked), "metadata": {"beta": beta}} for id_, asked in REQUESTS.items()]
    parse = {"id": "parse", "input": json.dumps({"messages": [ASKED]}), "metadata": {"parse": True, "beta": beta}}
    project.eval(TWICE.replace("URL", f"http://127.0.0.1:{api.port}"), [*rows, parse])
    api.reply = lambda messages: message('{"city": "Rome"}', model="echo")
    project.run("evals", model=api.spec("echo")).assert_outcomes(passed=len(rows) + 1)
    bodies = [with_results(entry.body) for entry in api.ledger]
    assert bodies[1::2] == bodies[::2]


def with_results(body: dict[str, Any]) -> dict[str, Any]:
    """Return a body whose results all have a content: an empty one, and none, are the same."""
    blocks = [block for each in body["messages"] if isinstance(each["content"], list) for block in each["content"]]
    for block in blocks:
        if block["type"] == "tool_result":
            block.setdefault("content", "")
    return body


ANSWERS: dict[str, dict[str, Any]] = {
    "thoughts": message(THOUGHT, HIDDEN, "Let me look."),
    "between": message(THOUGHT, "So: ", HIDDEN, "20"),
    "searched": message("Look: ", *SEARCHED, THOUGHT, "."),
    "nothing": message(),
    "cut": message("So", stop="max_tokens"),
    "sequence": message("So", stop="stop_sequence", stop_sequence="END"),
    "paused": message("So", stop="pause_turn", container={"id": "c", "expires_at": "2026-11-30T00:00:00Z"}),
    "refused": message(
        stop="refusal", stop_details={"type": "refusal", "category": None, "explanation": "It could do harm."}
    ),
}


def test_what_anthropics_api_answers_comes_as_its_own_client_gives_it(project: Project, api: AnthropicServer) -> None:
    """In its order, with its citations and calls of its own tools; and it is sent back so."""
    body = TWICE.replace("URL", f"http://127.0.0.1:{api.port}").replace(
        "answers.append(messages.create(**asked))",
        """answers.append(messages.create(**asked))
                with messages.stream(**asked) if client is not other else contextlib.nullcontext() as events:
                    assert events is None or events.get_final_message().to_dict() == answers[-1].to_dict()
                back = {"role": "assistant", "content": answers[-1].content}
                messages.create(**{**asked, "messages": [*asked["messages"], back, *asked["messages"]]})""",
    )
    body = body.replace(
        '"id": second["id"], "stop_details": None}', '"id": second["id"], "stop_details": second["stop_details"]}'
    )
    rows = [{"id": id_, "input": json.dumps({"messages": [{"role": "user", "content": id_}]})} for id_ in ANSWERS]
    project.eval(body, rows)
    api.reply = lambda messages: ANSWERS[messages[0]["content"]]
    project.run("evals", model=api.spec("echo")).assert_outcomes(passed=len(ANSWERS))
    sent = [entry.body["messages"][1]["content"] for entry in api.ledger if len(entry.body["messages"]) == 3]
    same = [back if isinstance(back, list) else [text(back)] * bool(back) for back in sent]
    assert same[1::2] == same[::2]


@pytest.mark.parametrize("body", [AGENT, STREAMED], ids=["whole", "streamed"])
def test_an_agent_of_a_model_that_thinks_goes_on(project: Project, api: AnthropicServer, body: str) -> None:
    """Its thoughts and the caller of its tool come back to it; a second run finds both answers in the cache."""
    caller = {"caller": {"type": "direct"}}

    def thinking(messages: list[dict[str, Any]]) -> dict[str, Any]:
        if len(messages) == 1:
            return message(THOUGHT, "Hm.", {**USE, **caller}, stop="tool_use", model="echo")
        *said, use = messages[1]["content"]
        (result,) = messages[2]["content"]
        is_whole = said == [THOUGHT, text("Hm.")] and use == {**USE, **caller, "id": result["tool_use_id"]}
        return message(result["content"] if is_whole else f"lost: {messages[1]}")

    project.eval(body, ROWS)
    api.reply = thinking
    project.run("evals", model=api.spec("echo")).assert_outcomes(passed=2)
    project.run("evals", "--cache=only", model=api.spec("echo")).assert_outcomes(passed=2)
    assert len(api.ledger) == 4


THREADS = """
def test_thread(sample, model):
    from pytest_llmeval import anthropic_client
    client = anthropic_client(model)
    asked = {"model": "x", "max_tokens": 9, "system": "Count.", "messages": []}
    marked = {"type": "text", "text": "one", "cache_control": {"type": "ephemeral"}}
    thread = client.beta.messages.thread(**asked)
    for said in ([marked], "two", "three"):
        assert thread.send({"role": "user", "content": said}).content[0].text == "Yes."
    known = {"type": "continue", "previous_message_id": thread.previous_message_id}
    four = {"role": "user", "content": "four"}
    client.with_options(timeout=3).beta.messages.create(model="x", max_tokens=9, messages=[four], thread=known)
    if sample.id == "unknown":
        anthropic_client(model).beta.messages.create(model="x", max_tokens=9, messages=[four], thread=known)
"""


def test_a_thread_is_kept_by_the_client(project: Project) -> None:
    """As Anthropic keeps it; the tool runner makes one by itself. Another client knows nothing of it."""
    project.eval(THREADS, [{"id": id_, "input": "x"} for id_ in ("known", "unknown")])
    project.server.reply = lambda messages: completion("Yes.")
    project.run("evals")
    assert project.cases() == {"known": "passed", "unknown": "error"}
    (case,) = project.rows("SELECT error_kind, error FROM cases WHERE outcome = 'error'")
    assert case["error_kind"] == "code" and "which is not an answer of a thread of this client" in case["error"]
    bodies = [entry.body for entry in project.server.ledger[:4]]
    assert not any("thread" in body for body in bodies)
    system, yes = {"role": "system", "content": "Count."}, {"role": "assistant", "content": "Yes."}
    said = [{"role": "user", "content": count} for count in ("one", "two", "three", "four")]
    assert bodies[0]["messages"][1]["content"] == [text("one", **CACHED)]
    assert bodies[1]["messages"] == [system, said[0], yes, said[1]]
    assert bodies[3]["messages"] == [system, said[0], yes, said[1], yes, said[2], yes, said[3]]
