"""An application that takes no client of ours, but an address and a key: what it asks there are calls of the case."""

import threading
from typing import Any

import pytest

from tests.support.project import Project

ROWS = [{"id": each, "input": f"say {each}"} for each in "abcd"]
APP = """
import json, os, sys, urllib.request

def ask(path, body, **headers):
    request = urllib.request.Request(
        os.environ["OPENAI_BASE_URL"] + path,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": "Bearer " + os.environ["OPENAI_API_KEY"], **headers},
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)

if __name__ == "__main__":
    messages = [{"role": "user", "content": sys.argv[1]}]
    (model,) = ask("/models", None)["data"]
    assert ask("/models/gpt-4o", None) == model
    completion = ask("/chat/completions", {"model": model["id"], "messages": messages, "temperature": 0.5})
    print(completion["choices"][0]["message"]["content"])
"""
SYNC = """
def test_app(sample, model, score):
    import os, subprocess, sys
    from pytest_llmeval import model_endpoint
    with model_endpoint(model) as endpoint:
        command = [sys.executable, "app.py", sample.input]
        done = subprocess.run(command, env={**os.environ, **endpoint.environ}, capture_output=True, text=True)
    score.exact(done.stdout.strip(), sample.input)
"""
ASYNC = """
async def test_app(sample, model, score):
    import asyncio, os, sys
    from pytest_llmeval import model_endpoint
    with model_endpoint(model) as endpoint:
        environ = {**os.environ, **endpoint.environ}
        command = [sys.executable, "app.py", sample.input]
        process = await asyncio.create_subprocess_exec(*command, env=environ, stdout=asyncio.subprocess.PIPE)
        said, _ = await process.communicate()
    score.exact(said.decode().strip(), sample.input)
"""


@pytest.mark.parametrize("arguments", [(), ("-n2",)], ids=["", "n2"])
@pytest.mark.parametrize("body", [SYNC, ASYNC], ids=["sync", "async"])
def test_calls_of_a_process_are_those_of_the_case(project: Project, body: str, arguments: tuple[str, ...]) -> None:
    """They are sent with the app's parameters, recorded, and serve a later run."""
    project.eval(body, ROWS, marker='params={"temperature": 0, "seed": 7}')
    project.write(app_py=APP)
    project.run("evals", *arguments).assert_outcomes(passed=4)
    sent = [entry.body for entry in project.server.ledger]
    assert all((each["model"], each["temperature"], each["seed"]) == ("echo", 0.5, 7) for each in sent)
    assert project.rows("SELECT DISTINCT status, role FROM calls") == [{"status": "ok", "role": "model"}]
    project.run("evals", "--cache=only", *arguments).assert_outcomes(passed=4)
    assert len(project.server.ledger) == 4


def test_a_proxy_of_the_environment_is_not_asked_for_it(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.eval(SYNC, ROWS[:1])
    project.write(app_py=APP)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "example.com")
    project.run("evals").assert_outcomes(passed=1)


def test_processes_of_async_bodies_run_at_once(project: Project) -> None:
    project.eval(ASYNC, ROWS)
    project.write(app_py=APP)
    project.run("evals", model=project.server.spec("fault-slow-3000")).assert_outcomes(passed=4)
    assert project.server.max_in_flight == 4


CATCHING = """
def test_app(sample, model, score):
    import os, urllib.error
    import app
    from pytest_llmeval import model_endpoint

    def ask(path="/chat/completions", body={"messages": [{"role": "user", "content": "x"}]}, **headers):
        return app.ask(path, body, **headers)

    with model_endpoint(model) as endpoint:
        os.environ.update(endpoint.environ)
        try:
            {
                "key": lambda: ask(Authorization="Bearer other"),
                "none": lambda: ask(Authorization=""),
                "path": lambda: ask("/embeddings"),
                "json": lambda: ask(body=[1]),
                "many": lambda: ask(body={"n": 2}),
                "call": lambda: ask(),
            }[sample.input]()
        except urllib.error.HTTPError as error:
            with error:
                assert error.code == 400 and endpoint.api_key not in (told := error.read().decode())
            assert '"type": "llmeval_error"' in told
    score.exact("fallback", "fallback")
"""


def test_what_fails_is_an_error_of_the_case_whatever_the_application_makes_of_it(project: Project) -> None:
    """Under a status with which no client asks again."""
    asked = ("key", "none", "path", "json", "many", "call")
    project.eval(CATCHING, [{"id": each, "input": each} for each in asked])
    project.write(app_py=APP)
    project.pytester.syspathinsert()
    project.run("evals", model=project.server.spec("fault-echoauth")).assert_outcomes(errors=6)
    kinds = {row["sample_id"]: row["error_kind"] for row in project.rows("SELECT sample_id, error_kind FROM cases")}
    assert kinds == {**dict.fromkeys(asked, "code"), "call": "auth"}
    errors = {row["sample_id"]: row["error"] for row in project.rows("SELECT sample_id, error FROM cases")}
    assert all("give the application its `api_key`" in errors[each] for each in ("key", "none"))
    assert "only chat completions and responses go through the case's model" in errors["path"]
    assert "the body is not a JSON object" in errors["json"] and "n=2" in errors["many"]


RETRYING = """
def test_app(sample, model, score):
    import openai
    from pytest_llmeval import model_endpoint
    with model_endpoint(model) as endpoint:
        client = openai.OpenAI(base_url=endpoint.base_url, api_key=endpoint.api_key, timeout=0.3, max_retries=20)
        with client:
            said = client.chat.completions.create(model="x", messages=[{"role": "user", "content": sample.input}])
            events = client.responses.create(model="x", input=sample.input, stream=True, timeout=10)
            last = [*events][-1].response
            more = client.responses.create(model="x", input="more", previous_response_id=last.id, timeout=10)
    score.exact(said.choices[0].message.content, sample.input)
    score.exact(last.output_text, sample.input, name="response")
    score.exact(more.output_text, "more", name="more")
"""


CLAUDE = """
async def test_app(sample, model, score):
    import anthropic, os
    from pytest_llmeval import model_endpoint
    with model_endpoint(model) as endpoint:
        async with anthropic.AsyncAnthropic(base_url=endpoint.root_url, api_key=endpoint.api_key) as client:
            asked = {"model": "x", "max_tokens": 50, "messages": [{"role": "user", "content": sample.input}]}
            said = await client.messages.create(**asked)
            async with client.messages.stream(**asked) as events:
                streamed = await events.get_final_text()
            try:
                await client.messages.count_tokens(model="x", messages=asked["messages"])
            except anthropic.BadRequestError as error:
                assert "only messages go through the case's model" in str(error)
    score.exact(said.content[0].text, sample.input)
    score.exact(streamed, sample.input, name="streamed")
"""


def test_clients_of_anthropic_are_answered_too(project: Project) -> None:
    project.eval(CLAUDE, ROWS[:1])
    project.run("evals").assert_outcomes(errors=1)  # it has asked for a count
    assert [entry.body["messages"][0]["content"] for entry in project.server.ledger] == ["say a", "say a"]
    assert [row["value"] for row in project.rows("SELECT value FROM scores")] == [1.0, 1.0]


def test_a_request_that_a_client_gave_up_and_makes_again_is_one_call(project: Project) -> None:
    """Answers that take their time are paid for once."""
    project.eval(RETRYING, ROWS[:1])
    project.run("evals", model=project.server.spec("fault-slow-1500")).assert_outcomes(passed=1)
    assert [len(entry.body["messages"]) for entry in project.server.ledger] == [1, 1, 3]


def test_nothing_is_answered_behind_the_block(project: Project) -> None:
    """Nor to whoever still waits at its end."""
    body = """
    def test_app(sample, model, score):
        import os, threading, urllib.error
        import app
        from pytest_llmeval import model_endpoint
        ended = []

        def ask():
            try:
                app.ask("/chat/completions", {"messages": [{"role": "user", "content": "x"}]})
            except OSError:
                ended.append(True)

        with model_endpoint(model) as endpoint:
            os.environ.update(endpoint.environ)
            waiting = threading.Thread(target=ask)
            waiting.start()
            model.generate_sync("beside")
        waiting.join(5)
        ask()
        assert ended == [True, True]
    """
    project.eval(body, ROWS[:1])
    project.write(app_py=APP)
    project.pytester.syspathinsert()
    is_over = threading.Event()

    def reply(messages: list[dict[str, Any]]) -> str:
        return "ok" if messages[0]["content"] == "beside" or is_over.wait(60) else "never"

    project.server.reply = reply
    project.run("evals").assert_outcomes(passed=1)
    is_over.set()
