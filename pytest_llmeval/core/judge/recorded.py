"""What a run stored of a judge, read back."""

import json
from typing import Any

from pytest_llmeval.core.judge.rubric import Dimension, Level, Rubric
from pytest_llmeval.core.types import JudgeRecord

__all__ = ["stored_rubric"]


def stored_rubric(record: JudgeRecord) -> Rubric:
    """Return the rubric that stands behind a judge_id."""
    told: dict[str, Any] = json.loads(record.detail)["rubric"]
    dimensions = tuple(
        Dimension(**{**each, "levels": tuple(Level(**level) for level in each["levels"])})
        for each in told["dimensions"]
    )
    return Rubric(**{**told, "dimensions": dimensions})
