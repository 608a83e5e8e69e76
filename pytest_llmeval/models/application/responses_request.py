"""A request of the Responses API, told as a chat completion, and what a client has answered so far."""

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
    """What an application asks for."""

    body: Mapping[str, Any]
    """As it came."""
    items: tuple[Any, ...]
    """Those of earlier turns that it goes on from, and its own."""
    messages: list[Message]
    """The items, behind the instructions."""
    params: dict[str, Any]
    """Of the chat completion."""


class Answered:
    """What one client answered, by the ids that it gave out: OpenAI's servers keep it, and a request may go on from it.

    Threads and tasks may use it at the same time: each of its steps reads a dict, or writes one, at once.
    """

    def __init__(self) -> None:
        self._items: dict[str, Any] = {}
        """Items of answers, by their own ids."""
        self._conversations: dict[str, tuple[Any, ...]] = {}
        """All items up to the end of an answer, by the id of its response."""
        self._given: set[tuple[str, str]] = set()
        """Types and ids of all items of answers, also of those that are not to be kept."""

    def before(self, response_id: str | None) -> tuple[Any, ...]:
        """Return the items up to the end of a response; none for None.

        Raises:
            CaseError: there is none of this id.
        """
        if response_id is None:
            return ()
        items: tuple[Any, ...] = _found(self._conversations, response_id, "previous_response_id")
        return items

    def resolved(self, item: Any) -> Any:
        """Return an item, in place of a reference to it; of what a model thought the whole, by its id.

        Raises:
            CaseError: it refers to nothing.
        """
        kind = kind_of(item)
        if kind == "item_reference":
            return _found(self._items, item.get("id"), "an item_reference to")
        is_bare = kind == "reasoning" and not item.get("encrypted_content")
        return self._items.get(str(item.get("id")), item) if is_bare else item

    def gave(self, item: Any) -> bool:
        """Return whether an item is one of an answer."""
        return _name_of(item) in self._given

    def note(self, output: Iterable[Mapping[str, Any]]) -> None:
        """Note which items an answer has: an application may send them back, whether they are kept or not."""
        self._given.update(map(_name_of, output))

    def keep(self, response_id: str, items: Iterable[Any], output: Iterable[Mapping[str, Any]]) -> None:
        """Keep an answer: the items that were asked with, and those that it has."""
        kept = tuple(output)
        self._items.update({item["id"]: item for item in kept if "id" in item})
        self._conversations[response_id] = (*items, *kept)


def _name_of(item: Mapping[str, Any]) -> tuple[str, str]:
    return kind_of(item), str(item.get("id"))


def _found(known: Mapping[str, Any], id_: object, what: str) -> Any:
    if isinstance(id_, str) and id_ in known:
        return known[id_]
    told = f"{what} {shown_value(id_)}: this client gave no such answer, or was told not to store it (store=False);"
    raise CaseError(f"{told} let the application pass what was said before in input", kind=ErrorKind.CODE)


def read_request(body: Mapping[str, Any], answered: Answered) -> ResponseRequest:
    """Return what the body of a request asks for.

    Raises:
        CaseError: no chat completion can answer it, or it goes on from what ``answered`` does not hold.
    """
    asked = body.get("input") or ()
    own = [{"role": "user", "content": asked}] if isinstance(asked, str) else map(answered.resolved, asked)
    items = (*answered.before(body.get("previous_response_id")), *own)
    messages, instructions = chat_messages(items, answered.gave), body.get("instructions")
    if instructions:
        messages = [{"role": "system", "content": instructions}, *messages]
    return ResponseRequest(body=body, items=items, messages=messages, params=chat_params(body))
