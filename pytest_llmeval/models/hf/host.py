"""The ``hf:`` models of a session, in the process that runs them: each base is loaded once; one thread runs all."""

from pytest_llmeval.models.hf.loading import chosen_device, chosen_dtype, load_chat, load_model  # sets torch up

# isort: split
import gc
import math
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.models.hf.adapter_files import changes_base, other_precision, own_end_of_turn
from pytest_llmeval.models.hf.adapters import add_adapter
from pytest_llmeval.models.hf.answering import answer
from pytest_llmeval.models.hf.batching import Batcher, Job, OutOfMemory
from pytest_llmeval.models.hf.chat import Chat
from pytest_llmeval.models.hf.forms import Forms
from pytest_llmeval.models.hf.forward import takes
from pytest_llmeval.models.hf.likelihood import weigh
from pytest_llmeval.models.hf.memory import bytes_per_token, free_bytes, is_out_of_memory, logits_bytes
from pytest_llmeval.models.hf.positions import context_tokens, shared_positions
from pytest_llmeval.models.hf.sources import Source, find_source, source_digest, source_stats
from pytest_llmeval.models.weights_spec import WeightsSpec

__all__ = ["HfModels", "Loaded"]

_SHARE_OF_MEMORY = 0.5
"""Share of the free memory for one batch; the estimate per token leaves out what only some models need."""


@dataclass(slots=True, kw_only=True)
class _Base:
    """A base model in memory, with the adapters that were added to it."""

    model: Any
    chat: Chat
    forms: Forms

    @contextmanager
    def using(self, adapter: str | None) -> Iterator[Any]:
        """Lend the model with one adapter active, or with none."""
        if adapter is not None:
            self.model.set_adapter(adapter)
        elif hasattr(self.model, "peft_config"):
            with self.model.disable_adapter():
                yield self.model
            return
        yield self.model


class Loaded:
    """The model of one spec in this process; its base may be shared with other specs."""

    def __init__(self, weights: WeightsSpec, source: Source) -> None:
        self.weights = weights
        self.source = source
        self.device = chosen_device(weights)
        self.dtype = chosen_dtype(weights, self.device)
        self.base: _Base | None = None
        self.adapter: str | None = None
        """The adapter's name in the base; None without an adapter."""
        self._chat: Chat | None = None
        """The base's chat with the end of turn that the adapter was trained with; None without an adapter."""
        self._revision = source_digest(weights, source)
        self._files = source_stats(source)

    @property
    def identity(self) -> Mapping[str, str]:
        """Everything but the request that decides the answers."""
        kind = self.device.partition(":")[0]
        return {
            "revision": self._revision,
            "files": self._files,
            "device": kind,
            "dtype": str(self.dtype).removeprefix("torch."),
        }

    @property
    def base_key(self) -> Hashable:
        """Key of the base in memory; specs with equal keys share it. An adapter that changes the base has its own."""
        own = self.weights.adapter if self.source.adapter is not None and changes_base(self.source.adapter) else None
        return self.source.base, self.weights.load, self.dtype, self.device, own

    @property
    def chat(self) -> Chat:
        """The tokenizer, and the tokens that end an answer."""
        return self._chat or self._base.chat

    @property
    def forms(self) -> Forms:
        """The schemas that answers can follow."""
        return self._base.forms

    @property
    def context_tokens(self) -> int:
        """Largest number of tokens of a prompt and its answer together."""
        return context_tokens(self._base.model.config)

    @property
    def shared_positions(self) -> int:
        """Largest number of tokens of a row in a batch with other rows."""
        return shared_positions(self._base.model.config)

    @property
    def tokens_at_once(self) -> int:
        """Number of tokens that a batch may have now, by the free memory."""
        free = free_bytes(torch.device(self.device))
        return int(free * _SHARE_OF_MEMORY / bytes_per_token(self._base.model.config, self.dtype.itemsize))

    def logits_room(self, target: int, prompt: int) -> int:
        """Return the memory that logits take, in tokens of a batch.

        Args:
            target: number of tokens whose logits are needed, besides those of the token before them.
            prompt: number of further tokens whose logits a model computes if it cannot leave them out.
        """
        model, item_bytes = self._base.model, self.dtype.itemsize
        config, tokens = model.config, target + 1 if takes(model, "logits_to_keep") else target + prompt
        return math.ceil(tokens * logits_bytes(config, item_bytes) / bytes_per_token(config, item_bytes))

    def end_with(self, chat: Chat) -> None:
        """End answers also at the end-of-turn token of the adapter's training, which its own tokenizer names."""
        assert self.source.adapter is not None
        self._chat = chat.ending_with(own_end_of_turn(self.source.adapter))

    def run(self, jobs: Sequence[Any]) -> None:
        """Answer or fail each of ``jobs``, which are all of one type.

        Raises:
            OutOfMemory: they do not fit into memory; the jobs still open can be tried again.
        """
        work: Callable[..., None] = answer if hasattr(jobs[0], "sampling") else weigh
        try:
            with torch.inference_mode(), self._base.using(self.adapter) as model:
                work(model, self.chat, jobs)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            raise OutOfMemory(str(error).partition("\n")[0]) from None

    @property
    def _base(self) -> _Base:
        if self.base is None:
            raise ModelError(f"hf:{self.weights} is not loaded")
        return self.base


class HfModels:
    """All ``hf:`` models of a session."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Prepare; ``environ`` holds the Hugging Face hub's variables."""
        self._environ = environ
        self._models: dict[WeightsSpec, Loaded] = {}
        self._bases: dict[Hashable, _Base] = {}
        self._batcher = Batcher(
            self._run, lambda group: self._of(group).tokens_at_once, lambda group: self._of(group).shared_positions
        )

    def find(self, weights: WeightsSpec) -> Loaded:
        """Return the model of a spec, in memory only after ``load``; raise ModelError if its files are not there."""
        if weights not in self._models:
            self._models[weights] = Loaded(weights, find_source(weights, self._environ))
        return self._models[weights]

    def load(self, weights: WeightsSpec, report: Callable[[str], None]) -> Loaded:
        """Load the model of a spec into memory and return it.

        Raises:
            ModelError: it cannot be loaded, or its adapter does not belong to it or changes nothing.
        """
        loaded, start_s = self.find(weights), time.monotonic()
        base = self._bases.get(loaded.base_key)
        if base is None:
            model = load_model(weights, loaded.source, loaded.device, loaded.dtype)
            chat = load_chat(weights, loaded.source, model)
            base = _Base(model=model, chat=chat, forms=Forms(chat))
            self._bases[loaded.base_key] = base
        if loaded.source.adapter is not None and loaded.adapter is None:
            base.model, loaded.adapter = add_adapter(base.model, base.chat.tokenizer, weights, loaded.source)
            loaded.end_with(base.chat)
        loaded.base = base
        took_s, identity = time.monotonic() - start_s, loaded.identity
        roles = "" if base.chat.has_template else "; it has no chat template, prompts are sent as plain text"
        report(f"loaded hf:{weights} in {took_s:.1f} s ({identity['device']}, {identity['dtype']}){roles}")
        if loaded.source.adapter is not None:
            held = other_precision(loaded.source.adapter, weights, identity["dtype"])
            if held is not None:
                report(f"{held}: it may answer otherwise than in its proof")
        return loaded

    def submit(self, job: Job) -> None:
        """Queue a request for a batch; its group is a WeightsSpec and the type of the job."""
        self._batcher.submit(job)

    def close(self) -> None:
        """Stop the thread, fail the requests that still wait, and free the memory."""
        self._batcher.close()
        for loaded in self._models.values():
            loaded.base = None
        self._bases.clear()
        gc.collect()
        if torch.cuda.is_initialized():
            torch.cuda.empty_cache()

    def _run(self, jobs: Sequence[Job]) -> None:
        self._of(jobs[0].group).run(jobs)

    def _of(self, group: Any) -> Loaded:
        return self._models[group[0]]
