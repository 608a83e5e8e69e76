"""Everything that a training needs, gathered and checked before the base is loaded: rows, tokens, digests, memory."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from transformers import AutoConfig, AutoTokenizer

from pytest_llmeval.core.errors import ModelError, SettingsError
from pytest_llmeval.core.ids import digest
from pytest_llmeval.core.text import counted
from pytest_llmeval.models.hf.adapter_files import template_sha256
from pytest_llmeval.models.hf.base_weights import weights_digests
from pytest_llmeval.models.hf.chat import Chat
from pytest_llmeval.models.hf.loading import quiet, why
from pytest_llmeval.models.hf.positions import context_tokens
from pytest_llmeval.models.hf.sources import Source, find_source, source_digest
from pytest_llmeval.models.host_memory import free_host_bytes
from pytest_llmeval.models.local.weights import default_cache_dir, smollm2_path
from pytest_llmeval.training.base_spec import require_speakable, weights_of
from pytest_llmeval.training.checkpoints import require_space
from pytest_llmeval.training.config import TrainingConfig
from pytest_llmeval.training.memory import Fit, Recipe, Shape, answered_at_once, fit, require_host
from pytest_llmeval.training.plan import Plan, write_json, write_whole
from pytest_llmeval.training.rows import Rows, TrainingRow, read_at_most, read_splits, within
from pytest_llmeval.training.scoring import require_scorable
from pytest_llmeval.training.sft.embedded import embedded_folder
from pytest_llmeval.training.sft.encoding import Encoded, encode, require_read
from pytest_llmeval.training.sft.liger import may_put_liger_in
from pytest_llmeval.training.task import Task, load_task
from pytest_llmeval.training.variants import as_jsonl

__all__ = ["Material", "begin_in_folder", "gather"]

_SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """The input of a training, and the memory that it takes."""

    task: Task
    source: Source
    """Files of the base."""
    tokenizer: Any
    chat: Chat
    train: tuple[Encoded, ...]
    val: tuple[Encoded, ...]
    variants: tuple[TrainingRow, ...]
    """The rows of ``train`` that are variants of others."""
    data: Mapping[str, Mapping[str, Any]]
    """Facts about each split: file, sha256 over its rows, counts, tokens."""
    warnings: tuple[str, ...]
    shape: Shape
    fit: Fit
    answered_at_once: int
    """Number of held-out rows that are answered at once at a look."""
    before: tuple[int, bool] | None
    """Micro-batch and checkpointing that a resumed training began with; None for a new one."""
    adapter_weights: int
    base_weights: Mapping[str, str]
    """Digests of the base's weights, by their format."""
    identity: Mapping[str, str]
    """The sha256 in hex of each thing that decides the result."""

    def notes(self) -> list[str]:
        """Return what the user should know about the rows and the memory, one line each."""
        found = list(self.warnings)
        for word, key in (("row", "too_long"), ("variant", "long_variants")):
            if long := self.data["train"][key]:
                found.append(
                    f"left out as too long for {self.data['train']['limit']}: {counted(len(long), word)}:"
                    f" {', '.join(long[:_SHOWN])}"
                )
        if self.before is not None and self.before != (self.fit.micro_batch, self.fit.checkpointing):
            found.append(
                f"{self.fit.micro_batch} rows at once where it began with {self.before[0]}, for the memory that there"
                " is now: the rest is rounded in another way than it would have been"
            )
        return found

    def laid_out(self, begin: Path | None) -> dict[str, Any]:
        """Return how the training uses memory, for a retry that must use less, and which checkpoint it resumes from."""
        return {
            "rows": len(self.train),
            "held_out": len(self.val),
            "micro_batch": self.fit.micro_batch,
            "accumulation": self.fit.accumulation,
            "checkpointing": self.fit.checkpointing,
            "estimate": self.fit.estimate.lines(),
            "from": begin.name if begin else None,
        }


def gather(plan: Plan, before: tuple[int, bool] | None = None) -> Material:
    """Gather what ``plan`` trains on.

    Args:
        plan: of the training.
        before: micro-batch and checkpointing of the previous process, if the training is resumed.

    Raises:
        UserError: with file and line for each wrong row, with what is missing, or with what does not fit into memory.
    """
    config = plan.config
    sys.path[:0] = plan.pythonpath
    task = load_task(config.eval, plan.rootdir)
    train, val, test, proved = read_splits(
        config.data, config.proof, rootdir=plan.rootdir, prompt=task.prompt, seed=config.seed
    )
    source = _source(config, plan.rootdir)
    tokenizer, chat = _chat(source)
    context = _context(source)
    taken = _taken(train, config, encode((*train.rows, *train.variants), chat, tokenizer), context)
    require_read({row.where: row for row in (*val.rows, *chain.from_iterable(proved.values()))}.values(), chat, context)
    held_out = tuple(encode(val.rows, chat, tokenizer))
    shape = Shape.of(json.loads((source.base / "config.json").read_text("utf-8")), config.base)
    require_scorable(val.rows, config.check)
    fitted = _fitted(plan, shape, source, max(each.length for each in (*taken.rows, *held_out)), before)
    longest = max(len(each.prompt) for each in held_out) + task.new_tokens
    return Material(
        task=task,
        source=source,
        tokenizer=tokenizer,
        chat=chat,
        train=taken.rows,
        val=held_out,
        variants=taken.variants,
        data={
            "train": {**_facts(train, taken.rows), **taken.facts},
            "val": _facts(val, held_out),
            "test": {"file": test.shown, "sha256": test.digest, "rows": len(test.rows)},
        },
        warnings=(*train.warnings, *val.notes, *test.notes),
        shape=shape,
        fit=fitted,
        answered_at_once=_at_once(plan, shape, fitted, longest),
        before=before,
        adapter_weights=shape.adapter(config.lora.r, config.lora.targets),
        base_weights=_base_weights(config, source),
        identity={
            "config": config.digest,
            "max_tokens": digest(str(task.new_tokens)),
            "prompt": task.prompt.digest,
            **train.digests,
            "val": val.digest,
            "base": source_digest(weights_of(config, str(source.base)), source),
            "chat_template": template_sha256(tokenizer.chat_template or ""),
        },
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Taken:
    """The rows that are trained on, variants included."""

    rows: tuple[Encoded, ...]
    variants: tuple[TrainingRow, ...]
    facts: Mapping[str, Any]
    """The limit of length, counts of variants and repeated inputs, and where the rows that were left out stand."""


def _taken(train: Rows, config: TrainingConfig, encoded: Sequence[Encoded], context: int) -> _Taken:
    """Return the rows that are short enough out of ``encoded``, the rows of ``train`` followed by their variants."""
    data = config.data
    lengths = [each.length for each in encoded]
    kept, long, long_variants = within(train, lengths, most=data.max_tokens, on_long=data.on_long, context=context)
    variants = tuple(encoded[place].row for place in kept if place >= len(train.rows))
    facts = {
        "limit": _limit(data.max_tokens, context),
        "too_long": long,
        "twins": train.twins,
        "variants": len(variants),
        "long_variants": long_variants,
    }
    return _Taken(rows=tuple(encoded[place] for place in kept), variants=variants, facts=facts)


def _fitted(plan: Plan, shape: Shape, source: Source, row_tokens: int, before: tuple[int, bool] | None) -> Fit:
    config = plan.config
    return fit(
        shape,
        _recipe(config, source),
        free=plan.free,
        batch=config.optim.batch // config.launch.processes,
        row_tokens=row_tokens,
        most_rows=plan.most_rows,
        before=before,
    )


def _at_once(plan: Plan, shape: Shape, fitted: Fit, longest: int) -> int:
    """Return how many held-out rows are answered at once; the longest takes ``longest`` tokens, its answer included."""
    if plan.config.device != "cuda" or plan.most_rows is not None:
        return fitted.micro_batch
    return answered_at_once(shape, fitted, free=plan.free, rows=plan.config.check.rows, tokens=longest)


def begin_in_folder(plan: Plan, material: Material, begin: Path | None, skipped: list[str]) -> None:
    """Check that the disk has room for the checkpoints, and write down what is trained and how.

    Args:
        plan: of the training.
        material: what it trains on.
        begin: the checkpoint that it resumes from; None if it begins.
        skipped: the problems of newer checkpoints.

    Raises:
        UserError: there is too little room, or another training was begun in the folder.
    """
    launch, is_averaged = plan.config.launch, plan.config.optim.average
    require_space(plan.folder, material.adapter_weights, launch, is_averaged=is_averaged)
    if launch.engine == "fsdp":
        free = free_host_bytes(sys.maxsize)
        require_host(material.shape, held=plan.config.held, processes=launch.processes, free=free)
    plan.hold_to(material.identity)
    for each in skipped:
        print(f"passed over {each}", flush=True)  # noqa: T201  # into output.txt
    write_json(plan.folder / "fit.json", material.laid_out(begin))
    if material.variants:
        write_whole(plan.variants, as_jsonl(row.sample for row in material.variants))


def _recipe(config: TrainingConfig, source: Source) -> Recipe:
    return Recipe(
        held=config.held,
        r=config.lora.r,
        targets=config.lora.targets,
        device=config.device,
        dropout=config.lora.dropout,
        averaged=config.optim.average,
        liger=may_put_liger_in(config, source),
        processes=config.launch.processes,
        engine=config.launch.engine,
    )


def _source(config: TrainingConfig, rootdir: Path) -> Source:
    """Return the files of the base; raise SettingsError if it cannot be trained on."""
    weights = replace(weights_of(config, _base_of(config, rootdir)), load=None)  # a GGUF file has no such option
    try:
        source = find_source(weights, os.environ)
    except ModelError as error:
        raise SettingsError(f"base: {str(error).removeprefix('hf:')}") from None
    require_speakable(source.base, "move the base, or see HF_HOME and XDG_CACHE_HOME for what is fetched")
    if source.is_gguf:
        raise SettingsError(f"base: {config.base}: a GGUF file, which only answers; name a folder with safetensors")
    return source


def _base_of(config: TrainingConfig, rootdir: Path) -> str:
    if config.base == "local:smollm2":
        return str(embedded_folder(default_cache_dir(), print, environ=os.environ))
    below = rootdir / config.base
    return str(below) if below.is_dir() else config.base


def _base_weights(config: TrainingConfig, source: Source) -> dict[str, str]:
    """Return the digests of the base's weights; for the embedded model, those of its GGUF file alone.

    The folder made from this file has the format of the hub's 16-bit weights, but values rounded to 4 bits.
    """
    if config.base != "local:smollm2":
        return weights_digests(source.base)
    gguf = smollm2_path(default_cache_dir())
    return {} if gguf is None else weights_digests(gguf)


def _chat(source: Source) -> tuple[Any, Chat]:
    try:
        with quiet():
            tokenizer = AutoTokenizer.from_pretrained(source.base, trust_remote_code=False, local_files_only=True)
    except Exception as error:  # noqa: BLE001  # missing or damaged files make transformers raise many types
        raise SettingsError(f"base: the tokenizer in {source.base} cannot be loaded: {why(error)}") from None
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer, Chat(tokenizer, str(source.base), _stops(source, tokenizer))


def _context(source: Source) -> int:
    """Return the largest number of tokens that the base reads."""
    try:
        with quiet():
            config = AutoConfig.from_pretrained(source.base, trust_remote_code=False, local_files_only=True)
    except Exception as error:  # noqa: BLE001  # as above
        raise SettingsError(f"base: config.json in {source.base} cannot be read: {why(error)}") from None
    return context_tokens(config)


def _limit(most: int, context: int) -> str:
    """Return in words what limits the length of training rows."""
    return f"data.max_tokens: {most}" if most <= context else f"the {read_at_most(context)}"


def _stops(source: Source, tokenizer: Any) -> frozenset[int]:
    """Return the tokens that end an answer, from the base's files."""
    found = {tokenizer.eos_token_id}
    for name in ("generation_config.json", "config.json"):
        path = source.base / name
        said = json.loads(path.read_text("utf-8")).get("eos_token_id") if path.is_file() else None
        found.update(said if isinstance(said, list) else [said])
    return frozenset(found - {None})


def _facts(rows: Rows, taken: tuple[Encoded, ...]) -> dict[str, Any]:
    lengths = sorted(each.length for each in taken)
    return {
        "file": rows.shown,
        "sha256": rows.digest,
        "rows": len(taken),
        "tokens": sum(lengths),
        "tokens_p50": lengths[len(lengths) // 2],
        "tokens_p99": lengths[min(len(lengths) - 1, len(lengths) * 99 // 100)],
        "tokens_max": lengths[-1],
        "ids_sha256": digest("\n".join(each.row.id for each in taken)),
    }
