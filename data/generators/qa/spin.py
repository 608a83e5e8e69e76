"""Templates: ``<this|that>`` picks one wording, ``a(n)`` takes the right article, ``{x}`` prints."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping

from .draw import Draw
from .values import Value

_CHOICE = re.compile(r"<([^<>]*)>")
_START = re.compile(r"(^|[.!?] )([a-z])")
_ARTICLE = re.compile(r"\b([Aa])\(n\) (\w)")


def spin(template: str, draw: Draw) -> str:
    """Return the template with every ``<a|b>`` settled; inner choices are settled first."""
    while match := _CHOICE.search(template):
        chosen = draw.pick(match.group(1).split("|"))
        template = template[: match.start()] + chosen + template[match.end() :]
    return template


def fields(template: str) -> frozenset[str]:
    """Return the names of the values that a settled template prints."""
    parsed = string.Formatter().parse(template)
    return frozenset(re.split(r"[.\[]", name)[0] for _, name, _, _ in parsed if name)


def fill(template: str, world: Mapping[str, Value]) -> str:
    """Return the sentence with values, articles and capitals where sentences begin."""
    text = template.format_map(world)
    text = _ARTICLE.sub(_article, text)
    return _START.sub(lambda match: match.group(1) + match.group(2).upper(), text)


def _article(match: re.Match[str]) -> str:
    n = "n" if match.group(2).lower() in "aeio" else ""
    return f"{match.group(1)}{n} {match.group(2)}"
