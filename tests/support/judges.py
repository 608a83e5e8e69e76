"""Scripted judges behind a real server, and how they read what they are asked."""

import json
import re
from collections.abc import Callable
from typing import Any

from tests.support.fault_server import FaultServer
from tests.support.project import Project

__all__ = ["EVAL", "ROWS", "SYNC", "Judged", "Messages", "answer_in", "named", "scores", "verdict"]

ROWS = [
    {"id": "good", "input": "yes", "target": "yes"},
    {"id": "half", "input": "maybe", "target": "yes"},
    {"id": "bad", "input": "no", "target": "yes"},
]
EVAL = """
async def test_echo(sample, model, score):
    answer = await model.generate()
    await score.judge(answer, rubric="qa")
"""
SYNC = """
def test_echo(sample, response, score):
    score.judge_sync(response, rubric="qa")
"""
LEVELS = {"yes": "right", "maybe": "partly", "no": "wrong"}
Messages = list[dict[str, Any]]
Judged = Callable[[Callable[[Messages], str | dict[str, Any]]], FaultServer]
"""Starts a judge that replies as told, and returns its server."""


def answer_in(messages: Messages) -> tuple[str, str]:
    """Return the judged answer and the nonce, as a judge reads them."""
    shown = next(message["content"] for message in messages if message["role"] == "user")
    found = re.search(r"BEGIN ANSWER (\w+)\n(.*)\nEND ANSWER \1", shown, re.DOTALL)
    assert found is not None
    return "\n".join(line[2:] for line in found[2].split("\n")), found[1]


def verdict(messages: Messages, level: str | None = None, **changes: Any) -> str:
    """Return the verdict of a judge that knows what is right."""
    answer, nonce = answer_in(messages)
    chosen = level or LEVELS[answer]
    found: dict[str, Any] = {
        "correctness": {"reason": f"It says {answer}. So: {chosen}", "verdict": chosen},
        "completeness": {"reason": "All of it.", "verdict": "complete"},
        "format": {"reason": "One word.", "verdict": "good"},
        "nonce": nonce,
    }
    return json.dumps({**found, **changes})


def named(project: Project, server: FaultServer, model: str = "echo") -> str:
    """Name the judge in models.yaml, since it is called like the model under test; return the flag."""
    project.write(models_yaml=f"models: {{j: {{spec: '{server.spec(model)}'}}}}\n")
    return "--judge-model=j"


def scores(project: Project, name: str = "correctness") -> dict[str, tuple[float | None, str | None]]:
    """Return the values of a score and what decided it, by row."""
    rows = project.rows(
        "SELECT sample_id, value, decided_by FROM scores JOIN cases ON cases.id = case_id WHERE name = ?", name
    )
    return {row["sample_id"]: (row["value"], row["decided_by"]) for row in rows}
