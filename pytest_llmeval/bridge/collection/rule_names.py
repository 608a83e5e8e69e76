"""The names in thresholds.yaml held against all that was collected, whether or not it was selected."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pytest_llmeval.core.gate.names import check_names
from pytest_llmeval.core.rules import SuiteSeen, Thresholds

if TYPE_CHECKING:
    from pytest_llmeval.bridge.collection.facts import CollectionFacts
    from pytest_llmeval.bridge.collection.tally import Tally
    from pytest_llmeval.bridge.preparation import Preparation

__all__ = ["hold_names"]


def hold_names(
    thresholds: Thresholds,
    tally: "Tally",
    prepared: "Preparation",
    facts: "CollectionFacts",
    *,
    models: frozenset[str] | None,
) -> None:
    """Note in ``facts`` what is wrong with the names in ``thresholds``, and of which suites there is no eval.

    Args:
        thresholds: the rules.
        tally: of the cases that were collected.
        prepared: whose datasets were read.
        facts: of the collection, which say whether all under ``llmeval_paths`` is among it.
        models: those that a rule may name; None for any.
    """
    seen = {suite.name: suite for suite in _seen(thresholds, tally, prepared, models)}
    facts.problems += check_names(thresholds, seen, everything_collected=facts.all_collected)
    facts.unmade = [name for name in thresholds.suites if name not in seen] if facts.all_collected else []


def _seen(
    thresholds: Thresholds, tally: "Tally", prepared: "Preparation", models: frozenset[str] | None
) -> Iterator[SuiteSeen]:
    caseless = (*tally.caseless(prepared), *tally.waiting)
    for name in thresholds.suites:
        # Which sets of parameters a function has is told by its cases alone.
        if any(name == stem or name.startswith(f"{stem}[") for stem in caseless):
            yield SuiteSeen(name=name)
    for name, eval_ in tally.read(prepared).items():
        read = prepared.suite_facts(eval_)
        yield SuiteSeen(name=name, slices=frozenset(read.slices), read_to_end=read.read_to_end, models=models)
