"""Group ``vllm:`` specs by server: specs with the same base and the same load options share one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_llmeval.models.hf.sources import Source, find_source
from pytest_llmeval.models.vllm.lora import check_lora
from pytest_llmeval.models.vllm.turns import require_template
from pytest_llmeval.models.weights_spec import WeightsSpec

__all__ = ["Group", "grouped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The specs that share one server."""

    weights: WeightsSpec
    """The base and its load options, without an adapter."""
    base: Path
    """Folder of the base."""
    members: tuple[WeightsSpec, ...]
    names: tuple[str, ...]
    """Model names of the base on the server, at least one."""
    adapters: Mapping[str, Path]
    """Folders of the adapters, by their model names on the server."""
    rank: int
    """Highest rank of the adapters; 0 without adapters."""


def grouped(asked: Sequence[WeightsSpec], environ: Mapping[str, str]) -> list[Group]:
    """Return one group for each server that ``asked`` need, in order.

    Raises:
        ModelError: files are missing, a base has no chat template, or an adapter cannot be served on its base.
    """
    sources = {weights: find_source(weights, environ) for weights in asked}
    shared: dict[WeightsSpec, list[WeightsSpec]] = {}
    for weights, source in sources.items():
        shared.setdefault(replace(_plain(weights), base=str(source.base)), []).append(weights)
    return [_group(members, sources) for members in shared.values()]


def _group(members: Sequence[WeightsSpec], sources: Mapping[WeightsSpec, Source]) -> Group:
    plain = _plain(members[0])
    require_template(sources[members[0]].base, f"vllm:{members[0]}")
    tuned = [weights for weights in members if weights.adapter is not None]
    return Group(
        weights=plain,
        base=sources[members[0]].base,
        members=tuple(members),
        names=tuple(str(weights) for weights in members if weights.adapter is None) or (str(plain),),
        adapters={str(weights): folder for weights in tuned if (folder := sources[weights].adapter) is not None},
        rank=max((check_lora(weights, sources[weights]) for weights in tuned), default=0),
    )


def _plain(weights: WeightsSpec) -> WeightsSpec:
    return replace(weights, adapter=None, untrained=None)
