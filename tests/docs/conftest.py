"""A server that knows what the pages ask."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.chat_bodies import completion
from tests.support.fault_server import FaultServer

ANSWERS = {"France": "Paris", "Japan": "Tokyo", "Peru": "Lima", "Canada": "Ottawa", "Rome": "Italy", "Oslo": "Norway"}


@pytest.fixture
def server() -> Iterator[FaultServer]:
    """A model that knows some capitals and repeats everything else."""

    def reply(messages: list[dict[str, Any]]) -> str | dict[str, Any]:
        everything = json.dumps(messages)
        if "weather" in everything:
            return _weather(messages)
        answer = next((known for word, known in ANSWERS.items() if word in everything), None)
        if answer is None:
            return str(messages[-1]["content"])
        key = next((each for each in ("country", "city") if f'{{\\"{each}\\"' in everything), None)
        key = "city" if "on the map" in everything else key
        return json.dumps({key: answer}) if key else answer

    with FaultServer(reply) as running:
        yield running


def _weather(messages: list[dict[str, Any]]) -> str | dict[str, Any]:
    """Call the tool for the one city that is asked for, then repeat its result."""
    if messages[-1]["role"] == "tool":
        return str(messages[-1]["content"])
    function = {"name": "weather", "arguments": json.dumps({"city": "Oslo"})}
    return completion(None, finish="tool_calls", tool_calls=[{"id": "1", "type": "function", "function": function}])
