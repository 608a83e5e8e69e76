"""exact, contains, token_f1 and the targets that they accept."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmeval.core.errors import ScorerError
from pytest_llmeval.core.types import Response
from pytest_llmeval.scorers import accepted_answers, contains, exact, token_f1

QA = {"answer": "Paris", "aliases": ["City of Light"], "source": "x"}


@pytest.mark.parametrize(
    ("target", "answers"),
    [
        ("x", ("x",)),
        ("", ("",)),
        (["x", "y"], ("x", "y")),
        (("x",), ("x",)),
        (QA, ("Paris", "City of Light")),
        ({"answer": "x"}, ("x",)),
        ({"answer": "x", "aliases": None}, ("x",)),  # as a table has it where a row has none
    ],
)
def test_a_target_may_be_a_text_a_list_or_an_answer_with_aliases(target: Any, answers: tuple[str, ...]) -> None:
    """One shared reading."""
    assert accepted_answers(target) == answers


@pytest.mark.parametrize(
    "target",
    [
        None,
        5,
        True,
        [],
        [1],
        ["x", None],
        {},
        {"aliases": ["x"]},
        {"answer": "x", "aliases": "y"},
        {"answer": None, "aliases": None},
        b"x",
    ],
    ids=repr,
)
@pytest.mark.parametrize("score", [exact, contains, token_f1])
def test_any_other_target_is_an_error(score: Any, target: Any) -> None:
    """Never a score of 0 for a row without target."""
    with pytest.raises(ScorerError, match="the target"):
        score("x", target)


@pytest.mark.parametrize(
    ("text", "target", "settings", "value"),
    [
        ("Paris", "Paris", {}, 1),
        (" Paris\n", "Paris", {}, 1),
        (" Paris", "Paris", {"strip": False}, 0),
        ("paris", "Paris", {}, 0),
        ("PARIS", "Paris", {"casefold": True}, 1),
        ("Strasse", "straße", {"casefold": True}, 1),
        ("a \n b", "a b", {}, 0),
        ("a \n b", "a b", {"collapse": True}, 1),
        (" a  b ", " a b ", {"collapse": True, "strip": False}, 1),
        ("a b", " a b", {"collapse": True, "strip": False}, 0),
        ("e\u0301", "\u00e9", {}, 1),
        ("Paris.", "Paris", {}, 0),
        ("City of Light", QA, {}, 1),
        ("x", QA, {}, 0),
        ("y", ["x", "y"], {}, 1),
        ("", "", {}, 1),
        ("\ud800\x00", "\ud800\x00", {}, 1),
    ],
)
def test_exact_changes_only_what_its_settings_say(text: str, target: Any, settings: dict[str, Any], value: int) -> None:
    """NFC always; white space, case and inner spaces as declared."""
    assert exact(Response(text=text), target, **settings).value == value


def test_exact_shows_both_sides() -> None:
    """A few of the accepted answers."""
    assert exact("x", "y").reason == 'expected "y"\ngot "x"'
    assert exact("x", list("abcdef")).reason == 'expected "a" or "b" or "c" or "d" or 2 more\ngot "x"'


@pytest.mark.parametrize(
    ("text", "target", "settings", "value"),
    [
        ("It is PARIS.", "paris", {}, 1),
        ("It is PARIS.", "paris", {"casefold": False}, 0),
        ("a b", ["a", "b", "c", "d"], {}, 0.5),
        ("a b", ["x", "b"], {"mode": "any"}, 1),
        ("a b", ["x", "y"], {"mode": "any"}, 0),
        ("the City of light", QA, {}, 1),
        ("Rome", QA, {}, 0),
        ("party", "art", {}, 1),
        ("caf\u00e9", "cafe\u0301", {}, 1),
    ],
)
def test_contains_is_the_share_of_texts_found_or_any(
    text: str, target: Any, settings: dict[str, Any], value: float
) -> None:
    """An answer with aliases always means any."""
    assert contains(text, target, **settings).value == value


def test_contains_names_what_it_did_not_find() -> None:
    """A few, then a count."""
    assert contains("abc", ["a", "x\n"]).reason == 'not found: "x\\n"\nin "abc"'
    assert "+ 6 more" in (contains("abc", [f"k{n}" for n in range(10)]).reason or "")


@pytest.mark.parametrize(("target", "mode"), [("", "all"), (["a", ""], "any"), ("a", "none")])
def test_contains_refuses_an_empty_text_and_an_unknown_mode(target: Any, mode: Any) -> None:
    """An empty text is in every answer."""
    with pytest.raises(ScorerError):
        contains("a", target, mode=mode)


@pytest.mark.parametrize(
    ("text", "target", "value"),
    [
        ("Paris", "Paris", 1),
        ("The Paris!", "paris", 1),
        ("It is in Paris", "Paris", 2 * (1 / 4) / (1 + 1 / 4)),
        ("Paris Paris", "Paris", 2 * (1 / 2) / (1 + 1 / 2)),
        ("Rome", "Paris", 0),
        ("", "", 1),
        ("", "Paris", 0),
        ("Paris", "", 0),
        ("the", "", 1),
        ("!?", " ", 1),
        ("the", "a", 0),
        ("the a", "a", 2 / 3),
        ("", "A", 0),
        ("**a.**", "A", 1),
        ("group A", "A", 0),
        ("!?", "\u201e\u201c\u2026", 0),
        ("*", "+", 0),
        ("", "?", 0),
        ("`+`.", "+", 1),
        ("**+**", "+", 1),
        ("`*`", "*", 1),
        ("**", "*", 0),
        ("\u00abParis\u00bb \u2013 \u00a1s\u00ed!", "paris s\u00ed", 1),
        ("state-of-the-art", "stateoftheart", 1),
        ("$5", "5", 1),
        ("light city of", QA, 1),
        ("x", ["y", "x z"], 2 / 3),
    ],
)
def test_token_f1_is_that_of_squad(text: str, target: Any, value: float) -> None:
    """Lower case, no punctuation of any script, no articles; the best of the accepted answers."""
    assert token_f1(text, target).value == pytest.approx(value)


def test_token_f1_shows_the_nearest_answer() -> None:
    """Of those accepted."""
    assert token_f1("light", QA).reason == 'expected "City of Light"\ngot "light"'


WORDS = st.lists(st.sampled_from(["the", "a", "Paris", "paris!", "light", "\u00c9t\u00e9", "\u2014", "5"]), max_size=6)


@given(WORDS, WORDS, st.integers(0, 9))
def test_token_f1_is_symmetric_and_blind_to_order(one: list[str], other: list[str], seed: int) -> None:
    """In 0 to 1, and 1 against itself."""
    left, right = " ".join(one), " ".join(other)
    turned = " ".join(random.Random(seed).sample(one, len(one)))
    value = token_f1(left, right).value
    assert 0 <= value <= 1
    assert value == token_f1(turned, right).value
    if left and right:  # an empty answer is no empty target
        assert value == token_f1(right, left).value
    assert token_f1(left, left).value == 1


@given(st.text(), st.text(), WORDS)
def test_further_accepted_answers_never_lower_a_score(text: str, target: str, more: list[str]) -> None:
    """For arbitrary text, which never raises."""
    for score in (exact, token_f1):
        assert score(text, target).value <= score(text, [target, *more]).value
        assert score(target, target).value == 1


@given(st.text(), st.lists(st.text(min_size=1), min_size=1))
def test_contains_is_in_0_to_1(text: str, target: list[str]) -> None:
    """And 1 where the answer is all of them."""
    assert 0 <= contains(text, target).value <= 1
