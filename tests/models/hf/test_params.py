"""The parameters that are taken, and what is said of others."""

import dataclasses
from typing import Any

import pytest

from pytest_llmeval.core.errors import CallError, ErrorKind
from pytest_llmeval.models.hf.params import Sampling, read_sampling


def test_greedy_unless_told_otherwise() -> None:
    expected = Sampling(max_tokens=8, temperature=0.0, top_p=1.0, seed=0, stop=())
    assert read_sampling({"max_tokens": 8}, "m") == expected
    assert read_sampling(dict.fromkeys(["temperature", "top_p", "seed", "stop"]) | {"max_tokens": 8}, "m") == expected


def test_all_that_is_taken() -> None:
    params = {"max_tokens": 8, "max_completion_tokens": 9, "temperature": 1, "top_p": 0.5, "seed": 3, "stop": "\n"}
    expected = Sampling(max_tokens=9, temperature=1.0, top_p=0.5, seed=3, stop=("\n",))
    assert read_sampling(params, "m") == expected
    schema = {"type": "integer"}
    bound = {**params, "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}}
    assert read_sampling(bound, "m") == dataclasses.replace(expected, schema=schema)


@pytest.mark.parametrize(
    ("param", "value"),
    [
        ("tools", []),
        ("response_format", {"type": "json_schema"}),
        ("response_format", {"type": "yaml"}),
        ("response_format", "json"),
        ("n", 2),
        ("max_tokens", 0),
        ("max_tokens", True),
        ("max_completion_tokens", None),
        ("temperature", -1),
        ("temperature", "hot"),
        ("temperature", float("nan")),
        ("top_p", 0),
        ("top_p", 1.1),
        ("seed", 1.5),
        ("stop", [""]),
        ("stop", 7),
    ],
)
def test_what_is_not_taken_is_named(param: str, value: Any) -> None:
    """A judge whose request has ``response_format`` is asked in another form by that name."""
    with pytest.raises(CallError, match=param) as caught:
        read_sampling({"max_tokens": 8, param: value}, "m")
    assert (caught.value.kind, caught.value.param, caught.value.attempts) == (ErrorKind.BAD_REQUEST, param, 0)
