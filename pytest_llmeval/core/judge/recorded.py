"""Reading of a judge's description as stored with a run."""

from collections.abc import Mapping
from json import loads
from typing import Any

from pytest_llmeval.core.judge.rubric import Dimension, Level, Rubric
from pytest_llmeval.core.types import JudgeRecord

__all__ = ["BOTH_ORDERS", "ORDERS_DISAGREE", "rubric_of", "settlers", "stored_rubric"]

BOTH_ORDERS = " in both orders"
"""Text after the winner at the start of a comparison's reason, if both orders of the answers agree."""
ORDERS_DISAGREE = "the orders disagree: "
"""Start of a comparison's reason if the two orders of the answers do not agree."""


def stored_rubric(record: JudgeRecord) -> Rubric:
    """Return the rubric in the description of a judge."""
    return rubric_of(loads(record.detail)["rubric"])


def rubric_of(told: Mapping[str, Any]) -> Rubric:
    """Return the rubric from its JSON form."""
    dimensions = tuple(
        Dimension(**{**each, "levels": tuple(Level(**level) for level in each["levels"])})
        for each in told["dimensions"]
    )
    return Rubric(**{**told, "dimensions": dimensions})


def settlers(record: JudgeRecord) -> frozenset[str]:
    """Return the checks in code that may have settled an answer before the judge, as named in ``decided_by``."""
    checks: list[list[str]] = loads(record.detail)["how"].get("checks", [])
    return frozenset(name for _, name in checks)
