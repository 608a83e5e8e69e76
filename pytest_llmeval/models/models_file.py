"""``models.yaml``: models with a name, parameters and prices.

    models:
      small:                                     # the name for --model and in node ids
        spec: openai:gpt-4o-mini                 # required
        params: {temperature: 0, max_tokens: 300}
        prices: {input: 0.15, output: 0.60}      # USD per million tokens
        api_key_env: MY_KEY                      # the variable that holds the key
        api: responses                           # for openai: models only; default: chat (completions)

The file is read elsewhere; this module takes the parsed document.
"""

import json
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from pytest_llmeval.core.document import StrictDocument
from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.core.names import did_you_mean
from pytest_llmeval.models.named import Api, NamedModel, Prices
from pytest_llmeval.models.params import wrong_params
from pytest_llmeval.models.price_list import MAX_USD_PER_MILLION
from pytest_llmeval.models.prices import FREE_KINDS
from pytest_llmeval.models.responses.params import unsent_params
from pytest_llmeval.models.specs import parse_spec

__all__ = ["named_models"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


_Price = Annotated[float, Field(ge=0, le=MAX_USD_PER_MILLION, allow_inf_nan=False)]


class _PricesRow(_Strict):
    input: _Price
    output: _Price


class _ModelRow(_Strict):
    spec: str
    params: dict[str, Any] = Field(default_factory=dict)
    prices: _PricesRow | None = None
    api_key_env: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] | None = None
    api: Api | None = None


class _File(_Strict):
    models: dict[str, _ModelRow]


_KEYS: dict[int, tuple[str, ...]] = {
    1: tuple(_File.model_fields),
    3: tuple(_ModelRow.model_fields),
    4: tuple(_PricesRow.model_fields),
}
"""Known keys by their depth in the file."""


def named_models(document: StrictDocument) -> dict[str, NamedModel]:
    """Return the models of a ``models.yaml`` by name, in the order of the file.

    Raises:
        ModelError: the file has a mistake; the message names file, line and key of the first one.
    """
    try:
        file = _File.model_validate(document.data)
    except ValidationError as error:
        # An unknown key goes first: it may be the misspelt form of a missing one.
        mistakes = sorted(error.errors(include_url=False), key=lambda row: row["type"] != "extra_forbidden")
        raise _mistake(mistakes[0], document) from None
    return {name: _model(name, row, document) for name, row in file.models.items()}


def _model(name: str, row: _ModelRow, document: StrictDocument) -> NamedModel:
    """Check one row and return it as a NamedModel."""

    def mistake(told: str, *keys: str) -> ModelError:
        return ModelError(f"{document.place(('models', name, *keys))}: {told}")

    if not name or not name.isprintable() or name != name.strip():
        raise mistake(f"a model's name is printable text without outer spaces, not {name!r}")
    unsent = unsent_params(row.params) if row.api == "responses" else ()
    for key, told in (*wrong_params(row.params), *unsent):
        raise mistake(told, "params", key)
    try:
        json.dumps(row.params, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise mistake(f"params cannot be sent as JSON: {error}", "params") from None
    try:
        spec = parse_spec(row.spec)
    except ModelError as error:
        raise mistake(str(error), "spec") from None
    if spec.kind in FREE_KINDS and row.api_key_env:
        raise mistake(f"{spec.text} takes no key; remove 'api_key_env'", "api_key_env")
    if spec.kind != "openai" and row.api:
        told = f"models.{name}.api: only openai: models are asked by an API of choice, found {spec.text}; remove 'api'"
        raise mistake(told, "api")
    return NamedModel(
        name=name,
        spec=spec,
        params=row.params,
        prices=_prices(row.prices),
        api_key_env=row.api_key_env,
        api=row.api or "chat",
    )


def _prices(row: _PricesRow | None) -> Prices | None:
    """Return the prices of one row; None if it has none."""
    return None if row is None else Prices(input_usd_per_million=row.input, output_usd_per_million=row.output)


def _mistake(error: ErrorDetails, document: StrictDocument) -> ModelError:
    """Return a pydantic error as a ModelError in the terms of models.yaml."""
    path = tuple(str(part) for part in error["loc"] if part != "[key]")
    key = ".".join(path) or "the file"
    if error["type"] == "extra_forbidden":
        known = _KEYS.get(len(path), ())
        hint = did_you_mean(path[-1], known, f"known: {', '.join(known)}")
        message = f"unknown key {path[-1]!r}; {hint}"
    elif error["type"] == "missing":
        path, missing = path[:-1], path[-1]
        message = f"{'.'.join(path) or 'the file'}: the key {missing!r} is missing"
    elif path[-1:] == ("api_key_env",):  # the value may be the key itself
        message = f"{key}: expected the NAME of a variable (such as MY_KEY), not the key"
    else:
        shown = f", found {error['input']!r:.80}" if not isinstance(error["input"], dict) else ""
        message = f"{key}: {error['msg']}{shown}"
    return ModelError(f"{document.place(path)}: {message}")
