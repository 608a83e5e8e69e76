"""The commands ``llmeval models``: listing the known models, and fetching the weights of the embedded one."""

from collections.abc import Mapping
from pathlib import Path

import click

from pytest_llmeval.cli.output import echo_lines, emit_json, json_option, table_room, terminal_width
from pytest_llmeval.cli.project import find_project, project_models
from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.core.text import one_line
from pytest_llmeval.models.hf.sources import find_source
from pytest_llmeval.models.keys import is_usual_name
from pytest_llmeval.models.local.adapters import find_local_adapter
from pytest_llmeval.models.local.weights import default_cache_dir, fetch_smollm2, smollm2_path, verify_smollm2
from pytest_llmeval.models.named import NamedModel
from pytest_llmeval.models.prices import priced, shipped_prices
from pytest_llmeval.models.vendors import VENDORS
from pytest_llmeval.models.weights_spec import WeightsSpec
from pytest_llmeval.reports.table import Column, table_lines
from pytest_llmeval.reports.text_width import wrapped

__all__ = ["models", "weights_place"]

_COLUMNS: list[Column] = [("name", "fixed"), ("spec", "left"), ("price per million", "left"), ("note", "left")]


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def models(context: click.Context, as_json: bool) -> None:
    """List the models of models.yaml and the embedded one; fetch its weights."""
    context.default_map = {name: {"as_json": as_json} for name in ("list", "fetch")}
    if context.invoked_subcommand is None:
        context.invoke(list_models, as_json=as_json)


@models.command("list")
@json_option
def list_models(as_json: bool) -> None:
    """List the names that --model accepts here."""
    project = find_project()
    rows = [_row(model, project.environ) for model in project_models(project).values()]
    rows.append(["local:smollm2", "local:smollm2", "$0", _fetched()])
    if as_json:
        emit_json([dict(zip(("name", "spec", "price", "note"), row, strict=True)) for row in rows])
        return
    lines = table_lines(_COLUMNS, [[one_line(cell) for cell in row] for row in rows], width=table_room())
    others = "gpt-4o-mini, openai:NAME@http://host:port/v1, anthropic:NAME, hf:ID_OR_PATH, vllm:ID_OR_PATH"
    message = f"Any other SPEC works as well: {others}"
    echo_lines([*lines, "", *wrapped(message, terminal_width(), whole_words=True)])


@models.command()
@click.argument("name", type=click.Choice(["smollm2"]), default="smollm2")
@json_option
def fetch(name: str, as_json: bool) -> None:
    """Fetch the weights of the embedded model into the cache folder, or check the present ones."""
    cache = default_cache_dir()
    path = fetch_smollm2(cache, lambda line: click.echo(line, err=True), environ=find_project().environ)
    if not verify_smollm2(cache):
        raise ModelError(f"{path}: the file is damaged (wrong sha256); remove it and fetch it again")
    if as_json:
        emit_json({"name": name, "path": str(path), "verified": True})
    else:
        click.echo(f"{path}: present, sha256 is right")


def weights_place(weights: WeightsSpec, environ: Mapping[str, str]) -> Path:
    """Return the path of a model's files, or of the embedded model's adapter; raise ModelError if it is missing."""
    return find_local_adapter(weights) if weights.kind == "local" else find_source(weights, environ).base


def _row(model: NamedModel, environ: Mapping[str, str]) -> list[str]:
    prices = priced(model, environ).prices
    price = f"${prices.input_usd_per_million:g} in, ${prices.output_usd_per_million:g} out" if prices else "unknown"
    variable = model.api_key_env
    notes = [f"key in {variable if is_usual_name(variable) else '***'}"] if variable else []
    notes += ["asked by the Responses API"] if model.api == "responses" else []
    if prices is not None and model.prices is None and model.spec.kind in VENDORS:
        notes.append(f"list price of {shipped_prices().as_of}")
    if model.spec.weights is not None:
        notes.append(_where(model.spec.weights, environ))
    return [model.name, model.spec.text, price, ", ".join(notes)]


def _fetched() -> str:
    """Return, in words, whether the weights of the embedded model are on this machine."""
    try:
        return "fetched" if smollm2_path(default_cache_dir()) is not None else "not fetched yet (93 MB)"
    except ModelError:
        return "no cache folder; llmeval doctor says why"


def _where(weights: WeightsSpec, environ: Mapping[str, str]) -> str:
    """Return, in words, whether the files of a model are on this machine."""
    try:
        return f"in {weights_place(weights, environ)}"
    except ModelError:
        return "not on this machine; llmeval doctor says why"
