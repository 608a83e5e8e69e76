"""Prices of models, if known: from models.yaml, the user's list of prices, or the shipped list.

The shipped list applies to the vendors' own addresses only, as gateways and private servers charge other prices. It is
read once, on first use.
"""

import functools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from pytest_llmeval.core.costs import FREE, Prices
from pytest_llmeval.core.document import StrictDocument
from pytest_llmeval.models.named import NamedModel
from pytest_llmeval.models.price_list import PriceList, price_list
from pytest_llmeval.models.specs import ModelSpec
from pytest_llmeval.models.vendors import VENDORS

__all__ = ["FREE_KINDS", "known_prices", "priced", "shipped_prices"]

FREE_KINDS = frozenset({"local", "hf", "vllm"})
_SHIPPED = Path(__file__).with_name("prices.json")
# gpt-4o-mini-2024-07-18, claude-sonnet-4-5-20250929
_SNAPSHOT = {"openai": re.compile(r"-20\d\d-\d\d-\d\d$"), "anthropic": re.compile(r"-20\d{6}$")}


def priced(model: NamedModel, environ: Mapping[str, str], override: PriceList | None = None) -> NamedModel:
    """Return ``model`` with its prices filled in if they are known; prices of models.yaml stay."""
    if model.prices is not None and model.spec.kind not in FREE_KINDS:
        return model
    return replace(model, prices=known_prices(model.spec, environ, override, name=model.name))


def known_prices(
    spec: ModelSpec, environ: Mapping[str, str], override: PriceList | None = None, *, name: str | None = None
) -> Prices | None:
    """Return the prices of the model behind ``spec``; None if unknown, zero prices if it runs on this machine.

    Args:
        spec: the model's spec.
        environ: environment that decides whether calls go to the vendor's own address.
        override: the user's list, which takes precedence over the shipped one.
        name: the model's name in models.yaml, which the user's list may use as a key.

    Raises:
        ModelError: the variable with the vendor's address is malformed.
    """
    if spec.kind in FREE_KINDS:
        return FREE
    if override is not None:
        found = _first(override, (*([name] if name else []), *_keys(spec)))
        if found is not None:
            return found
    vendor = VENDORS[spec.kind]
    if spec.base_url is not None or not vendor.owns(vendor.base_url(environ)):
        return None
    return _first(shipped_prices(), _keys(spec))


@functools.cache
def shipped_prices() -> PriceList:
    """Return the list of prices that comes with this package."""
    return price_list(StrictDocument(data=json.loads(_SHIPPED.read_text("ascii")), shown_as=_SHIPPED.name))


def _keys(spec: ModelSpec) -> Iterator[str]:
    """Yield the keys under which a list may hold ``spec``: the spec itself, and for a dated snapshot its model."""
    yield spec.text
    undated = _SNAPSHOT[spec.kind].sub("", spec.name)
    if spec.base_url is None and undated != spec.name:
        yield f"{spec.kind}:{undated}"


def _first(prices: PriceList, keys: "tuple[str, ...] | Iterator[str]") -> Prices | None:
    return next((prices.prices[key] for key in keys if key in prices.prices), None)
