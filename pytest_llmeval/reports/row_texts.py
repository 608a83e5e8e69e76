"""The prompts and answers of a run's rows, as shown beside the rows that flipped."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pytest_llmeval.core.judge.shown import shown_in_chat
from pytest_llmeval.core.stored import StoredCase
from pytest_llmeval.core.types import Call
from pytest_llmeval.reports.exported import shown_response
from pytest_llmeval.reports.row_flips import RowKey, RowText
from pytest_llmeval.store.baselines import FoundBaseline

__all__ = ["asked_messages", "asked_text", "message_texts", "row_texts"]


def row_texts(found: FoundBaseline, keys: Mapping[RowKey, bool]) -> Mapping[RowKey, RowText]:
    """Return the texts of rows, from the first epoch that passed or did not, as requested, else from the first."""
    chosen: dict[RowKey, StoredCase] = {}
    for case in found.cases() if keys else ():
        key = RowKey(case.key.suite, case.key.model, case.key.sample_id)
        if key in keys and (key not in chosen or _rank(case, keys[key]) < _rank(chosen[key], keys[key])):
            chosen[key] = case
    fields = {key: _text(case, found.calls(case.id)) for key, case in chosen.items()}
    return fields if found.kind != "file" else {key: _as_kept(text) for key, text in fields.items()}


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


def _as_kept(text: RowText) -> RowText:
    """Return the texts of an exported row. An empty answer may have been tool calls, which no file stores."""
    is_blank = text.answer is not None and not text.answer.strip()
    return replace(text, answer="(no text; an exported baseline keeps no calls of tools)") if is_blank else text


def asked_text(case: StoredCase, calls: Iterable[Call]) -> str | None:
    """Return the prompt of a case, the ``asked_messages``, as a single text; None if it is not known."""
    told = asked_messages(case, calls)
    if len(told) == 1:
        return told[0][1]
    return "\n\n".join(f"{role}: {content}" for role, content in told) or None


def asked_messages(case: StoredCase, calls: Iterable[Call]) -> list[tuple[str, str]]:
    """Return role and text of each message to the model under test; empty if none are known.

    If a case made several calls, the last answer does not respond to any single one of them; the row's input is
    returned instead.
    """
    if case.input is not None:
        return [("input", case.input)]
    asked = next((call for call in calls if call.role == "model"), None)
    return [] if asked is None else message_texts(asked.request)


def message_texts(request: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return role and text of each message in a request."""
    messages = request.get("messages")
    return [
        (str(message.get("role", "")), shown_in_chat(message))
        for message in (messages if isinstance(messages, list) else ())
        if isinstance(message, dict)
    ]
