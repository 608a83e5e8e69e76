"""Forecasts the calls, tokens and cost of the selected evals before anything is spent."""

import functools
import math
import operator
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import pytest

from pytest_llmeval.bridge.casework.cases import PROMPT_FAULTS, own_request
from pytest_llmeval.bridge.casework.fixtures import uses
from pytest_llmeval.bridge.casework.items import case_function, cases_in, suite_of
from pytest_llmeval.bridge.collection.eval_code import judge_calls
from pytest_llmeval.bridge.config.settings import Settings
from pytest_llmeval.bridge.forecasting.forecast_probe import FORECAST_KEY
from pytest_llmeval.core.estimates import Estimate, SuiteCalls, estimate, estimate_tokens
from pytest_llmeval.core.param_levels import bound_of, laid_over
from pytest_llmeval.core.text import one_line
from pytest_llmeval.models.named import NamedModel
from pytest_llmeval.store.history import CallHistory, call_history

if TYPE_CHECKING:
    from pytest_llmeval.bridge.casework.cases import CaseParam
    from pytest_llmeval.bridge.preparation import Preparation

__all__ = ["Forecast", "forecast_lines"]

_SAMPLED = 100
_NOT_KNOWN = Estimate(calls=0, input_tokens=None, output_tokens=None, cost_usd=None)
_FIRST_RUN = (
    "one call of each case is counted where no run of its suite is stored: what a test or an application asks through"
    " model is not known in advance"
)
_UNBOUNDED = (
    "tokens out are unknown where params set no max_tokens and no stored run shows how long answers are: set it, or"
    " run a few rows first"
)
_SILENT = "no call through response, model or a judge is known of it; what it asks on its own is not counted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """The forecast of one suite with one model, or with one judge."""

    suite: str
    role: Literal["model", "judge"]
    model: str
    cases: int
    estimate: Estimate
    unread: str | None = None
    """Note on prompts left out because they could not be made; None if there are none, and for a judge."""
    caveat: str | None = None
    """Note on calls left out because nothing indicates them; None if there are none, and for a judge."""
    unbounded: str | None = None
    """Note on why output tokens are unknown, and what would tell them; None if they are known, and for a judge."""


def forecast_lines(items: Iterable[pytest.Item], prepared: "Preparation") -> list[str]:
    """Return the forecast of the listed cases as notes; put it in the stash for ``llmeval estimate``."""
    found = _forecasts(items, prepared)
    prepared.config.stash[FORECAST_KEY] = found
    unread = [each.unread for each in found if each.unread]
    caveats = dict.fromkeys(text for each in found for text in (each.caveat, each.unbounded) if text)
    return [f"these cases take {_together(found)}", *unread, *caveats]


def _forecasts(items: Iterable[pytest.Item], prepared: "Preparation") -> list[Forecast]:
    """Return the forecasts of the cases among ``items`` by suite and model, and after the models those of the judges.

    A case with the mark ``skip`` makes no call. Any other makes as many calls as those of the newest run, with as many
    tokens if it asks through ``model``; for cases that do not, up to 100 prompts are examined. Without an earlier run
    it makes one call. If nothing indicates any call, of a judge neither, tokens and cost are unknown. Answers that a
    cache will have are counted as well.
    """
    groups: dict[tuple[str, str], list[tuple[pytest.Item, CaseParam]]] = {}
    for item, param in cases_in(items):
        groups.setdefault((suite_of(item, param), param.model), []).append((item, param))
    models = (_of_model(suite, model, cases, prepared) for (suite, model), cases in groups.items())
    return [*models, *_of_judges(groups, prepared.settings, prepared.judges)]


def _of_judges(
    groups: "Mapping[tuple[str, str], Sequence[tuple[pytest.Item, CaseParam]]]",
    settings: Settings,
    judges: Mapping[str, NamedModel],
) -> Iterator[Forecast]:
    """Yield the forecast of each judge for each suite, over all models of the suite."""
    if not judges:
        return
    from pytest_llmeval.bridge.forecasting.judge_forecast import judge_estimate

    found: dict[tuple[str, str], Forecast] = {}
    for (suite, model), cases in groups.items():
        asking = _asking(cases)
        answer_tokens = call_history(settings.db, suite, model).output_tokens
        for judge in judges.values() if asking else ():
            took = judge_estimate(
                asking, _sampled(asking), judge, suite=suite, settings=settings, answer_tokens=answer_tokens
            )
            if took is None:
                continue
            one = Forecast(suite=suite, role="judge", model=judge.name, cases=len(cases), estimate=took)
            before = found.get((suite, judge.name))
            found[suite, judge.name] = one if before is None else _both(before, one)
    yield from found.values()


def _both(first: Forecast, second: Forecast) -> Forecast:
    return replace(first, cases=first.cases + second.cases, estimate=first.estimate + second.estimate)


def _together(found: Sequence[Forecast]) -> str:
    """Return the total in one line; that of the judges is separate."""
    models = functools.reduce(operator.add, [each.estimate for each in found if each.role == "model"])
    judges = [each.estimate for each in found if each.role == "judge"]
    return f"{models}; judges about {functools.reduce(operator.add, judges)}" if judges else str(models)


def _asking(cases: "Sequence[tuple[pytest.Item, CaseParam]]") -> "Sequence[tuple[pytest.Item, CaseParam]]":
    """Return the cases without a mark ``skip``; marks of modules and classes are looked up once."""
    parents = {item.parent for item, _ in cases if item.parent is not None}
    skipping = {parent for parent in parents if parent.get_closest_marker("skip") is not None}
    return [each for each in cases if each[0].parent not in skipping and not _is_skipped(each[0])]


def _is_skipped(item: pytest.Item) -> bool:
    return any(mark.name == "skip" for mark in item.own_markers)


def _sampled(cases: "Sequence[tuple[pytest.Item, CaseParam]]") -> "list[CaseParam]":
    return [param for _, param in cases[:: max(1, len(cases) // _SAMPLED)][:_SAMPLED]]


def _of_model(
    suite: str, name: str, cases: "Sequence[tuple[pytest.Item, CaseParam]]", prepared: "Preparation"
) -> Forecast:
    """Return the forecast of one suite with one model."""
    model, known = prepared.models[name], call_history(prepared.settings.db, suite, name)
    asking = _asking(cases)
    item, param = cases[0]
    asks = uses(item, "model")
    made = Forecast(suite=suite, role="model", model=model.name, cases=len(cases), estimate=_NOT_KNOWN)
    if not asking:
        return replace(made, estimate=estimate([], model.prices))
    if _is_silent(item, known):
        return replace(made, caveat=f"suite {one_line(suite, 60)}: {_SILENT}")
    calls = math.ceil(len(asking) * (known.calls_per_case or asks or uses(item, "response")))
    tokens = [_tokens(each) for each in _sampled(asking)]
    read = [count for count in tokens if isinstance(count, int)]
    raised = sorted({fault for fault in tokens if isinstance(fault, str)})
    each_in = known.input_tokens if asks else None
    if each_in is None and read:
        each_in = sum(read) / len(read)
    told = SuiteCalls(
        calls=calls,
        input_tokens=None if each_in is None else math.ceil(calls * each_in),
        output_tokens_per_call=known.output_tokens if known.output_tokens is not None else _bound(param, model),
    )
    unread = f"{len(tokens) - len(read)} of {len(tokens)} prompts that were looked at raise {', '.join(raised)}"
    return replace(
        made,
        estimate=estimate([told], model.prices),
        unread=f"suite {one_line(suite, 60)}: {unread}, and are not counted" if raised else None,
        caveat=_FIRST_RUN if asks and known.is_silent is None else _of_other_code(item, param, known, prepared),
        unbounded=_UNBOUNDED if told.output_tokens_per_call is None else None,
    )


def _of_other_code(item: pytest.Item, param: "CaseParam", known: CallHistory, prepared: "Preparation") -> str | None:
    """Return the note that a suite may ask differently from its newest run, as its code changed; None if it cannot.

    All parameter sets of one function are covered by one note with the function's name.
    """
    code = prepared.maker.reading(param.eval).code_digest
    if known.code_digest in (None, code) or not _asks_by_code(item):
        return None
    return (
        f"suite {one_line(param.eval.suite, 60)}: its code has changed since run {known.run}, whose calls are counted"
        " here; it may now ask more or less"
    )


def _is_silent(item: pytest.Item, known: CallHistory) -> bool:
    """Whether nothing indicates a call of a suite: no run of it or, before its first run, not its code."""
    if uses(item, "response") or known.is_silent is False:
        return False
    return bool(known.is_silent) or not _asks_by_code(item)


def _asks_by_code(item: pytest.Item) -> bool:
    """Whether the code of a suite decides how many calls are made, also those of judges, if there are any."""
    return uses(item, "model") or uses(item, "judge") or any(judge_calls(case_function(item)))


def _tokens(param: "CaseParam") -> int | str:
    """Return the tokens of a case's own prompt, or the name of the exception that it raises, which its case reports."""
    try:
        request = own_request(param.eval, param.eval.dataset.read(param.ref))
        return estimate_tokens(request.messages, request.params)
    except PROMPT_FAULTS as error:
        return type(error).__name__


def _bound(param: "CaseParam", model: NamedModel) -> float | None:
    """Return the most tokens of an answer, by the marker, else by the model; None if neither states it."""
    bound = bound_of(laid_over(model.bounds, param.eval.params))
    return float(bound) if isinstance(bound, int) else None
