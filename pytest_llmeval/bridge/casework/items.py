"""Items that are cases: how to tell them from other tests, without importing anything they need to run."""

from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

if TYPE_CHECKING:
    from pytest_llmeval.bridge.casework.cases import CaseParam, CaseRun
    from pytest_llmeval.bridge.casework.runtime import Runtime

__all__ = [
    "CURRENT",
    "PARAM",
    "RUN_KEY",
    "CaseNow",
    "case_function",
    "cases_in",
    "function_name",
    "function_of",
    "made_of",
    "odd_place",
    "param_of",
    "params_of",
    "run_of",
    "set_of",
    "suite_named",
    "suite_of",
]

PARAM = "llmeval_case"
"""The name of a case's parameter in its item's callspec."""
RUN_KEY = pytest.StashKey["CaseRun"]()
CURRENT: "ContextVar[CaseNow | None]" = ContextVar("llmeval_current", default=None)
"""The case whose turn it is; in the context of a body that runs ahead, that body's case.

Fixtures read this rather than the fixture ``request``, which costs 0.2 ms a test."""


class CaseNow(NamedTuple):
    """A case whose turn it is."""

    run: "CaseRun"
    param: "CaseParam"
    runtime: "Runtime"


def param_of(item: pytest.Item) -> "CaseParam | None":
    """Return the case parameter that an item carries; None for an item that is not a case."""
    callspec = getattr(item, "callspec", None)
    return callspec.params.get(PARAM) if callspec is not None else None


def params_of(item: pytest.Item) -> dict[str, Any]:
    """Return the parameters that an item was made with, by name, our own included; empty for most items."""
    callspec = getattr(item, "callspec", None)
    return callspec.params if callspec is not None else {}


def function_name(item: pytest.Item) -> str:
    """Return the name of an item's function, without parameters."""
    return str(getattr(item, "originalname", item.name))


def case_function(case: pytest.Item) -> Callable[..., Any]:
    """Return the function of a case; pytest types items without one."""
    found: Callable[..., Any] = case.function  # type: ignore[attr-defined]
    return found


def set_of(item: pytest.Item, param: "CaseParam") -> str:
    """Return the id of a case's ``parametrize`` set; an empty string if it has none."""
    callspec = item.callspec  # type: ignore[attr-defined]  # a case has one
    set_id: str = callspec.id[len(param.own_id) + 1 :] if len(callspec.params) > 1 else ""
    return set_id


def suite_named(marker: pytest.Mark, metafunc: pytest.Metafunc) -> str:
    """Return the suite that a test names by its marker, else by the name under which pytest found its function."""
    name = function_name(metafunc.definition)
    return str(marker.kwargs.get("suite") or name.removeprefix("test_") or name)


def suite_of(item: pytest.Item, param: "CaseParam") -> str:
    """Return the suite of a case: the function's, with the id of its ``parametrize`` set in brackets."""
    if len(item.callspec.params) == 1:  # type: ignore[attr-defined]  # most cases; called often for each
        return param.eval.suite
    set_id = set_of(item, param)
    return f"{param.eval.suite}[{set_id}]" if set_id else param.eval.suite


def function_of(nodeid: str) -> str:
    """Return the node id of the function that an item was made from; the file path may contain a bracket, too."""
    path, _, name = nodeid.partition("::")
    return f"{path}::{name.partition('[')[0]}"


def made_of(item: pytest.Item) -> str:
    """Return the node id of an item's function; empty for a doctest, whose id may look like that of a function."""
    return function_of(item.nodeid) if isinstance(item, pytest.Function) else ""


def odd_place(item: pytest.Item) -> str:
    """Return what the marker stands on if no case can be made there; an empty string otherwise."""
    if param_of(item) is not None:
        return ""
    if getattr(item, "nofuncargs", False) and isinstance(item, pytest.Function):
        return "a method of a unittest.TestCase" if item.get_closest_marker("llmeval") is not None else ""
    is_marked = any(mark.name == "llmeval" for mark in item.own_markers)
    return "a single item or parameter set" if is_marked else ""


def run_of(item: pytest.Item) -> "CaseRun | None":
    """Return the ``CaseRun`` of a case that runs; None if it has none."""
    return item.stash.get(RUN_KEY, None)


def cases_in(items: Iterable[pytest.Item]) -> Iterator[tuple[pytest.Item, "CaseParam"]]:
    """Yield the items that are cases, with their parameters."""
    for item in items:
        param = param_of(item)
        if param is not None:
            yield item, param
