"""Which answer of a case was judged: the response, or what its test passed on."""

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from pytest_llmeval.core.judge.asking import comparison, preference_rubric, questions
from pytest_llmeval.core.judge.judged_text import JudgedTexts, judged_of, judged_texts, texts_of
from pytest_llmeval.core.types import Call
from pytest_llmeval.store.records import stored_case
from tests.support.judged_runs import judged_record, qa_rubric
from tests.support.records import call


@given(st.text())
def test_a_response_that_was_judged_is_itself(text: str) -> None:
    """Also where the judge was shown it without what one cannot see."""
    assert texts_of(text, judged_record("a", answer=text).calls).answer("qa") == text


def test_what_was_passed_on_is_what_the_judge_was_shown() -> None:
    calls = judged_record("a", answer="a part").calls
    assert texts_of("all of it", calls).answer("qa") == "a part"
    assert texts_of(None, calls).answer("qa") == "a part"
    (shown,) = texts_of(None, calls).shown(["qa", "format"])
    assert shown.parts == {"QUESTION": "Who?", "REFERENCE": "Kim", "ANSWER": "a part"}


def test_each_score_is_of_the_text_that_its_calls_showed() -> None:
    """One that was judged without the reference is of the same text; without a mark two texts cannot be told apart."""
    calls = [_asked("draft"), _asked("final"), _asked("final", reference=None, scores=("style",))]
    texts = texts_of("final", calls)
    assert [(each.names, each.answer) for each in texts.shown(["style", "final", "draft"])] == [
        (("style", "final"), "final"),
        (("draft",), "draft"),
    ]
    assert texts.shown(["style", "final"])[0].parts["REFERENCE"] == "Kim"
    older = texts_of("final", [replace(each, detail={}) for each in calls])
    assert older.answers("final") == ["draft", "final"] and not older.is_known("final")
    assert texts_of("final", [replace(each, detail={}) for each in calls[1:]]).is_known("final")


def test_what_was_judged_is_the_answer_beside_what_the_judge_was_shown() -> None:
    """Not the row: a target that the judge was not shown makes no other answer of it."""
    case = stored_case("r", judged_record("a", input_digest="1"))
    shown = texts_of("x", [_asked("x", scores=("qa",)), _asked("x", reference=None, scores=("style",))])
    other_row = replace(case, input_digest="2")
    assert judged_of(case, shown, "qa") == judged_of(other_row, shown, "qa")
    assert judged_of(case, shown, "qa") != judged_of(case, shown, "style")
    asked_otherwise = texts_of("x", judged_record("a", question="Which?").calls)
    assert judged_of(case, shown, "qa") != judged_of(case, asked_otherwise, "qa")


def test_where_the_calls_of_one_case_were_not_kept_the_row_tells_in_all_of_them() -> None:
    """As of an imported run; an answer in it is the one of the run that has the calls."""
    records = [judged_record("a", input_digest="1"), judged_record("a", epoch=2, input_digest="1"), judged_record("b")]
    cases = [replace(stored_case("r", each), response="x") for each in records]

    def judged(ids: Sequence[str]) -> list[object]:
        found = judged_texts(cases, lambda case_id: records[0].calls if case_id in ids else ())
        return [judged_of(case, found.get(case.id), "qa") for case in cases]

    all_of, some = [case.id for case in cases], [cases[0].id]
    for one, other, alone in (judged([]), judged(some), judged(all_of)):
        assert one == other != alone
    assert judged(some)[0] == judged_of(cases[0], None, "qa") != judged(all_of)[0]
    assert judged_of(cases[0], JudgedTexts(response="x"), "qa") == judged_of(cases[0], None, "qa")


def _asked(answer: str, reference: str | None = "Kim", scores: Sequence[str] = ()) -> Call:
    messages, _ = questions(qa_rubric(), question="Who?", answer=answer, reference=reference, repeat=1)
    return call("judge", request={"messages": list(messages)}, detail={"scores": [*(scores or (answer,))]})


def test_without_its_request_the_response_is_taken() -> None:
    """As of calls that were not kept, of a comparison, and of what no session writes."""
    rubric = preference_rubric(qa_rubric())
    messages, _ = comparison(rubric, question="Who?", first="a", second="b", reference=None, repeat=1)
    for request in ({"messages": list(messages)}, {"messages": ["odd", "odd"]}, {"messages": 5}, {}):
        assert texts_of("x", [call("judge", request=request)]).answer("qa") == "x"
    assert texts_of("x", []).answer("qa") == "x"


def test_only_answers_that_must_be_told_apart_are_looked_up() -> None:
    """Of rows with several of them, or that are named: reading all calls of a run takes long."""
    records = [judged_record("a"), judged_record("a", epoch=2), judged_record("b"), judged_record("c")]
    cases = [stored_case("r", each) for each in records]
    asked = []

    def calls_of(case_id: str) -> list[object]:
        asked.append(case_id)
        return []

    found = judged_texts([replace(case, response="x") for case in cases], calls_of, samples=["c"])  # type: ignore[arg-type]  # no call is looked at
    assert list(found) == asked == [cases[0].id, cases[1].id, cases[3].id]
