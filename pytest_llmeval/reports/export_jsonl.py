"""JSON Lines export of a run: one object per case with everything stored about it, unaltered."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from pytest_llmeval.core.stored import Label
from pytest_llmeval.core.text import inert_json
from pytest_llmeval.core.transport import plain
from pytest_llmeval.core.types import Call
from pytest_llmeval.reports.exported import ExportedCase, answer_text, parsed_target
from pytest_llmeval.store.records import EarlierOutcome

__all__ = ["jsonl_lines"]


def jsonl_lines(run_id: str, cases: Iterable[ExportedCase]) -> Iterator[str]:
    """Yield a line of ASCII JSON for each case.

    Nothing is cut or altered; lone surrogates are JSON escapes. Even so a line contains nothing that a terminal or CI
    system would obey: it begins with a brace, control characters are escaped, and so is the second ``#`` of ``##[`` and
    ``##vso[``.
    """
    for exported in cases:
        yield inert_json(json.dumps(_facts(run_id, exported)))


def _facts(run_id: str, exported: ExportedCase) -> dict[str, Any]:
    facts: dict[str, Any] = plain(exported.case)
    key = facts.pop("key")
    target = exported.case.target
    return {
        "run": run_id,
        "id": facts.pop("id"),
        **key,
        **facts,
        "response": exported.response,
        "target": None if target is None else parsed_target(target),
        "calls": [_call(call) for call in exported.calls],
        "labels": [_own(label) for label in exported.labels],
        "earlier_outcomes": [_own(each) for each in exported.earlier],
    }


def _own(row: Label | EarlierOutcome) -> dict[str, Any]:
    """Return the fields of a row that belongs to a case, without the case's id."""
    return {name: value for name, value in plain(row).items() if name != "case_id"}


def _call(call: Call) -> dict[str, Any]:
    facts: dict[str, Any] = plain(call)
    return {**facts, "response": answer_text(call), "request": call.request, "detail": call.detail}
