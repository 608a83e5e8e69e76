"""What the selected evals will take, said before anything is spent."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from pytest_llmeval.bridge.cases import own_request
from pytest_llmeval.bridge.fixtures import uses
from pytest_llmeval.bridge.items import cases_in, suite_of
from pytest_llmeval.bridge.settings import Settings
from pytest_llmeval.core.estimates import Estimate, SuiteCalls, estimate, estimate_tokens
from pytest_llmeval.models.named import NamedModel
from pytest_llmeval.store.history import call_history

if TYPE_CHECKING:
    from pytest_llmeval.bridge.cases import CaseParam

__all__ = ["Forecast", "forecasts"]

_SAMPLED = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What one suite will take with one model."""

    suite: str
    model: str
    cases: int
    estimate: Estimate


def forecasts(items: Iterable[pytest.Item], settings: Settings, models: dict[str, NamedModel]) -> list[Forecast]:
    """Return what the cases among ``items`` will take, by suite and model.

    The prompts of up to 100 cases of each are looked at; a case makes one call where no earlier run says otherwise,
    none where it asks for neither ``response`` nor ``model``. Answers that a cache will have are not left out.
    """
    groups: dict[tuple[str, str], list[tuple[pytest.Item, CaseParam]]] = {}
    for item, param in cases_in(items):
        groups.setdefault((suite_of(item, param), param.model), []).append((item, param))
    return [
        Forecast(
            suite=suite,
            model=model,
            cases=len(cases),
            estimate=estimate([_calls(suite, cases, settings)], models[model].prices),
        )
        for (suite, model), cases in groups.items()
        if model in models
    ]


def _calls(suite: str, cases: "Sequence[tuple[pytest.Item, CaseParam]]", settings: Settings) -> SuiteCalls:
    known = call_history(settings.db, suite, cases[0][1].model)
    makes_calls = any(uses(cases[0][0], name) for name in ("response", "model"))
    calls = math.ceil(len(cases) * (known.calls_per_case or makes_calls))
    sampled = cases[:: max(1, len(cases) // _SAMPLED)][:_SAMPLED]
    tokens = [_tokens(param) for _, param in sampled]
    read = [count for count in tokens if count is not None]
    return SuiteCalls(
        calls=calls,
        input_tokens=math.ceil(calls * sum(read) / len(read)) if read else (None if calls else 0),
        output_tokens_per_call=known.output_tokens if known.output_tokens is not None else _bound(cases[0][1]),
    )


def _tokens(param: "CaseParam") -> int | None:
    try:
        return estimate_tokens(own_request(param.eval, param.eval.dataset.read(param.ref)).messages)
    except Exception:  # noqa: BLE001  # a prompt function of the user's; its case shows what it raises
        return None


def _bound(param: "CaseParam") -> float | None:
    bound = param.eval.params.get("max_tokens", param.eval.params.get("max_completion_tokens"))
    return float(bound) if isinstance(bound, int) else None
