"""Escaping text for HTML: nothing in it acts as markup, reorders the page or stays invisible."""

import base64
import hashlib
import html
from collections.abc import Iterable

from pytest_llmeval.core.text import printable

__all__ = ["LONGEST", "Html", "csp_hash", "element", "escaped", "joined", "shown"]

LONGEST = 20_000
"""Default for the largest number of characters shown of a text."""


class Html(str):
    """A string of safe HTML. Template engines that support ``__html__`` insert it unescaped."""

    __slots__ = ()

    def __html__(self) -> str:
        """Return the HTML itself."""
        return str(self)


def escaped(text: str) -> Html:
    """Return a text escaped for an element's content or a quoted attribute; Html is returned unchanged.

    Control characters, direction marks and lone surrogates are written as ``core.text.printable`` writes them.
    """
    return text if isinstance(text, Html) else Html(html.escape(printable(text)))


def shown(text: str, limit: int = LONGEST) -> Html:
    """Return the first ``limit`` characters of a text, escaped, and how many more there are."""
    if len(text) <= limit:
        return escaped(text)
    more = element("span", f" … {len(text) - limit:,} characters more", class_="le-more")
    return Html(escaped(text[:limit]) + more)


def joined(parts: Iterable[str], between: str = "") -> Html:
    """Return the parts joined; parts that are not Html are escaped."""
    return Html(escaped(between).join(map(escaped, parts)))


def element(name: str, *children: str, **attributes: str | float | bool | None) -> Html:
    """Return one element; children and attributes that are not Html are escaped.

    Args:
        name: the name of the element, which must be trusted.
        children: the contents, in order.
        attributes: attributes by name. A trailing ``_`` of a name is dropped, any other ``_`` becomes ``-``. None and
            False omit the attribute, True writes it without a value.
    """
    pairs = "".join(
        f" {_attribute(key)}" if value is True else f' {_attribute(key)}="{escaped(str(value))}"'
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    return Html(f"<{name}{pairs}>{joined(children)}</{name}>")


def csp_hash(code: bytes) -> str:
    """Return a Content-Security-Policy hash of a text: https://www.w3.org/TR/CSP3/#match-element-to-source-list."""
    return f"sha256-{base64.b64encode(hashlib.sha256(code).digest()).decode()}"


def _attribute(key: str) -> str:
    return key.rstrip("_").replace("_", "-")
