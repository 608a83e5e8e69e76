"""Which tests need the process for themselves: no other body runs beside them, nor their own before its turn.

Streams, warnings and patched objects belong to the whole process. A test that is not a case could notice what runs
beside it, and so could a case that catches output or warnings. What a case patches or filters would be visible to
bodies beside it, and two such bodies side by side would undo their patches in the wrong order. Fixtures of module scope
or wider do not count: the tests after them are meant to see what they change.
"""

import contextlib
import functools
import inspect
import sys
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from types import FunctionType, MethodType, ModuleType
from typing import Any

import pytest

from pytest_llmeval.bridge.casework.fixtures import chosen_fixture
from pytest_llmeval.bridge.casework.items import case_function, param_of
from pytest_llmeval.bridge.collection.code_digests import globals_in, imports_in, names_in
from pytest_llmeval.bridge.execution.body_functions import parameters_of, plain_function
from pytest_llmeval.bridge.execution.dormant import needed_fixtures, woken_fixture
from pytest_llmeval.bridge.execution.own_code import globals_of, is_among, seen

__all__ = ["is_watching", "why_alone"]

_CATCHING = frozenset({"capfd", "capfdbinary", "capsys", "capsysbinary", "capteesys", "recwarn"})
"""Fixtures that catch the output or the warnings of the whole process."""
_ALONE = frozenset({"class_mocker", "mocker", "monkeypatch", *_CATCHING})
"""The catching fixtures, and fixtures by which a test changes what others see."""
_CATCHES: tuple[Any, ...] = (
    warnings.catch_warnings,
    pytest.deprecated_call,
    contextlib.redirect_stderr,
    contextlib.redirect_stdout,
    pytest.warns,
)
"""Functions and classes that catch the same when a test's code calls them."""
_THEIR_MODULES = (contextlib, pytest, warnings)
_STOPS = ("breakpoint", "set_trace")
"""Names that start a debugger, which uses the streams of the process to talk to a person."""
_MOCKS = frozenset({"mock", "mock.mock", "unittest", "unittest.mock"})
"""The modules of mock, by their own names and by those imported within a test."""
_REPLACING = frozenset(
    {
        "aioresponses",
        "django.test.utils",
        "flexmock",
        "freezegun",
        "httpretty",
        "mockito",
        "moto",
        "pook",
        "pyfakefs",
        "pytest_recording",
        "pytest_subprocess",
        "requests_mock",
        "responses",
        "respx",
        "time_machine",
        "vcr",
    }
)
"""Packages and modules by which a test replaces HTTP, the clock, files or settings of the whole process."""
_SETTINGS = ("pytest_django.fixtures", "settings")
"""The module and the name of a fixture by which a test does so that names none of them."""
_INSTALLED = frozenset({"dist-packages", "site-packages"})
"""Folders of what is installed, in the project's own folder too: a virtual environment may lie there."""


def is_watching(item: pytest.Item) -> bool:
    """Whether a test could notice what runs beside it: it is no case, or catches output or warnings of the process."""
    if param_of(item) is None:
        return True
    names = needed_fixtures(item)
    return not _CATCHING.isdisjoint(names) or any(seen(_caught, each) for each in _own_functions(item, names))


def why_alone(item: pytest.Item) -> str:
    """Return why a test needs the process for itself; an empty string if it does not."""
    if param_of(item) is None:
        return "is not an eval"
    of_all = "is of the whole process"
    if woken := woken_fixture(item):
        return f"fixture {woken!r} {of_all}"
    reached = functools.partial(_reach, root=item.config.rootpath)
    for name in needed_fixtures(item):
        if name in _ALONE or any(seen(reached, function) for function in _own_fixture(item, name)):
            return f"fixture {name!r}{_through(item, name)} {of_all}"
    if item.get_closest_marker("filterwarnings") is not None:
        return f"mark filterwarnings {of_all}"
    reach = seen(reached, case_function(item))
    return f"{reach} {of_all}" if reach else ""


def _through(item: pytest.Item, name: str) -> str:
    """Return the fixture through which a test gets one that it does not name: people look for the one in the test."""
    if name in parameters_of(plain_function(case_function(item))):
        return ""
    through = next((other for other in needed_fixtures(item) if other != name and _asks_for(item, other, name)), None)
    return "" if through is None else f" of {through!r}"


def _asks_for(item: pytest.Item, asking: str, name: str) -> bool:
    """Whether a fixture takes another, or takes one that does."""
    definition = chosen_fixture(item, asking)
    taken = definition.argnames if definition is not None else ()
    return name in taken or any(each != asking and _asks_for(item, each, name) for each in taken)


def _own_functions(item: pytest.Item, names: Iterable[str]) -> Iterator[Callable[..., Any]]:
    """Yield the functions that run for one case or class: the test, and fixtures of function or class scope."""
    yield case_function(item)
    for name in names:
        yield from _own_fixture(item, name)


def _own_fixture(item: pytest.Item, name: str) -> Iterator[Callable[..., Any]]:
    definition = chosen_fixture(item, name)
    if definition is not None and definition.scope in ("function", "class"):
        yield definition.func


@functools.lru_cache(maxsize=256)
def _reach(function: Callable[..., Any], root: Path) -> str:
    """Return what in the code of a test or a fixture affects the whole process; an empty text where nothing does."""
    names = names_in(function)
    if (getattr(function, "__module__", ""), getattr(function, "__name__", "")) == _SETTINGS:
        return "settings"
    caught = _caught(function) or next((name for name in _STOPS if name in names), "")
    return caught or ("its patch" if _patches(function, names) else _replacing(function, names, root))


@functools.lru_cache(maxsize=256)
def _caught(function: Callable[..., Any]) -> str:
    """Return the name that catches the process's output or warnings in a function, however it was imported."""
    names, known = names_in(function), globals_of(function)
    named = [known[name] for name in names if name in known]
    has_module = any(module.__name__ in names or is_among(module, named) for module in _THEIR_MODULES)
    found = (each for each in _CATCHES if is_among(each, named) or (has_module and each.__name__ in names))
    return next((str(each.__name__) for each in found), "")


def _replacing(function: Callable[..., Any], names: Collection[str], root: Path) -> str:
    """Return the package by which a test or a fixture replaces a part of the process; an empty text where none does."""
    known = globals_of(function)
    named = [known[name] for name in sorted(globals_in(function)) if name in known]
    modules = [vars(each) for each in named if issubclass(type(each), ModuleType)]
    named += [module[name] for module in modules for name in sorted(names) if name in module]
    found = (*_decorators(function), *map(_package, named), *sorted(imports_in(function)))
    return next((each for each in found if each in _REPLACING and not _is_own(each, root)), "")


def _is_own(module: str, root: Path) -> bool:
    """Whether a module is one of the project's own that only has the name of such a package."""
    path = Path(getattr(sys.modules.get(module), "__file__", None) or "/")
    return path.is_relative_to(root) and _INSTALLED.isdisjoint(path.parts)


def _decorators(function: Callable[..., Any]) -> Iterator[str]:
    """Yield the packages of the decorators around a function, as far as they set ``__wrapped__``."""
    while (within := getattr(function, "__wrapped__", None)) is not None:
        maker = getattr(function, "_self_wrapper", function)  # wrapt's proxy shows the attributes of what it wraps
        yield _top(getattr(maker, "__globals__", {}).get("__name__") or getattr(maker, "__module__", ""))
        function = within


def _package(value: object) -> str:
    """Return the package of a module, function or class; for any other value, that of its class."""
    # A lazy object of the user's is asked for its true type only: for more it would be made.
    if issubclass(type(value), ModuleType):
        return _top(getattr(value, "__name__", ""))
    owner = value if issubclass(type(value), (FunctionType, MethodType, type)) else type(value)
    return _top(getattr(owner, "__module__", ""))


def _top(module: object) -> str:
    """Return the package of a module; for a module that is listed itself, its own name."""
    name = str(module)
    return name if name in _REPLACING else name.partition(".")[0]


def _patches(function: Callable[..., Any], names: Collection[str]) -> bool:
    """Whether a test or fixture patches anything, by a decorator of mock's or in its code."""
    if inspect.unwrap(function, stop=_is_mocks) is not inspect.unwrap(function):
        return True
    known = globals_of(function)
    named = [known[name] for name in names if name in known]
    if "MonkeyPatch" in names or any(map(_is_patch, named)):
        return True
    return "patch" in names and (not _MOCKS.isdisjoint(names) or any(map(_is_mock_module, named)))


def _is_patch(value: object) -> bool:
    """Whether a value is mock's ``patch``, a form of it, what it made, or pytest's MonkeyPatch, under any name."""
    # A lazy object of the user's is asked for its true type only: for more it would be made.
    kind: Any = value if issubclass(type(value), (FunctionType, type)) else type(value)
    return kind.__module__ in _MOCKS | {"_pytest.monkeypatch"} and "patch" in kind.__name__.lower()


def _is_mock_module(value: object) -> bool:
    return issubclass(type(value), ModuleType) and getattr(value, "__name__", "") in _MOCKS


def _is_mocks(function: Any) -> bool:
    """Whether a function is a wrapper that a decorator of mock's made."""
    return getattr(function, "__globals__", {}).get("__name__") in _MOCKS
