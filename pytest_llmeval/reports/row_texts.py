"""What was asked and said in the rows of a run: the texts beside the rows that flipped."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pytest_llmeval.core.judge.shown import shown_input, shown_message
from pytest_llmeval.core.types import Call
from pytest_llmeval.reports.exported import shown_response
from pytest_llmeval.reports.row_flips import RowKey, RowText
from pytest_llmeval.store.baselines import FoundBaseline
from pytest_llmeval.store.records import StoredCase

__all__ = ["asked_messages", "asked_text", "input_text", "message_texts", "row_texts"]


def row_texts(found: FoundBaseline, keys: Mapping[RowKey, bool]) -> Mapping[RowKey, RowText]:
    """Return the texts of rows: of their first epoch that passed, or did not, as it is wanted, else of the first."""
    chosen: dict[RowKey, StoredCase] = {}
    for case in found.cases() if keys else ():
        key = RowKey(case.key.suite, case.key.model, case.key.sample_id)
        if key in keys and (key not in chosen or _rank(case, keys[key]) < _rank(chosen[key], keys[key])):
            chosen[key] = case
    return {key: _text(case, found.calls(case.id)) for key, case in chosen.items()}


def _rank(case: StoredCase, is_good: bool) -> tuple[bool, int]:
    return (case.outcome == "passed") != is_good, case.key.epoch


def _text(case: StoredCase, calls: Sequence[Call]) -> RowText:
    failed = [f"{score.name}: {score.reason}" for score in case.scores if score.reason and score.passed is not True]
    return RowText(
        prompt=asked_text(case, calls),
        expected=case.target,
        answer=shown_response(case, calls),
        outcome=case.outcome,
        said=case.error or "\n".join(failed) or None,
        epoch=case.key.epoch,
        nodeid=case.key.nodeid,
    )


def asked_text(case: StoredCase, calls: Iterable[Call]) -> str | None:
    """Return what a case was asked, as ``asked_messages`` does, as one text; None where that is not known."""
    told = asked_messages(case, calls)
    if len(told) == 1:
        return told[0][1]
    return "\n\n".join(f"{role}: {content}" for role, content in told) or None


def asked_messages(case: StoredCase, calls: Iterable[Call]) -> list[tuple[str, str]]:
    """Return who says what in the question to the model under test; nothing where none is known.

    Of several calls none is what the last answer answers: the row's input stands in their place.
    """
    if case.input is not None:
        return [("input", case.input)]
    asked = next((call for call in calls if call.role == "model"), None)
    return [] if asked is None else message_texts(asked.request)


def message_texts(request: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return who says what in the messages of a request."""
    messages = request.get("messages")
    return [
        (str(message.get("role", "")), _said(message))
        for message in (messages if isinstance(messages, list) else ())
        if isinstance(message, dict)
    ]


def input_text(value: Any) -> str:
    """Return a row's input as a judge reads it; of a picture or a file in a chat only that it is there."""
    if isinstance(value, list):
        value = [
            {**each, "content": _content(each["content"])}
            if isinstance(each, dict) and isinstance(each.get("content"), list)
            else each
            for each in value
        ]
    return shown_input(value)


def _said(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    return shown_message(None if content is None else _content(content), message)


def _content(content: Any) -> str:
    """Return what a message says; of a picture or a file no more than that it is there."""
    if isinstance(content, list):
        return "\n".join(_part(part) for part in content)
    return content if isinstance(content, str) else json.dumps(content)


def _part(part: Any) -> str:
    if isinstance(part, dict):
        return str(part["text"]) if "text" in part else f"({part.get('type', 'part')})"
    return str(part)
