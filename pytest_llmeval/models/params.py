"""Sampling parameters: what can be none, and what is one misspelt.

Servers differ in what they take, and some take any name without a word: a misspelt ``temperature`` then draws answers
at the default one. So a name that is nearly a known one is refused, and all others are sent as they are.
"""

from collections.abc import Iterable, Mapping
from functools import cache

from pytest_llmeval.core.gate.names import closest
from pytest_llmeval.core.likelihood import LOGPROB_OF

__all__ = ["RESERVED_PARAMS", "wrong_params"]

RESERVED_PARAMS = frozenset({"messages", "model", LOGPROB_OF})
"""Keys of a request that are not sampling parameters and cannot be set as such."""

_OPENAI = (
    "audio frequency_penalty function_call functions logit_bias logprobs max_completion_tokens max_tokens metadata"
    " modalities moderation n parallel_tool_calls prediction presence_penalty prompt_cache_key prompt_cache_options"
    " prompt_cache_retention reasoning_effort response_format safety_identifier seed service_tier stop store stream"
    " stream_options temperature tool_choice tools top_logprobs top_p user verbosity web_search_options"
)
_ANTHROPIC = (
    "cache_control container context_management mcp_servers output_config output_format stop_sequences system thinking"
    " top_k"
)
_LLAMA_CPP_AND_VLLM = (
    "cache_prompt chat_template_kwargs grammar guided_json ignore_eos json_schema min_p min_tokens n_predict"
    " repeat_penalty repetition_penalty stop_token_ids structured_outputs typical_p"
)
_KNOWN = frozenset(f"{_OPENAI} {_ANTHROPIC} {_LLAMA_CPP_AND_VLLM}".split())
_NEAR = 0.85
"""Likeness from which on a name is a misspelt one: below that of ``top_k`` and ``top_p``, and of ``max_new_tokens``."""


def wrong_params(params: Mapping[str, object]) -> Iterable[tuple[str, str]]:
    """Yield each name that cannot be sent, with what is wrong with it and what to do."""
    for name in sorted(RESERVED_PARAMS & params.keys()):
        yield name, f"{name!r} is no sampling parameter; remove it"
    for name in sorted(each for each in params if isinstance(each, str) and each not in _KNOWN):
        meant = None if name in RESERVED_PARAMS else _meant(name)
        if meant is not None:
            yield name, f"{name!r} is no sampling parameter; did you mean {meant!r}?"


@cache
def _meant(name: str) -> str | None:
    return closest(name, _KNOWN, cutoff=_NEAR)
