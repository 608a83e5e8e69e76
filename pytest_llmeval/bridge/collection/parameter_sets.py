"""Names of an eval's parameter sets: each set is a suite, named by its content, never by position or by a secret."""

import functools
import re
from collections.abc import Iterable, Iterator
from enum import Enum

import pytest

from pytest_llmeval.bridge.casework.cases import CaseParam, key_of
from pytest_llmeval.bridge.casework.items import cases_in, set_of
from pytest_llmeval.core.ids import digest
from pytest_llmeval.core.sources import stable_text
from pytest_llmeval.core.text import one_line, shown_value
from pytest_llmeval.models.redaction import AnswerRedactor

__all__ = ["each_once", "parametrized_names", "secret_sets", "value_name"]

_SHORT = 100
"""Longest string, in characters, that pytest takes as a name."""
_TOLD = (type(None), int, float, complex, re.Pattern, Enum)


def value_name(value: object, argname: str, *, config: pytest.Config, where: str, problems: list[str]) -> str | None:
    """Return a name made of the content of a parameter set's value; None if pytest has one for it.

    None, too, if nothing identifies the value across sessions: then ``problems`` gets a message on the function at
    ``where``.
    """
    if _is_told_by_pytest(value, config):
        return None
    text = stable_text(value)
    if text is None:
        problems.append(
            f"{where}: nothing tells a value of {argname} in each session the same, found"
            f" {type(value).__qualname__}; each parameter set is a suite: give it a name with ids="
        )
        return None
    return f"{argname}-{digest(text)[:6]}"


def _is_told_by_pytest(value: object, config: pytest.Config) -> bool:
    """Whether pytest names a value by its content, and not by its place in the list."""
    if isinstance(value, str | bytes):
        return len(value) <= _SHORT or not _shortens(config)
    name = getattr(value, "__name__", None)
    return isinstance(value, _TOLD) or (isinstance(name, str) and name != "<lambda>")  # those pytest numbers


def _shortens(config: pytest.Config) -> bool:
    try:
        return bool(config.getini("parametrize_long_str_id_strategy") == "short")
    except ValueError:  # pytest before 9.1
        return False


def each_once(cases: Iterable[tuple[pytest.Item, CaseParam]]) -> tuple[list[tuple[pytest.Item, CaseParam]], list[str]]:
    """Return each case once, which --keep-duplicates may give twice, and the problems, one for each function.

    Problems are two cases with one node id, and a parameter set that has a marker of its own.
    """
    found: dict[str, tuple[pytest.Item, CaseParam]] = {}
    problems: dict[str, str] = {}
    for case in cases:
        item, param = case
        first = found.setdefault(item.nodeid, case)
        if first[0] is not item and key_of(*first) != key_of(item, param):
            problems.setdefault(param.eval.where, _one_name(first, case))
        own_marks = item.callspec.marks  # type: ignore[attr-defined]  # a case has one
        if own_marks and any(mark.name == "llmeval" for mark in own_marks):
            problem = (
                "a parameter set has a marker llmeval beside that of its function, and only one dataset would be read"
            )
            problems.setdefault(param.eval.where, f"{param.eval.where}: {problem}")
    return list(found.values()), list(problems.values())


def _one_name(*cases: tuple[pytest.Item, CaseParam]) -> str:
    """Return the problem that two cases of a function have one node id, and what to do."""
    which = " and ".join(
        f"row {shown_value(param.sample_id)} of set {shown_value(set_of(item, param))}" for item, param in cases
    )
    where, (item, _) = cases[0][1].eval.where, cases[0]
    return f"{where}: {which} are both called {one_line(item.name, 160)}; name the sets with ids=, or change an id"


def secret_sets(items: Iterable[pytest.Item], secrets: Iterable[str]) -> Iterator[tuple[pytest.Item, str]]:
    """Yield each case whose name contains a secret, and the problem: node ids are printed, stored and reported.

    A secret that may be an ordinary word, such as the key ``ollama`` of a server that needs none, does not count.
    """
    redact = functools.cache(AnswerRedactor(secrets))
    for item, param in cases_in(items):
        set_id = set_of(item, param)
        if set_id and (masked := redact(set_id)) != set_id:
            where = f"{param.eval.where}: the parameter set {masked!r}"
            message = (
                "has the value of a key or password in the environment as its name, and names are printed and stored"
            )
            yield item, f"{where} {message}; give it another one with ids="


def parametrized_names(definition: pytest.Item) -> Iterator[str]:
    """Yield the names of the arguments that marks parametrize."""
    for mark in definition.iter_markers("parametrize"):
        names = mark.kwargs.get("argnames", mark.args[0] if mark.args else ())
        yield from (name.strip() for name in (names.split(",") if isinstance(names, str) else names))
