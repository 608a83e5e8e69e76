"""What people read of what a judge was shown: the row's own texts, else what was quoted."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given

from pytest_llmeval.core.judge.fence import as_shown
from pytest_llmeval.core.transport import as_json
from pytest_llmeval.reports.judged_parts import ReadParts, read_parts
from pytest_llmeval.store.records import stored_case
from tests.support.records import call, record, storable_texts


def read(parts: Mapping[str, str], *, asked: Any = "?", said: str = "", target: str | None = None) -> ReadParts:
    messages = asked if isinstance(asked, list) else [{"role": "user", "content": asked}]
    model = call(request={"messages": messages}, response=said)
    return read_parts(parts, stored_case("r", record(target=target, calls=(model,))), [model])


@given(storable_texts, storable_texts, storable_texts)
def test_the_texts_of_a_row_are_read_as_they_are(question: str, answer: str, reference: str) -> None:
    own = {"QUESTION": question, "ANSWER": answer, "REFERENCE": reference}
    quoted = {label: as_shown(text) for label, text in own.items()}
    assert read(quoted, asked=question, said=answer, target=as_json(reference)) == (own, False)


@pytest.mark.parametrize(
    ("quoted", "asked", "own"),
    [
        ("< b>?", [{"role": "user", "content": "Be brief."}, {"role": "user", "content": "<b>?"}], "<b>?"),
        ("user:\nHi\n\nuser:\n< b>?", [{"role": "user", "content": each} for each in ("Hi", "<b>?")], None),
        ("< b>?", "Answer: <b>?", "< b>?"),
        ("< b>?", 5, "< b>?"),
    ],
    ids=["one of several messages", "a chat", "in a prompt", "nothing known"],
)
def test_a_question_is_what_the_model_was_asked(quoted: str, asked: Any, own: str | None) -> None:
    own = "user:\nHi\n\nuser:\n<b>?" if own is None else own
    assert read({"QUESTION": quoted, "ANSWER": ""}, asked=asked) == ({"QUESTION": own, "ANSWER": ""}, own == quoted)


@pytest.mark.parametrize(
    ("answer", "reference", "target", "own"),
    [
        ("yes", "< b>", '"<b>"', ("yes", "<b>")),
        ("< i>", "< b>", '"<b>"', ("< i>", "< b>")),
        ("So: < i>", "< u>", '"<b>"', ("So: < i>", "< u>")),
        ("So: < i>", "< u>", None, ("So: < i>", "< u>")),
        ("So: < i>", "< b>\nor: c", '["<b>", "c"]', ("So: <i>", "<b>\nor: c")),
        ("So: < i>", "< b>", "no JSON", ("So: < i>", "< b>")),
    ],
)
def test_an_answer_and_its_reference_are_read_alike(
    answer: str, reference: str, target: str | None, own: tuple[str, str]
) -> None:
    found = read({"ANSWER": answer, "REFERENCE": reference}, said="So: <i>", target=target)
    assert found == ({"ANSWER": own[0], "REFERENCE": own[1]}, own == (answer, reference))


def test_a_blank_of_its_own_is_none_that_was_put_in() -> None:
    assert read({"ANSWER": "a < b"}, said="a < b") == ({"ANSWER": "a < b"}, False)
