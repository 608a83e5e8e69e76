"""choice: what an answer denies, what it lists, and which words look like labels."""

from typing import Any

import pytest

from pytest_llmeval.scorers import choice
from tests.support.growth import assert_grows_with_size

CITIES = ["Paris", "London", "New York", "York"]
TRUTH = ["true", "false"]
MOODS = ["positive", "negative", "neutral"]
TOXIC = ["toxic", "safe"]
YES_NO = ["yes", "no"]
CHINESE = ["正确", "错误"]
JAPANESE = ["東京", "大阪"]


@pytest.mark.parametrize(
    ("choices", "text", "label"),
    [
        (TRUTH, "This statement is not true.", ""),
        (TRUTH, "That isn’t true.", ""),
        (TRUTH, 'It is not necessarily "true".', ""),
        (TRUTH, "It is not true that it rains; the statement is false.", "B"),
        (TRUTH, "It is not only true but obvious.", "A"),
        (CITIES, "It is not (B)", ""),
        (CITIES, "Definitely not **(B)**.", ""),
        (CITIES, "It is not (B) London.", ""),
        (CITIES, "It is not London (B) or York (D), but Paris (A)", "A"),
        (CITIES, "It cannot be London, it's in Paris", "A"),
        (CITIES, "Answer: it is not London", ""),
        (CITIES, "Neither London, Paris nor York; it is New York", "C"),
        (CITIES, "It is not (A) and (B) is right", "B"),
        (CITIES, "London, not Paris", "B"),
        (CITIES, "Is it not London?", "B"),
        (CITIES, "Why not London", "B"),
        (CITIES, "I think not\n\nParis, as it happens", "A"),
        (CITIES, "Is it not London or Paris?", "AB"),
        (CITIES, "It is not London? No, London", "B"),
        (["applicable", "Not applicable"], "It is clearly not applicable", "B"),
        (TRUTH, "The statement is **not** true.", ""),
        (CITIES, "It is __not__ (B).", ""),
        (CITIES, "It's not B (London).", ""),
        (CITIES, "It is not B: London", ""),
        (CITIES, "It is not Paris (B)", "B"),
        (["dog", "cat", "bird"], "It is neither a cat nor a dog, so a bird", "C"),
        (CITIES, "It is not Paris, probably London or York", "BD"),
        (CITIES, "I see no reason why it should not be London.", "B"),
        (CITIES, "I don't see why it isn't London.", "B"),
        (CITIES, "If it's not London, I would be surprised.", "B"),
        (CITIES, "It is not Paris and it isn't York but London", "B"),
        (CITIES, "That is why it is not London", ""),
        (CITIES, "There is no doubt that it is not London", ""),
        (MOODS, "It is neither clearly positive nor clearly negative. Neutral", "C"),
        (["groß", "klein"], "Es ist nicht groß, sondern klein", "B"),
        (MOODS, "It is not positive or negative, so neutral", "C"),
        (MOODS, "It is not just positive but glowing.", "A"),
        (["wahr", "falsch"], "Die Aussage ist nicht wahr.", ""),
        (["wahr", "falsch"], "Es ist wahr, nicht wahr?", "A"),
        (["vrai", "faux"], "Ce n'est pas faux, c'est vrai", "A"),
        (["verdadero", "falso"], "No es verdadero.", ""),
        (["verdadero", "falso"], "No, es verdadero.", "A"),
        (CHINESE, "这个说法不正确", ""),
        (CHINESE, "不正确，是错误的", "B"),
        (["支持", "不支持"], "不支持", "B"),
        (CHINESE, "难道不正确", "A"),
        (["北京", "上海"], "不是北京就是上海", "AB"),
        (["北京", "上海"], "是不是北京", "A"),
        (TRUTH, "It's no longer true.", ""),
        (TRUTH, "It is far from true.", ""),
        (TRUTH, "This cannot be considered true.", ""),
        (TRUTH, "There is no doubt that it is true.", "A"),
        (TRUTH, "Without doubt true.", "A"),
        (MOODS, "There is nothing negative in it.", ""),
        (MOODS, "It has no negative remarks, it is positive.", "A"),
        (TOXIC, "There's no toxic content.", ""),
        (TOXIC, "No toxic language here, so it is safe.", "B"),
        (TOXIC, "The comment is without toxic content.", ""),
        (TOXIC, "This comment is not considered toxic.", ""),
        (TOXIC, "This comment does not appear to be toxic.", ""),
        (TOXIC, "It doesn't seem toxic.", ""),
        (TOXIC, "The comment is not classified as toxic.", ""),
        (TOXIC, "It is by no means toxic.", ""),
        (TOXIC, "It is not safe, no: toxic", "A"),
        (CITIES, "No (B)", "B"),
        (CITIES, "No, London", "B"),
        (YES_NO, "No, it is safe", "B"),
        (YES_NO, "No", "B"),
        (JAPANESE, "東京ではなく、大阪です", "B"),
        (JAPANESE, "東京ではないでしょうか", "A"),
        (JAPANESE, "東京じゃないの", "A"),
    ],
)
def test_what_stands_right_behind_a_denial_is_not_named(choices: list[str], text: str, label: str) -> None:
    for target in "ABCD"[: len(choices)]:
        assert choice(text, target, choices=choices).value == (target == label), target


@pytest.mark.parametrize(
    ("choices", "text", "label"),
    [
        (["dog", "cat", "bird"], "Answer: A cat.", "B"),
        (["dog", "cat", "bird"], "Answer: A bird, I think", "C"),
        (["dog", "cat", "bird"], "Answer: A because cats meow", "A"),
        (["and", "but", "because"], "Answer: A because it fits", "A"),
        (CITIES, "Answer: A Paris", "A"),
        ("ABCD", "Answer: A mixture of both.", ""),
        ("ABCD", "The answer is a combination of both", ""),
        ("ABCD", "Answer: A combination of B and C", ""),
        ("ABCD", "Answer: A few of these apply.", ""),
        ("ABCD", "Answer: A according to the text", "A"),
        ("ABCD", "Answer: A, a mixture of both", "A"),
        (["A few", "Many"], "Answer: A few of these", "A"),
        ("ABCD", "Answer: D’accord, (B)", "B"),
        ("ABCD", "Answer: 'A'", "A"),
        ("ABCD", "Answer: D’été, (B)", "B"),
        ("ABCD", "Answer: B'll do", "B"),
        ("ABCD", "Answer: 'B'is right", "B"),
        ("ABCD", "Answer: 'B'because it fits", "B"),
        ("ABCD", "Answer: B.2 holds", "B"),
        ("ABCD", "Answer: A lot of these", ""),
        ("ABCD", "Answer: A combination reaction", "A"),
        (["Heterogeneous mixture", "Compound"], "Answer: A mixture", "A"),
        (["Solution (a mixture)", "Compound"], "Answer: A mixture, since salt dissolves", "A"),
        ("ABCDEFGHIJ", "Answer: I don't know.", ""),
        ("ABCDEFGHIJ", "The answer is I cannot tell", ""),
        ("ABCDEFGHIJ", "Final answer: I'd say C", ""),
        ("ABCDEFGHIJ", "Answer: I because it fits", "I"),
        ("ABCDEFGHIJ", "Answer: I seems best", "I"),
        ("ABCDEFGHIJ", "Answer: I, I think", "I"),
        ("ABCDEFGHIJ", "The answer is I rather than C", "I"),
        ("ABCDEFGHIJ", "The answer is I when heated", "I"),
    ],
)
def test_an_article_or_a_pronoun_is_no_label(choices: Any, text: str, label: str) -> None:
    for target in "ABCDEFGHIJ"[: len(choices)]:
        assert choice(text, target, choices=choices).value == (target == label), target


@pytest.mark.parametrize(
    ("choices", "text", "labels"),
    [
        ({"0": "non toxic", "1": "toxic"}, "Answer: 1, 0.95", "1"),
        ({"0": "non toxic", "1": "toxic"}, "Answer: 1, 0.", "01"),
        ({"1": "red", "2": "green", "3": "blue"}, "The answer is 3, 1,000 times more", "3"),
        (["gas", "liquid", "solid", "Both A and B"], "The answer is D, A and B.", "D"),
        (["v1", "v2", "v3", "v4", "v5"], "Answer: B; E. coli has no nucleus.", "B"),
        ("ABCD", "The answer is A, C. (Both hold.)", "AC"),
    ],
)
def test_a_list_is_of_labels_to_the_end_of_its_sentence(choices: Any, text: str, labels: str) -> None:
    for target in choices if isinstance(choices, dict) else "ABCD":
        scored = choice(text, target, choices=choices)
        assert scored.value == (target == labels), target
        assert ("choices are named" in (scored.reason or "")) == (len(labels) > 1)


@pytest.mark.parametrize("text", ["not (A), ", "not London, ", "n't ", "not London or ", "不", "Answer: A, "])
def test_reading_denials_and_lists_without_end_grows_with_their_length(text: str) -> None:
    assert_grows_with_size(lambda size: choice(text * (size // len(text)), "B", choices=CITIES), 200_000)


@pytest.mark.parametrize(
    "text",
    [
        "non-toxic",
        "not-toxic",
        "Non\u2011toxic",
        "un-toxic",
        "nicht-toxic",
        "**non-toxic",
        "**Non**-toxic",
        "non-**toxic**",
        "“non”-toxic",
        "non-“toxic”",
        '"non"-toxic',
        "non–toxic",
        "non toxic",
        "Non **toxic**",
    ],
)
@pytest.mark.parametrize("form", ["{}", "It is {}.", "Answer: {}", "The answer is {}, I think"])
def test_the_opposite_that_a_hyphen_makes_of_a_choice_is_not_that_choice(text: str, form: str) -> None:
    scored = choice(form.format(text), "toxic", choices=["toxic", "safe"])
    assert "no choice is named" in str(scored.reason)


def test_a_choice_with_a_hyphen_is_one() -> None:
    """And what stands behind another word's hyphen, or a dash, is read."""
    assert choice("I think not–toxic it is.", "toxic", choices=["toxic", "safe"]).value == 1
    assert choice("It is non-toxic.", "non-toxic", choices=["toxic", "non-toxic"]).value == 1
    assert choice("It is semi-toxic.", "toxic", choices=["toxic", "safe"]).value == 1
