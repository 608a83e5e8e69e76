"""What a judge is asked: everything that decides a verdict is in it, once, and in the right place."""

import json

from pytest_llmeval.core.judge.asking import ask_again, judge_id, questions, verdict_schema
from pytest_llmeval.core.judge.verdict import read_verdict
from tests.core.judge.rubrics import RUBRIC, reply

CASE = {"question": "Capital of France?", "answer": "Paris {task} {nonce_key}", "reference": "Paris"}


def asked(**changes: object) -> tuple[str, str, str]:
    """Return the system message, the user's and the nonce of one question."""
    messages, nonce = questions(RUBRIC, **{"repeat": 1, **CASE, **changes})  # type: ignore[arg-type]
    system, user = (str(message["content"]) for message in messages)
    return system, user, nonce


def test_the_rubric_is_told_and_the_case_is_fenced() -> None:
    system, user, nonce = asked()
    for part in ("A system was asked a question.", "Is it right?", "partly: a part of it is", "REFERENCE"):
        assert part in system
    assert 'A blank behind "<", "<|" or "[" and marks like [U+200B] were put in as it was quoted' in system
    assert nonce not in system
    assert [line for line in user.splitlines() if line.startswith("> ")] == [
        "> Capital of France?",
        "> Paris",
        "> Paris {task} {nonce_key}",
    ]
    assert user.count(nonce) == 6


def test_without_a_reference_none_is_spoken_of() -> None:
    system, user, _ = asked(reference=None)
    assert "There is no reference answer" in system
    assert "REFERENCE" not in system + user


def test_whatever_is_shown_makes_another_nonce() -> None:
    changes: list[dict[str, object]] = [
        {},
        {"answer": "other"},
        {"question": "other"},
        {"reference": "other"},
        {"reference": None},
        {"repeat": 2},
    ]
    nonces = [asked(**change)[2] for change in changes]
    assert len(set(nonces)) == len(nonces)
    assert asked()[2] == nonces[0]


def test_a_reason_stands_before_its_verdict_and_the_nonce_comes_last() -> None:
    """In the properties and in what is required; models write keys in this order."""
    schema = verdict_schema(RUBRIC)
    assert list(schema["properties"]) == schema["required"] == ["correctness", "format", "nonce"]
    dimension = schema["properties"]["correctness"]
    assert list(dimension["properties"]) == dimension["required"] == ["reason", "verdict"]
    assert dimension["properties"]["verdict"]["enum"] == ["wrong", "partly", "right"]
    assert schema["additionalProperties"] is dimension["additionalProperties"] is False


def test_the_form_that_is_told_is_what_is_read() -> None:
    system, _, nonce = asked()
    form = next(line for line in system.splitlines() if line.startswith("{"))
    keys = json.loads(form)
    assert list(keys) == verdict_schema(RUBRIC)["required"]
    assert read_verdict(reply(nonce=nonce), RUBRIC, nonce).levels["format"].name == "good"


def test_a_reply_that_was_none_is_asked_for_again_with_what_was_wrong() -> None:
    messages, _ = questions(RUBRIC, repeat=1, **CASE)
    again = ask_again(messages, "", "it is not one JSON object")
    assert again[:2] == messages
    assert again[2] == {"role": "assistant", "content": "(empty)"}
    assert "no valid verdict: it is not one JSON object" in str(again[3]["content"])


def test_a_judge_is_rubric_and_model() -> None:
    assert judge_id(RUBRIC, "openai:a") == judge_id(RUBRIC, "openai:a")
    assert judge_id(RUBRIC, "openai:a") != judge_id(RUBRIC, "openai:b")
