"""Two runs to compare, small enough to check by hand."""

from collections.abc import Collection, Mapping
from typing import Any

from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.gate.judging import Verdict
from pytest_llmeval.reports.row_flips import RowKey, RowText, Side

__all__ = ["MISSED", "judged", "side"]

MISSED = Verdict(
    suite="tickets",
    model="m",
    metric="json_match",
    slice=None,
    rule="min=0.99",
    verdict="fail",
    value=0.95,
    n=40,
    reason="it is 0.95, below 0.99",
)
"""A rule that failed by a bar."""


def judged(sample: object, value: float | None = None, **other: Any) -> JudgedCase:
    """Return a case of suite qa on model m whose score f1 is ``value``; it passes from 0.5 up."""
    fine: dict[str, Any] = {
        "suite": "qa",
        "model": "m",
        "sample_id": str(sample),
        "outcome": "passed" if value is None or value >= 0.5 else "missed",
        "scores": {} if value is None else {"f1": value},
        "statuses": {} if value is None else {"f1": "scored"},
        "passed": {} if value is None else {"f1": value >= 0.5},
        "input_digest": f"digest of {sample}",
        "latency_s": 1.0,
        "input_tokens": 10,
        "output_tokens": 5,
        "cost_usd": 0.0,
    }
    return JudgedCase(**{**fine, **other})


def side(
    name: str, cases: list[JudgedCase], texts: Mapping[str, RowText] | None = None, *, model: str | None = None
) -> Side:
    """Return a side whose texts are looked up by sample id."""

    def found(keys: Collection[RowKey]) -> dict[RowKey, RowText]:
        return {key: texts[key.sample_id] for key in keys if texts and key.sample_id in texts}

    return Side(name=name, run_id=f"id-of-{name}", model=model, cases=cases, texts=found)
