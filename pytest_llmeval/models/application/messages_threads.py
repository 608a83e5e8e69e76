"""Conversations that a client of Anthropic continues by the id of the last answer (``thread``).

Anthropic's server stores such a conversation, as the SDK's tool runner requests by itself; here the client stores it.
"""

from collections.abc import Mapping
from typing import Any

from pytest_llmeval.core.errors import CaseError, ErrorKind
from pytest_llmeval.core.text import shown_value

__all__ = ["Threads"]

_OF_THREADS = ("system", "tools")
"""Keys that only the first request of a thread holds."""


class Threads:
    """The conversations of one client, by the ids of its answers.

    It may be used from several threads and tasks at once, as each step is a single read or write of a dict.
    """

    def __init__(self) -> None:
        self._kept: dict[str, dict[str, Any]] = {}

    def whole(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return the body of a request with all earlier messages of its conversation.

        Raises:
            CaseError: it continues an answer that is not known here.
        """
        whole = {key: value for key, value in body.items() if key != "thread"}
        thread = body.get("thread")
        if not isinstance(thread, Mapping) or thread.get("type") != "continue":
            return whole
        id_ = thread.get("previous_message_id")
        kept = self._kept.get(id_) if isinstance(id_, str) else None
        if kept is None:
            message = f"a thread is to go on from {shown_value(id_)}, which is not an answer of a thread of this client"
            message += "; let the application begin a thread with the client that goes on"
            raise CaseError(message, kind=ErrorKind.CODE)
        return {**kept, **whole, "messages": [*kept["messages"], *(body.get("messages") or ())]}

    def keep(self, body: Mapping[str, Any], whole: Mapping[str, Any], message: Mapping[str, Any]) -> None:
        """Store an answer if its request is part of a thread.

        Args:
            body: body of the request.
            whole: the body with the earlier messages of its conversation.
            message: the answer.
        """
        if body.get("thread"):
            said = {"role": "assistant", "content": message["content"]}
            history = [_without_marks(each) for each in (*whole["messages"], said)]
            kept = {key: whole[key] for key in _OF_THREADS if key in whole}
            self._kept[message["id"]] = {**kept, "messages": history}


def _without_marks(message: Any) -> Any:
    """Return a message without ``cache_control``: the marks were for an earlier request, and only a few are allowed."""
    if not isinstance(message, Mapping):
        return message
    kept = {key: value for key, value in message.items() if key != "cache_control"}
    if isinstance(message.get("content"), list):
        kept["content"] = [_without_marks(block) for block in message["content"]]
    return kept
