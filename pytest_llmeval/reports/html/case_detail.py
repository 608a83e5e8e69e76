"""One case in full: prompt, response, target, every score with its reason, every judge's vote, every call."""

from collections.abc import Iterator, Sequence

from pytest_llmeval.core.stored import StoredCase
from pytest_llmeval.core.types import Call, Score
from pytest_llmeval.reports.comparison_words import expected_text
from pytest_llmeval.reports.exported import shown_in
from pytest_llmeval.reports.html.chat import bubble, chat
from pytest_llmeval.reports.html.escape import Html, element, joined, shown
from pytest_llmeval.reports.html.tables import chip, table
from pytest_llmeval.reports.numbers import short
from pytest_llmeval.reports.row_flips import RowText
from pytest_llmeval.reports.row_texts import message_texts
from pytest_llmeval.reports.run_text import money

__all__ = ["case_detail"]

_MOST_CALLS = 20
"""Largest number of calls of a case that are listed, and of conversations that are shown."""


def case_detail(case: StoredCase, calls: Sequence[Call], *, limit: int, before: RowText | None) -> Html:
    """Return everything that is known about a case.

    Args:
        case: the case, with its scores and their votes.
        calls: its calls, in order.
        limit: the largest number of characters shown of each text.
        before: the baseline's texts of its row; None if there is nothing to show.
    """
    parts = [
        *_error(case, limit),
        *_talks(case, calls, limit),
        *_before(before, limit),
        *_scores(case.scores, limit),
        *_votes(case.scores, limit),
        *_calls(calls),
        *_judgements(calls, limit),
    ]
    return joined(parts)


def _error(case: StoredCase, limit: int) -> Iterator[Html]:
    if case.outcome == "error":
        yield element("h3", "Error ", chip("error", case.error_kind or "error"))
    if case.error:
        yield element("pre", shown(case.error, limit))


def _talks(case: StoredCase, calls: Sequence[Call], limit: int) -> Iterator[Html]:
    """Yield each conversation with the model; the response to the last one counts."""
    asked = [call for call in calls if call.role == "model"]
    expected = expected_text(case.target)
    for place, call in enumerate(asked[-_MOST_CALLS:], max(1, len(asked) - _MOST_CALLS + 1)):
        is_last = place == len(asked)
        missing = f"no response: {call.detail.get('error') or call.status}"
        said = chat(
            message_texts(call.request),
            shown_in(call),
            expected if is_last else None,
            limit=limit,
            missing=missing,
        )
        title = "Prompt and response" if len(asked) == 1 else f"Call {place} of {len(asked)}"
        yield joined([element("h3", title), said])
    if not asked:
        yield chat([], case.response, expected, limit=limit, missing="no call of the model is recorded")


def _before(before: RowText | None, limit: int) -> Iterator[Html]:
    if before is not None:
        yield element("h3", "In the baseline ", chip(before.outcome, before.outcome))
        if before.answer is not None:
            yield element("div", bubble("response", before.answer, limit=limit), class_="le-chat")
        if before.said:
            yield element("pre", shown(before.said, limit))


def _scores(scores: Sequence[Score], limit: int) -> Iterator[Html]:
    if not scores:
        return
    rows = [
        [
            score.name,
            "none" if score.value is None else short(score.value, 4),
            _passed(score),
            score.decided_by or "",
            element("pre", shown(score.reason or "", limit)),
        ]
        for score in scores
    ]
    yield element("h3", "Scores")
    yield table(["score", "value", "passed", "decided by", "reason"], rows, right={"value"})


def _passed(score: Score) -> Html:
    if score.status == "error":
        return chip("error", "error")
    if score.passed is None:
        return Html("")
    return chip("pass", "yes") if score.passed else chip("fail", "no")


def _votes(scores: Sequence[Score], limit: int) -> Iterator[Html]:
    rows = [
        [score.name, vote.judge, str(vote.repeat), vote.level, short(vote.value, 4), shown(vote.reason, limit)]
        for score in scores
        for vote in score.votes
    ]
    if rows:
        yield element("h3", "Votes")
        yield table(["score", "judge", "repeat", "level", "value", "reason"], rows, right={"value", "repeat"})


def _calls(calls: Sequence[Call]) -> Iterator[Html]:
    """Yield a table of the calls. ``attempts`` counts the requests of a call, retries included."""
    rows = [
        [
            call.role,
            call.model,
            call.status,
            str(call.attempts),
            "" if call.latency_s is None else f"{call.latency_s:.2f} s",
            _count(call.input_tokens),
            _count(call.output_tokens),
            "cached" if call.cached else money(call.cost_usd),
        ]
        for call in calls[-_MOST_CALLS:]
    ]
    if rows:
        titles = ["role", "model", "status", "attempts", "latency", "tokens in", "tokens out", "cost"]
        yield element("h3", "Calls")
        yield table(titles, rows, right={*titles[3:]})
    if len(calls) > _MOST_CALLS:
        yield element("p", f"The last {_MOST_CALLS} of {len(calls):,} calls.", class_="le-note")


def _judgements(calls: Sequence[Call], limit: int) -> Iterator[Html]:
    """Yield the prompts and answers of the judges, folded."""
    for call in [call for call in calls if call.role == "judge"][:_MOST_CALLS]:
        said = [bubble(role, text, limit=limit) for role, text in message_texts(call.request)]
        said.append(bubble("response", shown_in(call) or f"no answer: {call.status}", limit=limit))
        body = element("div", *said, class_="le-chat")
        yield element("details", element("summary", f"What judge {call.model} was asked and said"), body)


def _count(tokens: int | None) -> str:
    return "" if tokens is None else f"{tokens:,}"
