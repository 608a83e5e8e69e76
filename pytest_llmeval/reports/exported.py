"""The cases of a stored run as exports take them: one after another, each with its calls and labels."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_llmeval.core.grouping import grouped
from pytest_llmeval.core.judge.shown import called_tools, shown_reply
from pytest_llmeval.core.stored import Label, StoredCase
from pytest_llmeval.core.text import is_storable
from pytest_llmeval.core.types import Call
from pytest_llmeval.store.protocol import StoreReader
from pytest_llmeval.store.records import EarlierOutcome

__all__ = [
    "ExportedCase",
    "called_in",
    "exported_cases",
    "said_by",
    "said_in",
    "shown_in",
    "shown_response",
    "shown_target",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedCase:
    """One case with all that belongs to it."""

    case: StoredCase
    calls: Sequence[Call]
    """In their order; those of attempts that came to nothing too."""
    labels: Sequence[Label]
    """What people said of it."""
    earlier: Sequence[EarlierOutcome] = ()
    """What it came to before it ran again, in order."""

    @property
    def response(self) -> str | None:
        """What the model said last; None where it said nothing.

        NUL and lone surrogates are as they were said: the column of the case has them as escapes.
        """
        last = _last(self.case, self.calls)
        return self.case.response if last is None else said_in(last)


def shown_response(case: StoredCase, calls: Sequence[Call]) -> str | None:
    """Return what people are shown of what the model said last in a case, as ``shown_in`` does."""
    last = _last(case, calls)
    return case.response if last is None else shown_in(last)


def shown_in(call: Call) -> str | None:
    """Return what people are shown of what a call was answered, its calls of tools too; None without an answer."""
    said = said_in(call)
    return None if said is None else shown_reply(said, call.detail)


def called_in(case: StoredCase, calls: Sequence[Call]) -> tuple[str, ...]:
    """Return ``name(arguments)`` of each call of a tool in what the model said last in a case."""
    last = _last(case, calls)
    called = called_tools(last.detail.get("tool_calls")) if last is not None else []
    return tuple(f"{name}({arguments})" for name, arguments in called)


def said_in(call: Call) -> str | None:
    """Return what a call was answered, NUL and lone surrogates included; None for one without an answer."""
    text = call.detail.get("text", call.response)
    return text if isinstance(text, str) else call.response


def _last(case: StoredCase, calls: Sequence[Call]) -> Call | None:
    """Return the call that a case's response is the answer of; None where none is known."""
    said = [call for call in calls if call.role == "model" and call.response == case.response]
    return said[-1] if said else None


def exported_cases(store: StoreReader, run_id: str) -> Iterator[ExportedCase]:
    """Yield the cases of a run in the order of recording; one at a time is held."""
    labels = grouped(store.labels(run_id), lambda label: label.case_id)
    earlier = grouped(store.earlier_outcomes(run_id), lambda each: each.case_id)
    for case in store.cases(run_id):
        yield ExportedCase(
            case=case,
            calls=store.calls(case.id),
            labels=labels.get(case.id, ()),
            earlier=earlier.get(case.id, ()),
        )


def said_by(target: str) -> Any:
    """Return what a target says; one that is no JSON, as a database of elsewhere may hold, is the text itself."""
    try:
        return json.loads(target)
    except (ValueError, RecursionError):
        return target


def shown_target(target: str) -> str:
    r"""Return a target as JSON that people read: ``"für"``, where the database keeps ``"f\u00fcr"``."""
    if "\\u" not in target:
        return target
    try:
        told = json.dumps(json.loads(target), ensure_ascii=False)
    except (ValueError, RecursionError):
        return target
    return told if is_storable(told) else target
