"""json_valid: one JSON value by RFC 8259, read within bounds."""

import inspect
import sys
from dataclasses import dataclass

import pytest

from pytest_llmeval.core.errors import ScorerError
from pytest_llmeval.core.types import Response
from pytest_llmeval.scorers import ScoreBook, json_match, json_valid
from tests.support.growth import assert_grows_with_size


@pytest.mark.parametrize(
    "text",
    [
        '{"a": [1, 2.5e3, true, null, "x"]}',
        " \t\r\n[]\n",
        '"text"',
        "0",
        "-0.0",
        "1E+2",
        "null",
        '"\\ud800"',
        '"\x7f"',
        '{"": {}}',
    ],
)
def test_a_json_value_with_white_space_around_it_is_valid(text: str) -> None:
    """Any value at the top; lone surrogate escapes are in the grammar."""
    assert json_valid(text).value == 1
    assert json_valid(Response(text=text)).value == 1


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        (" \n", "empty"),
        ('Sure: {"a": 1}', 'line 1 column 1, before "Sure'),
        ('{"a": 1} done', 'Extra data, line 1 column 10, before "done"'),
        ('{"a": 1', "at the end"),
        ('{"a": 1,}', "line 1 column"),
        ("{'a': 1}", "property name"),
        ("\ufeff{}", "line 1 column 1"),
        ("\u00a0{}", "line 1 column 1"),
        ("NaN", "NaN is not JSON"),
        ('{"a": -Infinity}', "-Infinity is not JSON"),
        ('{"a": 1, "b": 2, "a": 3}', "key 'a' appears twice"),
        ('[{"x": {"k": 1, "k": 1}}]', "key 'k' appears twice"),
        ("01", "Extra data"),
        ("+1", "line 1"),
        (".5", "line 1"),
        ("1.", "Extra data"),
        ('"a\nb"', "control character"),
        ('"\x00"', "control character"),
        ("1e999", "1e999 is beyond double precision"),
        ("-" + "9" * 6000, "beyond double precision"),
        ("[" * 101 + "]" * 101, "nested deeper than 100 levels"),
        ("[" * 100_000, "nested deeper than 100 levels"),
        ('{"a":' * 100_000, "nested deeper than 100 levels"),
        ("```json\n{}\n```", "line 1 column 1"),
    ],
    ids=lambda text: repr(text)[:20],
)
def test_what_is_no_json_scores_0_and_says_where(text: str, why: str) -> None:
    """A miss, not an error."""
    scored = json_valid(text)
    assert scored.value == 0
    assert (scored.reason or "").startswith("not JSON: ")
    assert why in (scored.reason or "")


def test_a_hundred_levels_and_brackets_inside_texts_are_fine() -> None:
    """Only real nesting counts."""
    assert json_valid("[" * 100 + "]" * 100).value == 1
    assert json_valid('["' + "[{" * 1000 + '\\"[", 1]').value == 1


def test_deep_json_on_a_deep_stack_never_ends_the_process() -> None:
    """Where Python's own limit is near, the answer counts as unreadable."""

    def dive(levels: int) -> object:
        return dive(levels - 1) if levels else json_valid("[" * 100 + "]" * 100).value

    used = len(inspect.stack(0))
    assert dive(sys.getrecursionlimit() - used - 60) in (0, 1)


def test_reading_a_huge_answer_grows_with_its_length_and_it_is_told_in_few_words() -> None:
    """Of 20 MB, too."""
    assert json_valid('["' + "x" * 20_000_000 + '"]').value == 1
    assert len(json_valid("x" * 20_000_000).reason or "") < 300
    assert_grows_with_size(lambda size: json_valid('["' + "x" * size + '"]'), 2_000_000)
    assert_grows_with_size(lambda size: json_valid("x" * size), 2_000_000)


@pytest.mark.parametrize("sign", [1, -1])
def test_an_integer_has_308_digits_at_most_with_either_sign(sign: int) -> None:
    """The sign is no digit; a target may be as large."""
    for valid in (sign * 10**307, sign * (10**308 - 1)):
        assert json_valid(f'{{"n": {valid}}}').value == 1
        assert json_match(str(valid), valid).value == 1
    assert json_valid(str(sign * 10**308)).value == 0
    assert json_valid(str(sign * 17 * 10**307)).value == 0


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("```json\n{}\n```", 1),
        ("```\n{}\n```\n", 1),
        ("``` JSON \n[1,\n2]\n ```", 1),
        ("~~~json\n{}\n~~~", 1),
        ("````json\n{}\n````", 1),
        ('```json title="a.json"\n{}\n```', 1),
        ("```jsonc\n{}\n````", 1),
        ("{}", 1),
        ("````json\n{}\n```", 0),
        ("```json\n{}\n~~~", 0),
        ("~~json\n{}\n~~", 0),
        ("```json\n{}", 0),
        ("```json {} ```", 0),
        ("```python\n{}\n```", 0),
        ("Here:\n```json\n{}\n```", 0),
        ("```json\n{}\n```\n```json\n{}\n```", 0),
        ("```", 0),
        ("", 0),
    ],
)
def test_one_fence_around_everything_may_be_allowed(text: str, valid: int) -> None:
    """Nothing else beside it."""
    assert json_valid(text, fenced=True).value == valid


@pytest.mark.parametrize(
    ("text", "kind", "valid"),
    [("{}", "object", 1), ("[]", "object", 0), ("[]", "array", 1), ("null", "array", 0), ("null", "any", 1)],
)
def test_a_kind_of_value_may_be_asked_for(text: str, kind: str, valid: int) -> None:
    """Told with what came."""
    assert json_valid(text, kind=kind).value == valid  # type: ignore[arg-type]  # parametrized text
    if not valid:
        assert f"expected an {kind}, got {text}" in (json_valid(text, kind=kind).reason or "")  # type: ignore[arg-type]


def test_an_unknown_kind_and_a_response_without_text_are_errors(book: ScoreBook) -> None:
    """None is not an answer. What to pass instead of what was read out of one is told."""

    class Ticket:
        def model_dump_json(self) -> str:
            return "{}"

    with pytest.raises(ScorerError, match="kind must be .*, found 'list'"):
        json_valid("[]", kind="list")  # type: ignore[arg-type]  # what a user might pass
    with pytest.raises(ScorerError, match="None; a scorer reads a Response or a str: pass '' where the answer"):
        json_valid(None)  # type: ignore[arg-type]

    class Completion(Ticket):
        choices = ()

    @dataclass
    class AgentResult:
        output: str

    advice: list[tuple[object, str]] = [
        (AgentResult("{}"), "an AgentResult;.* the text that it holds"),
        (Ticket(), "a Ticket;.*model_dump_json"),
        (Completion(), "a Completion;.* the text that it holds"),
    ]
    advice += [({}, "a dict;.*json.dumps"), (Ticket, "a type;.* a class is"), (b"a", "a bytes;.*decode")]
    for read, told in [*advice, (1.5, "a float;.*str")]:
        with pytest.raises(ScorerError, match=f"the response is {told}"):
            json_valid(read)  # type: ignore[arg-type]
    assert book.json_valid(None).status == "error"

    async def generate() -> str:
        return "{}"

    forgotten = book.json_valid(generate(), name="forgotten")  # and no warning of one that was never awaited
    assert "the response is a coroutine: write await model.generate(), or " in (forgotten.reason or "")
