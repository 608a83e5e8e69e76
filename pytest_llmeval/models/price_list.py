"""Price lists: the format of the shipped ``prices.json`` and of the user's own file.

    as_of: 2026-10-10                          # optional in the user's file
    source: our contract                       # optional too
    models:
      openai:                                  # a vendor: NAME of its specs
        gpt-4o-mini: {input: 0.15, output: 0.60}    # USD per million tokens
      small: {input: 0.1, output: 0.4}         # a name of models.yaml
      openai:qwen3@http://10.0.0.7:8000/v1: {input: 0, output: 0}    # a whole spec

The file is read elsewhere, as YAML, of which JSON is a subset; this module takes the parsed document.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, NoReturn

from pytest_llmeval.core.costs import Prices
from pytest_llmeval.core.document import StrictDocument
from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.core.names import did_you_mean
from pytest_llmeval.core.text import one_line
from pytest_llmeval.models.specs import parse_spec
from pytest_llmeval.models.vendors import VENDORS

__all__ = ["MAX_USD_PER_MILLION", "PriceList", "price_list"]

Path = tuple[str, ...]

MAX_USD_PER_MILLION = 1_000_000
_TOP = ("as_of", "source", "models")
_PRICE = ("input", "output")
_SHOWN = 240


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceList:
    """Prices of models, with their date."""

    prices: Mapping[str, Prices]
    """Prices by spec (``openai:gpt-4o-mini``) or, in the user's file, by name in models.yaml."""
    as_of: str | None = None
    """The day on which the prices were looked up, as YYYY-MM-DD; None if the file does not say."""


def price_list(document: StrictDocument) -> PriceList:
    """Return the prices of a parsed file.

    Raises:
        ModelError: the file has a mistake; the message names file, line and key of the first one.
    """
    return _Reader(document).read()


class _Reader:
    """Checks one file."""

    def __init__(self, document: StrictDocument) -> None:
        self._document = document

    def read(self) -> PriceList:
        """Return the price list in the file."""
        file = self._mapping(self._document.data, ())
        self._known_keys(file, (), _TOP, required=("models",))
        return PriceList(prices=dict(self._models(file["models"])), as_of=self._as_of(file))

    def _as_of(self, file: Mapping[str, Any]) -> str | None:
        """Return the date of the file; check the type of its source too, which is for human readers only."""
        for key in ("as_of", "source"):
            if key in file and not isinstance(file[key], str):
                self._refuse((key,), f"expected a string, found {file[key]!r}")
        as_of: str | None = file.get("as_of")
        try:
            if as_of is not None and date.fromisoformat(as_of).isoformat() != as_of:
                raise ValueError
        except ValueError:
            self._refuse(("as_of",), f"expected a date such as 2026-01-31, found {as_of!r}")
        return as_of

    def _models(self, models: object) -> Iterator[tuple[str, Prices]]:
        """Yield the full key of each model and its prices."""
        for key, value in self._mapping(models, ("models",)).items():
            path = ("models", key)
            if key in VENDORS:
                for name, row in self._mapping(value, path).items():
                    yield f"{key}:{name}", self._prices(row, (*path, name))
            else:
                prices = self._prices(value, path)
                yield key, prices
                yield _canonical(key), prices

    def _prices(self, row: object, path: Path) -> Prices:
        """Return the prices of one model."""
        found = self._mapping(row, path)
        self._known_keys(found, path, _PRICE, required=_PRICE)
        values = [self._price(found[key], (*path, key)) for key in _PRICE]
        return Prices(input_usd_per_million=values[0], output_usd_per_million=values[1])

    def _price(self, value: object, path: Path) -> float:
        """Return a price as a float; refuse anything else, NaN and infinity included."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_USD_PER_MILLION:
            self._refuse(path, f"expected USD per million tokens, from 0 to {MAX_USD_PER_MILLION:,}, found {value!r}")
        return float(value)

    def _mapping(self, value: object, path: Path) -> Mapping[str, Any]:
        """Return ``value`` if it is a mapping with non-empty strings as keys; refuse anything else."""
        if not isinstance(value, dict) or not all(isinstance(key, str) and key for key in value):
            self._refuse(path, f"expected keys and values, found {value!r}")
        return value

    def _known_keys(
        self, found: Mapping[str, Any], path: Path, known: tuple[str, ...], *, required: tuple[str, ...]
    ) -> None:
        """Refuse ``found`` if it has an unknown key or lacks a required one."""
        for key in found:
            if key not in known:
                hint = did_you_mean(key, known, f"known: {', '.join(known)}")
                self._refuse((*path, key), f"unknown key; {hint}")
        for key in required:
            if key not in found:
                self._refuse(path, f"the key {key!r} is missing")

    def _refuse(self, path: Path, problem: str) -> NoReturn:
        message = one_line(f"{'.'.join(path) or 'the file'}: {problem}", _SHOWN)
        raise ModelError(f"{self._document.place(path)}: {message}")


def _canonical(key: str) -> str:
    """Return a spec in canonical form, ``ModelSpec.text``; any other text, such as a name of models.yaml, unchanged."""
    try:
        return parse_spec(key).text if ":" in key else key
    except ModelError:
        return key
