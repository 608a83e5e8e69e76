"""Translate a model's answer into the Response object that OpenAI would send.

https://platform.openai.com/docs/api-reference/responses/object
"""

import time
from collections.abc import Collection, Sequence
from typing import Any

from pytest_llmeval.core.ids import digest
from pytest_llmeval.core.strict_json import canonical
from pytest_llmeval.core.types import Response, ToolCall
from pytest_llmeval.models.application.assistant_message import call_ids
from pytest_llmeval.models.application.carried_extra import reasoning_items
from pytest_llmeval.models.application.responses_params import custom_names
from pytest_llmeval.models.application.responses_request import ResponseRequest
from pytest_llmeval.models.message_keys import PHASE

__all__ = ["response_object"]

_ID_LENGTH = 32
_ECHOED: dict[str, Any] = {
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "service_tier": None,
    "store": True,
    "temperature": None,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": None,
    "top_p": None,
    "truncation": "disabled",
    "user": None,
}
"""Keys that a response repeats from its request, with the values to use if the request does not set them."""


def response_object(asked: ResponseRequest, response: Response, name: str) -> dict[str, Any]:
    """Return the Response object for the answer of a model with this name.

    Its id and those of its items are the same for the same request and answer, as the application may send them back.
    """
    ids = call_ids(asked.messages, response.tool_calls)
    calls = [[call.name, call.arguments, id_] for call, id_ in zip(response.tool_calls, ids, strict=True)]
    said = [response.text, response.refusal, calls]
    seal = digest(canonical([asked.messages, asked.params, *said, response.extra]))[:_ID_LENGTH]
    is_cut = response.finish_reason == "length"
    now = int(time.time())
    return {
        "id": f"resp_{seal}",
        "object": "response",
        "created_at": now,
        "completed_at": None if is_cut else now,
        "status": "incomplete" if is_cut else "completed",
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if is_cut else None,
        "model": response.model or name,
        "output": _output(asked, response, seal, ids),
        "usage": _usage(response),
        **{key: usual if asked.body.get(key) is None else asked.body[key] for key, usual in _ECHOED.items()},
    }


def _output(asked: ResponseRequest, response: Response, seal: str, ids: Sequence[str]) -> list[dict[str, Any]]:
    """Return the items of an answer: reasoning, message and tool calls; the last one may be incomplete."""
    is_cut = response.finish_reason == "length"
    content: list[dict[str, Any]] = []
    if response.text or not (response.refusal is not None or response.tool_calls or is_cut):
        content.append({"type": "output_text", "text": response.text, "annotations": []})
    if response.refusal is not None:
        content.append({"type": "refusal", "refusal": response.refusal})
    extra = dict(response.extra)
    phase = {PHASE: extra.pop(PHASE)} if content and isinstance(extra.get(PHASE), str) else {}
    items = reasoning_items(extra, f"rs_{seal}")
    if content:
        common = {"type": "message", "role": "assistant", "status": "completed"}
        items.append({"id": f"msg_{seal}", **common, **phase, "content": content})
    custom = custom_names(asked.params)
    for index, (call, id_) in enumerate(zip(response.tool_calls, ids, strict=True)):
        items.append(_call(call, f"{seal}{index:02}", id_, custom))
    if is_cut and items and items[-1]["type"] != "reasoning":
        items[-1]["status"] = "incomplete"
    return items


def _call(call: ToolCall, own_id: str, id_: str, custom: Collection[str]) -> dict[str, Any]:
    common = {"call_id": id_, "name": call.name, "status": "completed"}
    if call.name in custom:
        return {"id": f"ctc_{own_id}", "type": "custom_tool_call", **common, "input": call.arguments}
    return {"id": f"fc_{own_id}", "type": "function_call", **common, "arguments": call.arguments}


def _usage(response: Response) -> dict[str, Any] | None:
    """Return the token counts; None if one of them is not known."""
    asked, said = response.usage.input_tokens, response.usage.output_tokens
    if asked is None or said is None:
        return None
    return {
        "input_tokens": asked,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": said,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": asked + said,
    }
