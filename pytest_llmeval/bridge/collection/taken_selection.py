"""What a session that goes on with a run selects: cases that ``-m`` and ``-k`` of the run chose, and no others."""

from collections.abc import Mapping

import pytest

from pytest_llmeval.bridge.collection.mark_expressions import is_expression
from pytest_llmeval.bridge.config.command_line import on_command_line
from pytest_llmeval.core.errors import SettingsError
from pytest_llmeval.core.text import one_line
from pytest_llmeval.store.records import Run

__all__ = ["check_taken", "taken_selection"]

_FLAGS = {"markexpr": "-m", "keyword": "-k"}


def taken_selection(config: pytest.Config, run: Run) -> dict[str, str]:
    """Return what stands for ``-m`` and ``-k`` in this session, by the keys of pytest's options.

    It is what the run had, and, where the command line says something, that too: it may narrow, not widen. What
    ``addopts`` says is for new runs.
    """
    given = on_command_line(config)
    return {key: _both(_had(run.settings, key), getattr(given, key, "")) for key in _FLAGS}


def check_taken(run: Run) -> None:
    """Raise SettingsError where ``-m`` or ``-k`` of a run cannot be taken over."""
    for key, flag in _FLAGS.items():
        had = _had(run.settings, key)
        if had and not is_expression(had):
            raise SettingsError(
                f"--resume {run.id}: {flag} of the run was {one_line(repr(had))}, which is no expression"
            )


def _had(settings: Mapping[str, object], key: str) -> str:
    return str(settings.get(key) or "").strip()


def _both(had: str, given: str) -> str:
    """Return an expression that holds where both do; a wrong one that was given stays as it is: pytest reports it."""
    if not had or not is_expression(given.strip() or had):
        return given
    return f"({had}) and ({given})" if given.strip() else had
