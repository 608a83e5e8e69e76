"""Estimates of a run's calls, tokens and cost, before it starts."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from json import dumps
from typing import Any, TypeVar

from pytest_llmeval.core.costs import Prices, cost_usd
from pytest_llmeval.core.text import counted
from pytest_llmeval.core.types import Usage

__all__ = ["CHARS_PER_TOKEN", "TOKENS_PER_MEDIUM", "Estimate", "SuiteCalls", "estimate", "estimate_tokens"]

N = TypeVar("N", int, float)

CHARS_PER_TOKEN = 4
TOKENS_PER_MESSAGE = 4
TOKENS_PER_MEDIUM = 4784
"""Tokens counted for an image or a sound of any size. It is the most that an image has with any model of Anthropic
(https://platform.claude.com/docs/en/build-with-claude/vision), and an upper bound for OpenAI's models too, except for
gpt-4o-mini (up to 48,169) and the detail ``original`` (https://platform.openai.com/docs/guides/images-vision). A sound
of eight minutes has as many, at OpenAI's ten tokens per second."""

_MEDIA = ("audio_url", "image", "image_url", "input_audio", "input_image")
"""Types of content parts that are images or sounds, as OpenAI, Anthropic and vLLM name them."""
_PROMPTING = ("functions", "instructions", "response_format", "system", "tools")
"""Parameters that count as input tokens, like the messages."""
_BESIDE = ("reasoning", "reasoning_content", "reasoning_details", "reasoning_items", "thinking_blocks", "tool_calls")
"""Fields of a message that count as input besides its content; encrypted reasoning is longer than plain reasoning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteCalls:
    """The calls that one suite will make of one model."""

    calls: int
    """Number of calls, at least 0."""
    input_tokens: int | None
    """Tokens of the messages of all calls together; None if they cannot be known in advance."""
    output_tokens_per_call: float | None
    """Mean of earlier runs, or else the bound set by ``max_tokens``; at least 0, None if there is neither."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """The estimated tokens and cost of some calls. Estimates can be added; ``str(estimate)`` is a line for people."""

    calls: int
    input_tokens: int | None
    """None if the tokens of some call are unknown; likewise for the following fields."""
    output_tokens: int | None
    cost_usd: float | None

    def __add__(self, other: "Estimate") -> "Estimate":
        """Return the estimate for the calls of both; a sum is unknown if one of its parts is."""
        return Estimate(
            calls=self.calls + other.calls,
            input_tokens=_sum(self.input_tokens, other.input_tokens),
            output_tokens=_sum(self.output_tokens, other.output_tokens),
            cost_usd=_sum(self.cost_usd, other.cost_usd),
        )

    def __str__(self) -> str:
        tokens_in = "tokens in unknown" if self.input_tokens is None else f"about {_round(self.input_tokens)} tokens in"
        tokens_out = "tokens out unknown" if self.output_tokens is None else f"{_round(self.output_tokens)} out"
        return f"{counted(self.calls, 'call')}, {tokens_in}, {tokens_out}, {_money(self.cost_usd)}"


_NOTHING = Estimate(calls=0, input_tokens=0, output_tokens=0, cost_usd=0.0)
"""Estimate for no calls, the start of sums."""


def estimate_tokens(messages: Iterable[Mapping[str, Any]], params: Mapping[str, Any] | None = None) -> int:
    """Return the approximate number of tokens of a prompt: a quarter of its characters, and 4 for each message.

    The quarter is OpenAI's rule of thumb for English text; other languages and code have more tokens:
    https://help.openai.com/en/articles/4936856-what-are-tokens-and-how-to-count-them. The overhead of a message (role,
    delimiters) was 3 or 4 tokens for OpenAI's models:
    https://cookbook.openai.com/examples/how_to_count_tokens_with_tiktoken. A content that is not a string is counted as
    JSON, without its images and sounds, which count ``TOKENS_PER_MEDIUM`` each. A file or a video is counted by its
    data. That is mostly too much, and for a file seldom too little: 12 kB give the 3,000 tokens that Anthropic states
    as the maximum for the text of a page (https://platform.claude.com/docs/en/build-with-claude/pdf-support).

    Args:
        messages: messages of the chat.
        params: parameters of the request; tools, a response format and a system prompt in them are counted too.
    """
    told = [params[name] for name in _PROMPTING if params.get(name)] if params else []
    return sum(_tokens(message) for message in messages) + sum(_tokens({"content": each}) for each in told)


def estimate(suites: Iterable[SuiteCalls], prices: Prices | None) -> Estimate:
    """Return the estimate for all calls of ``suites`` to one model with ``prices``, without retries."""
    return sum((_one(suite, prices) for suite in suites if suite.calls), _NOTHING)


def _one(suite: SuiteCalls, prices: Prices | None) -> Estimate:
    """Return the estimate for one suite that makes calls."""
    each = suite.output_tokens_per_call
    output_tokens = None if each is None else math.ceil(suite.calls * each)
    usage = Usage(input_tokens=suite.input_tokens, output_tokens=output_tokens)
    return Estimate(
        calls=suite.calls,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cost_usd=cost_usd(prices, usage),
    )


def _tokens(message: Mapping[str, Any]) -> int:
    """Return the tokens of one message, including its tool calls and reasoning that is sent back."""
    content = message.get("content", "")
    beside = sum(len(_text(message[key])) for key in _BESIDE if message.get(key))
    media = list(_media(content))
    chars = len(_text(content)) - sum(len(_text(medium)) for medium in media) + beside
    return math.ceil(chars / CHARS_PER_TOKEN) + TOKENS_PER_MESSAGE + len(media) * TOKENS_PER_MEDIUM


def _media(content: object) -> Iterator[Mapping[str, Any]]:
    """Yield the images and sounds in a content, including those in results of tools."""
    for part in content if isinstance(content, list) else ():
        if not isinstance(part, dict):
            continue
        if part.get("type") in _MEDIA:
            yield part
        else:
            yield from _media(part.get("content"))


def _text(value: object) -> str:
    """Return the text whose characters are counted for a value."""
    return value if isinstance(value, str) else dumps(value, ensure_ascii=False, default=str)


def _sum(first: N | None, second: N | None) -> N | None:
    return None if first is None or second is None else first + second


def _round(count: int) -> str:
    """Return ``count`` as text with two significant digits, since an estimate has no more."""
    return f"{round(count, min(2 - len(str(count)), 0)):,}"


def _money(cost: float | None) -> str:
    if cost is None:
        return "cost unknown"
    if cost == 0:
        return "$0"
    return "under $0.01" if cost < 0.01 else f"about ${cost:,.2f}"
