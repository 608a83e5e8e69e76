"""Strict reading of a configuration file: every mistake is reported at once, each with file, line and key."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from pytest_llmeval.core.document import KeyPath, StrictDocument, dotted
from pytest_llmeval.core.errors import SettingsError
from pytest_llmeval.core.names import did_you_mean
from pytest_llmeval.core.text import shown_yaml
from pytest_llmeval.loaders.strict_yaml import load_strict
from pytest_llmeval.training.config import MATRICES, LoraModel, OptimModel, SearchModel, SpanModel, TrainingConfig
from pytest_llmeval.training.references import wrong_references

__all__ = ["load_config", "place_of"]

_TRIED = tuple(
    f"{part}.{name}"
    for part, model in (("optim", OptimModel), ("lora", LoraModel))
    for name in model.model_fields
    if name not in ("targets", "soup")
)
"""Keys whose values a search may vary."""
_MAY_BE_LEFT_OUT = ("search",)
"""Keys of sections that are None if they are not written."""
_Wrong = Iterator[tuple[KeyPath, str]]
"""Pairs of a key and a text: what is wrong with it and what to write."""


def load_config(path: Path, *, shown_as: str, rootdir: Path | None = None) -> TrainingConfig:
    """Return the configuration of a file.

    Args:
        path: the file.
        shown_as: its name in messages.
        rootdir: the project; if given, the eval, datasets and base that the configuration names must exist there.

    Raises:
        SettingsError: with a line ``FILE:LINE: KEY: what is wrong, what to do`` for each mistake.
    """
    document = load_strict(path, error=SettingsError, shown_as=shown_as)
    try:
        config = TrainingConfig.model_validate(document.data)
        wrong = list(_at_odds(config))
        if config.search is not None and not wrong:
            wrong = list(_wrong_search(config, config.search))
        if rootdir is not None and not wrong:
            wrong = list(wrong_references(config, rootdir))
    except ValidationError as error:
        wrong = [(each["loc"], _told(each, each["loc"])) for each in error.errors(include_url=False)]
    if wrong:
        raise SettingsError("\n".join(_messages(wrong, document)))
    return config


def place_of(key: str, *, path: Path, shown_as: str) -> str:
    """Return ``FILE:LINE: KEY`` for a key of a configuration that was read before.

    Args:
        key: the whole key, such as ``proof.margin``.
        path: the file.
        shown_as: its name in messages.
    """
    document = load_strict(path, error=SettingsError, shown_as=shown_as)
    return document.problem(tuple(key.split(".")), "").removesuffix(": ")


def _at_odds(config: TrainingConfig) -> _Wrong:
    """Yield each key whose value contradicts that of another key, and what to write."""
    launch, batch, data = config.launch, config.optim.batch, config.data
    if config.load is not None and config.dtype is not None:
        yield (
            ("dtype",),
            f"found '{config.dtype}', and load is '{config.load}', which has numbers of its own; write one",
        )
    if data.variants and data.completion == "text":
        message = "and data.completion is 'text'; write 0: what a target in JSON quotes of its input is exchanged"
        yield ("data", "variants"), f"found {data.variants}, {message}"
    for name in config.lora.targets:  # peft ignores an unknown name as long as it knows another one
        if name.rpartition(".")[2] not in MATRICES:
            yield ("lora", "targets"), f"no layer of a Llama has a matrix {name!r}; {did_you_mean(name, MATRICES)}"
    if batch % launch.processes:
        fitting = ", ".join(str(count) for count in range(1, batch + 1) if batch % count == 0)
        yield ("launch", "processes"), f"found {launch.processes}, and optim.batch is {batch}; write one of {fitting}"
    if launch.engine != "ddp":
        yield from ((("launch", "engine"), f"found '{launch.engine}', {told}") for told in _wrong_engine(config))
    if config.optim.soup > 1 and config.search is not None:
        yield (
            ("optim", "soup"),
            f"found {config.optim.soup}, and there is a search; write 1, and make a soup of its best",
        )
    if launch.engine != "ddp" and config.optim.average:
        yield ("optim", "average"), f"found true, and launch.engine is '{launch.engine}'; write false, or engine: ddp"


def _wrong_engine(config: TrainingConfig) -> Iterator[str]:
    """Yield why an engine that splits a training over GPUs cannot be used here, and what to write."""
    if config.device == "cpu":
        yield "which needs GPUs; write 'ddp' for device: cpu"
        return
    if config.launch.engine == "fsdp" and config.held == "4bit":
        yield "which does not split 4-bit weights; write 'ddp', or dtype: bfloat16 in place of load"
    if config.launch.processes == 1:
        yield "and one process, which has nobody to share with; write processes: N for N GPUs, or leave engine out"


def _wrong_search(config: TrainingConfig, search: SearchModel) -> _Wrong:
    if not search.space:
        yield ("search", "space"), "names no key; write one of " + ", ".join(_TRIED)
    for key, span in search.space.items():
        path: KeyPath = ("search", "space", key)
        if key not in _TRIED:
            yield path, f"unknown key; {did_you_mean(key, _TRIED)}"
        else:
            yield from _wrong_span(config, path, span)


def _wrong_span(config: TrainingConfig, path: KeyPath, span: SpanModel) -> _Wrong:
    low, high, key = span.low, span.high, str(path[-1])
    if (low is None or high is None) if span.choices is None else (low is not None or high is not None or span.log):
        yield path, "write low and high, with log: true or without, or choices alone"
    elif low is not None and high is not None and low >= high:
        yield (*path, "low"), f"found {low}, and high is {high}; write less"
    elif low is not None and span.log and low <= 0:
        yield (*path, "low"), f"found {low}, which has no logarithm; write a number above 0, or log: false"
    elif low is not None and key == "optim.batch" and config.launch.processes > 1:
        yield path, "write choices, each of which launch.processes divides"
    else:
        ends = {"choices": span.choices} if span.choices is not None else {"low": (low,), "high": (high,)}
        yield from ((((*path, name)), told) for name, values in ends.items() for told in _refused(config, key, values))


def _refused(config: TrainingConfig, key: str, values: tuple[Any, ...]) -> Iterator[str]:
    """Yield what is wrong with each value that a trial could not be configured with."""
    for value in values:
        try:
            for path, told in _at_odds(config.chosen({key: value})):
                yield f"{shown_yaml(value)} does not go with {'.'.join(map(str, path))}: {told}"
        except ValidationError as error:
            yield from (_told(each, each["loc"]) for each in error.errors(include_url=False))


def _messages(wrong: list[tuple[KeyPath, str]], document: StrictDocument) -> Iterator[str]:
    for path, told in sorted(wrong, key=lambda each: document.line_near(each[0])):
        yield f"{document.place(path)}: {dotted(path) or 'the file'}: {told}"


def _told(error: ErrorDetails, path: KeyPath) -> str:
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    if error["type"] == "missing":
        return "is missing; write it"
    if error["type"] == "extra_forbidden":
        known = _known(path[:-1])
        return f"unknown key; {did_you_mean(str(path[-1]), known)}"
    if error["type"] == "literal_error":
        return f"found {shown_yaml(error['input'])}; write {error['ctx']['expected']}"
    return f"found {shown_yaml(error['input'])}; write a mapping of {', '.join(_known(path)) or 'its keys'}"


def _known(path: KeyPath) -> list[str]:
    """Return the keys that are allowed below ``path``."""
    model: Any = TrainingConfig
    for part in path:
        if get_origin(model) is dict:
            model = get_args(model)[1]
        else:
            annotation = model.model_fields[part].annotation
            model = next(iter(get_args(annotation)), annotation) if part in _MAY_BE_LEFT_OUT else annotation
    return list(getattr(model, "model_fields", ()))
