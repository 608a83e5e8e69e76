"""Translation of requests of the Responses API into chat completions, and memory of a client's earlier answers."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_llmeval.core.errors import CaseError, ErrorKind
from pytest_llmeval.core.text import shown_value
from pytest_llmeval.core.types import Message
from pytest_llmeval.models.application.responses_items import chat_messages, kind_of
from pytest_llmeval.models.application.responses_params import chat_params

__all__ = ["Answered", "ResponseRequest", "read_request"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseRequest:
    """An application's request for a response, translated into a chat completion."""

    body: Mapping[str, Any]
    """Body of the request as received."""
    items: tuple[Any, ...]
    """Items of the earlier turns that the request continues, and its own."""
    messages: list[Message]
    """The instructions, if any, followed by the items as messages."""
    params: dict[str, Any]
    """Parameters of the chat completion."""


class Answered:
    """The answers of one client, by their ids, so that requests can continue them as with OpenAI's servers.

    It may be used from several threads and tasks at once, as each step is a single read or write of a dict.
    """

    def __init__(self) -> None:
        self._items: dict[str, Any] = {}
        """Items of stored answers, by their ids."""
        self._conversations: dict[str, tuple[Any, ...]] = {}
        """All items of a conversation up to the end of an answer, by the id of its response."""
        self._given: set[tuple[str, str]] = set()
        """Types and ids of the items of all answers, stored or not."""

    def before(self, response_id: str | None) -> tuple[Any, ...]:
        """Return all items up to the end of a response; none for None.

        Raises:
            CaseError: there is no stored response with this id.
        """
        if response_id is None:
            return ()
        items: tuple[Any, ...] = _found(self._conversations, response_id, "previous_response_id")
        return items

    def resolved(self, item: Any) -> Any:
        """Return the item that a reference names, the stored item for bare reasoning, or else the item itself.

        Raises:
            CaseError: a reference names no stored item.
        """
        kind = kind_of(item)
        if kind == "item_reference":
            return _found(self._items, item.get("id"), "an item_reference to")
        is_bare = kind == "reasoning" and not item.get("encrypted_content")
        return self._items.get(str(item.get("id")), item) if is_bare else item

    def gave(self, item: Any) -> bool:
        """Return whether an item comes from an answer."""
        return _name_of(item) in self._given

    def note(self, output: Iterable[Mapping[str, Any]]) -> None:
        """Note the items of an answer, which an application may send back, whether they are stored or not."""
        self._given.update(map(_name_of, output))

    def keep(self, response_id: str, items: Iterable[Any], output: Iterable[Mapping[str, Any]]) -> None:
        """Store an answer: the items of its request and its own."""
        kept = tuple(output)
        self._items.update({item["id"]: item for item in kept if "id" in item})
        self._conversations[response_id] = (*items, *kept)


def _name_of(item: Mapping[str, Any]) -> tuple[str, str]:
    return kind_of(item), str(item.get("id"))


def _found(known: Mapping[str, Any], id_: object, what: str) -> Any:
    if isinstance(id_, str) and id_ in known:
        return known[id_]
    message = f"{what} {shown_value(id_)}: this client gave no such answer, or was told not to store it (store=False);"
    raise CaseError(f"{message} let the application pass what was said before in input", kind=ErrorKind.CODE)


def read_request(body: Mapping[str, Any], answered: Answered) -> ResponseRequest:
    """Return the request in a body as a chat completion.

    Raises:
        CaseError: no chat completion can answer it, or it continues an answer that ``answered`` does not hold.
    """
    asked = body.get("input") or ()
    own = [{"role": "user", "content": asked}] if isinstance(asked, str) else map(answered.resolved, asked)
    items = (*answered.before(body.get("previous_response_id")), *own)
    messages, instructions = chat_messages(items, answered.gave), body.get("instructions")
    if instructions:
        messages = [{"role": "system", "content": instructions}, *messages]
    return ResponseRequest(body=body, items=items, messages=messages, params=chat_params(body))
