"""Which answer of a case was judged: the response, or what its test passed on."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from pytest_llmeval.core.judge.asking import comparison, preference_rubric
from pytest_llmeval.core.judge.judged_text import judged_text, judged_texts, shown_to_judge
from pytest_llmeval.store.records import stored_case
from tests.support.judged_runs import judged_record, qa_rubric
from tests.support.records import call


@given(st.text())
def test_a_response_that_was_judged_is_itself(text: str) -> None:
    """Also where the judge was shown it without what one cannot see."""
    assert judged_text(text, judged_record("a", answer=text).calls) == text


def test_what_was_passed_on_is_what_the_judge_was_shown() -> None:
    calls = judged_record("a", answer="a part").calls
    assert judged_text("all of it", calls) == "a part"
    assert judged_text(None, calls) == "a part"
    assert shown_to_judge(calls) == {"QUESTION": "Who?", "REFERENCE": "Kim", "ANSWER": "a part"}


def test_without_its_request_the_response_is_taken() -> None:
    """As of calls that were not kept, of a comparison, and of what no session writes."""
    rubric = preference_rubric(qa_rubric())
    messages, _ = comparison(rubric, question="Who?", first="a", second="b", reference=None, repeat=1)
    for request in ({"messages": list(messages)}, {"messages": ["odd", "odd"]}, {"messages": 5}, {}):
        assert judged_text("x", [call("judge", request=request)]) == "x"
    assert judged_text("x", []) == "x"


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
