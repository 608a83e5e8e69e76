"""What this plugin deselects: before other plugins, what nobody asked for; after them, what has ended already."""

from typing import TYPE_CHECKING

import pytest

from pytest_llmeval.bridge.casework.items import cases_in, param_of, suite_of
from pytest_llmeval.bridge.collection.last_failed import misses_last_failed
from pytest_llmeval.bridge.collection.mark_expressions import holds_for
from pytest_llmeval.bridge.collection.misnamed import misnamed
from pytest_llmeval.bridge.collection.selection import Selection
from pytest_llmeval.bridge.collection.waiting import count_trainings
from pytest_llmeval.bridge.stages.earlier_selection import EarlierSelection
from pytest_llmeval.bridge.stages.marked_functions import MarkedFunctions
from pytest_llmeval.bridge.stages.prepared_once import PreparedOnce
from pytest_llmeval.bridge.stages.tally import Tally

if TYPE_CHECKING:
    from pytest_llmeval.bridge.records.rescoring import Rescored

__all__ = ["Deselection"]


class Deselection:
    """Deselects items, and keeps notes about them for the summary."""

    def __init__(
        self,
        config: pytest.Config,
        selection: Selection,
        earlier: EarlierSelection,
        functions: MarkedFunctions,
        prepared: PreparedOnce,
        tally: Tally,
    ) -> None:
        self._config = config
        self._selection = selection
        self._earlier = earlier
        self._functions = functions
        self._prepared = prepared
        self._tally = tally
        self.has_refused = False
        """Whether cases were removed because their names contain a secret."""
        self.notes: list[str] = []
        self._dropped: list[pytest.Item] = []
        """The cases and trainings that anybody deselected, kept until everybody has selected."""

    def before_others(self, items: list[pytest.Item]) -> None:
        """Count the cases, and deselect what nobody asked for."""
        prepared = self._prepared.made
        if prepared is not None:
            self.has_refused = prepared.refuse_secrets(items)
            if prepared.rescored is not None:
                self._drop_unrecorded(items, prepared.rescored)
            self._tally.meet(cases_in(items))
        if self._tally.waiting or prepared is not None or self._selection.has_more_to_drop:
            uncalled = [item for item in items if self._is_uncalled(item)]
            if self._selection.asks_for_trainings:  # if only other tests were asked for, none counts
                self._tally.waiting += count_trainings(filter(self._selection.training_waits, uncalled))
            self.drop(items, uncalled)

    def after_others(self, items: list[pytest.Item]) -> None:
        """Deselect what is left but not meant by ``--lf``, and what has ended in an earlier session."""
        self._drop_unmatched_last_failed(items)
        resumed = self._prepared.made.resumed if self._prepared.made is not None else None
        ended = [case for case in cases_in(items) if resumed.has_ended(*case)] if resumed is not None else []
        for item, param in ended:
            self._tally.has_ended(item, param)
        self.drop(items, [item for item, _ in ended])

    def note(self, items: list[pytest.Item]) -> None:
        """Count deselected items; cases that ``-m`` left out, or would have to select, make no run partial."""
        known = [item for item in items if isinstance(item, pytest.Item)]  # pytest-testmon gives stand-ins to count
        for item in known:
            is_training = self._selection.is_training(item) and not self._selection.training_waits(item)
            if is_training or param_of(item) is not None:
                self._dropped.append(item)
        for item, param in cases_in(items):
            if not self._earlier.is_meant(item):
                self._tally.no_cut[suite_of(item, param)] += 1

    def note_misnamed(self, items: list[pytest.Item]) -> None:
        """Add a note for each word of ``-m`` and ``-k`` that matches nothing here, if these left no item.

        ``-k`` is compared with the items that ``-m`` selects, if any.
        """
        if items or not self._dropped:
            return
        expression, prepared = self._config.getoption("markexpr", ""), self._prepared.made
        marked = [item for item in self._dropped if holds_for(expression, item)]
        cut = prepared.maker.cut_by() if prepared is not None else ""
        self.notes += misnamed(self._config, self._dropped, marked=marked or self._dropped, cut=cut)

    def forget(self) -> None:
        """Forget the deselected items, once the session knows its own."""
        self._dropped.clear()

    def drop(self, items: list[pytest.Item], dropped: list[pytest.Item]) -> None:
        """Deselect some of ``items``."""
        if gone := set(dropped):
            items[:] = [item for item in items if item not in gone]
            self._config.hook.pytest_deselected(items=dropped)

    def drop_cases(self, items: list[pytest.Item]) -> None:
        """Deselect all cases."""
        self.drop(items, [item for item, _ in cases_in(items)])

    def _drop_unrecorded(self, items: list[pytest.Item], rescored: "Rescored") -> None:
        """Deselect the cases that the run to score again has not finished."""
        from pytest_llmeval.bridge.casework.cases import key_of

        keys = {item: key_of(item, param) for item, param in cases_in(items)}
        self.drop(items, [item for item, key in keys.items() if not rescored.holds(key)])
        self._tally.no_cut.clear()
        held = [key for key in keys.values() if rescored.holds(key)]
        self._tally.held.update(key.suite for key in held)
        self.notes += rescored.notes(held)

    def _is_uncalled(self, item: pytest.Item) -> bool:
        """Whether nobody asked for an item: an eval, a training, or a test that only widened testpaths brought in."""
        if param_of(item) is not None:
            return self._selection.row_attack_waits(item)
        if self._functions.is_marked(item):
            return not self._functions.is_caseless(item)
        return self._selection.training_waits(item) or self._selection.is_foreign(item)

    def _drop_unmatched_last_failed(self, items: list[pytest.Item]) -> None:
        """Deselect all cases if ``--lf`` knows failed ones of these files, and none is here (another model, say)."""
        if misses_last_failed(self._config, cases_in(items)):
            self.drop_cases(items)
            self.notes.append("--lf: none of these evals failed last time (other --model or --epochs?); none was run")
