"""What a run stored of a judge, read back."""

from collections.abc import Mapping
from json import loads
from typing import Any

from pytest_llmeval.core.judge.rubric import Dimension, Level, Rubric
from pytest_llmeval.core.types import JudgeRecord

__all__ = ["BOTH_ORDERS", "ORDERS_DISAGREE", "rubric_of", "settlers", "stored_rubric"]

BOTH_ORDERS = " in both orders"
"""What follows the winner at the beginning of the reason of a comparison whose orders agree."""
ORDERS_DISAGREE = "the orders disagree: "
"""How it begins where they do not."""


def stored_rubric(record: JudgeRecord) -> Rubric:
    """Return the rubric that stands behind a judge_id."""
    return rubric_of(loads(record.detail)["rubric"])


def rubric_of(told: Mapping[str, Any]) -> Rubric:
    """Return the rubric of which ``told`` is all that it says, as JSON has it."""
    dimensions = tuple(
        Dimension(**{**each, "levels": tuple(Level(**level) for level in each["levels"])})
        for each in told["dimensions"]
    )
    return Rubric(**{**told, "dimensions": dimensions})


def settlers(record: JudgeRecord) -> frozenset[str]:
    """Return the checks in code that may have settled an answer in the judge's place, as ``decided_by`` names them."""
    checks: list[list[str]] = loads(record.detail)["how"].get("checks", [])
    return frozenset(name for _, name in checks)
