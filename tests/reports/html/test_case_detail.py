"""One case in full: chat, scores, votes, judges, calls."""

from typing import Any

from pytest_llmeval.core.transport import as_json
from pytest_llmeval.core.types import Call, CaseRecord, Vote
from pytest_llmeval.reports.html.case_detail import case_detail
from pytest_llmeval.reports.html.escape import Html
from pytest_llmeval.reports.row_flips import RowText
from pytest_llmeval.store.records import stored_case
from tests.reports.html.test_parts import Read
from tests.support.hostile import HOSTILE, harmless
from tests.support.records import call, record, score


def told(case: CaseRecord, **more: Any) -> str:
    """Return the text of a case in full."""
    return Read(detail(case, **more)).text


def detail(case: CaseRecord, limit: int = 1000, before: RowText | None = None) -> Html:
    return case_detail(stored_case("r", case), case.calls, limit=limit, before=before)


def asked(text: str, response: str | None = "fine", role: Any = "model", **fields: Any) -> Call:
    return call(role, request={"messages": [{"role": "user", "content": text}]}, response=response, **fields)


def test_a_judges_rationale_who_decided_and_every_vote_are_shown() -> None:
    votes = (
        Vote(judge="big", repeat=0, value=0.0, level="wrong", reason="it names no city"),
        Vote(judge="small", repeat=1, value=1.0, level="right", reason="it may do"),
    )
    judged = score("correctness", 0.0, False, reason="big: it names no city", decided_by="panel", votes=votes)
    asks = asked("Is it right?", "RATIONALE", role="judge", model="big")
    text = told(record(outcome="missed", scores=(judged,), calls=(asked("q"), asks)))
    assert "correctness0nopanelbig: it names no city" in text
    assert "correctnessbig0wrong0it names no city" in text
    assert "correctnesssmall1right1it may do" in text
    assert "What judge big was asked and saiduserIs it right?responseRATIONALE" in text


def test_a_score_that_broke_and_one_without_a_value_say_so() -> None:
    scores = (
        score("broke", None, None, status="error", reason="ValueError: x"),
        score("unjudged", None, None, status="none", reason="no judge"),
    )
    text = told(record(scores=scores))
    assert "brokenoneerrorValueError: x" in text
    assert "unjudgednoneno judge" in text


def test_every_call_of_a_talk_is_shown_the_target_beside_the_last() -> None:
    case = record(calls=(asked("first", "one"), asked("second", "two")), target=as_json("two!"))
    text = told(case)
    assert "Call 1 of 2userfirstresponseoneCall 2 of 2usersecondresponsetwoexpectedtwo!Difference" in text


def test_attempts_tokens_and_cost_of_each_call_are_shown() -> None:
    text = told(record(calls=(asked("q", attempts=3, latency_s=1.234, cost_usd=0.5), asked("p", cached=True))))
    assert "modelmok31.23 s105$0.5000" in text
    assert "modelmok12.00 s105cached" in text


def test_a_call_without_an_answer_says_why() -> None:
    failed = asked("q", None, status="connection", detail={"error": "refused by the host"})
    case = record(outcome="error", error_kind="connection", error="no server", calls=(failed,))
    text = told(case)
    assert "no response: refused by the host" in text
    assert text.startswith("Error connectionno server")


def test_a_case_without_a_call_says_so() -> None:
    assert "no call of the model is recorded" in told(record())


def test_what_the_baseline_said_stands_beside_a_row_that_flipped() -> None:
    text = told(record(calls=(asked("q"),)), before=RowText(answer="Paris", outcome="missed", said="exact: 0"))
    assert "In the baseline missedresponseParisexact: 0" in text


def test_many_calls_are_cut_and_that_is_said() -> None:
    text = told(record(calls=tuple(asked(f"q{number}") for number in range(30))))
    assert "The last 20 of 30 calls." in text
    assert "q29" in text and "q9r" not in text


def test_calls_that_are_left_keep_their_numbers() -> None:
    """The table shows the same ones: the last is the one whose response counts."""
    calls = [asked(f"question {number}", latency_s=float(number)) for number in range(1, 46)]
    text = told(record(calls=tuple(calls)))
    assert text.index("Call 26 of 45") < text.index("question 26") < text.index("Call 27 of 45")
    assert text.index("Call 45 of 45") < text.index("question 45")
    assert "Call 1 of 45" not in text
    assert "45.00 s" in text and "25.00 s" not in text


def test_texts_are_cut_at_the_limit() -> None:
    text = told(record(calls=(asked("w" * 5000, "v" * 5000),), target=as_json("x" * 5000)), limit=100)
    assert text.count("4,900 characters more") == 4  # prompt, response, expected and their difference


def test_nothing_hostile_is_more_than_text() -> None:
    for text in HOSTILE.values():
        vote = Vote(judge=text, repeat=0, value=1.0, level=text, reason=text)
        case = record(
            outcome="error",
            error_kind="code",
            error=text,
            target=as_json(text),
            scores=(score(text, reason=text, decided_by=text, votes=(vote,)),),
            calls=(asked(text, text, model=text, status=text), asked(text, None, role="judge", model=text)),
        )
        read = Read(detail(case, before=RowText(answer=text, outcome="passed", said=text)))
        allowed = {
            "h3",
            "p",
            "pre",
            "div",
            "b",
            "span",
            "table",
            "thead",
            "tbody",
            "tr",
            "th",
            "td",
            "details",
            "summary",
        }
        assert read.tags <= allowed | {"del", "ins"}
        assert read.attributes <= {"class", "dir", "scope"}
        harmless(read.text)
