"""What a run stored of a judge, read back."""

import json
from typing import Any

from pytest_llmeval.core.judge.rubric import Dimension, Level, Rubric
from pytest_llmeval.core.types import JudgeRecord

__all__ = ["settlers", "stored_rubric"]


def stored_rubric(record: JudgeRecord) -> Rubric:
    """Return the rubric that stands behind a judge_id."""
    told: dict[str, Any] = json.loads(record.detail)["rubric"]
    dimensions = tuple(
        Dimension(**{**each, "levels": tuple(Level(**level) for level in each["levels"])})
        for each in told["dimensions"]
    )
    return Rubric(**{**told, "dimensions": dimensions})


def settlers(record: JudgeRecord) -> frozenset[str]:
    """Return the checks in code that may have settled an answer in the judge's place, as ``decided_by`` names them."""
    checks: list[list[str]] = json.loads(record.detail)["how"].get("checks", [])
    return frozenset(key if told == "bool" else told.rpartition(":")[0] for key, told in checks)
