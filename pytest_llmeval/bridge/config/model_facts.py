"""Digests that identify the models of a session, and problems of missing prices, before any model is asked."""

import contextlib
from collections.abc import Iterable, Mapping
from typing import Any

from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.core.ids import digest
from pytest_llmeval.core.rules import Thresholds
from pytest_llmeval.core.strict_json import canonical
from pytest_llmeval.core.transport import plain
from pytest_llmeval.models.keys import find_account
from pytest_llmeval.models.named import NamedModel
from pytest_llmeval.models.prices import FREE_KINDS, known_prices
from pytest_llmeval.models.specs import ModelSpec
from pytest_llmeval.models.vendors import VENDORS

__all__ = ["account_digests", "model_digest", "unpriced_models", "unpriced_rules"]


def model_digest(model: NamedModel, environ: Mapping[str, str] | None) -> str:
    """Return the digest of a model in a run: spec, parameters, API and, if it is asked here, its weights.

    Args:
        model: under test, or a judge.
        environ: says where weights are; None looks at no weights.

    Raises:
        ModelError: the weights are missing.
    """
    facts: list[Any] = [model.spec.text, plain(model.params), *model.other_api]
    if model.spec.weights is None or environ is None:
        return digest(canonical(facts))
    if model.spec.kind == "local":
        from pytest_llmeval.models.local.adapters import local_revision

        facts.append(local_revision(model.spec.weights))
    else:
        from pytest_llmeval.models.hf.sources import find_source, source_digest

        source = find_source(model.spec.weights, environ)
        facts.append(source_digest(model.spec.weights, source))
        if model.spec.kind == "vllm":
            from pytest_llmeval.models.vllm.executable import find_vllm, vllm_version

            facts.append(vllm_version(find_vllm(environ)))
    return digest(canonical(facts))


def account_digests(models: Mapping[str, NamedModel], environ: Mapping[str, str]) -> dict[str, str]:
    """Return the sha256 in hex of each server model's address, by model name: ``Account.address``.

    A model with a malformed address is left out; the error is reported when it is asked.
    """
    found = {}
    for name, model in models.items():
        if model.spec.kind in VENDORS:
            with contextlib.suppress(ModelError):
                found[name] = digest(find_account(model, environ, is_asked=False).address)
    return found


def unpriced_rules(
    thresholds: Thresholds, suites: Iterable[str], models: Mapping[str, NamedModel], *, are_judges: bool = False
) -> list[str]:
    """Return a problem for each rule on the cost of a model without a stated price: it could never be judged.

    ``suites`` are those in which the models are asked. Calls of judges count for a rule on any model.
    """
    kind = "judge" if are_judges else "model"
    return [
        f"{thresholds.shown_as}:{rule.line}: suites.{rule.suite}.cost_usd: the price of {kind} {name!r} is not known"
        f"{_at_its_address(model)}; give its prices in models.yaml, or take the rule out"
        for suite in suites
        for rule in (thresholds.suites[suite].rules if suite in thresholds.suites else ())
        for name, model in models.items()
        if rule.metric == "cost_usd" and (are_judges or rule.model in (None, name)) and _is_unpriced(model)
    ]


def unpriced_models(models: Mapping[str, NamedModel]) -> list[str]:
    """Return a problem for each model without a stated price, which ``--max-cost`` needs."""
    return [
        f"--max-cost: the price of model {name!r} is not known{_at_its_address(model)}; give its prices in models.yaml"
        for name, model in models.items()
        if _is_unpriced(model)
    ]


def _at_its_address(model: NamedModel) -> str:
    """Return where the price is not known, if the shipped list has one for the vendor's own address."""
    kind, name = model.spec.kind, model.spec.name
    is_listed = known_prices(ModelSpec(kind=kind, name=name, text=f"{kind}:{name}"), {}) is not None
    return " at the address where it is asked, only at its vendor's own" if is_listed else ""


def _is_unpriced(model: NamedModel) -> bool:
    return model.prices is None and model.spec.kind not in FREE_KINDS
