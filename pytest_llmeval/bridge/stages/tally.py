"""Counts a collection: the cases of each suite, and what became of them."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING

import pytest

from pytest_llmeval.bridge.casework.items import suite_of
from pytest_llmeval.core.ids import digest
from pytest_llmeval.core.left_out import cases_not_selected, ids_digest, suites_not_selected

if TYPE_CHECKING:
    from pytest_llmeval.bridge.casework.cases import CaseParam, Eval
    from pytest_llmeval.bridge.collection.facts import SuiteFacts
    from pytest_llmeval.bridge.preparation import Preparation

__all__ = ["Tally"]


class Tally:
    """Counts cases while they are collected and selected."""

    def __init__(self) -> None:
        self.no_cut: Counter[str] = Counter()
        """Number of cases by suite that ``-m`` left out, or would have to select, as they attack the judge."""
        self.held: Counter[str] = Counter()
        """Number of cases by suite whose answers are scored again."""
        self.waiting: Counter[str] = Counter()
        """Number of functions that nobody asked for, by the keys of ``CollectionFacts.waiting``."""
        self.waiting_suites: set[str] = set()
        """The suites of these functions, as the functions name them."""
        self.unnamed: set[str] = set()
        """Suites in classes that no node id names, next to something that one names; their datasets are not read."""
        self.made: dict[str, str] = {}
        """Suites that functions made and ``-m`` asks for, each with its function's own suite name."""
        self.problems: list[str] = []
        """Problems of suites that have the name of another suite's parameter set."""
        self._met: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._evals: dict[str, Eval] = {}
        self._done: dict[str, Counter[str]] = {}
        self._selected: dict[str, set[str]] = {}

    def meet(self, cases: Iterable[tuple[pytest.Item, "CaseParam"]]) -> None:
        """Count all cases by suite, before anybody selects."""
        for item, param in cases:
            suite = suite_of(item, param)
            self._met[param.eval.suite][suite] += 1
            first = self._evals.setdefault(suite, param.eval)
            if first.suite != param.eval.suite:
                message = f"suite {suite!r} exists in {first.where} and in {param.eval.where}"
                self.problems.append(f"{message}, one of them by its parameter set; rename one with suite='...'")

    def has_ended(self, item: pytest.Item, param: "CaseParam") -> None:
        """Count a case that ended in an earlier session."""
        suite = suite_of(item, param)
        self._done.setdefault(suite, Counter())[param.model] += 1
        self._selected.setdefault(suite, set()).add(param.sample_id)

    def suites(
        self, cases: Iterable[tuple[pytest.Item, "CaseParam"]], prepared: "Preparation"
    ) -> dict[str, "SuiteFacts"]:
        """Return the suites of cases that are to run, and of those that have ended."""
        found: dict[str, SuiteFacts] = {}
        order: dict[str, list[str]] = {}
        for item, param in cases:
            suite = suite_of(item, param)
            if suite not in found:
                found[suite] = prepared.maker.reading(param.eval).suite_facts()
            if prepared.sizes is not None and prepared.sizes.matter(param.eval.suite):
                prepared.sizes.add(suite, param, prepared.maker.reading(param.eval))
            order.setdefault(suite, []).append(item.nodeid)
            self._selected.setdefault(suite, set()).add(param.sample_id)
            found[suite].expected[param.model] = found[suite].expected.get(param.model, 0) + 1
        for suite, done in self._done.items():
            if suite not in found:
                found[suite] = prepared.maker.reading(self._evals[suite]).suite_facts()
            found[suite].done = dict(done)
        for suite, facts in found.items():
            facts.order_digest = digest("\n".join(order.get(suite, ())))
            self._weigh(suite, facts, self._evals[suite], prepared)
        return found

    def unrun(self, found: Collection[str], prepared: "Preparation") -> dict[str, "SuiteFacts"]:
        """Return the suites that were read and are not in ``found``, if the run has, or may have, cases of them.

        Other shards may have some; a run resumed with other rows has those of the suites that it knows.
        """
        unrun = {}
        for suite, eval_ in self.read(prepared).items():
            if suite not in found and prepared.may_have(suite):
                unrun[suite] = prepared.maker.reading(eval_).suite_facts()
                self._weigh(suite, unrun[suite], eval_, prepared)
        return unrun

    def read(self, prepared: "Preparation") -> dict[str, "Eval"]:
        """Return every suite that was read, selected or not, with its function."""
        return {**self._evals, **self.caseless(prepared)}

    def caseless(self, prepared: "Preparation") -> dict[str, "Eval"]:
        """Return the suites, as functions name them, that were read and have no case here: in this shard, say."""
        readings = (each for each in prepared.maker.readings if each.eval.suite not in self._met)
        return {reading.eval.suite: reading.eval for reading in readings}

    def unselected(self, found: Collection[str], prepared: "Preparation") -> list[str]:
        """Return, in words, which suites were asked for and left out entirely by anything but ``-m``."""
        return suites_not_selected(list(self._unselected(found, prepared)))

    def _unselected(self, found: Collection[str], prepared: "Preparation") -> Iterator[str]:
        for suites in self._met.values():
            yield from (name for name, count in suites.items() if name not in found and count > self.no_cut[name])
        met = {name for suites in self._met.values() for name in suites}
        held = self.made.keys() if prepared.rescored is None else prepared.rescored.finished_suites
        made = {name: stem for name, stem in self.made.items() if name not in met and name in held}
        yield from made
        if prepared.rescored is not None:
            return
        known = {*self._met, *made.values()}
        for reading in prepared.maker.readings:
            if (reading.cases or reading.sliced or reading.limited) and reading.eval.suite not in known:
                yield reading.eval.suite
        yield from sorted(self.unnamed - {*self._met})

    def _weigh(self, suite: str, facts: "SuiteFacts", eval_: "Eval", prepared: "Preparation") -> None:
        """Add which rows of a suite are gone, what ``-m`` left out of it, and what anything else left out."""
        if prepared.resumed is not None:
            facts.gone = prepared.resumed.gone(suite, prepared.maker.reading(eval_).parts)
        facts.selected_digest = ids_digest(self._selected.get(suite, ()))
        facts.deselected = -(-self.no_cut[suite] // prepared.maker.cases_per_row)
        made = facts.made
        if prepared.rescored is not None:
            made, facts.left_out = self.held[suite], prepared.rescored.left_out(suite)
        missing = made - sum(facts.expected.values()) - sum(facts.done.values()) - self.no_cut[suite]
        if missing > 0:
            facts.not_selected = missing
            facts.left_out.append(cases_not_selected(missing))
