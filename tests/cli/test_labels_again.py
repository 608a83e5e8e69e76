"""Labels that are imported again: what stays of the earlier ones that they take the place of."""

from pathlib import Path
from typing import Any

import pytest

from pytest_llmeval.store.sqlite import SqliteStore
from tests.cli.conftest import Command
from tests.cli.test_labels import GOOD, fill, jsonl
from tests.support.judged_runs import RUN

BY_VERDICT = "verdict of correctness"


def say(llmeval: Command, here: Path, rater: str = "kim", **fields: Any) -> None:
    """Import one label of row a."""
    row = {key: value for key, value in {**GOOD, **fields}.items() if value is not None}
    done = llmeval("labels", "import", jsonl(here / "in.jsonl", row), "--rater", rater)
    assert done.status == 0, done.err


@pytest.mark.parametrize("level", ["right", "wrong"])
@pytest.mark.parametrize(
    ("before", "now", "kept"),
    [
        ("random", None, "random"),
        ("random", BY_VERDICT, "random"),
        (BY_VERDICT, None, BY_VERDICT),
        (BY_VERDICT, "random", "random"),
        (BY_VERDICT, "verdict of format", "verdict of format"),
        (None, BY_VERDICT, BY_VERDICT),
        (None, None, None),
    ],
)
def test_a_correction_leaves_how_the_answer_was_drawn(
    store: SqliteStore, llmeval: Command, here: Path, level: str, before: str | None, now: str | None, kept: str | None
) -> None:
    """One that was drawn by chance stays so; a file that says nothing of the draw makes it no unknown one."""
    fill(store)
    say(llmeval, here, draw=before)
    say(llmeval, here, "lee", draw=before)
    say(llmeval, here, level=level, draw=now)
    found = {each.rater: (each.value, each.draw) for each in store.labels(RUN)}
    assert found == {"kim": (float(level == "right"), kept), "lee": (1.0, before)}
