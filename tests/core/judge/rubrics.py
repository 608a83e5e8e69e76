"""A rubric for the tests of judging, and replies to it."""

import json
from typing import Any

from pytest_llmeval.core.judge.rubric import Dimension, Level, Rubric

__all__ = ["NONCE", "RUBRIC", "reply"]

NONCE = "0123456789abcdef0123456789abcdef"
RUBRIC = Rubric(
    name="qa",
    version=1,
    task="A system was asked a question.",
    needs_reference=True,
    dimensions=(
        Dimension(
            name="correctness",
            question="Is it right?",
            weight=3,
            levels=(
                Level(name="wrong", value=0.0, anchor="it is not"),
                Level(name="partly", value=0.5, anchor="a part of it is"),
                Level(name="right", value=1.0, anchor="it is"),
            ),
        ),
        Dimension(
            name="format",
            question="Is it short?",
            levels=(Level(name="bad", value=0.0, anchor="long"), Level(name="good", value=1.0, anchor="short")),
            gates=False,
        ),
    ),
)


def reply(correctness: str = "right", form: str = "good", *, nonce: str = NONCE, **changes: Any) -> str:
    """Return a verdict as a judge would write it, with ``changes`` of its keys; None takes a key out."""
    found: dict[str, Any] = {
        "correctness": {"reason": f"It says Paris. So: {correctness}", "verdict": correctness},
        "format": {"reason": f"One word. So: {form}", "verdict": form},
        "nonce": nonce,
        **changes,
    }
    return json.dumps({key: value for key, value in found.items() if value is not None})
