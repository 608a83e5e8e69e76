"""Checks of sampling parameters: reserved names, and misspelt ones.

Servers differ in the parameters they accept, and some silently accept any name: with a misspelt ``temperature`` they
sample at the default one. So a name close to a known one is refused, and all others are sent unchanged.
"""

from collections.abc import Iterable, Mapping
from functools import cache

from pytest_llmeval.core.likelihood import LOGPROB_OF
from pytest_llmeval.core.names import closest

__all__ = ["DEFAULT_MAX_TOKENS", "wrong_params"]

DEFAULT_MAX_TOKENS: Mapping[str, int] = {"anthropic": 1024, "hf": 256, "local": 256, "vllm": 256}
"""Bound of an answer in tokens if neither models.yaml nor the call sets one, by kind of spec; other kinds have none.

Anthropic's API requires a bound.
"""

_RESERVED_PARAMS = frozenset({"messages", "model", LOGPROB_OF})
"""Keys of a request that are not sampling parameters and cannot be passed as such."""

_OPENAI = (
    "audio frequency_penalty function_call functions logit_bias logprobs max_completion_tokens max_tokens metadata"
    " modalities moderation n parallel_tool_calls prediction presence_penalty prompt_cache_key prompt_cache_options"
    " prompt_cache_retention reasoning_effort response_format safety_identifier seed service_tier stop store stream"
    " stream_options temperature tool_choice tools top_logprobs top_p user verbosity web_search_options"
)
_ANTHROPIC = (
    "cache_control container context_management mcp_servers output_config output_format speed stop_sequences system"
    " thinking top_k"
)
_LLAMA_CPP_AND_VLLM = (
    "cache_prompt chat_template_kwargs grammar guided_json ignore_eos json_schema min_p min_tokens n_predict"
    " parse_tool_calls reasoning_format repeat_penalty repetition_penalty stop_token_ids structured_outputs typical_p"
)
_RESPONSES = (
    "background conversation include instructions max_output_tokens max_tool_calls previous_response_id reasoning text"
    " truncation"
)
_OTHERS = "chat_template_args num_predict repetition_penalty_range"  # other servers of the same protocol
_KNOWN = frozenset(f"{_OPENAI} {_ANTHROPIC} {_LLAMA_CPP_AND_VLLM} {_RESPONSES} {_OTHERS}".split())
_NEAR = 0.85
"""Least similarity of a misspelt name to the known one; above that of ``top_k`` and ``top_p``."""
_SLIPS = 2
"""Largest number of edits in a misspelt name: longer names with a common start or end often belong to other servers."""


def wrong_params(params: Mapping[str, object]) -> Iterable[tuple[str, str]]:
    """Yield each parameter that cannot be sent, with a message that says what is wrong and what to do."""
    for name in sorted(_RESERVED_PARAMS & params.keys()):
        yield name, f"{name!r} is not a sampling parameter; remove it"
    if isinstance(params.get("prompt"), str | list):  # an object may refer to a prompt stored on the server
        yield "prompt", "'prompt' is not a sampling parameter; pass it as the first argument or as the marker's prompt="
    for name in sorted(each for each in params if isinstance(each, str) and each not in _KNOWN):
        meant = None if name in _RESERVED_PARAMS else _meant(name)
        if meant is not None:
            yield name, f"{name!r} is not a sampling parameter; did you mean {meant!r}?"


@cache
def _meant(name: str) -> str | None:
    """Return the known name that ``name`` is a misspelling or another spelling of; None if there is none."""
    bare = _bare(name)
    same = next((each for each in sorted(_KNOWN) if _bare(each) == bare), None)
    near = same or closest(name, _KNOWN, cutoff=_NEAR)
    return near if near is not None and (same or _edits(name.casefold(), near) <= _SLIPS) else None


def _bare(name: str) -> str:
    return name.casefold().replace("_", "").replace("-", "")


def _edits(one: str, other: str) -> int:
    """Return the number of letters added, omitted, replaced or swapped with the next (optimal string alignment)."""
    before, last = list[int](), list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        row = [i]
        for j, wanted in enumerate(other, 1):
            row.append(min(last[j] + 1, row[-1] + 1, last[j - 1] + (letter != wanted)))
            if i > 1 and j > 1 and (letter, one[i - 2]) == (other[j - 2], wanted):
                row[j] = min(row[j], before[j - 2] + 1)
        before, last = last, row
    return last[-1]
