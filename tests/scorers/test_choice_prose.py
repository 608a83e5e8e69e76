"""choice: labels in running prose, in typographic marks and tags, and what follows a text."""

from typing import Any

import pytest

from pytest_llmeval.scorers import choice
from tests.support.growth import assert_grows_with_size

CITIES = ["Paris", "London", "Berlin", "Rome"]
YES_NO = ["Yes", "No"]


def named_by(text: str, choices: Any) -> str:
    """Return the labels that get the point for an answer, "" for none."""
    return "".join(label for label in "ABCDEFGHIJ"[: len(choices)] if choice(text, label, choices=choices).value)


@pytest.mark.parametrize(
    "text",
    [
        "The answer is clearly B. Paris is the capital of France.",
        "The answer is most likely B: Paris is in France.",
        "The answer is therefore B; Paris is the capital of France.",
        "The answer is definitely B and not Paris.",
        "The answer is obviously B (Paris is in France)",
        "The answer is actually B. Paris lay near.",
        "The answer is, without doubt, **B**. Paris is in France.",
        r"The answer is \(B\). Paris is the capital of France.",
        r"The final answer is \(\boxed{B}\). Paris is the capital of France.",
        "The answer is “B”. Paris is the capital of France.",
        "Answer: “B” – Paris is in France.",
        "<answer>B</answer> (Paris is in France)",
        "The answer is <b>B</b>. Paris is in France.",
    ],
)
def test_a_label_in_prose_goes_before_the_text_of_another_choice(text: str) -> None:
    assert named_by(text, CITIES) == "B"


@pytest.mark.parametrize(
    "text",
    [
        "Die richtige Antwort ist B, denn Paris liegt in Frankreich.",
        "Antwort: B. Paris liegt in Frankreich.",
        "La respuesta es B, porque Paris está en Francia.",
        "La réponse est B, car Paris est en France.",
        "正确答案是B，因为Paris在法国。",
        "I'd say option C is best, and Paris is far.",
        "Answer B: Paris is in France",
        "The answer is the second one (B). Paris is in France.",
        "The answer is the capital of England, option B. Paris is in France.",
        "It is B, I believe; Paris is in France.",
        "The correct answer must be B, since Paris is in France.",
        "The right answer would be B, as Paris is in France.",
        "Therefore, option B is correct. Paris is the capital of France.",
        "I would choose B. Paris is the capital of France.",
        "Paris is in France. Therefore, I'd go with option **B**.",
        "So B is correct. (A) names the capital of France.",
        "(A) is the capital of France. So C.",
        "Answer: Paris. So B.",
        "I would choose B. But Paris fits better.",
        "I would choose B, or C. Paris is in France.",
        "One might think the answer must be B, but Paris fits.",
    ],
)
def test_a_label_in_prose_beside_another_choice_makes_two(text: str) -> None:
    scored = choice(text, "B", choices=CITIES)
    assert (scored.value, "choices are named" in str(scored.reason)) == (0, True)
    assert named_by(text, CITIES) == ""


@pytest.mark.parametrize(
    "text",
    [
        "Paris is in France. London it is, as A, C and D are wrong.",
        "It must be London; A is wrong.",
        "It must be London and not A.",
        "A city in England: London",
        "I think it is London",
        "It is London (vitamin C was sold there).",
        "It is London, where Franklin D. Roosevelt stayed.",
        "The answer to question A is London.",
        "London, in the days of Washington D.C.",
    ],
)
def test_what_is_no_label_in_prose_names_nothing(text: str) -> None:
    assert named_by(text.replace("Paris is in France. ", ""), CITIES) == "B"


@pytest.mark.parametrize(
    "text",
    [
        "“B”",
        "‘B’",
        "„B“",
        "«B»",
        "»B«",
        "‹B›",
        "Answer: “B”",
        "Answer: „B“",
        "“B) London”",
        "The answer is “B) London”.",
        r"Answer: \(B\)",
        r"\(B\)",
        r"\[ B \]",
        "\\[\n\\boxed{B}\n\\]",
        "<answer>B</answer>",
        "<answer>\n**B**\n</answer>",
        "<answer>B",
        "<answer>B) London</answer>",
        "<b>B</b>",
        "<b><i>B</i></b>",
        "<B>",
        "Paris is in France. <answer>B</answer>",
        "Answer： B",
        "**Answer：B**",
    ],
)
def test_a_label_stands_in_typographic_quotes_tex_and_tags(text: str) -> None:
    assert named_by(text, CITIES) == "B"


@pytest.mark.parametrize(
    "text",
    [
        "“A” or “B”",
        "Answer: “A” or “B”",
        "Answer: “A”, “B”",
        "Answer: «A» and «B»",
        r"Answer: \(A\), \(B\)",
        r"Answer: \(A, B\)",
        r"Answer: \(A\) or \(B\)",
        "<answer>A, B</answer>",
        "<answer>A</answer><answer>B</answer>",
        "Answer: <b>A</b> or <b>B</b>",
        "<answer>not B</answer>",
        "Answer： A or B",
    ],
)
def test_several_labels_in_such_marks_are_several(text: str) -> None:
    assert named_by(text, CITIES) == ""


@pytest.mark.parametrize(
    ("choices", "text"),
    [
        (["<i>", "<b>", "<em>"], "The answer is <b>"),
        (["<i>", "<b>x</b>"], "<b>x</b>"),
        ([r"\(x^2\)", r"\(B^2\)"], r"The answer is \(B^2\)"),
        (["$10", "$5"], "The answer is $5, since $10 is too much"),
    ],
)
def test_marks_that_choices_have_are_theirs(choices: list[str], text: str) -> None:
    assert named_by(text, choices) in ("B", "")
    assert choice(text, "A", choices=choices).value == 0


@pytest.mark.parametrize(
    ("choices", "text", "label"),
    [
        (CITIES, "Answer: London. Paris is in France.", ""),
        (CITIES, "The answer is London, because Paris is in France.", "B"),
        (CITIES, "The answer is clearly London; Paris is in France.", ""),
        (CITIES, "Answer: London (Paris is in France)", ""),
        (CITIES, "**Answer:** **London**, since Paris is in France.", "B"),
        (CITIES, "<answer>London</answer> (Paris is in France)", "B"),
        (CITIES, "London. Paris is in France.", ""),
        (YES_NO, "Answer: Yes. There is no evidence against it.", ""),
        (YES_NO, "The answer is Yes since there is no evidence", "A"),
        (YES_NO, "Yes, there is no doubt.", ""),
        (YES_NO, "No, there is no such thing. Yes would need a proof.", ""),
        (YES_NO, "Yes and no", ""),
        (YES_NO, "Yes. No.", ""),
        (YES_NO, "Yes, no", ""),
        (YES_NO, "Yes. Well, no.", ""),
        (YES_NO, "Yes, it is. But then, no way.", ""),
        (CITIES, "Answer: Paris, London", ""),
        (CITIES, "Answer: Paris. London.", ""),
        (CITIES, "Answer: Paris; London", ""),
        (CITIES, "Answer: Paris, or London", ""),
        (CITIES, "Answer: Paris. No wait, London.", ""),
        (CITIES, "Answer: Paris. London is also right.", ""),
        (CITIES, "Answer: Paris (or London)", ""),
        (CITIES, "Answer: Paris? London is in England.", ""),
        (CITIES, "The answer is Paris, since it rains. The answer is London.", ""),
        (CITIES, "Paris. It is London.", ""),
        (CITIES, "London as well as Paris", ""),
    ],
)
def test_of_what_follows_a_text_only_its_reason_is_not_read(choices: list[str], text: str, label: str) -> None:
    assert named_by(text, choices) == label


@pytest.mark.parametrize(
    "text",
    [
        "It is B, ",
        "Paris is not A, ",
        "<b>",
        "<answer>",
        "\\(A, ",
        "Answer: Paris. ",
        "Paris, A, B, C ",
        "I choose B. ",
    ],
)
def test_reading_prose_and_marks_without_end_grows_with_their_length(text: str) -> None:
    assert_grows_with_size(lambda size: choice("Paris. " + text * (size // len(text)), "B", choices=CITIES), 200_000)


@pytest.mark.parametrize(
    ("choices", "text", "label"),
    [
        (CITIES, "Sure! The answer is **B) London**. Do ask for more!", "B"),
        (CITIES, "A) Paris is in France. C) Berlin is in Germany. That leaves London. So the answer is B.", "B"),
        (CITIES, "The capital of the UK is London, so B it is. Paris is not.", "B"),
        (CITIES, "A is tempting because Paris is famous, but B is right.", "B"),
        (CITIES, "If you ask me: B. Paris? No.", "B"),
        (CITIES, "the answer is b. paris is in france", "B"),
        (CITIES, "Die richtige Antwort lautet B: Paris liegt in Frankreich.", "B"),
        (CITIES, "Ich wähle B. Paris liegt in Frankreich.", "B"),
        (CITIES, "Antwort B ist richtig, weil Paris in Frankreich liegt.", "B"),
        (CITIES, "Je choisis la réponse B. Paris est en France.", "B"),
        (CITIES, "La respuesta correcta es la B, ya que Paris está en Francia.", "B"),
        (CITIES, "Elijo la opción B. Paris no es.", "B"),
        (CITIES, "选B，Paris不对。", "B"),
        (CITIES, "答えはBです。Parisはフランスです。", "B"),
        (CITIES, "The answer would be A had it rained. It is B.", "B"),
        (CITIES, "I'd go with A. On second thought, B.", "B"),
        (CITIES, "Answer: “A” is wrong, “B” is right", "B"),
        (CITIES, "Paris. Just kidding. London!", "B"),
        (CITIES, "Paris. In the question England is asked for, making London the one.", "B"),
        (CITIES, "So A is correct. So B is correct.", ""),
        (["12", "15"], "\\[ 7 + 8 = 15 \\]\n\nThe correct option is \\(B\\), for 12 is too small.", "B"),
        (["12", "15"], "<think>Maybe A? No, 12 is too small.</think>\n<answer>B</answer>", "B"),
        (["12", "15"], "<final_answer>B</final_answer> 12 is too small", "B"),
        (["12", "15"], '{"choice": "B", "why": "12 is too small"}', "B"),
        (["12", "15"], "The correct answer must be \\(\\mathrm{B}\\). 12 is wrong.", "B"),
        (["a dog", "a cat"], "I would say B. A dog would bark.", "B"),
        (["a dog", "a cat"], "The answer is most likely A cat.", "B"),
        (["C", "C++"], "I'd choose C++. C is older.", "B"),
        (YES_NO, "Yes, that would be true of cats. For dogs, no.", "B"),
        (YES_NO, "Yes, it would, were it not for rain. Hence no.", "B"),
        (["True", "False"], "True. That statement is false.", ""),
        (["positive", "negative"], "Positive. Overall though negative", "B"),
        ("ABCDE", "I would choose B. I think A is a trap.", "B"),
        ("ABCDE", "It's B, I guess. (A) is a trap.", "B"),
        ({"A": "red", "B": "blue"}, "Option B says blue, so B fits; red is no sky.", "B"),
    ],
)
def test_no_wrong_option_gets_the_point(choices: Any, text: str, label: str) -> None:
    """The right one may miss where an answer is chatty."""
    assert named_by(text, choices) in (label, "")


@pytest.mark.parametrize(
    "text", ["Red. Then 2 is it: so 2.", "So it's 2; red means stop.", "Antwort: 2. Red means stop."]
)
def test_a_label_that_is_a_number_is_seen_where_the_answer_comes_to_it(text: str) -> None:
    choices = {"1": "red", "2": "green"}
    assert choice(text, "1", choices=choices).value == 0
    assert choice("It has 2 wheels, and is red", "1", choices=choices).value == 1


@pytest.mark.parametrize(
    "text",
    [
        "Let's go through the answer choices:\nA) Paris is in France.\nB) London is in England.\n\n**B**",
        "Let's look at the answer choices:\nA) Paris\nB) London\nC) Berlin\nD) Rome\n\nThe answer is B.",
        "To answer this, we need to know what a capital is. Paris is in France, so B.\n\nB) London",
        "To answer this question, name the capital:\n\nA) Paris is French\nB) London is British\n\n**B) London**",
        "I will answer step by step: A is wrong, C is wrong.\n\n**B**",
        "<think>The answer is A? Hmm, Paris is in France. No.</think>\nB",
        "<think>\nMaybe the answer is A.\n</think>\n\nThe answer is B.",
        "The answer is B.\n\nA) Paris\nB) London\nC) Berlin\nD) Rome",
    ],
)
def test_an_answer_that_thinks_first_is_read_by_what_it_comes_to(text: str) -> None:
    """To answer a question and answer choices are no statements of one."""
    assert named_by(text, CITIES) == "B"


@pytest.mark.parametrize(
    "text",
    [
        "My answer: let me think. Paris is in France. So it's\n\nB",
        "Here is my answer:\n\n- A) Paris: incorrect\n- B) London: correct\n\n**B**",
        "Answer:\n\nThe capital of France is Paris, but the question asks for England.\n\n**B) London**",
        "The answer is A... wait, no, it's B.\n\nB",
        "The right option is to compare them: A is Paris.\n\n**B**",
        "Looking at each answer option: A is in France, so it is wrong. (B) is right.\n\n**B) London**",
        "Answer: A\nThe explanation leads elsewhere.\nB",
    ],
)
def test_a_last_line_that_is_another_choice_than_a_statement_leaves_none(text: str) -> None:
    assert named_by(text, CITIES) == ""


@pytest.mark.parametrize(
    ("choices", "text", "label"),
    [
        *((CITIES, text, "B") for text in ("The best answer choice is B", "Answer choice: B", "Answer option: B")),
        *((CITIES, text, "B") for text in ("I will answer: B", "We can answer: B", "To answer the question: B")),
        (CITIES, "Answer: <s>A</s> B", "B"),
        (CITIES, "<del>A</del>\nB", "B"),
        (CITIES, "Answer: <s>A<del>C</del></s> B", "B"),
        (CITIES, '{"answer": "London", "why": "A is in France."}', "B"),
        (CITIES, "I'd go with A; on closer reading B fits.", ""),
        (CITIES, "The answer should be A for France. For the UK it is B.", ""),
        (["Mercury", "Venus"], "Mercury, which is closest, is a common mistake. Venus is hottest.", ""),
        (YES_NO, "Yes, A is a subset of B.", "A"),
        (YES_NO, "No, the contract between A and B is void.", "B"),
        (["true", "false"], "The claim is true, because A equals B.", "A"),
        (["5", "6"], "The answer is 5: A = 3 and B = 2.", "A"),
    ],
)
def test_letters_that_an_answer_does_not_come_to_are_no_labels(choices: list[str], text: str, label: str) -> None:
    assert named_by(text, choices) == label
