"""An application that takes OpenAI's client: what it asks is asked through the case's model."""

from typing import Any

import pytest

from tests.support.chat_bodies import completion
from tests.support.project import Project

ROWS = [{"id": each, "input": f"say {each}"} for each in "ab"]
SYNC = """
def test_echo(sample, model, score):
    from pytest_llmeval import openai_client
    score.exact(app(sample.input, openai_client(model)), sample.input)

def app(question, client):
    completion = client.chat.completions.create(
        model="gpt-4o", messages=[{"role": "user", "content": question}], temperature=0.5, n=1
    )
    return completion.choices[0].message.content
"""
ASYNC = """
async def test_echo(sample, model, score):
    from pytest_llmeval import async_openai_client
    score.exact(await app(sample.input, async_openai_client(model)), sample.input)

async def app(question, client):
    completion = await client.chat.completions.create(
        model="gpt-4o", messages=[{"role": "user", "content": question}], temperature=0.5
    )
    return completion.choices[0].message.content
"""
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
    result = project.run("evals", *arguments, model="cheap")
    result.assert_outcomes(passed=2)
    alone = "\nsync bodies: 2 asked the model one after another; from async ones, with" in result.stdout.str()
    assert alone == (body == SYNC)
    sent = sorted((entry.body for entry in project.server.ledger), key=str)
    assert [body["messages"][0]["content"] for body in sent] == ["say a", "say b"]
    assert not any("n" in body for body in sent)
    assert all(body["model"] == "echo" and (body["temperature"], body["seed"]) == (0.5, 7) for body in sent)
    calls = project.rows("SELECT model, status, input_tokens, output_tokens, cost_usd FROM calls")
    assert [list(call.values()) for call in calls] == [["cheap", "ok", 7, 2, 9.0]] * 2
    cached = project.run("evals", "--cache=only", model="cheap")
    cached.assert_outcomes(passed=2)
    assert "\nsync bodies" not in cached.stdout.str()
    assert len(project.server.ledger) == 2


def test_rows_of_async_tests_run_concurrently(project: Project) -> None:
    """An app that does not await its answers does so in a thread."""
    threaded = """
    async def test_threaded(sample, model):
        import asyncio
        from pytest_llmeval import openai_client
        ask = openai_client(model).chat.completions.create
        await asyncio.to_thread(ask, model="x", messages=[{"role": "user", "content": sample.input}])
    """
    rows = [{"id": str(each), "input": f"say {each}"} for each in range(4)]
    many = [{"id": str(each), "input": f"say {each}"} for each in range(12)]
    project.eval(ASYNC, rows)
    project.eval(threaded, many, name="threaded")
    result = project.run("evals", model=project.server.spec("fault-slow-1000"))
    result.assert_outcomes(passed=16)
    assert project.server.max_in_flight >= 14
    assert "sync bodies:" not in result.stdout.str().replace("async bodies:", "")


def test_bodies_with_a_loop_of_their_own_are_told_to_be_async(project: Project) -> None:
    """As frameworks have one whose agents can be run without ``await``."""
    looped = "__import__('asyncio').run(app(sample.input, async_openai_client(model)))"
    test, app = ASYNC.split("\nasync def app")
    test = test.replace("await app(sample.input, async_openai_client(model))", looped).replace("async def", "def")
    project.eval(f"{test}\nasync def app{app}", ROWS)
    result = project.run("evals")
    result.assert_outcomes(passed=2)
    assert "\nsync bodies: 2 asked the model one after another; from async ones, with" in result.stdout.str()


def test_bodies_that_would_ask_alone_in_any_way_are_not_told_to_be_async(project: Project) -> None:
    """Those that patch, and those that are async and run by anyio."""
    project.eval(SYNC.replace("(sample", "(monkeypatch, sample", 1), ROWS, name="alone", marker="suite='alone'")
    threaded = "await __import__('asyncio').to_thread(app, sample.input, openai_client(model))"
    of_anyio = SYNC.replace("app(sample.input, openai_client(model))", threaded, 1).replace("def", "async def", 1)
    project.eval(f"@pytest.mark.anyio{of_anyio}", ROWS, name="anyio")
    project.write(conftest_py="import pytest\n@pytest.fixture\ndef anyio_backend():\n    return 'asyncio'\n")
    result = project.run("evals", "-p", "anyio", inside=False)
    result.assert_outcomes(passed=4)
    assert "\nsync bodies" not in result.stdout.str()


def test_streams_tools_and_structures(project: Project) -> None:
    """The client is OpenAI's own: whatever it offers with a chat completion works, also in a copy of it.

    The tool calls of an agent that keeps the last messages alone have ids of their own all the same.
    """

    def reply(messages: list[dict[str, Any]]) -> str | dict[str, Any]:
        said = [message["content"] for message in messages]
        if said in (["weather"], ["weather now"]):
            functions = [{"name": "find", "arguments": f'{{"city": "{city}"}}'} for city in ("Rome", "Oslo")]
            calls = [{"id": f"call_{f['name']}", "type": "function", "function": f} for f in functions]
            return completion(None, "echo-2", finish="tool_calls", tool_calls=calls)
        if said == ["edit"]:
            custom = {"type": "custom", "id": "x", "custom": {"name": "patch", "input": "+a"}}
            return completion(None, finish="tool_calls", tool_calls=[custom])
        if said == ["bad"]:
            return completion(None, refusal="No.")
        return '{"city": "Rome"}'

    body = """
    def test_echo(sample, model):
        import pydantic
        from pytest_llmeval import openai_client

        class Place(pydantic.BaseModel):
            city: str

        client = openai_client(model).with_options(timeout=5, max_retries=3)
        make, chat = client.chat.completions.create, [{"role": "user", "content": sample.input}]
        usage = {"include_usage": True}
        if sample.id == "stream":
            first, last = make(model="x", messages=chat, stream=True, stream_options=usage)
            assert first.choices[0].delta.content == '{"city": "Rome"}' and first.choices[0].finish_reason == "stop"
            assert (first.usage, last.choices, last.usage.total_tokens) == (None, [], 9)
            (only,) = make(model="x", messages=chat, stream=True)
            assert only.usage is None
        elif sample.id == "tools":
            tools = [{"type": "function", "function": {"name": "find", "parameters": {"type": "object"}}}]
            whole = make(model="x", messages=chat, tools=tools)
            assert (whole.model, whole.system_fingerprint) == ("echo-2", "fp_test")
            (choice,) = whole.choices
            assert choice.finish_reason == "tool_calls" and choice.message.content is None
            arguments = [call.function.arguments for call in choice.message.tool_calls]
            assert arguments == ['{"city": "Rome"}', '{"city": "Oslo"}']
            ids = [call.id for call in choice.message.tool_calls]
            now = make(model="x", messages=[{"role": "user", "content": "weather now"}], tools=tools)
            assert len({*ids, *(call.id for call in now.choices[0].message.tool_calls)}) == 4
            assert all(len(id_) == 9 and id_.isalnum() for id_ in ids)
            with client.chat.completions.stream(model="x", messages=chat, tools=tools) as events:
                assert [call.id for call in events.get_final_completion().choices[0].message.tool_calls] == ids
            asked = {"role": "assistant", "tool_calls": [call.model_dump() for call in choice.message.tool_calls]}
            found = [{"role": "tool", "tool_call_id": id_, "content": "sunny"} for id_ in ids]
            assert make(model="x", messages=[*chat, asked, *found]).choices[0].message.content == '{"city": "Rome"}'
            make(model="x", messages=[*chat, choice.message, *found])
        elif sample.id == "custom":
            tools = [{"type": "custom", "custom": {"name": "patch"}}]
            assert make(model="x", messages=chat, tools=tools).choices[0].message.tool_calls[0].custom.input == "+a"
        elif sample.id == "refusal":
            message = make(model="x", messages=chat).choices[0].message
            assert (message.content, message.refusal) == (None, "No.")
        else:
            parsed = client.chat.completions.parse(model="x", messages=chat, response_format=Place)
            assert parsed.choices[0].message.parsed == Place(city="Rome")
            raw = client.chat.completions.with_raw_response.create(model="x", messages=chat)
            assert raw.status_code == 200 and raw.parse().choices[0].message.content
    """
    inputs = {"stream": "s", "tools": "weather", "custom": "edit", "refusal": "bad", "parse": "where"}
    project.eval(body, [{"id": id_, "input": text} for id_, text in inputs.items()])
    project.server.reply = reply
    project.run("evals").assert_outcomes(passed=5)
    assert not any("stream" in entry.body or "stream_options" in entry.body for entry in project.server.ledger)
    last = [entry.body["messages"] for entry in project.server.ledger if len(entry.body["messages"]) > 1]
    assert [messages[1]["content"] for messages in last] == [None, None]


def test_a_deep_copy_of_a_client_is_the_client(project: Project) -> None:
    """DSPy copies what it is given for a model, the client among it, and asks through the copy."""
    copied = "__import__('copy').deepcopy({'client': %s(model)})['client']"
    for body, client in ((SYNC, "openai_client"), (ASYNC, "async_openai_client")):
        name = client.partition("_")[0]
        project.eval(body.replace(f"{client}(model)", copied % client), ROWS, name=name, marker=f"suite={name!r}")
    project.run("evals").assert_outcomes(passed=4)
    assert len(project.server.ledger) == 4


CATCHING = """
async def test_echo(sample, model, score):
    import asyncio
    import openai
    from pytest_llmeval import async_openai_client, openai_client

    how, what = sample.input.split()
    kinds = {"api": openai.APIError, "all": Exception, "broken": Exception, "none": ()}

    def sync():
        ask(openai_client(model).with_options(max_retries=2))

    def ask(client):
        if what == "embed":
            return client.embeddings.create(model="x", input="x")
        if what == "retrieve":
            return client.responses.retrieve("resp_1")
        n = 2 if what == "twice" else 1
        return client.chat.completions.create(model="x", messages=[{"role": "user", "content": "hello"}], n=n)

    try:
        if how.startswith("sync-"):
            await asyncio.to_thread(sync)
        elif how.startswith("blocking-"):
            sync()
        else:
            await ask(async_openai_client(model))
        answer = "hello"
    except kinds[how.rpartition("-")[2]]:
        answer = None if how == "broken" else "sorry"
    score.exact(answer.strip(), "hello")
"""


def test_a_failed_call_is_an_error_of_its_kind(project: Project) -> None:
    """No handler makes an answer of it: neither one of OpenAI's errors nor one of all exceptions.

    The application that breaks over what it made of it is an error of its own, and tells of the call.
    """
    inputs = ["none", "api", "all", "broken", "sync-none", "sync-api", "sync-all"]
    project.eval(CATCHING, [{"id": each, "input": f"{each} chat"} for each in inputs])
    project.run("evals", model=project.server.spec("fault-status-400"))
    assert project.cases() == dict.fromkeys(inputs, "error")
    kinds = project.rows("SELECT DISTINCT error_kind FROM cases WHERE sample_id != 'broken'")
    assert [row["error_kind"] for row in kinds] == ["bad_request"]
    (broken,) = project.rows("SELECT error_kind, error FROM cases WHERE sample_id = 'broken'")
    told = "'NoneType' object has no attribute 'strip'; before it a call had failed: fault-status-400 at"
    assert broken["error_kind"] == "code" and told in broken["error"]
    assert len(project.server.ledger) == 7
    assert project.rows("SELECT DISTINCT status FROM calls") == [{"status": "bad_request"}]
    project.run("evals", "--cache=only", "-k", "api").assert_outcomes(errors=2)
    kinds = project.rows("SELECT DISTINCT error_kind FROM cases WHERE sample_id != 'broken' ORDER BY error_kind")
    assert [row["error_kind"] for row in kinds] == ["bad_request", "not_cached"]


RETRYING = """
async def test_echo(sample, model):
    import asyncio
    from pytest_llmeval import async_openai_client, openai_client

    def asked(client, count):
        headers = {"x-stainless-retry-count": count}
        chat = [{"role": "user", "content": "hello"}]
        return client.chat.completions.create(model="x", messages=chat, extra_headers=headers)

    raised, clients = [], (openai_client(model), async_openai_client(model))
    for count in ("0", "1", "2", "0"):
        try:
            if sample.id == "sync":
                await asyncio.to_thread(asked, clients[0], count)
            else:
                await asked(clients[1], count)
        except Exception as error:
            raised.append(error)
    assert raised[0] is raised[1] is raised[2] is not raised[3]
    raise raised[0]
"""


def test_a_retry_of_the_sdk_meets_the_same_error(project: Project) -> None:
    """OpenAI's SDK before 3.14 retries whatever is raised; here its header says so. What asks anew is sent."""
    project.eval(RETRYING, [{"id": each, "input": each} for each in ("sync", "async")])
    project.run("evals", model=project.server.spec("fault-status-400")).assert_outcomes(errors=2)
    assert len(project.server.ledger) == 4
    assert project.rows("SELECT DISTINCT error_kind FROM cases") == [{"error_kind": "bad_request"}]


def test_anything_but_a_single_answer_is_refused(project: Project) -> None:
    """So is a client that blocks the loop of async bodies; the case is an error also where the app catches that."""
    inputs = {"endpoint": "%s embed", "kept": "%s retrieve", "choices": "%s twice", "blocking": "blocking-%s chat"}
    rows = [{"id": f"{how}-{id_}", "input": text % how} for id_, text in inputs.items() for how in ("api", "all")]
    project.eval(CATCHING, rows)
    project.run("evals").assert_outcomes(errors=8)
    found = {case["sample_id"]: case for case in project.rows("SELECT sample_id, error_kind, error FROM cases")}
    assert {case["error_kind"] for case in found.values()} == {"code"}
    for how in ("api", "all"):
        assert "n=2: the case's model gives one answer to a request" in found[f"{how}-choices"]["error"]
        told = "only chat completions and responses go through the case's model"
        assert f"POST /v1/embeddings: {told}" in found[f"{how}-endpoint"]["error"]
        assert f"GET /v1/responses/resp_1: {told}; let the application use its own" in found[f"{how}-kept"]["error"]
        assert "RuntimeError: a sync call was made from async code" in found[f"{how}-blocking"]["error"]
        assert "`async_openai_client(model)` there, or `await asyncio.to_thread(" in found[f"{how}-blocking"]["error"]
    assert project.server.ledger == []


@pytest.mark.parametrize("client", ["openai_client", "async_openai_client", "model_endpoint"])
@pytest.mark.parametrize("own", ["'gpt-4o'", "{'name': 'gpt-4o'}"])
def test_the_name_of_a_model_is_no_model(project: Project, client: str, own: str) -> None:
    """Nor is a fixture of the project's own that is called so, which keeps its name."""
    project.eval(
        f"""
        def test_echo(model):
            from pytest_llmeval import {client} as given

            with given(model):
                pass

        @pytest.fixture
        def model():
            return {own}
        """,
        ROWS[:1],
    )
    assert project.run("evals").ret == 1
    (case,) = project.rows("SELECT error_kind, error FROM cases")
    assert case["error_kind"] == "code" and f"a client takes the fixture `model`, found {own}" in case["error"]
    assert case["error"].endswith("where the project has a fixture `model` of its own, ours is `llmeval_model`")


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("fault-body-refusal", "the model only refused: I cannot help with that."),
        ("fault-body-length", "the answer was cut off at its maximum length; see max_tokens"),
        ("echo", ""),
    ],
)
def test_a_miss_says_what_became_of_the_answer_whose_text_an_application_hands_on(
    project: Project, model: str, told: str
) -> None:
    """It hands on no response, only the text; another text, such as one that it made up, is not told of so."""
    scored = "    score.exact(said, 'x')\n    score.exact(said + '?', 'x', name='own')\n"
    asked = ASYNC.replace("score.exact(", "said = ").replace(", sample.input)\n\n", f" or ''\n{scored}\n")
    project.eval(asked, ROWS[:1])
    project.run("evals", model=project.server.spec(model))
    reasons = {row["name"]: row["reason"] for row in project.rows("SELECT name, reason FROM scores")}
    assert told in reasons["exact"] and "see max_tokens" not in reasons["own"] and "refusal" not in reasons["own"]
