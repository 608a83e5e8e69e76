"""A user's file of evals: it must type-check under ``mypy --strict``, with nothing but public names, and it runs.

Strict mode reports an ignore that is not needed: each one below says that the mistake on its line is found.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from openai import AsyncOpenAI

from pytest_llmeval import (
    CallError,
    ErrorKind,
    Likelihood,
    LlmevalError,
    Message,
    Model,
    Response,
    Sample,
    Score,
    ScoreBook,
    Scored,
    ToolCall,
    Usage,
    anthropic_client,
    async_anthropic_client,
    async_openai_client,
    openai_client,
    scorer,
)

ROWS: list[dict[str, Any]] = [
    {"id": "one", "input": "Hello", "target": "Hello", "slice": ["easy"], "metadata": {"length": 5}},
    {"id": "two", "input": "Good morning", "target": "Good morning"},
]


@scorer
def starts_with(response: str | Response, target: str, *, count: int = 1) -> float:
    """Return whether the first characters agree."""
    return float(str(response)[:count] == target[:count])


@scorer(name="short", pass_mark=0.5)
def is_short(response: str | Response, target: object = None, *, most: int = 100) -> Scored:
    """Return a value with a reason."""
    length = len(str(response))
    return Scored(value=float(length <= most), reason=f"{length} characters")


def greet(sample: Sample) -> list[Message]:
    """Return the prompt of a row."""
    return [{"role": "system", "content": "Repeat."}, {"role": "user", "content": str(sample.input)}]


def rows() -> Iterator[dict[str, Any]]:
    """Yield the rows."""
    yield from ROWS


@pytest.mark.llmeval(ROWS, suite="sync", prompt=greet)
def test_sync(sample: Sample, response: Response, score: ScoreBook) -> None:
    """A sync eval: the answer is there already."""
    text: str = response.text
    usage: Usage = response.usage
    tokens: int | None = usage.output_tokens
    reason: str | None = response.finish_reason
    latency: float | None = response.latency_s
    assert text and reason == "stop" and latency is not None
    score.exact(response, sample.target)
    score.starts_with(text, sample.target, count=2)
    score.short(response)
    recorded: Score = score.record("tokens", tokens or 0)
    value: float | None = recorded.value
    passed: bool | None = recorded.passed
    assert value is not None and passed is None
    found: tuple[Score, ...] = score.scores
    assert {each.name for each in found} == {"exact", "starts_with", "short", "tokens"}


@pytest.mark.llmeval(dataset=rows)
async def test_async(sample: Sample, model: Model, score: ScoreBook) -> None:
    """An async eval: it asks by itself."""
    first: Response = await model.generate()
    chat: list[Message] = [{"role": "user", "content": "Again"}]
    second = await model.generate(chat, temperature=0)
    third = await model.generate("And again")
    name: str = model.name
    given: tuple[Response, ...] = model.responses
    assert given == (first, second, third)
    slices: tuple[str, ...] = sample.slices
    score.record("answers", len({first.text, second.text, third.text}))
    assert name and isinstance(slices, tuple)


@pytest.mark.llmeval(ROWS, suite="tools")
async def test_tools(sample: Sample, model: Model, score: ScoreBook) -> None:
    """A conversation in which a tool was called: what it said is part of the next prompt."""
    asked: ToolCall = ToolCall(name="look_up", arguments="{}")
    call = {"id": "call-0", "type": "function", "function": {"name": asked.name, "arguments": asked.arguments}}
    chat: list[Message] = [
        {"role": "user", "content": str(sample.input)},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "content": "Good day", "tool_call_id": "call-0"},
    ]
    answer = await model.generate(chat)
    score.record("said", bool(answer.text or answer.tool_calls))


@pytest.mark.llmeval(ROWS, suite="waiting")
def test_waiting(sample: Sample, model: Model) -> None:
    """A sync eval that asks by itself, and looks at what went wrong."""
    try:
        answer = model.generate_sync("Hello", max_tokens=5)
    except CallError as error:
        kind: ErrorKind = error.kind
        attempts: int = error.attempts
        assert isinstance(error, LlmevalError) and kind and attempts
        raise
    assert str(answer) == "Hello"


async def complete(model: Model) -> str | None:
    """Hand OpenAI's clients to an application; it never runs."""
    chat = openai_client(model).chat.completions.create(model="any", messages=[{"role": "user", "content": "Hello"}])
    listed = await async_openai_client(model, embeddings=AsyncOpenAI()).models.list()
    return chat.choices[0].message.content or listed.object


async def converse(model: Model) -> str:
    """Hand Anthropic's clients to an application; it never runs."""
    said = anthropic_client(model).messages.create(
        model="any", max_tokens=9, messages=[{"role": "user", "content": "Hello"}]
    )
    known = await async_anthropic_client(model).models.retrieve("any")
    return "".join(block.text for block in said.content if block.type == "text") or known.display_name


async def likely(model: Model) -> float:
    """Ask what only models on this machine tell; it never runs."""
    found: Likelihood = await model.logprob("Hello")
    tokens: int = model.logprob_sync("Hello", "Say it").tokens
    return found.logprob / tokens + found.perplexity


def mistakes(sample: Sample, response: Response, model: Model, score: ScoreBook) -> None:
    """What a type checker finds in a user's code; it never runs."""
    sample.id = "other"  # type: ignore[misc]  # a sample is frozen
    response.txt  # type: ignore[attr-defined]  # noqa: B018  # no such field
    model.generate_sync(5)  # type: ignore[arg-type]  # neither a text nor a chat
    score.record("x")  # type: ignore[call-arg]  # a score has a value
    bad: str = score.exact(response, sample.target)  # type: ignore[assignment]  # a scorer gives a Score
    score.judge_sync(response)  # type: ignore[call-arg]  # a judge needs a rubric
    score.judge_sync(5, rubric="qa")  # type: ignore[arg-type]
    score.record("x", 1.0, passed="yes")  # type: ignore[arg-type]  # passed is a bool
    wrong: list[Message] = [{"role": "robot", "content": "x"}]  # type: ignore[typeddict-item]  # no such role
    starts_with("a")  # type: ignore[call-arg]  # a decorated scorer keeps its signature
    is_short(5)  # type: ignore[arg-type]
    assert wrong and bad
