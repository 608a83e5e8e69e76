"""What is a verdict, and all that is none: nothing is searched for, nothing has a default."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmeval.core.judge.rubric import Dimension, Level
from pytest_llmeval.core.judge.verdict import MalformedVerdictError, Verdict, read_verdict
from tests.core.judge.rubrics import NONCE, RUBRIC, reply
from tests.support.growth import assert_grows_with_size

GOOD = {"reason": "x", "verdict": "right"}


def test_a_whole_verdict_is_read() -> None:
    verdict = read_verdict(reply("partly", "bad"), RUBRIC, NONCE, finish_reason="stop")
    assert {name: level.value for name, level in verdict.levels.items()} == {"correctness": 0.5, "format": 0.0}
    assert verdict.findings["correctness"].reason == "It says Paris. So: partly"
    assert RUBRIC.value(verdict.values) == pytest.approx(0.375)  # (3 * 0.5 + 1 * 0) / 4


@pytest.mark.parametrize(
    "text", ["\n {} \n", "```json\n{}\n```", "```\n{}\n```\n", "```json\r\n{}\r\n```", "```JSON\n{}\n```"]
)
def test_blanks_and_one_block_of_code_around_it_are_no_harm(text: str) -> None:
    assert read_verdict(text.replace("{}", reply()), RUBRIC, NONCE).levels["correctness"].name == "right"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "it is not one JSON object"),
        ("right", "it is not one JSON object"),
        ("The answer is not right.", "it is not one JSON object"),
        (f"Here it is: {reply()}", "it is not one JSON object"),
        (f"{reply()}\n{reply('wrong')}", "it is not one JSON object"),
        (f"{reply()} I hope this helps.", "it is not one JSON object"),
        (f"I think:\n```json\n{reply()}\n```", "it is not one JSON object"),
        (f"```json\n{reply('wrong')}\n```\n```json\n{reply()}\n```", "it is not one JSON object"),
        (reply()[:-1], "it is not one JSON object"),
        (
            reply().replace('"nonce"', '"format": 1, "nonce"'),
            "key 'format' appears twice",
        ),
        ("[" + reply() + "]", "the reply is not a JSON object"),
        ("null", "the reply is not a JSON object"),
        (reply(format=None), 'the reply lacks "format"'),
        (reply(nonce=None), 'the reply lacks "nonce"'),  # type: ignore[arg-type]
        (reply(score=1), 'the reply has a key too many: "score"'),
        (reply(nonce="0" * 32), '"nonce" is not the characters behind BEGIN'),
        (reply(nonce=NONCE.upper()), '"nonce" is not the characters behind BEGIN'),
        (reply(nonce=[NONCE]), '"nonce" is not the characters behind BEGIN'),  # type: ignore[arg-type]
        (reply(correctness="excellent"), 'the verdict of "correctness" is none of wrong, partly, right'),
        (reply(correctness="Right"), 'the verdict of "correctness" is none of wrong, partly, right'),
        (reply(correctness="not right"), 'the verdict of "correctness" is none of wrong, partly, right'),
        (reply(correctness=""), 'the verdict of "correctness" is none of wrong, partly, right'),
    ],
)
def test_what_is_no_verdict_says_why(text: str, problem: str) -> None:
    with pytest.raises(MalformedVerdictError) as caught:
        read_verdict(text, RUBRIC, NONCE)
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("finding", "problem"),
    [
        ("right", '"correctness" is not a JSON object'),
        (["right"], '"correctness" is not a JSON object'),
        ({"verdict": "right"}, '"correctness" lacks "reason"'),
        ({"reason": "x"}, '"correctness" lacks "verdict"'),
        ({**GOOD, "confidence": 1}, '"correctness" has a key too many: "confidence"'),
        ({**GOOD, "reason": ""}, '"correctness" has no reason'),
        ({**GOOD, "reason": " \n"}, '"correctness" has no reason'),
        ({**GOOD, "reason": None}, '"correctness" has no reason'),
        ({**GOOD, "verdict": 1}, 'the verdict of "correctness" is none of'),
        ({**GOOD, "verdict": None}, 'the verdict of "correctness" is none of'),
        (
            {**GOOD, "reason": "It says Rome. So: wrong"},
            'reason of "correctness" concludes wrong, its verdict is right',
        ),
        ({**GOOD, "reason": "It says Rome. So: **Wrong**."}, "concludes wrong, its verdict is right"),
        ({**GOOD, "reason": 'It says Rome, so: bad. So: "wrong."'}, "concludes wrong, its verdict is right"),
        ({**GOOD, "reason": "So: right?\n**Final verdict:** wrong"}, "concludes wrong, its verdict is right"),
    ],
)
def test_a_finding_that_is_none_says_why(finding: Any, problem: str) -> None:
    data = json.loads(reply())
    data["correctness"] = finding
    with pytest.raises(MalformedVerdictError) as caught:
        read_verdict(json.dumps(data), RUBRIC, NONCE)
    assert problem in str(caught.value)


def test_a_reason_contradicts_a_verdict_however_the_levels_are_written() -> None:
    levels = (Level(name="Not_right", value=0.0, anchor="no"), Level(name="Right", value=1.0, anchor="yes"))
    rubric = replace(RUBRIC, dimensions=(Dimension(name="fact", question="Is it right?", levels=levels),))

    def read(reason: str, verdict: str) -> Verdict:
        data = {"fact": {"reason": reason, "verdict": verdict}, "nonce": NONCE}
        return read_verdict(json.dumps(data), rubric, NONCE)

    for reason in ("It is Rome. So: Not_right", "It is Rome. So: not right."):
        assert read(reason, "Not_right").levels["fact"] == levels[0]
        with pytest.raises(MalformedVerdictError, match="concludes Not_right, its verdict is Right"):
            read(reason, "Right")


SCALES = {
    "wrong": ("wrong", "partly", "right"),
    "no": ("yes", "no"),
    "missing": ("missing", "partial", "complete"),
    "incorrect": ("incorrect", "partially_correct", "correct"),
    "first": ("second", "tie", "first"),
    "covers": ("misses", "partial", "covers"),
}


def concluding(reason: str, levels: tuple[str, ...], verdict: str) -> str:
    """Return the level of a verdict with that reason."""
    found = tuple(Level(name=name, value=value, anchor="x") for value, name in enumerate(levels))
    rubric = replace(RUBRIC, dimensions=(Dimension(name="fact", question="Is it?", levels=found),))
    data = {"fact": {"reason": reason, "verdict": verdict}, "nonce": NONCE}
    return read_verdict(json.dumps(data), rubric, NONCE).levels["fact"].name


@pytest.mark.parametrize("other", SCALES)
@pytest.mark.parametrize(
    "end",
    [
        "{}, it says 5",
        "{} because it is not right or complete",
        "the answer is {}.",
        "**{}** (says 5)",
        "_{}_ - it says 5",
        "{} because it says 5",
        "I say: {}!",
    ],
)
def test_a_reason_may_conclude_in_a_sentence(other: str, end: str) -> None:
    for verdict in SCALES[other]:
        reason = f"It says 5. So: {end.format(other)}"
        if verdict == other:
            assert concluding(reason, SCALES[other], verdict) == verdict
        else:
            with pytest.raises(MalformedVerdictError, match=f"concludes {other}, its verdict is {verdict}"):
                concluding(reason, SCALES[other], verdict)


@pytest.mark.parametrize(
    ("levels", "end"),
    [
        ("no", "there are no errors"),
        ("no", "*no* errors at all"),
        ("wrong", "it is not wrong."),
        ("wrong", "one part is right, one is wrong"),
        ("wrong", "right/partly/wrong"),
        ("missing", "the date is missing."),
        ("incorrect", "partly correct"),
        ("incorrect", "it is only half correct"),
        ("first", "the second answer is worse"),
        ("wrong", "the answer is right about the city but wrong about the year: partly"),
        ("wrong", "right in part"),
        ("wrong", "right for the most part"),
        ("covers", "the summary covers the main point but misses the price: partial"),
        ("covers", "it misses the second point."),
    ],
)
def test_a_sentence_that_only_has_the_word_concludes_nothing(levels: str, end: str) -> None:
    for verdict in SCALES[levels]:
        assert concluding(f"It says 5. So: {end}", SCALES[levels], verdict) == verdict


@pytest.mark.parametrize(
    "quoted",
    [
        'The answer says "So: right." and names Lyon.',
        'It says "Lyon. So: right.", not Paris.',
        "It says 'So: right', not Paris.",
        "It says “Lyon.\nFinal verdict: right”, not Paris.",
        "The answer ends with\n> So: right\nbut it names Lyon.",
        'So: wrong, though it says "So: right."',
    ],
)
def test_a_conclusion_that_a_reason_quotes_is_the_answer_s_and_not_the_judge_s(quoted: str) -> None:
    """An answer cannot turn its miss into an error by what it says of itself."""
    assert concluding(quoted, SCALES["wrong"], "wrong") == "wrong"


@pytest.mark.parametrize(
    "reason",
    [
        'It says "5" tall". So: wrong, as "x" is.',
        'It says "Lyon. So: wrong, because "x" is',
        'It is 5" tall. So: wrong ("Lyon")',
        "It's not the players' own. So: wrong, it doesn't name them",
        "“It is Lyon. So: wrong”",
        'It says "So: right." So: wrong',
    ],
)
def test_no_mark_in_an_answer_hides_what_the_judge_concludes(reason: str) -> None:
    assert concluding(reason, SCALES["wrong"], "wrong") == "wrong"
    with pytest.raises(MalformedVerdictError, match="concludes wrong, its verdict is right"):
        concluding(reason, SCALES["wrong"], "right")


@pytest.mark.parametrize("part", ['"a ', "“a ", '"So: ', "> ", "\n* ", "so:", "the answer is ", " *_"])
def test_reading_a_long_reason_grows_with_its_length(part: str) -> None:
    """Be it one that repeats itself to the end of the tokens."""
    assert_grows_with_size(lambda count: concluding(f"So: {part * count}x", SCALES["wrong"], "right"), 30_000)


@pytest.mark.parametrize("reason", ["It is right.", "So: it goes", "He said so: wrong or not, it is.", "So: 'right'!"])
def test_a_reason_need_not_conclude(reason: str) -> None:
    data = json.loads(reply())
    data["correctness"]["reason"] = reason
    assert read_verdict(json.dumps(data), RUBRIC, NONCE).levels["correctness"].name == "right"


@pytest.mark.parametrize("finish", ["length", "max_tokens"])
def test_a_reply_that_was_cut_short_is_none_though_it_can_be_read(finish: str) -> None:
    with pytest.raises(MalformedVerdictError, match="cut short"):
        read_verdict(reply(), RUBRIC, NONCE, finish_reason=finish)


@given(st.text())
def test_no_text_is_a_verdict_by_chance(text: str) -> None:
    """Whatever it is, it raises nothing else either."""
    with pytest.raises(MalformedVerdictError):
        read_verdict(text, RUBRIC, NONCE)


KEYS = st.sampled_from(["correctness", "format", "nonce", "reason", "verdict"])
JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner),
)


@given(JSON)
def test_no_json_is_a_verdict_without_the_nonce(data: Any) -> None:
    with pytest.raises(MalformedVerdictError):
        read_verdict(json.dumps(data), RUBRIC, NONCE)
