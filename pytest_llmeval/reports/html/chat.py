"""A conversation with a model: the messages, the response, and the expected response."""

from collections.abc import Iterable

from pytest_llmeval.reports.html.diff import difference
from pytest_llmeval.reports.html.escape import LONGEST, Html, element, joined, shown

__all__ = ["bubble", "chat"]

_KEY = " · struck out: expected, and not said; underlined: said, and not expected"
_KNOWN = ("system", "developer", "user", "assistant", "tool")


def chat(
    messages: Iterable[tuple[str, str]],
    response: str | None,
    expected: str | None,
    *,
    limit: int = LONGEST,
    missing: str = "no response",
) -> Html:
    """Return a conversation from top to bottom, followed by the differences between response and target.

    Args:
        messages: role and text of each message that was sent.
        response: the response of the model; None if there is none.
        expected: the display form of the target; None if the row has none.
        limit: the largest number of characters shown of each text.
        missing: the text in place of a missing response.
    """
    said = [bubble(role, text, limit=limit) for role, text in messages]
    if response is None:
        said.append(element("p", missing, class_="le-note"))
    else:
        said.append(bubble("response", response, limit=limit))
    if expected is not None:
        said.append(bubble("expected", expected, limit=limit))
    parts = [element("div", *said, class_="le-chat")]
    if response is not None and expected is not None:
        found = difference(response, expected, limit=limit)
        key = element("span", _KEY, class_="le-more") if "<del>" in found or "<ins>" in found else ""
        parts.append(element("div", element("b", "Difference", key), found, class_="le-difference"))
    return joined(parts)


def bubble(role: str, text: str, *, limit: int = LONGEST) -> Html:
    """Return one message with its role as the title; an empty message says so."""
    kind = role if role in (*_KNOWN, "response", "expected") else "other"
    body = element("pre", shown(text, limit), dir="auto") if text else element("p", "(empty)", class_="le-note")
    return element("div", element("b", role or "?"), body, class_=f"le-bubble le-{kind}")
