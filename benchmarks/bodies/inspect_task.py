"""inspect_ai: a task over the same rows."""

from inspect_ai import Task, task
from inspect_ai.dataset import json_dataset
from inspect_ai.scorer import exact
from inspect_ai.solver import generate


@task
def echo() -> Task:
    """Return the task."""
    return Task(dataset=json_dataset("rows.jsonl"), solver=generate(), scorer=exact())
