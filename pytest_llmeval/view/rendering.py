"""Rendering pages from templates, with all values escaped."""

import functools
import html
from collections.abc import Callable
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from pytest_llmeval.core.text import counted, one_line, storable
from pytest_llmeval.reports.html.escape import Html, escaped, shown
from pytest_llmeval.reports.html.style import STYLE
from pytest_llmeval.reports.numbers import number, signed
from pytest_llmeval.reports.run_text import money, token_counts

__all__ = ["asset", "render"]

_MISSING = "–"


def render(template: str, **values: Any) -> str:
    """Return a rendered page.

    Args:
        template: the name of the template.
        values: the values of the template. Values that are not Html are escaped, control and direction characters
            included.
    """
    return _environment().get_template(template).render(**values)


@functools.cache
def asset(name: str) -> str:
    """Return an asset of the pages: ``view.css``, which starts with the style of all our HTML, or ``view.js``."""
    text = files(__package__).joinpath("static", name).read_text("utf-8")
    return STYLE + text if name.endswith(".css") else text


@functools.cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader(__package__),
        autoescape=True,
        finalize=_finished,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(_FILTERS)
    return made


def _finished(value: Any) -> Any:
    """Return the text that a page shows for a value of a template."""
    if hasattr(value, "__html__"):
        return value
    return "" if value is None else escaped(str(value))


def _exact(value: str) -> Html:
    """Return a value for an attribute that a form sends back, changing only characters that no page can hold."""
    return Html(html.escape(storable(value)).replace("\r", "&#13;").replace("\n", "&#10;"))


def _or_missing(shown: Callable[[Any], str]) -> Callable[[Any], str]:
    """Return a filter that formats a value with ``shown``, and None as a dash."""
    return lambda value: _MISSING if value is None else shown(value)


def _signed(value: float) -> str:
    return signed(value).replace("-", "−")


def _seconds(value: float) -> str:
    return f"{value:.2f} s" if value < 100 else f"{value:,.0f} s"


def _time(value: str | None) -> str:
    """Return a UTC time for display, to the second."""
    return _MISSING if not value else value[:19].replace("T", " ")


def _words(value: str) -> str:
    return value.replace("_", " ")


_FILTERS: dict[str, Callable[..., Any]] = {
    "count": _or_missing("{:,}".format),
    "exact": _exact,
    "line": one_line,
    "money": money,
    "number": _or_missing(number),
    "plural": counted,
    "seconds": _or_missing(_seconds),
    "signed": _or_missing(_signed),
    "text": shown,
    "time": _time,
    "tokens": token_counts,
    "words": _words,
}
