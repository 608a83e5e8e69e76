"""Notes about fixtures and marks that expect another plugin's event loop, on which no body of ours runs."""

import re
from collections.abc import Iterable, Iterator

import pytest

from pytest_llmeval.bridge.casework.fixtures import chosen_fixture
from pytest_llmeval.bridge.casework.items import function_name
from pytest_llmeval.bridge.config.async_modes import is_asyncio_auto
from pytest_llmeval.bridge.execution.body_functions import body_of, is_async, is_made_async
from pytest_llmeval.core.text import and_more, one_line

__all__ = ["notes_of_marks", "tell_of_loops"]

_OF_LOOPS = re.compile(
    r"(attached|bound) to a different (event )?loop|Event loop is closed|should be used inside a task"
    r"|on an event loop other than"
)
"""Messages of asyncio and aiohttp about an object used on another event loop than the one that made it."""
_MOST = 3
"""Largest number of functions that a note names."""


def tell_of_loops(item: pytest.Item, error: BaseException) -> None:
    """Add a note to an event loop error: an async fixture of the case may come from another loop."""
    said = [each for each in error.args if isinstance(each, str)]
    if type(error) is not RuntimeError or not any(map(_OF_LOOPS.search, said)) or body_of(item) is None:
        return
    found = [(name, chosen_fixture(item, name)) for name in getattr(item, "fixturenames", ())]
    names = [name for name, each in found if each is not None and is_made_async(each.func)]
    if names:
        todo = "leave both to anyio (mark anyio)"
        if is_asyncio_auto(item.config):
            todo += " and run with -o asyncio_mode=strict, as pytest-asyncio makes all async fixtures in its auto mode"
        error.add_note(
            f"fixture {names[0]!r} may have been made on another event loop than that of the body: make what it gives"
            f" in the body, or {todo}"
        )


def notes_of_marks(items: Iterable[pytest.Item]) -> Iterator[str]:
    """Yield a note for each setting of pytest-asyncio's marks that asks for a loop which no eval runs on."""
    asked: dict[str, list[str]] = {}
    for item in items:
        mark = item.get_closest_marker("asyncio")
        if mark is not None and mark.kwargs and is_async(item):  # in auto mode that plugin adds one without arguments
            wanted = ", ".join(f"{key}={value!r}" for key, value in mark.kwargs.items())
            asked.setdefault(wanted, []).append(one_line(function_name(item), 60))
    for wanted, names in asked.items():
        yield (
            f"the mark asyncio({one_line(wanted, 80)}) of {and_more(names, _MOST)} has no effect: async evals run"
            " on an event loop of this plugin, so make what needs a loop in the body"
        )
