"""The cases of a stored run as exports need them: one at a time, each with its calls and labels."""

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
    "answer_text",
    "called_in",
    "exported_cases",
    "parsed_target",
    "shown_in",
    "shown_response",
    "shown_target",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedCase:
    """One case with everything that belongs to it."""

    case: StoredCase
    calls: Sequence[Call]
    """Calls in their order, those of failed attempts included."""
    labels: Sequence[Label]
    """Labels from people."""
    earlier: Sequence[EarlierOutcome] = ()
    """Earlier outcomes, in order, if the case ran more than once."""

    @property
    def response(self) -> str | None:
        """Last answer of the model; None if there is none.

        NUL and lone surrogates are kept as they were; the column of the case has them as escapes.
        """
        last = _last(self.case, self.calls)
        return self.case.response if last is None else answer_text(last)


def shown_response(case: StoredCase, calls: Sequence[Call]) -> str | None:
    """Return the last answer of the model in a case in the form shown to people, as ``shown_in`` does."""
    last = _last(case, calls)
    return case.response if last is None else shown_in(last)


def shown_in(call: Call) -> str | None:
    """Return the answer to a call in the form shown to people, tool calls included; None without an answer."""
    said = answer_text(call)
    return None if said is None else shown_reply(said, call.detail)


def called_in(case: StoredCase, calls: Sequence[Call]) -> tuple[str, ...]:
    """Return ``name(arguments)`` for each tool call in the model's last answer of a case."""
    last = _last(case, calls)
    called = called_tools(last.detail.get("tool_calls")) if last is not None else []
    return tuple(f"{name}({arguments})" for name, arguments in called)


def answer_text(call: Call) -> str | None:
    """Return the answer to a call, NUL and lone surrogates included; None if there is none."""
    text = call.detail.get("text", call.response)
    return text if isinstance(text, str) else call.response


def _last(case: StoredCase, calls: Sequence[Call]) -> Call | None:
    """Return the call that produced the case's response; None if it is not known."""
    said = [call for call in calls if call.role == "model" and call.response == case.response]
    return said[-1] if said else None


def exported_cases(store: StoreReader, run_id: str) -> Iterator[ExportedCase]:
    """Yield the cases of a run in the order of recording, holding only one in memory."""
    labels = grouped(store.labels(run_id), lambda label: label.case_id)
    earlier = grouped(store.earlier_outcomes(run_id), lambda each: each.case_id)
    for case in store.cases(run_id):
        yield ExportedCase(
            case=case,
            calls=store.calls(case.id),
            labels=labels.get(case.id, ()),
            earlier=earlier.get(case.id, ()),
        )


def parsed_target(target: str) -> Any:
    """Return the parsed value of a target; a target that is not JSON (in a foreign database) is the text itself."""
    try:
        return json.loads(target)
    except (ValueError, RecursionError):
        return target


def shown_target(target: str) -> str:
    r"""Return a target as readable JSON: ``"für"`` where the database stores ``"f\u00fcr"``."""
    if "\\u" not in target:
        return target
    try:
        told = json.dumps(json.loads(target), ensure_ascii=False)
    except (ValueError, RecursionError):
        return target
    return told if is_storable(told) else target
