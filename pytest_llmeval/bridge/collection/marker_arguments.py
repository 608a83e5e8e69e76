"""The arguments of a function's marker ``llmeval``, and what may be wrong with them."""

import inspect
from collections.abc import Mapping
from typing import Any

import pytest

from pytest_llmeval.core.errors import UserError
from pytest_llmeval.core.strict_json import canonical
from pytest_llmeval.core.text import is_storable, one_line, shown_value
from pytest_llmeval.models.params import wrong_params

__all__ = ["marker_arguments"]


def marker_arguments(marker: pytest.Mark, definition: pytest.Function) -> dict[str, Any]:
    """Return the arguments of a function's closest marker by name, with defaults for those not given.

    Raises:
        UserError: the marker has unknown arguments, or one of the wrong type; or the function cannot have the marker.
    """
    where = definition.nodeid
    try:
        given = inspect.signature(_marker).bind(*marker.args, **marker.kwargs)
    except TypeError as error:
        raise UserError(
            f"{where}: marker llmeval: {error}; llmeval(dataset, *, suite, prompt, params, cluster)"
        ) from None
    _check_single(definition, where)
    _check_runs(definition)
    given.apply_defaults()
    _check_marker(given.arguments, where)
    return given.arguments


def _marker(
    dataset: object,
    *,
    suite: str | None = None,
    prompt: object = None,
    params: Mapping[str, Any] | None = None,
    cluster: str | None = None,
) -> None:
    """The signature of the marker ``llmeval``."""


def _check_single(definition: pytest.Item, where: str) -> None:
    """Raise UserError if two markers stand on one node: only one would be read. A function's own goes first."""
    nodes = [node for node, _ in definition.iter_markers_with_node("llmeval")]
    together = nodes.count(nodes[0])
    if together > 1:
        raise UserError(
            f"{where}: {together} markers llmeval stand on {nodes[0].name}, inherited ones too, and one would be read;"
            " write a function for each dataset, mark subclasses alone, or name a callable that joins the rows"
        )


def _check_runs(definition: pytest.Function) -> None:
    """Raise UserError if a test is an async generator: pytest collects it, but neither pytest nor a plugin runs it."""
    if inspect.isasyncgenfunction(definition.function):
        path, line, name = definition.location
        raise UserError(
            f"{path}:{(line or 0) + 1}: {name} is an async generator, as it holds a yield, and nothing runs its body;"
            " take the yield out: what is set up and torn down around a test belongs in a fixture"
        )


def _check_marker(arguments: Mapping[str, Any], where: str) -> None:
    for key in ("suite", "cluster"):
        value = arguments[key]
        if value is not None and (not isinstance(value, str) or not value):
            raise UserError(f"{where}: marker llmeval: {key} must be a non-empty string, found {value!r}")
    if not is_storable(arguments["suite"] or ""):
        told = "must be without NUL and lone surrogates, which the database cannot keep"
        raise UserError(f"{where}: marker llmeval: suite {told}, found {shown_value(arguments['suite'])}")
    params = {} if arguments["params"] is None else arguments["params"]
    if not isinstance(params, Mapping):
        raise UserError(f"{where}: marker llmeval: params must be a mapping, found {one_line(repr(params))}")
    for _, told in wrong_params(params):
        raise UserError(f"{where}: marker llmeval: params: {told}")
    try:
        canonical(params)
    except (TypeError, ValueError) as error:
        raise UserError(f"{where}: marker llmeval: params must be what JSON can hold; {one_line(str(error))}") from None
