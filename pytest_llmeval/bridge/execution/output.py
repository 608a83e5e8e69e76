"""What bodies that run side by side print and log, kept apart: each text goes to the case whose body wrote it.

pytest captures what a process prints while a test runs. A body that runs ahead prints while another test runs; the
context in which it runs says whose text it is.
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
    """What one body wrote."""

    def __init__(self) -> None:
        self._texts: dict[str, StringIO] = {}
        self._live: list[tuple[logging.Handler, logging.LogRecord]] = []

    def write(self, name: str, text: str) -> int:
        """Add to ``stdout``, ``stderr`` or ``log``."""
        return self._texts.setdefault(name, StringIO()).write(text)

    def write_live(self, handler: logging.Handler, record: logging.LogRecord) -> None:
        """Add a record that is shown at once when the turn of the case has come."""
        self._live.append((handler, record))

    def put_on(self, item: pytest.Item) -> None:
        """Show the texts as what ``item`` wrote in its body."""
        for handler, record in self._live:
            handler.handle(record)
        for name, text in self._texts.items():
            item.add_report_section("call", name, text.getvalue())


_SWAPPED = ("tmpfile", "_old")
OUTPUT: ContextVar[CaseOutput | None] = ContextVar("llmeval_output", default=None)
"""Where the code that runs here writes; None outside of bodies that run ahead."""


class _Stream:
    """A text stream that writes to the case of the body that runs ahead, else to the stream that it replaces."""

    def __init__(self, stream: Any, name: str) -> None:
        self._llmeval_stream = stream
        self._llmeval_name = name

    @property  # type: ignore[misc]  # a property may stand for it: isinstance() asks the type first, and then this
    def __class__(self) -> Any:
        """The class of the stream that it replaces: pytest asserts that class."""
        return type(self._llmeval_stream)

    def write(self, text: str) -> int:
        """Write ``text`` where it belongs."""
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
    """Keeps the records of bodies running ahead out of a handler of pytest's, and with their case."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record belongs to the test that pytest runs now."""
        return OUTPUT.get() is None


class _LogKeeper(logging.Handler):
    """Writes the records of bodies running ahead to their cases, in the form that pytest gives to logs."""

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
    """Send the output of bodies that run ahead to their cases from now on; return False where that cannot be done."""
    manager = config.pluginmanager.getplugin("capturemanager")
    capturing: Any = getattr(manager, "_global_capturing", None)
    swaps: dict[str, Any] = {}
    for name, stream in (("stdout", "out"), ("stderr", "err")):
        capture: Any = getattr(capturing, stream, None)
        # With --capture=fd the stream of sys is swapped by an object of its own within.
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
    """Let ``stream`` stand where a capture keeps its own or that of the terminal; in ``sys`` too, if that is there."""
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
