"""Removes secrets from the texts of reports, logs and warnings, and makes them safe on a terminal."""

import copy
import functools
import logging
import re
from collections.abc import Callable
from types import NoneType
from typing import Any

import pytest

from pytest_llmeval.core.text import one_line, shorten, storable

__all__ = ["clean_failure", "clean_live_logs", "clean_report", "clean_skip", "clean_subtest", "clean_warning"]

_LONGEST_SECTION = 100_000
"""Most characters of one section, printed or logged by a case, that reports keep."""
_LONGEST_NAME = 500
_WORD = re.compile(r"[^\t\n\x0b\x0c\r ]+")
"""A word as textwrap sees it."""
_LONG_WORD = 30
_COMMAND = re.compile(r"(?i)::((add|internal|remove|save|set|stop)-|debug|echo|(end)?group|error|notice|warning)\b")
"""Workflow commands that GitHub obeys; other names and node ids have :: too."""
_Cleans = Callable[[str], str]


def clean_report(report: pytest.TestReport, safe: _Cleans, redact: _Cleans) -> None:
    """Remove secrets and terminal control from the sections, properties and extras of a report.

    A property that is not a number becomes its text: a worker could not send a ``Decimal``, for example. ``safe``
    removes both from a text, ``redact`` secrets alone.
    """
    if report.sections:
        report.sections = [(safe(name), shorten(safe(text), _LONGEST_SECTION)) for name, text in report.sections]
    if report.user_properties:
        report.user_properties = [(safe(str(name)), _plain(value, safe)) for name, value in report.user_properties]
    for extra in getattr(report, "extras", ()):  # pytest-html's
        extra.update({key: storable(redact(text)) for key, text in extra.items() if isinstance(text, str)})


def clean_failure(report: pytest.TestReport, safe: _Cleans) -> None:
    """Make the text of a failure safe, or every text inside its representation."""
    if isinstance(report.longrepr, str):
        report.longrepr = safe(report.longrepr)
    else:
        _clean(report.longrepr, set(), safe)


def clean_skip(report: pytest.TestReport, safe: _Cleans, *, wraps: bool) -> None:
    """Make the reason of a skip or an xfail safe; ``wraps`` says that pytest may break its lines anywhere."""

    def unbegun(word: re.Match[str]) -> str:
        text = word.group()
        if wraps and len(text) >= _LONG_WORD and _COMMAND.search(text):  # it may be broken anywhere
            return text.replace("::", ":\\:").replace("::", ":\\:")
        return f"\\{text}" if text.lstrip().startswith("::") else text

    report.longrepr = _cleaned(report.longrepr, set(), safe)
    if isinstance(report.longrepr, tuple):
        path, line, reason = report.longrepr
        report.longrepr = (path, line, _WORD.sub(unbegun, reason))
    if hasattr(report, "wasxfail"):
        report.wasxfail = _WORD.sub(unbegun, safe(str(report.wasxfail or "")))


def _clean(value: Any, seen: set[int], safe: _Cleans) -> None:
    """Make every text inside a failure's representation printable, in place."""
    if id(value) in seen or not hasattr(value, "__dict__"):
        return
    seen.add(id(value))
    for name, inner in vars(value).items():
        if isinstance(inner, str):
            object.__setattr__(value, name, safe(inner))
        elif isinstance(inner, list):
            object.__setattr__(value, name, [_cleaned(each, seen, safe) for each in inner])
        else:
            _clean(inner, seen, safe)


def _cleaned(value: Any, seen: set[int], safe: _Cleans) -> Any:
    if isinstance(value, str):
        return safe(value)
    if isinstance(value, tuple):
        return tuple(_cleaned(each, seen, safe) for each in value)
    _clean(value, seen, safe)
    return value


def clean_warning(warning: Any, safe: _Cleans) -> None:
    """Make a recorded ``warnings.WarningMessage`` safe, which may quote an answer."""
    message = safe(str(warning.message))
    if message != str(warning.message):
        try:
            warning.message = warning.category(message)
        except Exception:  # noqa: BLE001  # a project's own class may take other arguments
            warning.message = UserWarning(message)


def clean_live_logs(config: pytest.Config, safe: _Cleans) -> None:
    """Make log records safe from now on where they are shown or written before any report exists."""
    plugin = config.pluginmanager.getplugin("logging-plugin")
    for name in ("log_cli_handler", "log_file_handler"):
        handler = getattr(plugin, name, None)
        inner = getattr(handler, "formatter", None)
        if isinstance(handler, logging.Handler) and inner is not None and not isinstance(inner, _CleanFormatter):
            handler.setFormatter(_CleanFormatter(inner, safe))
            config.add_cleanup(functools.partial(handler.setFormatter, inner))


def clean_subtest(report: Any, safe: _Cleans) -> None:
    """Make the texts of a subtest's report safe; leave any other report as it is."""
    context = getattr(report, "context", None)
    if context is None or not hasattr(context, "msg"):
        return

    def named(text: object) -> str:
        return one_line(safe(str(text)), _LONGEST_NAME)

    tidied = copy.copy(context)  # a new one would quote the values again
    object.__setattr__(tidied, "msg", context.msg if context.msg is None else named(context.msg))
    object.__setattr__(tidied, "kwargs", {named(key): named(value) for key, value in context.kwargs.items()})
    report.context = tidied
    report.sections = [(name, safe(text)) for name, text in report.sections]


class _CleanFormatter(logging.Formatter):
    """Wraps a formatter so that it shows safe texts only; colours that the formatter itself adds stay."""

    def __init__(self, inner: logging.Formatter, safe: _Cleans) -> None:
        super().__init__()
        self._inner = inner
        self._safe = safe

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of a copy of ``record`` in which all texts are safe."""
        shown = copy.copy(record)
        shown.msg, shown.args = self._safe(record.getMessage()), None
        told = record.exc_text or (self._inner.formatException(record.exc_info) if record.exc_info else None)
        shown.exc_text = self._safe(told) if told else None
        if record.stack_info:
            shown.stack_info = self._safe(record.stack_info)
        return self._inner.format(shown)


def _plain(value: object, safe: _Cleans) -> object:
    return value if type(value) in (bool, int, float, NoneType) else safe(str(value))
