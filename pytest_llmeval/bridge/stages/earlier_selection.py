"""``-m`` and ``-k`` of the run that a session resumes or scores again."""

import pytest

from pytest_llmeval.bridge.collection.mark_expressions import holds_for, is_expression
from pytest_llmeval.bridge.collection.selection import Selection
from pytest_llmeval.bridge.config.command_line import on_command_line
from pytest_llmeval.bridge.config.options import is_set
from pytest_llmeval.bridge.stages.prepared_once import PreparedOnce

__all__ = ["EarlierSelection"]


class EarlierSelection:
    """Makes pytest select by the ``-m`` and ``-k`` of a resumed run, and by those of the command line as well.

    The latter may narrow the run's selection, not widen it. Those of ``addopts`` are for new runs.
    """

    def __init__(self, config: pytest.Config, selection: Selection, prepared: PreparedOnce) -> None:
        self._config = config
        self._selection = selection
        self._prepared = prepared
        self._expressions: dict[str, str] | None = None
        """Expressions by the keys of pytest's options; empty if no run is resumed, None before ``look_up``."""

    def look_up(self) -> None:
        """Look, once, whether the session resumes a run, and let the run's ``-m`` decide which evals wait."""
        if self._expressions is not None or not is_set(self._config, "resume", "rescore"):
            return
        self._expressions = {}
        prepared = self._prepared.get()
        if prepared is not None and prepared.resumed is not None:
            run, given = prepared.resumed.run, on_command_line(self._config)
            self._expressions = {
                key: _both(str(run.settings.get(key) or "").strip(), getattr(given, key, ""))
                for key in ("markexpr", "keyword")
            }
            self._selection.ask_by_mark(self._expressions["markexpr"], attacks=run.markexpr)

    def put_in_place(self) -> None:
        """Give pytest the expressions if a run is resumed; its own plugins select by them a moment later."""
        for key, expression in (self._expressions or {}).items():
            setattr(self._config.option, key, expression)

    def is_meant(self, item: pytest.Item) -> bool:
        """Whether ``-m`` asks for a case; the earlier run's ``-m``, if there is one."""
        earlier = self._prepared.made.earlier if self._prepared.made is not None else None
        expression = self._config.getoption("markexpr", "") if earlier is None else earlier.run.markexpr
        return holds_for(expression, item) and not self._selection.row_attack_waits(item)


def _both(had: str, given: str) -> str:
    """Return an expression that holds if both do; an invalid given one is returned as it is, for pytest to report."""
    if not had or not is_expression(given.strip() or had):
        return given
    return f"({had}) and ({given})" if given.strip() else had
