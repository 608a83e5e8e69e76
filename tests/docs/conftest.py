"""A server that knows what the pages ask."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.fault_server import FaultServer

ANSWERS = {"France": "Paris", "Japan": "Tokyo", "Peru": "Lima", "Canada": "Ottawa", "Rome": "Italy", "Oslo": "Norway"}


@pytest.fixture
def server() -> Iterator[FaultServer]:
    """A model that knows some capitals and repeats everything else."""

    def reply(messages: list[dict[str, Any]]) -> str:
        everything = json.dumps(messages)
        answer = next((known for word, known in ANSWERS.items() if word in everything), None)
        if answer is None:
            return str(messages[-1]["content"])
        key = next((each for each in ("country", "city") if f'{{\\"{each}\\"' in everything), None)
        return json.dumps({key: answer}) if key else answer

    with FaultServer(reply) as running:
        yield running
