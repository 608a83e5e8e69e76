"""Translation of sampling parameters from chat completions into the Responses API.

With it, the same test or judge can use either API. Parameters in the API's own format (``reasoning``, ``text``,
``include``, the vendor's tools such as ``web_search``) are sent unchanged:
https://platform.openai.com/docs/api-reference/responses
"""

from collections.abc import Iterator, Mapping
from typing import Any

from pytest_llmeval.core.param_levels import BOUND_NAMES, bound_of

__all__ = ["INCLUDED_REASONING", "as_asked", "sent_params", "unsent_params"]

INCLUDED_REASONING = ("reasoning.encrypted_content",)
"""Value of ``include`` by which an answer carries its reasoning, to be sent back, as the server stores nothing."""
_LOGPROBS = "message.output_text.logprobs"
_BOUND = "max_output_tokens"
_WITHIN = {
    "reasoning_effort": ("reasoning", "effort"),
    "response_format": ("text", "format"),
    "verbosity": ("text", "verbosity"),
}
"""Parameters of chat completions, each with the parameter and the key in it that this API has instead."""
_NESTED = frozenset({"allowed_tools", "custom", "function", "grammar", "json_schema"})
"""Types whose fields chat completions nest under a key of the same name, and this API does not."""
_TAKE_OUT = "is unknown to the Responses API; take it out of the params of models.yaml, the marker or the call"
_STREAM = "is for streams, and those of the Responses API are not read; remove it from params"
_UNSENT = {
    **dict.fromkeys(("audio", "frequency_penalty", "logit_bias", "modalities", "prediction"), _TAKE_OUT),
    **dict.fromkeys(("presence_penalty", "seed", "stop"), _TAKE_OUT),
    "background": "asks for an answer to be fetched later, which is not done here; remove it from params",
    "function_call": "is unknown to the Responses API; say it by tool_choice",
    "functions": "is unknown to the Responses API; give them as tools",
    "input": "is not a sampling parameter; pass it as the first argument, or as prompt= of the marker",
    _BOUND: "is to be written as max_tokens, the name by which limits and judges know the bound of an answer",
    "n": "is unknown to the Responses API; ask once for each answer",
    "stream": _STREAM,
    "stream_options": _STREAM,
    "web_search_options": "is unknown to the Responses API; give the tool {'type': 'web_search'}",
}
"""Parameters that are not sent, each with the end of a message that says why or what to do."""
_IDLE: Mapping[str, tuple[Any, ...]] = {
    "background": (False,),
    "frequency_penalty": (0,),
    "logit_bias": ({},),
    "modalities": (["text"],),
    "n": (1,),
    "presence_penalty": (0,),
    "stop": ([],),
    "stream": (False,),
}
"""Values, besides None, with which these parameters request only what the API does by default."""
_NO_PARAMETERS: Mapping[str, Any] = {"type": "object", "properties": {}}


def unsent_params(params: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the name of each parameter that requests something this API cannot do, with a message about it."""
    for name in sorted(_UNSENT.keys() & params.keys()):
        if params[name] is not None and params[name] not in _IDLE.get(name, ()):
            yield name, f"{name!r} {_UNSENT[name]}"


def sent_params(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``params`` in the format of this API; the vendor stores nothing of the answer unless they request it.

    Args:
        params: parameters, none of them reported by ``unsent_params``.

    Raises:
        ValueError: a parameter is given in the formats of both APIs.
    """
    sent = {"store": False, **{name: value for name, value in params.items() if name not in _REPLACED}}
    bound = bound_of(params)
    if bound is not None:
        sent[_BOUND] = bound
    for name in _WITHIN:
        if params.get(name) is not None:
            _put_within(sent, name, params[name])
    include = _included(params)
    if include is not None:
        sent["include"] = include
    if isinstance(params.get("tools"), list | tuple):
        sent["tools"] = [_tool(tool) for tool in params["tools"]]
    if "tool_choice" in params:
        sent["tool_choice"] = _choice(params["tool_choice"])
    return sent


def as_asked(name: str | None, params: Mapping[str, Any]) -> str | None:
    """Return the name, as in ``params``, of a parameter that the API refused as ``name``; judges react to that name."""
    known, _, _ = (name or "").partition("[")
    if known == "input":
        return "messages"
    if known == _BOUND:
        return next((each for each in BOUND_NAMES if each in params), name)
    if known == "include" and params.get("logprobs"):
        return "logprobs"
    for asked, (holder, key) in _WITHIN.items():
        if params.get(asked) is not None and (known == holder or f"{known}.".startswith(f"{holder}.{key}.")):
            return asked
    return name


def _flat(value: Any) -> Any:
    """Return an object of chat completions with its nested fields moved up; return any other value unchanged."""
    kind = value.get("type") if isinstance(value, Mapping) else None
    inner = value.get(kind) if isinstance(kind, str) and kind in _NESTED else None
    if not isinstance(inner, Mapping):
        return value
    return {**inner, **{key: other for key, other in value.items() if key != kind}}


def _put_within(told: dict[str, Any], name: str, value: Any) -> None:
    """Put a parameter of chat completions in its place in this API, beside values already there."""
    holder, key = _WITHIN[name]
    held = told.get(holder) or {}
    if not isinstance(held, Mapping) or held.get(key) is not None:
        raise ValueError(f"{name!r} is in params beside {holder!r}, which says the same; keep one of them")
    told[holder] = {**held, key: _flat(value)}


def _included(params: Mapping[str, Any]) -> Any:
    """Return the value of ``include``, with logprobs if requested; None if there is nothing to include."""
    given = params.get("include")
    if given is not None and not isinstance(given, list | tuple):
        return given
    named = list(given or ())
    if params.get("logprobs") and _LOGPROBS not in named:
        named.append(_LOGPROBS)
    return named if named or given is not None else None


def _tool(tool: Any) -> Any:
    """Return a translated tool; a function's ``strict`` is False by default, as in chat completions."""
    told = _flat(tool)
    if told is tool:
        return tool
    if told["type"] == "function":
        return {**told, "parameters": told.get("parameters") or _NO_PARAMETERS, "strict": bool(told.get("strict"))}
    return {**told, **({"format": _flat(told["format"])} if "format" in told else {})}


def _choice(choice: Any) -> Any:
    told = _flat(choice)
    tools = told.get("tools") if isinstance(told, Mapping) else None
    return {**told, "tools": [_flat(tool) for tool in tools]} if isinstance(tools, list | tuple) else told


_REPLACED = frozenset({*_UNSENT, *_WITHIN, *BOUND_NAMES, "include", "logprobs"})
"""Parameters that are sent in another form, or not at all."""
