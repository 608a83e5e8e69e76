"""Which names of sampling parameters are refused, and which are a server's own business."""

import pytest

from pytest_llmeval.models.params import wrong_params


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("temprature", "temperature"),
        ("Temperature", "temperature"),
        ("max_token", "max_tokens"),
        ("max_completions_tokens", "max_completion_tokens"),
        ("top_logprob", "top_logprobs"),
        ("respose_format", "response_format"),
        ("stop_sequence", "stop_sequences"),
    ],
)
def test_a_name_that_is_nearly_a_known_one_is_refused(name: str, meant: str) -> None:
    assert list(wrong_params({name: 1, "seed": 1})) == [
        (name, f"{name!r} is no sampling parameter; did you mean {meant!r}?")
    ]


@pytest.mark.parametrize("name", ["messages", "model"])
def test_what_a_request_has_of_itself_is_no_parameter(name: str) -> None:
    assert list(wrong_params({name: "x"})) == [(name, f"{name!r} is no sampling parameter; remove it")]


@pytest.mark.parametrize("name", ["top_k", "max_new_tokens", "min_p", "top_n", "dry_multiplier", "xtc_threshold", "n"])
def test_a_name_that_only_a_server_knows_is_sent(name: str) -> None:
    assert list(wrong_params({name: 1})) == []
