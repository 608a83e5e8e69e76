"""Gathers the facts of a collection once everybody has selected: suites, models, and all problems."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import pytest

from pytest_llmeval.bridge.casework.cases import CaseParam
from pytest_llmeval.bridge.casework.fixtures import notes_of_shadowed
from pytest_llmeval.bridge.casework.items import cases_in, suite_of
from pytest_llmeval.bridge.collection.facts import CollectionFacts
from pytest_llmeval.bridge.collection.last_failed import passed_over
from pytest_llmeval.bridge.collection.only_shown import only_shows
from pytest_llmeval.bridge.collection.parameter_sets import each_once
from pytest_llmeval.bridge.collection.selection import Selection
from pytest_llmeval.bridge.config.model_facts import account_digests, model_digest, unpriced_models, unpriced_rules
from pytest_llmeval.bridge.config.settings import eval_folders
from pytest_llmeval.bridge.config.unknown_names import unknown_variables
from pytest_llmeval.bridge.execution.other_loops import notes_of_marks
from pytest_llmeval.bridge.preparation import Preparation
from pytest_llmeval.bridge.stages.rule_names import hold_names
from pytest_llmeval.bridge.stages.tally import Tally
from pytest_llmeval.core.errors import UserError
from pytest_llmeval.core.param_levels import identifying
from pytest_llmeval.models.named import NamedModel
from pytest_llmeval.models.unread_files import NOT_READ, unread_files

__all__ = ["add_evals"]


def add_evals(
    facts: CollectionFacts, items: Iterable[pytest.Item], selection: Selection, tally: Tally, prepared: Preparation
) -> None:
    """Add to ``facts`` everything about the evals left among ``items`` and about all that were collected."""
    cases, doubled = each_once(cases_in(items))
    facts.problems += doubled
    facts.suites = tally.suites(cases, prepared)
    facts.unrun = tally.unrun(facts.suites, prepared)
    facts.others = sorted(tally.read(prepared).keys() - facts.suites.keys())
    facts.all_collected = selection.covers_all()
    facts.dataset_digest = prepared.maker.dataset_digest
    if facts.is_run:
        facts.unselected = [*tally.unselected(facts.suites, prepared), *passed_over(prepared.config)]
    _add_notes_of_cases(facts, cases, prepared)
    facts.problems += prepared.problems
    _add_models(facts, prepared)
    facts.problems += [*prepared.case_problems, *prepared.maker.doubled_suites(), *tally.problems]
    facts.problems += prepared.maker.unknown_slices()
    _hold_against_rules(facts, tally, prepared)
    if prepared.asks_judges and prepared.settings.max_cost_usd is not None:
        facts.problems += unpriced_models({name: prepared.asked[name] for name in _asked_in(facts, prepared)})
    if prepared.resumed is not None:
        prepared.resumed.compare(facts, prepared.config)
    _weigh_sizes(facts, prepared)
    if facts.is_run:
        _tell_unread(facts, prepared)
        _tell_of_even_panel(facts, prepared)
    facts.problems = list(dict.fromkeys(facts.problems))
    facts.empty_shard = prepared.is_sharded and not (facts.is_run or facts.problems)


def _add_notes_of_cases(
    facts: CollectionFacts, cases: Sequence[tuple[pytest.Item, CaseParam]], prepared: Preparation
) -> None:
    firsts = [*reversed({suite_of(item, param): item for item, param in reversed(cases)}.values())]
    shadowed = (note for item in firsts for note in notes_of_shadowed(item))
    facts.notes = list(dict.fromkeys([*facts.notes, *shadowed, *notes_of_marks(firsts), *facts.unselected]))
    facts.tell_early(prepared.maker.notes(cases, asks=prepared.rescored is None))


def _add_models(facts: CollectionFacts, prepared: Preparation) -> None:
    """Add the models and judges, with digests by which a later session knows whether they are still the same."""
    rescored, environ = prepared.rescored, prepared.settings.environ
    facts.models = {name: model.spec.text for name, model in prepared.models.items()}
    facts.judges = {name: judge.spec.text for name, judge in prepared.judges.items()}
    if prepared.asks_judges:
        facts.account_digests = account_digests(prepared.asked if rescored is None else prepared.judges, environ)
    if rescored is None:
        facts.model_digests = {name: _digest(model, prepared) for name, model in prepared.models.items()}
    else:
        facts.model_digests = dict(rescored.run.settings.get("model_digests", {}))
    facts.judge_digests = {name: _judge_digest(judge, prepared) for name, judge in prepared.judges.items()}
    if rescored is not None and not prepared.asks_judges:
        facts.problems += rescored.problems(facts)


def _digest(model: NamedModel, prepared: Preparation) -> str:
    return model_digest(model, None if only_shows(prepared.config) else prepared.settings.environ)


def _judge_digest(judge: NamedModel, prepared: Preparation) -> str:
    asked = replace(judge, params=identifying(judge.params))
    if prepared.rescored is None or prepared.asks_judges:
        return _digest(asked, prepared)
    try:
        return _digest(asked, prepared)
    except UserError:  # its weights may be gone: nobody asks it
        return prepared.rescored.known_digest(judge)


def _hold_against_rules(facts: CollectionFacts, tally: Tally, prepared: Preparation) -> None:
    """Add the problems of names in the rules, and of rules on costs that cannot be known."""
    rules = prepared.thresholds
    if not facts.selected or not rules.suites:
        return
    known = frozenset({*prepared.models, *prepared.listed}) or None  # unknown where models.yaml cannot be read
    hold_names(tally, prepared, facts, models=known)
    if prepared.rescored is None:
        facts.problems += unpriced_rules(rules, facts.suites, prepared.models)
        facts.problems += unpriced_rules(rules, _judged(facts, prepared), prepared.judges, are_judges=True)


def _judged(facts: CollectionFacts, prepared: Preparation) -> list[str]:
    """Return the suites whose test functions themselves ask a judge."""
    asking = [reading.eval.suite for reading in prepared.maker.readings if reading.asks_judge]
    return [name for name in facts.suites if any(name == suite or name.startswith(f"{suite}[") for suite in asking)]


def _asked_in(facts: CollectionFacts, prepared: Preparation) -> list[str]:
    """Return the names of the models that this session asks."""
    under_test = {model for suite in facts.suites.values() for model in suite.expected}
    asked = {*facts.judges, *(under_test if prepared.rescored is None else ())}
    return [name for name in prepared.asked if name in asked]


def _weigh_sizes(facts: CollectionFacts, prepared: Preparation) -> None:
    """Add the rules on a change that have too few rows; if only a part of the rows runs, nothing is checked."""
    is_part = prepared.is_sharded or facts.done or any(suite.left_out for suite in facts.suites.values())
    if prepared.sizes is None or facts.problems or is_part or not facts.selected:
        return
    facts.notes += prepared.sizes.notes()
    if prepared.sizes.need_a_baseline:
        facts.problems += prepared.baseline_problems(prepared.sizes.problems)


def _tell_unread(facts: CollectionFacts, prepared: Preparation) -> None:
    """Add notes on files and variables that look like ours but are not read."""
    settings = prepared.settings
    if not settings.thresholds.exists():
        other = settings.thresholds.with_suffix(".yml")
        facts.notes += [f"{other.name} is not read: rules go into thresholds.yaml"] if other.exists() else []
    unread = unread_files(settings.rootdir, eval_folders(prepared.config))
    facts.tell_early(f"{name} is {NOT_READ}" for name in unread)
    unknown = unknown_variables(settings.environ, prepared.listed.values())
    facts.tell_early(f"environment variable {name}: {told}" for name, told in unknown)


def _tell_of_even_panel(facts: CollectionFacts, prepared: Preparation) -> None:
    """Add a note on judges that may be split evenly, before they are paid for."""
    count = len(facts.judges)
    if prepared.asks_judges and count and count % 2 == 0 and _judged(facts, prepared):
        facts.tell_early([f"{count} judges: where they are split evenly the case is an error; name an odd number"])
