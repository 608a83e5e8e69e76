"""Text as HTML that shows it: nothing in it is markup, moves the page or hides."""

import base64
import hashlib
import html
from collections.abc import Iterable

from pytest_llmeval.core.text import printable

__all__ = ["LONGEST", "Html", "csp_hash", "element", "escaped", "joined", "shown"]

LONGEST = 20_000
"""Characters of a text that a page shows, unless it says otherwise."""


class Html(str):
    """HTML that may stand in a page as it is; template engines that know ``__html__`` take it so."""

    __slots__ = ()

    def __html__(self) -> str:
        """Return it."""
        return str(self)


def escaped(text: str) -> Html:
    """Return a text for the inside of an element or of a quoted attribute; Html stays as it is.

    Control characters, direction marks and lone surrogates are written as ``core.text.printable`` writes them.
    """
    return text if isinstance(text, Html) else Html(html.escape(printable(text)))


def shown(text: str, limit: int = LONGEST) -> Html:
    """Return the first ``limit`` characters of a text, and how many more there are."""
    if len(text) <= limit:
        return escaped(text)
    more = element("span", f" … {len(text) - limit:,} characters more", class_="le-more")
    return Html(escaped(text[:limit]) + more)


def joined(parts: Iterable[str], between: str = "") -> Html:
    """Return parts in a row; whatever is no Html is escaped."""
    return Html(escaped(between).join(map(escaped, parts)))


def element(name: str, *children: str, **attributes: str | float | bool | None) -> Html:
    """Return one element; whatever is no Html in it is escaped.

    Args:
        name: of the element, ours.
        children: what it holds, in order.
        attributes: by name; ``_`` at the end of a name is dropped, another is ``-``. None and False leave it out,
            True gives it no value.
    """
    told = "".join(
        f" {_attribute(key)}" if value is True else f' {_attribute(key)}="{escaped(str(value))}"'
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    return Html(f"<{name}{told}>{joined(children)}</{name}>")


def csp_hash(code: bytes) -> str:
    """Return how a Content-Security-Policy names a text: https://www.w3.org/TR/CSP3/#match-element-to-source-list."""
    return f"sha256-{base64.b64encode(hashlib.sha256(code).digest()).decode()}"


def _attribute(key: str) -> str:
    return key.rstrip("_").replace("_", "-")
