"""Checks the names in thresholds.yaml against all that was collected, selected or not."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pytest_llmeval.bridge.collection.last_failed import last_failed
from pytest_llmeval.core.gate.names import check_names, rules_of_no_set, unmet_models
from pytest_llmeval.core.rules import SuiteSeen
from pytest_llmeval.core.text import one_line

if TYPE_CHECKING:
    from pytest_llmeval.bridge.collection.facts import CollectionFacts
    from pytest_llmeval.bridge.preparation import Preparation
    from pytest_llmeval.bridge.stages.tally import Tally

__all__ = ["hold_names"]


def hold_names(
    tally: "Tally", prepared: "Preparation", facts: "CollectionFacts", *, models: frozenset[str] | None
) -> None:
    """Note in ``facts`` the problems of names in the rules, and the suites without an eval.

    ``models`` are the names that a rule may use; None allows any.
    """
    thresholds = prepared.thresholds
    seen = {suite.name: suite for suite in _seen(tally, prepared, models)}
    facts.problems += check_names(thresholds, seen, everything_collected=facts.all_collected)
    sets_of: dict[str, list[str]] = {}
    for name, eval_ in tally.read(prepared).items():
        if name != eval_.suite:
            sets_of.setdefault(eval_.suite, []).append(name)
    facts.notes += [] if facts.all_collected else rules_of_no_set(thresholds, sets_of)
    facts.unmade = [name for name in thresholds.suites if name not in seen] if facts.all_collected else []
    unmet = unmet_models(thresholds, facts.suites, models) if models is not None else {}
    met = prepared.met_models() if unmet else frozenset()
    facts.notes += [
        f"{place}: no model {one_line(name, 60)!r} in this session, in models.yaml or in an earlier run"
        for name, place in unmet.items()
        if name not in met
    ]
    if facts.is_partial and last_failed(prepared.config) and any(map(thresholds.has_rules, facts.suites)):
        facts.notes.append(
            "--lf ran only what had missed or failed: the gate's verdict says nothing about the whole suites"
        )


def _seen(tally: "Tally", prepared: "Preparation", models: frozenset[str] | None) -> Iterator[SuiteSeen]:
    caseless = (*tally.caseless(prepared), *tally.waiting_suites, *tally.unnamed)
    for name in prepared.thresholds.suites:
        # Only its cases show which parameter sets a function has.
        if any(name == stem or name.startswith(f"{stem}[") for stem in caseless):
            yield SuiteSeen(name=name)
    for name, eval_ in tally.read(prepared).items():
        read = prepared.maker.reading(eval_)
        yield SuiteSeen(
            name=name, slices=frozenset(read.slices), read_to_end=not (read.limited or read.unread), models=models
        )
