"""``model.responses``: what a case was answered, so that the way to an answer can be scored."""

import json
import threading
from typing import Any

import pytest

from tests.support.chat_bodies import completion
from tests.support.project import Project

ROWS = [{"id": city.lower(), "input": f"weather in {city}?", "target": city} for city in ("Oslo", "Rome")]
ASYNC = """
async def test_agent(sample, model, score):
    from pytest_llmeval import async_openai_client

    assert model.responses == ()
    client = async_openai_client(model)
    chat = [{"role": "user", "content": sample.input}]
    while True:
        completion = await client.chat.completions.create(model="x", messages=chat)
        message = completion.choices[0].message
        chat.append(message)
        if not message.tool_calls:
            break
        call = message.tool_calls[0]
        chat.append({"role": "tool", "tool_call_id": call.id, "content": "sunny in " + sample.target})
    score.contains(message.content, sample.target)
    score.tool_calls(model.responses, {"name": "weather", "arguments": {"city": sample.target}})
    score.record("steps", len(model.responses))
"""
SYNC = ASYNC.replace("async def", "def").replace("await ", "").replace("async_openai", "openai")
SCORES = """
SELECT sample_id, name, value FROM scores JOIN cases ON cases.id = case_id
WHERE run_id = (SELECT id FROM runs ORDER BY started_at DESC, rowid DESC LIMIT 1) ORDER BY 1, 2
"""


def weather(messages: list[dict[str, Any]]) -> dict[str, Any]:
    """Call the tool once, for Oslo whatever was asked, then tell its result."""
    if messages[-1]["role"] == "tool":
        return completion(messages[-1]["content"])
    function = {"name": "weather", "arguments": json.dumps({"city": "Oslo"})}
    return completion(None, finish="tool_calls", tool_calls=[{"id": "1", "type": "function", "function": function}])


@pytest.mark.parametrize("arguments", [(), ("-n2",)], ids=["", "n2"])
@pytest.mark.parametrize("body", [ASYNC, SYNC], ids=["async", "sync"])
def test_the_way_of_an_application_is_scored(project: Project, body: str, arguments: tuple[str, ...]) -> None:
    """By all answers that it was given through its client, asked now or by an earlier run."""
    project.eval(body, ROWS)
    project.server.reply = weather
    for cached in ((), ("--cache=only",)):
        result = project.run("evals", *arguments, *cached)
        result.assert_outcomes(passed=1, failed=1)
        result.stdout.fnmatch_lines(['*weather: city: expected "Rome", got "Oslo"'])
        assert [tuple(row.values()) for row in project.rows(SCORES)] == [
            (city, name, value)
            for city, share in (("oslo", 1.0), ("rome", 0.0))
            for name, value in (("contains", 1.0), ("steps", 2.0), ("tool_calls", share), ("tool_names", 1.0))
        ]
    assert len(project.server.ledger) == 4


def test_answers_stand_in_the_order_in_which_they_were_asked_for(project: Project) -> None:
    """Whichever came first; that of the fixture ``response`` before all, a failed call and the judge's not at all."""
    body = """
    async def test_order(sample, model, response, judge, score):
        import asyncio

        first = asyncio.create_task(model.generate("slow"))
        await asyncio.sleep(0)
        await model.generate("fast")
        seen = model.responses
        assert [str(each) for each in seen] == ["own", "fast"]
        await judge.generate("let it go")
        await first
        assert [str(each) for each in model.responses] == ["own", "slow", "fast"]
        assert seen == (model.responses[0], model.responses[2])
        assert model.responses[0] is response
    """
    project.eval(body, [{"id": "one", "input": "own"}])
    let_go = threading.Event()

    def reply(messages: list[dict[str, Any]]) -> str:
        text = str(messages[-1]["content"])
        if text == "slow":
            assert let_go.wait(60)
        elif text == "let it go":
            let_go.set()
        return text

    project.server.reply = reply
    project.run("evals", f"--judge-model={project.server.spec('judge')}").assert_outcomes(passed=1)


def test_a_call_that_failed_left_no_answer(project: Project) -> None:
    """The case is an error of its kind all the same."""
    body = """
    def test_failed(sample, model, score):
        try:
            model.generate_sync(temperature=2)
        except Exception:
            score.record("answers", len(model.responses))
    """
    project.eval(body, [{"id": "one", "input": "own"}])
    result = project.run("evals", model=project.server.spec("fault-status-400"))
    result.assert_outcomes(errors=1)
    assert [tuple(row.values()) for row in project.rows(SCORES)] == [("one", "answers", 0.0)]


def test_a_hook_finds_what_a_body_was_answered_that_ran_ahead(project: Project) -> None:
    """The fixture of a case is one, whoever asks for it."""
    body = """
    async def test_ahead(sample, model, response):
        await model.generate("more")
    """
    project.eval(body, [{"id": "one", "input": "own"}])
    project.write(
        conftest_py="""
        def pytest_runtest_teardown(item):
            print("hook", *item.funcargs["model"].responses)
        """
    )
    result = project.run("evals", "-rA")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["hook own more", "async bodies: 1 ran ahead, 0 in their turn"])
