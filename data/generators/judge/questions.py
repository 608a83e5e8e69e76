"""The questions that answers are written to: rows of ``data/qa`` from val and train, in a random order."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from ..qa.draw import digest

Row = dict[str, Any]
SPLITS = ("val", "train")
SEED = "judge"
# these two stand, with their answers, in the prompt of evals/test_qa.py
SHOWN_IN_PROMPT = ("railway-8347", "league-2989")
_QA = Path(__file__).resolve().parents[2] / "qa"


def pool() -> list[Row]:
    """Return the rows that may be used, val before train, each split in a random order; none of test."""
    return [row for split in SPLITS for row in sorted(_rows(split), key=lambda row: digest(SEED, row["id"]))]


def _rows(split: str) -> list[Row]:
    lines = (_QA / f"{split}.jsonl").read_text(encoding="utf-8").split("\n")
    rows = [json.loads(line) for line in lines if line]
    return [row for row in rows if row["id"] not in SHOWN_IN_PROMPT]


def accepted(row: Row) -> list[str]:
    """Return the answer of a row and its other spellings."""
    return [row["target"]["answer"], *row["target"]["aliases"]]


def holds(row: Row, text: str) -> bool:
    """Return whether an accepted answer stands in the text as whole words, in capitals or not."""
    folded = text.casefold()
    return any(re.search(rf"(?<!\w){re.escape(each.casefold())}(?!\w)", folded) for each in accepted(row))
