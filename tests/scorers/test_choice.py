"""choice: which one of several options an answer names."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmeval.core.errors import ScorerError
from pytest_llmeval.core.types import Response
from pytest_llmeval.scorers import choice
from tests.support.growth import assert_grows_with_size

CITIES = ["Paris", "London", "New York", "York"]


@pytest.mark.parametrize(
    "text",
    [
        "B",
        "b",
        "(B)",
        "B.",
        "B)",
        "**B**",
        "[B]",
        "`B`",
        "- B",
        "$\\boxed{B}$",
        "\\boxed{\\text{B}}",
        "London",
        "london.",
        "B. London",
        "(B) London",
        "B: London!",
        "**B) London**",
        "Answer: B",
        "answer: b",
        "**Answer:** B",
        "Answer:\n\n(B)",
        "The answer is B",
        "The answer is B because Paris is not in England.",
        "The correct answer is (B) London.",
        "Final answer = B",
        "The answer to the question is London.",
        "B\n\nParis is in France, New York in America.",
        "B) London\nbecause Paris is elsewhere",
        "Paris is in France, New York in America.\n\nB",
        "It must be London, a city in England.",
        "I choose (B).",
        "First I thought of Paris, then of York. Answer: B",
        "Options were\nnot helpful, so I say\nB) as it rains there",
        "The answer is B. I repeat: the answer is London.",
        "option B",
        "**Option B**",
        "Option B.",
        "Choice (B)",
        "Letter b",
        "Answer B",
        "Answer B. It rains there.",
        "Option B: London",
        "Option: B",
        "**Option:** B",
        "Choice = (B)",
        "I think so.\n\nLetter: B",
        "The correct answer is option B.",
        "The answer is choice **B**, as it rains there.",
        "The correct option is B.",
        "The answer is B and C is wrong.",
        "The correct answer is **B** and **C** is a distractor",
        "Answer: B and I think so",
        "Answer: B, A is wrong",
        "Answer: B, A and C are wrong",
        "Answer: B; A, C, and D are wrong.",
        "Answer: B, A or C would be wrong",
        "Answer: B, since A, C and D are wrong",
        "Answer: B, London, in England",
        "The answer is B; A, however, is wrong.",
        "Answer: B, A and C, which lie elsewhere, are wrong",
        "The answer is B, D. Trump said",
        "B is correct.",
        "(B) is correct",
        "Option B is correct.",
        "**Option B** is the correct answer!",
        "I had to look it up.\r\nB is right, because it rains there\r\nin winter.",
    ],
)
def test_an_answer_that_names_just_the_target_scores_1(text: str) -> None:
    """In the forms that models write; the target by label or by text."""
    assert choice(Response(text=text), "B", choices=CITIES).value == 1
    assert choice(text, "london ", choices=CITIES).value == 1


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no choice is named"),
        ("A cat sat there.", "no choice is named"),
        ("I would say it rains a lot", "no choice is named"),
        ("E", "no choice is named"),
        ("Londonderry", "no choice is named"),
        ("The answer is not B", "no choice is named"),
        ("The answer is not London.", "no choice is named"),
        ("The answer is not (B).", "no choice is named"),
        ("The correct option is not **B**.", "no choice is named"),
        ("Answer: not B) London", "no choice is named"),
        ("The answer is definitely not London.", "no choice is named"),
        ("The answer is not London. It is Paris.", "got A"),
        ("The answer is not B, the right one is (A)", "got A"),
        ("The answer is not London but Paris.", "got A"),
        ("The answer is London, not Paris", "got B"),
        ("The answer isn't London", "no choice is named"),
        ("Paris or London", "2 choices are named (A, B)"),
        ("A) Paris\nB) London\nC) New York\nD) York", "4 choices are named"),
        ("Answer: A\nAnswer: B", "2 choices are named"),
        ("Answer: Paris or London", "2 choices are named"),
        ("B. Paris", "2 choices are named"),
        ("New York", "got C"),
        ("Answer: C", 'got C ("New York")'),
        ("Option B", "got B"),
        ("Option: C", 'got C ("New York")'),
        ("Option: A\nOption: B", "2 choices are named (A, B)"),
        ("Option: A or B", "no choice is named"),
        ("Option A\nOption B", "2 choices are named (A, B)"),
        ("Answer A\nAnswer B", "2 choices are named (A, B)"),
        ("Option A: it rains\nOption B: it snows", "2 choices are named (A, B)"),
        ("The answer is option A or option B.", "2 choices are named (A, B)"),
        ("The answer is A or B", "2 choices are named (A, B)"),
        ("Answer: A and B, both", "2 choices are named (A, B)"),
        ("The answer is A and B together", "2 choices are named (A, B)"),
        ("The answer is (A) and **(B)**", "2 choices are named (A, B)"),
        ("Answer: A, B", "2 choices are named (A, B)"),
        ("Answer: A, C and D", "3 choices are named (A, C, D)"),
        ("The answer is A, B, and C.", "3 choices are named (A, B, C)"),
        ("Answer: A; C", "2 choices are named (A, C)"),
        ("Answer: (A), (C)", "2 choices are named (A, C)"),
        ("Answer: A + C", "2 choices are named (A, C)"),
        ("Answer: A、C", "2 choices are named (A, C)"),
        ("A is correct. B is also correct.", "2 choices are named (A, B)"),
        ("A is correct.\nOr no: B is right.", "2 choices are named (A, B)"),
        ("The answer is not option D", "no choice is named"),
        ("It is not option D", "no choice is named"),
        ("Option D is incorrect.", "no choice is named"),
        ("D is not correct.", "no choice is named"),
        ("D is correct if it rains", "no choice is named"),
        ("D is correct?", "no choice is named"),
        ("Is D correct?", "no choice is named"),
        ("If so, D is correct.", "no choice is named"),
        ("D is right-handed", "no choice is named"),
        ("a is correct", "no choice is named"),
    ],
)
def test_an_answer_that_names_another_none_or_several_scores_0(text: str, why: str) -> None:
    """With the reason."""
    scored = choice(text, "A", choices=CITIES) if "got B" in why else choice(text, "D", choices=CITIES)
    assert scored.value == 0
    assert why in (scored.reason or "")


@pytest.mark.parametrize(
    ("choices", "target", "text", "value"),
    [
        ("ABCD", "C", "C", 1),
        (["A", "B"], "A", "I think (A)", 1),
        (["A", "B"], "A", "A or B", 0),
        ({"yes": "It is so", "no": "It is not so"}, "no", "No.", 1),
        ({"1": "Paris", "2": "London"}, "2", "2) London", 1),
        (["yes", "no"], "no", "No, there is no such thing", 1),
        (["yes", "no"], "no", "yes and no", 0),
        (["1", "1.5", "-1", "10"], "1", "1", 1),
        (["1", "1.5", "-1", "10"], "1.5", "It is 1.5 m.", 1),
        (["1", "1.5", "-1", "10"], "-1", "Answer: -1", 1),
        (["1", "2"], "1", "It is -1 or 10 or 1.5", 0),
        (["$5", "$10"], "$5", "It costs $5.", 1),
        (["e\u0301t\u00e9", "hiver"], "\u00e9t\u00e9", "\u00c9T\u00c9", 1),
        (["very  happy", "sad"], "very happy", "I am very\nhappy", 1),
        (["option B", "option A"], "A", "Option B", 1),
        (["option B", "option A"], "A", "The answer is option B, I think", 1),
        (["option B", "option A"], "B", "Option B: it rains", 0),
    ],
)
def test_choices_may_be_letters_texts_or_a_mapping(choices: Any, target: str, text: str, value: int) -> None:
    """Texts stand as whole words and whole numbers."""
    assert choice(text, target, choices=choices).value == value


@pytest.mark.parametrize(
    ("target", "choices"),
    [
        ("E", CITIES),
        (None, CITIES),
        (1, CITIES),
        ("", CITIES),
        ("A", ["x"]),
        ("A", []),
        ("A", ["x", "x"]),
        ("A", ["x", "X "]),
        ("A", ["x", ""]),
        ("A", ["x", 5]),
        ("A", "AA"),
        ("A", {"x", "y"}),
        ("A", iter("AB")),
        ("A", {"A": "x", " A": "y"}),
        ("A", {"A": None, "B": "y"}),
        ("A", [f"option {n}" for n in range(27)]),
    ],
    ids=lambda given: type(given).__name__ if isinstance(given, set | Iterator) else repr(given),
)
def test_choices_or_a_target_that_make_no_sense_are_errors(target: Any, choices: Any) -> None:
    """Never a score."""
    with pytest.raises(ScorerError):
        choice("A", target, choices=choices)


@given(st.text() | st.text("AB ().:*\nanswer is Paris"))
def test_no_answer_makes_it_raise(text: str) -> None:
    """And at most one choice gets the point."""
    assert sum(choice(text, label, choices=CITIES).value for label in "ABCD") <= 1


@pytest.mark.parametrize("answer", ["答案是北京。", "我认为北京是对的", "北京"])
def test_scripts_without_spaces_name_a_choice_anywhere(answer: str) -> None:
    assert choice(answer, "北京", choices=["北京", "上海"]).value == 1.0
    assert choice("Yorkshire", "York", choices=["York", "Rome"]).value == 0.0


@pytest.mark.parametrize("text", ["The answer is not applicable here.", "The answer is clearly not applicable."])
def test_a_choice_may_begin_with_not(text: str) -> None:
    found = choice(text, "B", choices=["applicable", "Not applicable"])
    assert (found.value, found.reason) == (1, None)


@pytest.mark.parametrize(
    "text",
    [
        "Answer: Not sure, but I think London.",
        "The answer is not entirely clear, but London fits best.",
        "The answer is not only plausible but certain: London",
        "A、C、D 都是错误的，所以选 (B)",
    ],
)
def test_what_is_denied_ends_with_its_clause(text: str) -> None:
    assert choice(text, "B", choices=CITIES).value == 1


@pytest.mark.parametrize("text", ["B。", "（B）", "答案：（B）", "【B】", "B：", "最終的に\nB．"])
def test_a_label_stands_in_full_width_marks_too(text: str) -> None:
    assert choice(text, "B", choices="ABCD").value == 1


@pytest.mark.parametrize(
    "sentence",
    [
        "The answer is unclear. ",
        "The answer is not clear. ",
        "The answer is B: London. ",
        "The answer is not ",
        "<s><del>",
    ],
)
def test_reading_an_answer_that_repeats_itself_without_end_grows_with_its_length(sentence: str) -> None:
    """Up to 184 kB on one line."""
    assert_grows_with_size(lambda count: choice(sentence * count, "B", choices=CITIES), 8000)


@pytest.mark.parametrize(
    "text", ["{}", "{}.", "Answer: {}", "C) {}", "The answer is C: {}", "Well, {}", "Not no, but {}"]
)
@pytest.mark.parametrize(("asked", "said"), [("I don't know", "I don’t know"), ("I don’t know", "I don't know")])
def test_an_apostrophe_is_one_straight_or_curly(text: str, asked: str, said: str) -> None:
    assert choice(text.format(said), "C", choices=["yes", "no", asked]).value == 1
    assert choice("It is not " + said, "C", choices=["yes", "no", asked]).value == 0
    assert choice("C", said, choices=["yes", "no", asked]).value == 1


def test_a_label_with_an_apostrophe_may_be_denied() -> None:
    assert choice("It is not (don’t)", "don’t", choices={"don’t": "leave it", "do": "take it"}).value == 0


CELLS = ["B cells", "T cells", "neither"]
LENGTHS = {"1": "3 km", "2": "20 km", "3": "10 km"}


@pytest.mark.parametrize(
    ("choices", "text", "label"),
    [
        (CELLS, "The answer is B cells, which make antibodies", "A"),
        (CELLS, "The answer is b  CELLS, which make antibodies", "A"),
        (CELLS, "The answer is B, which make antibodies", "B"),
        (CELLS, "Answer: option B cells because they do", "A"),
        (CELLS, "B cells is correct.", "A"),
        (["Java", "Rust", "C++"], "The answer is C++ because it is older", "C"),
        (["C++", "Rust", "Java"], "The answer is C++ because it is older", "A"),
        (["C-reactive protein", "insulin", "actin"], "The answer is C-reactive protein, an acute phase one", "A"),
        (["D-glucose", "L-glucose", "ribose", "xylose"], "Answer: D-glucose because cells burn it", "A"),
        (["M-type stars", "A-type stars"], "The answer is A-type stars, since they are hot", "B"),
        (["B. subtilis", "E. coli"], "B. subtilis it is, a rod", "A"),
        (["A and B", "only one", "neither"], "The answer is A and B, as both hold", "A"),
        (LENGTHS, "The answer is 3 km because I measured", "1"),
        (LENGTHS, "The answer is 3 because I measured", "3"),
        ({"1": "3", "2": "1.5"}, "The answer is 1.5 because I measured", "2"),
        ({"1": "3", "2": "1.5"}, "The answer is 1.5, as 3 is too much", "2"),
    ],
)
def test_a_text_that_begins_with_a_label_is_the_text(choices: Any, text: str, label: str) -> None:
    for target in choices if isinstance(choices, dict) else "ABCD"[: len(choices)]:
        assert choice(text, target, choices=choices).value == (target == label), target


def test_a_text_that_begins_with_a_label_is_joined_as_labels_are() -> None:
    scored = choice("The answer is B cells or T cells, I think", "A", choices=CELLS)
    assert (scored.value, "2 choices are named (A, B)" in str(scored.reason)) == (0, True)
    assert choice("The answer is B cells, not T cells", "A", choices=CELLS).value == 1


@pytest.mark.parametrize("text", ["{}", "{}.", "({})", "The answer is {}.", "The answer is {} because so", "It is {}"])
@pytest.mark.parametrize(
    ("choices", "said"),
    [({"1": "2", "2": "4", "3": "6", "4": "8"}, "2"), (["AB", "A", "B", "O"], "A"), (["AB", "A", "B", "O"], "B")],
    ids=str,
)
def test_what_is_a_label_and_a_text_is_the_label_in_target_and_answer(choices: Any, said: str, text: str) -> None:
    answer = text.format(said)
    assert choice(answer, said, choices=choices).value == 1
    labels = list(choices) if isinstance(choices, dict) else list("ABCD")
    assert [label for label in labels if choice(answer, label, choices=choices).value] == [said]


@pytest.mark.parametrize(
    "text",
    [
        "4.5",
        "**4.5**",
        "4.5 out of 5",
        "Answer: 4,000",
        "4:30",
        "4:00",
        "Answer: 4:30",
        "Answer: 4-5",
        "4．5",
        "Answer: 4．5",
        "Answer: 4：30",
        "Answer: 4\u22125",
        "Answer: 4\u20115",
        "Answer: 4'000",
        "Answer: 4 1/2",
        "Answer: 4.05",
    ],
)
def test_a_part_of_a_number_is_no_label(text: str) -> None:
    scored = choice(text, "4", choices={"4": "good", "5": "very good"})
    assert scored.value == 0
    assert "no choice is named" in str(scored.reason)


ROUND = ["4.0", "**4.0**", "4.00", "Answer: 4.0", "Answer: 4.0/5", "Answer: 4,0"]


@pytest.mark.parametrize("text", ["Answer: 4.", "Answer: 4, as 5 is too high", "4.", "4.Good", "4:good", "4)5", *ROUND])
def test_a_label_that_is_digits_stands_before_a_mark(text: str) -> None:
    assert choice(text, "4", choices={"4": "good", "6": "bad"}).value == 1


@pytest.mark.parametrize(
    "text", ["2.3 km", "2:3 km", "Answer: 2.3 km", "Answer: 2.3 km because it is far", "2.3 km is what I measured"]
)
def test_a_label_without_a_blank_before_its_own_text_is_one(text: str) -> None:
    assert choice(text, "2", choices={"1": "2 km", "2": "3 km"}).value == 1


@pytest.mark.parametrize(
    ("text", "target"), [("1) 2 because it is even", "1"), ("I take (2) here", "2"), ("6", "3"), ("1) 2", "1")]
)
def test_a_label_goes_before_a_text_that_may_be_one(text: str, target: str) -> None:
    assert choice(text, target, choices={"1": "2", "2": "4", "3": "6", "4": "8"}).value == 1


@pytest.mark.parametrize(
    ("text", "target"), [("a", "a"), ("a.", "a"), ("A", "A"), ("(A)", "A"), ("a", "B"), ("b", "B")]
)
def test_case_tells_a_text_from_a_label(text: str, target: str) -> None:
    assert choice(text, target, choices=["an", "a", "the"]).value == 1
