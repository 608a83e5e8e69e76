"""The commands ``llmeval adapter``: preparing an adapter for servers, merged into its base or as a GGUF file."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from pytest_llmeval.cli.output import echo_lines, emit_json, json_option
from pytest_llmeval.cli.project import find_project
from pytest_llmeval.core.disk import unwritten
from pytest_llmeval.core.errors import ModelError, SettingsError
from pytest_llmeval.core.home import at_home
from pytest_llmeval.core.text import one_line
from pytest_llmeval.models.hf.adapter_files import check_adapter_base, read_adapter_config
from pytest_llmeval.models.hf.sources import Source, find_adapter, find_source, require_hf_extra
from pytest_llmeval.models.local.adapters import require_packages
from pytest_llmeval.models.weights_spec import WeightsSpec
from pytest_llmeval.store.whole_file import whole_folder

__all__ = ["adapter"]

_BASE = click.option(
    "--base",
    metavar="PATH|ID",
    help="The base: a folder, an id of the hub or a GGUF file; default: the one that the adapter names.",
)


@click.group()
def adapter() -> None:
    """Convert a PEFT adapter for a server: to merged weights or a GGUF file."""


@adapter.command()
@click.argument("adapter", metavar="ADAPTER")
@click.option("--output", type=click.Path(path_type=Path), required=True, help="The folder to create.")
@_BASE
@json_option
def merge(adapter: str, output: Path, base: str | None, as_json: bool) -> None:
    """Merge ADAPTER, a PEFT folder, into the 16-bit weights of its base.

    The output folder also has the tokenizer, chat template and generation config, so that any model server can load it.
    The adapter is checked like that of an hf: model, and the merged model must answer like the base with the adapter
    applied.
    """
    weights, source = _found(adapter, base)
    _check_free(output)
    require_hf_extra(weights)
    # Imported here because it loads torch.
    from pytest_llmeval.models.hf.merging import merge_adapter

    def report(line: str) -> None:
        click.echo(one_line(line, 200), err=True)

    with _writing(output), whole_folder(output.resolve()) as scratch:
        merged = merge_adapter(weights, source, scratch, report)
    if as_json:
        fields = {"dtype": merged.dtype, "change_nats": merged.change, "lost_share": merged.lost}
        emit_json({"folder": str(output), "base": str(source.base), "adapter": str(source.adapter), **fields})
        return
    echo_lines(
        [
            f"{one_line(str(output))}: {merged.dtype} weights; {merged.lost:.2%} of the adapter's change was lost to"
            " rounding",
            f"evaluate it: pytest evals --model hf:{one_line(str(output))}",
        ]
    )


@adapter.command()
@click.argument("adapter", metavar="ADAPTER")
@click.option("--output", type=click.Path(path_type=Path), required=True, help="The file to create.")
@_BASE
@json_option
def gguf(adapter: str, output: Path, base: str | None, as_json: bool) -> None:
    """Convert ADAPTER, a PEFT folder for a Llama or Mistral model, to a GGUF file for llama.cpp.

    Of the base, only the configuration and some weights are read, to check that ADAPTER was trained on it.
    """
    weights, source = _found(adapter, base)
    if output.suffix != ".gguf":
        raise SettingsError(f"--output {one_line(str(output))}: the name of a GGUF file ends in .gguf")
    _check_free(output)
    require_packages(adapter)
    # Imported here because it loads numpy.
    from pytest_llmeval.models.hf.adapter_gguf import convert_adapter, heads_of

    assert source.adapter is not None
    where = f"adapter {adapter}"
    with _writing(output):
        count = convert_adapter(source.adapter, output.resolve(), heads_of(source.base, where), where)
    size = output.stat().st_size
    if as_json:
        emit_json({"file": str(output), "tensors": count, "bytes": size})
        return
    echo_lines([f"{one_line(str(output))}: {count} tensors, {size / 1e6:.1f} MB"])


def _found(adapter: str, base: str | None) -> tuple[WeightsSpec, Source]:
    """Return the adapter with its base, and where the files of both are."""
    config: Mapping[str, Any] = read_adapter_config(find_adapter(adapter), f"adapter {adapter}")
    named = base or config.get("base_model_name_or_path")
    if not named:
        raise ModelError(f"adapter {adapter}: it does not name its base; pass --base")
    revision = None if base or at_home(named).exists() else config.get("revision")
    weights = WeightsSpec(base=str(named), adapter=adapter, revision=revision)
    try:
        source = find_source(weights, find_project().environ)
    except ModelError as error:
        if base:
            raise
        raise ModelError(f"adapter {adapter}: its base is not here ({error}); say where it is with --base") from None
    check_adapter_base(config, weights, source, f"adapter {adapter}")
    return weights, source


def _check_free(output: Path) -> None:
    """Raise SettingsError if ``output`` exists or its folder does not."""
    if output.exists() or output.is_symlink():
        raise SettingsError(f"--output {one_line(str(output))}: it already exists; name another path, or remove it")
    if not output.resolve().parent.is_dir():
        raise SettingsError(f"--output {one_line(str(output))}: the folder to put it in does not exist")


@contextlib.contextmanager
def _writing(output: Path) -> Iterator[None]:
    """Turn an OSError while ``output`` is written into a SettingsError."""
    try:
        yield
    except OSError as error:
        raise SettingsError(f"--output {unwritten(output, error)}") from None
