"""What a run will take: laws of the numbers, and the line that shows them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmeval.core.costs import FREE, Prices, cost_usd
from pytest_llmeval.core.estimates import TOKENS_PER_MEDIUM, Estimate, SuiteCalls, estimate, estimate_tokens
from pytest_llmeval.core.types import Usage

CHEAP = Prices(input_usd_per_million=0.15, output_usd_per_million=0.60)

prices = st.builds(Prices, input_usd_per_million=st.floats(0, 100), output_usd_per_million=st.floats(0, 100))
suites = st.builds(
    SuiteCalls,
    calls=st.integers(0, 10_000),
    input_tokens=st.integers(0, 10**9),
    output_tokens_per_call=st.floats(0, 10_000),
)
unknown = st.builds(
    SuiteCalls,
    calls=st.integers(0, 10_000),
    input_tokens=st.none() | st.integers(0, 10**9),
    output_tokens_per_call=st.none() | st.floats(0, 10_000),
)
contents = st.text(max_size=40) | st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=20)), max_size=3)
chats = st.lists(st.builds(lambda content: {"role": "user", "content": content}, contents), max_size=5)


def same(first: Estimate, second: Estimate) -> bool:
    """Return whether two estimates are equal, their costs up to rounding."""
    whole = (first.calls, first.input_tokens, first.output_tokens)
    return whole == (second.calls, second.input_tokens, second.output_tokens) and (
        first.cost_usd == second.cost_usd == None  # noqa: E711 - all three
        or first.cost_usd == pytest.approx(second.cost_usd, rel=1e-9, abs=1e-12)
    )


@pytest.mark.parametrize(
    ("content", "tokens"),
    [
        ("", 4),
        ("a", 5),
        ("abcd", 5),
        ("abcde", 6),
        ([{"type": "text", "text": "Grüße"}], 13),
        (None, 5),
        ({1}, 6),
        (["abcd"], 6),
    ],
)
def test_tokens_of_a_message(content: Any, tokens: int) -> None:
    """A quarter of the characters, rounded up, and 4; what is not a string by its JSON."""
    assert estimate_tokens([{"role": "user", "content": content}]) == tokens


def test_a_message_without_content_is_its_frame() -> None:
    assert estimate_tokens([{"role": "assistant"}]) == 4


def part(kind: str, data: str) -> dict[str, Any]:
    """Return an image or a sound, in the words of who takes it."""
    return {
        "image_url": {"type": kind, "image_url": {"url": f"data:image/png;base64,{data}"}},
        "input_audio": {"type": kind, "input_audio": {"data": data, "format": "wav"}},
        "image": {"type": kind, "source": {"type": "base64", "media_type": "image/png", "data": data}},
    }[kind]


@pytest.mark.parametrize("kind", ["image_url", "input_audio", "image"])
@pytest.mark.parametrize("size", [0, 100, 1_000_000])
def test_an_image_and_a_sound_count_alike_whatever_their_size(kind: str, size: int) -> None:
    """The text beside them, and a tool that returned them, count as ever."""
    text = {"type": "text", "text": "word " * 1000}
    alone, both = ([{"role": "user", "content": each}] for each in ([text], [text, part(kind, "A" * size)]))
    assert estimate_tokens(both) - estimate_tokens(alone) == pytest.approx(TOKENS_PER_MEDIUM, abs=1)
    returned = [
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": both[0]["content"]}]}
    ]
    assert estimate_tokens(returned) - estimate_tokens(both) < 20


@pytest.mark.parametrize("kind", [{"type": "file"}, {"type": "video_url"}, {"type": ["image"]}, {}, {"type": None}])
def test_a_file_and_what_is_unknown_count_by_their_data(kind: dict[str, Any]) -> None:
    content = [{**kind, "file": {"file_data": "A" * 4000}}]
    assert 1000 < estimate_tokens([{"role": "user", "content": content}]) < 1050


def test_what_a_model_reads_beside_the_messages_counts_too() -> None:
    """Tools, those that it called, its reasoning, the form of its answer, a system prompt; not what only steers it."""
    chat = [{"role": "user", "content": "q"}]
    long = "x" * 400
    assert estimate_tokens(chat, {"temperature": 0, "stop": [long], "tools": [], "system": None}) == estimate_tokens(
        chat
    )
    told = {"tools": [{"name": long}], "response_format": {"name": long}, "system": long, "instructions": long}
    for name, value in told.items():
        assert 100 < estimate_tokens(chat, {name: value}) - estimate_tokens(chat) < 110
    called = {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "f", "arguments": long}}]}
    assert 100 < estimate_tokens([called]) < 120
    thoughts = {
        "reasoning_items": [{"encrypted_content": long}],
        "reasoning_content": long,
        "thinking_blocks": [{"thinking": long}],
    }
    for name, value in thoughts.items():
        assert 100 < estimate_tokens([{"role": "assistant", "content": "", name: value}]) < 120


@given(chats, chats)
def test_tokens_add_up(first: list[dict[str, Any]], second: list[dict[str, Any]]) -> None:
    """Two chats in one have the tokens of both, in any order."""
    both = estimate_tokens([*first, *second])
    assert both == estimate_tokens(first) + estimate_tokens(second) == estimate_tokens([*second, *first])


@given(st.text(max_size=80), st.text(max_size=80))
def test_a_longer_text_has_no_fewer_tokens(text: str, more: str) -> None:
    """Monotone in the text."""
    tokens = [estimate_tokens([{"content": content}]) for content in (text, text + more)]
    assert tokens == sorted(tokens)


@given(st.lists(unknown, max_size=4), st.lists(unknown, max_size=4), st.none() | prices)
def test_estimates_add_up(first: list[SuiteCalls], second: list[SuiteCalls], price: Prices | None) -> None:
    """The suites of a run can be estimated together or apart, in any order."""
    together = estimate([*first, *second], price)
    assert same(together, estimate(first, price) + estimate(second, price))
    assert same(together, estimate([*second, *first], price))


@given(suites, suites, prices)
def test_more_calls_cost_no_less(first: SuiteCalls, second: SuiteCalls, price: Prices) -> None:
    """Monotone in every number."""
    one, both = estimate([first], price), estimate([first, second], price)
    assert both.calls >= one.calls
    assert both.input_tokens is not None and one.input_tokens is not None and both.input_tokens >= one.input_tokens
    assert both.output_tokens is not None and one.output_tokens is not None
    assert both.output_tokens >= one.output_tokens
    assert both.cost_usd is not None and one.cost_usd is not None and both.cost_usd >= one.cost_usd


@given(st.lists(suites, max_size=3), unknown, st.lists(suites, max_size=3), prices)
def test_what_one_suite_does_not_know_the_run_does_not(
    before: list[SuiteCalls], suite: SuiteCalls, after: list[SuiteCalls], price: Prices
) -> None:
    """None stays None: never a stand-in zero; only what is free, or not called, costs nothing whatever the tokens."""
    run = estimate([*before, suite, *after], price)
    assert (run.input_tokens is None) == (suite.calls > 0 and suite.input_tokens is None)
    assert (run.output_tokens is None) == (suite.calls > 0 and suite.output_tokens_per_call is None)
    free = price.input_usd_per_million == 0 == price.output_usd_per_million
    assert (run.cost_usd is None) == (not free and None in (run.input_tokens, run.output_tokens))


@given(st.lists(unknown, max_size=4))
def test_no_price_no_cost(several: list[SuiteCalls]) -> None:
    """An unknown price is not 0, unless nothing is called; and a price of 0 is known."""
    assert estimate(several, None).cost_usd == (None if any(each.calls for each in several) else 0)
    assert estimate(several, FREE).cost_usd == 0


@given(suites, prices)
def test_the_cost_is_that_of_the_tokens(suite: SuiteCalls, price: Prices) -> None:
    """As a call's cost is."""
    run = estimate([suite], price)
    assert run.cost_usd == cost_usd(price, Usage(input_tokens=run.input_tokens, output_tokens=run.output_tokens))


@pytest.mark.parametrize(
    ("calls", "tokens_in", "each", "price", "line"),
    [
        (200, 61_230, 120.0, CHEAP, "200 calls, about 61,000 tokens in, 24,000 out, about $0.02"),
        (1, 99, 9.5, CHEAP, "1 call, about 99 tokens in, 10 out, under $0.01"),
        (0, 0, 0.0, CHEAP, "0 calls, about 0 tokens in, 0 out, $0"),
        (1_500, 1_234_567, 1_000.0, None, "1,500 calls, about 1,200,000 tokens in, 1,500,000 out, cost unknown"),
        (0, None, None, None, "0 calls, about 0 tokens in, 0 out, $0"),
        (2, None, None, FREE, "2 calls, tokens in unknown, tokens out unknown, $0"),
        (40_000, 99_900_000, 500.0, CHEAP, "40,000 calls, about 100,000,000 tokens in, 20,000,000 out, about $26.98"),
    ],
)
def test_the_line(calls: int, tokens_in: int | None, each: float | None, price: Prices | None, line: str) -> None:
    """Two digits of the tokens, cents of the money, and what is not known said."""
    suite = SuiteCalls(calls=calls, input_tokens=tokens_in, output_tokens_per_call=each)
    assert str(estimate([suite], price)) == line
