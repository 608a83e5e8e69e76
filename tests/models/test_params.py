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
        ("maxtokens", "max_tokens"),
        ("tempreature", "temperature"),
        ("top-p", "top_p"),
        ("topP", "top_p"),
        ("frequency_penality", "frequency_penalty"),
    ],
)
def test_a_name_that_is_nearly_a_known_one_is_refused(name: str, meant: str) -> None:
    assert list(wrong_params({name: 1, "seed": 1})) == [
        (name, f"{name!r} is not a sampling parameter; did you mean {meant!r}?")
    ]


@pytest.mark.parametrize("name", ["messages", "model"])
def test_what_a_request_has_of_itself_is_no_parameter(name: str) -> None:
    assert list(wrong_params({name: "x"})) == [(name, f"{name!r} is not a sampling parameter; remove it")]


@pytest.mark.parametrize("prompt", ["Say it.", [{"role": "user", "content": "Say it."}]])
def test_a_prompt_is_no_parameter(prompt: object) -> None:
    """A server would take it without a word, and answer the row's own; an object names one that a server keeps."""
    told = "'prompt' is not a sampling parameter; pass it as the first argument or as the marker's prompt="
    assert list(wrong_params({"prompt": prompt, "seed": 1})) == [("prompt", told)]
    assert list(wrong_params({"prompt": {"id": "pmpt_1"}})) == []


OF_SERVERS = (
    "n top_k min_p top_n top_a typ_p tfs_z speed reasoning_format parse_tool_calls chat_template_args max_new_tokens"
    " repetition_penalty_range repeat_last_n presence_penalty_range dry_multiplier xtc_threshold reasoning"
    " include_reasoning enable_thinking random_seed safe_prompt prompt_mode search_parameters provider"
    " models route transforms plugins inference_geo best_of length_penalty prompt_logprobs allowed_token_ids bad_words"
    " guided_regex guided_choice guided_grammar chat_template mm_processor_kwargs tool_call_parser parallel_tools"
    " reasoning_budget thinking_budget response_prefix skip_special_tokens mirostat_tau dynatemp_range num_ctx"
    " num_predict keep_alive format options"
)


@pytest.mark.parametrize("name", OF_SERVERS.split())
def test_a_name_that_only_a_server_knows_is_sent(name: str) -> None:
    assert list(wrong_params({name: 1})) == []
