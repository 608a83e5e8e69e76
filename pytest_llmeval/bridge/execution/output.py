"""Keeps apart what bodies print and log when they run side by side: each text goes to the case that wrote it.

pytest captures what a process prints while a test runs. A body that runs ahead prints while another test runs; the
context in which it runs identifies its case.
"""

import functools
import logging
import sys
from contextvars import ContextVar
from io import StringIO
from typing import Any

import pytest

__all__ = ["OUTPUT", "CaseOutput", "keep_apart"]


class CaseOutput:
    """The output of one body."""

    def __init__(self) -> None:
        self._texts: dict[str, StringIO] = {}
        self._live: list[tuple[logging.Handler, logging.LogRecord]] = []

    def write(self, name: str, text: str) -> int:
        """Append ``text`` to ``name``, which is ``stdout``, ``stderr`` or ``log``; return the number of characters."""
        return self._texts.setdefault(name, StringIO()).write(text)

    def write_live(self, handler: logging.Handler, record: logging.LogRecord) -> None:
        """Keep a log record to be shown live when the turn of the case has come."""
        self._live.append((handler, record))

    def put_on(self, item: pytest.Item) -> None:
        """Show the texts as output of the body of ``item``."""
        for handler, record in self._live:
            handler.handle(record)
        for name, text in self._texts.items():
            item.add_report_section("call", name, text.getvalue())


_SWAPPED = ("tmpfile", "_old")
OUTPUT: ContextVar[CaseOutput | None] = ContextVar("llmeval_output", default=None)
"""The output to which the code that runs here writes; None outside of bodies that run ahead."""


class _Stream:
    """A text stream that writes to the case of the body that runs ahead, else to the stream that it replaces."""

    def __init__(self, stream: Any, name: str) -> None:
        self._llmeval_stream = stream
        self._llmeval_name = name

    @property  # type: ignore[misc]  # isinstance() asks the type first, then this
    def __class__(self) -> Any:
        """The class of the stream that it replaces: pytest asserts that class."""
        return type(self._llmeval_stream)

    def write(self, text: str) -> int:
        """Write ``text`` to the case or to the replaced stream; return the number of characters."""
        output = OUTPUT.get()
        written: int = self._llmeval_stream.write(text) if output is None else output.write(self._llmeval_name, text)
        return written

    def writelines(self, lines: Any) -> None:
        """Write each of ``lines``."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._llmeval_stream, name)


class _LogSplit(logging.Filter):
    """Keeps the records of bodies that run ahead out of a handler of pytest's."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record belongs to the test that pytest runs now."""
        return OUTPUT.get() is None


class _LogKeeper(logging.Handler):
    """Writes the records of bodies that run ahead to their cases, in pytest's log format."""

    def __init__(self, live: logging.Handler) -> None:
        super().__init__()
        self._live = live

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one record."""
        output = OUTPUT.get()
        if output is not None:
            output.write("log", self.format(record) + "\n")
            if record.levelno >= self._live.level and not isinstance(self._live, logging.NullHandler):
                output.write_live(self._live, record)


def keep_apart(config: pytest.Config) -> bool:
    """From now on send the output of bodies that run ahead to their cases; return False if that is impossible."""
    manager = config.pluginmanager.getplugin("capturemanager")
    capturing: Any = getattr(manager, "_global_capturing", None)
    swaps: dict[str, Any] = {}
    for name, stream in (("stdout", "out"), ("stderr", "err")):
        capture: Any = getattr(capturing, stream, None)
        # With --capture=fd an inner object swaps the stream of sys.
        swaps[name] = getattr(capture, "syscapture", capture)
        if not all(hasattr(swaps[name], attribute) for attribute in _SWAPPED):
            return False
    for name, swap in swaps.items():
        for attribute in _SWAPPED if not isinstance(swap.tmpfile, _Stream) else ():
            stream = getattr(swap, attribute)
            _put(swap, attribute, name, _Stream(stream, name))
            config.add_cleanup(functools.partial(_put, swap, attribute, name, stream))
    _split_logs(config)
    return True


def _put(swap: Any, attribute: str, name: str, stream: Any) -> None:
    """Replace the stream of a capture, or the one that it saved, by ``stream``; in ``sys`` too, if it is set there."""
    before = getattr(swap, attribute, None)
    if before is None:  # the capture has ended
        return
    setattr(swap, attribute, stream)
    if getattr(sys, name) is before:
        setattr(sys, name, stream)


def _split_logs(config: pytest.Config) -> None:
    plugin = config.pluginmanager.getplugin("logging-plugin")
    handlers = [getattr(plugin, name, None) for name in ("caplog_handler", "report_handler", "log_cli_handler")]
    if plugin is None or None in handlers or any(isinstance(each, _LogKeeper) for each in logging.root.handlers):
        return
    for handler in handlers:
        assert handler is not None
        handler.addFilter(_LogSplit())
    keeper = _LogKeeper(getattr(plugin, "log_cli_handler"))  # noqa: B009  # it is one of the handlers
    keeper.setFormatter(plugin.formatter)
    logging.root.addHandler(keeper)
    config.add_cleanup(lambda: logging.root.removeHandler(keeper))
