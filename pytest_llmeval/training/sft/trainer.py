"""The entry of the training process: ``python -m pytest_llmeval.training.sft.trainer PLAN``."""

import contextlib
import os
import shutil
import sys
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # before torch: see models.hf.loading; this process is its own
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # trl reports each trainer to the hub
os.environ.setdefault("PYTORCH_CUDA_ALLOC_CONF", os.environ.get("PYTORCH_ALLOC_CONF", "expandable_segments:True"))

import filelock
import torch
from datasets import Dataset
from peft import LoraConfig
from peft.tuners.lora import LoraLayer
from transformers import TrainerState
from trl import SFTTrainer

from pytest_llmeval.core.disk import unwritten
from pytest_llmeval.core.errors import LlmevalError, UserError
from pytest_llmeval.core.text import one_line
from pytest_llmeval.models.hf.memory import is_out_of_memory
from pytest_llmeval.store.whole_file import whole_folder
from pytest_llmeval.training.checkpoints import find_best, mark_open, newest_complete, settle, steps_of
from pytest_llmeval.training.config import LaunchModel, LoraModel
from pytest_llmeval.training.memory import NoRoomError
from pytest_llmeval.training.plan import Outcome, Plan
from pytest_llmeval.training.sft.answer_head import score_answers_only
from pytest_llmeval.training.sft.arguments import draws, sft_arguments
from pytest_llmeval.training.sft.averaging import Average
from pytest_llmeval.training.sft.device import require_device
from pytest_llmeval.training.sft.first_step import require_near
from pytest_llmeval.training.sft.flat_adamw import FlatAdamW
from pytest_llmeval.training.sft.heap import Heap
from pytest_llmeval.training.sft.liger import Liger, put_liger_in
from pytest_llmeval.training.sft.lora_linear import fuse_adapters
from pytest_llmeval.training.sft.material import Material, begin_in_folder, gather
from pytest_llmeval.training.sft.order import ByLength
from pytest_llmeval.training.sft.patience import Patience, early_end, had_run_out, has_run_out
from pytest_llmeval.training.sft.plain_loss import PlainLoss
from pytest_llmeval.training.sft.ranks import Ranks, is_lost_peer
from pytest_llmeval.training.sft.record import Measured, adapter_weights, save_adapter
from pytest_llmeval.training.sft.walks import spare_walks
from pytest_llmeval.training.sft.watching import (
    Averaging,
    Clock,
    EndOnSignal,
    Finite,
    Looks,
    TaskMetric,
    require_stop,
)
from pytest_llmeval.training.sft.weights import load_base, require_layers, trained_weights
from pytest_llmeval.training.starting import Layout, say

__all__ = ["main", "train"]

_IGNORED = -100  # the label of a token that is left out of the loss


class SaveError(LlmevalError):
    """Raised if a checkpoint or the adapter could not be written."""


class _Trainer(SFTTrainer):  # type: ignore[misc]  # trl is not typed here
    """SFTTrainer that counts tokens, keeps the order of rows and leaves no incomplete checkpoint."""

    tokens: Any = 0
    average: Average | None = None
    """Running mean of the adapter's weights; None if the newest weights are the adapter."""
    launch = LaunchModel()
    """How many processes train together, and by which engine."""
    answer_tokens: float = 1.0
    """Mean number of tokens in the answer of a held-out row."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Prepare, as trl does."""
        super().__init__(*args, **kwargs)
        self._heap = Heap()
        self._is_compared = False
        self._draws = draws(self.model.config)
        self._flat: FlatAdamW | None = None
        self._plain = None if self.aux_loss_enabled else PlainLoss(self.model.get_base_model())

    def training_step(self, model: Any, inputs: Mapping[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Run the step of a micro-batch, and count its tokens without padding."""
        if self._flat is not None and model.zero_grad != self._flat.zero_grad:
            spare_walks(model, self.model, self._flat.zero_grad)
        self.tokens = self.tokens + inputs["attention_mask"].sum()
        loss = super().training_step(model, inputs, *args, **kwargs)
        if self.args.device.type == "cpu":
            self._heap.end_step(inputs["input_ids"].numel())
        return loss

    def compute_loss(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """Return the loss; at the first step, compare it with the loss as answers are computed.

        The adapter adds nothing yet, so both are losses of the base.

        Raises:
            NotTheBaseError: they differ by more than rounding explains.
        """
        if self._is_compared or self.state.global_step or not model.training or self._draws:
            return self._loss(model, inputs, *args, **kwargs)
        self._is_compared = True
        model.eval()
        with torch.no_grad():
            asked = self._loss(model, dict(inputs), *args, **kwargs)
        model.train()
        self._metrics["eval"].clear()  # otherwise it counts as a look
        torch.clear_autocast_cache()  # it holds 16-bit weights that were cast without a gradient
        loss = self._loss(model, inputs, *args, **kwargs)
        require_near(loss.item(), asked.item())
        return loss

    def _loss(self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None) -> Any:
        """Return the loss; that of mixtures of experts, and calls for outputs beside the loss, are left to trl."""
        if self._plain is None or return_outputs:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        return self._plain.of(model, inputs, num_items_in_batch, processes=self.accelerator.num_processes)

    def prediction_step(self, model: Any, inputs: Mapping[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Weight the loss of some held-out rows by their tokens, so that the mean over rows becomes one over tokens.

        Without this the result would depend on the batch size, which memory decides. Rows that repeat to fill up the
        last batch of several processes are left out; where a process has no other row in that batch, its result is cut
        off later.
        """
        loader = self.accelerator.gradient_state
        if loader.end_of_dataloader and loader.remainder > 0:
            own = loader.remainder - self.accelerator.process_index * len(inputs["labels"])
            inputs = {name: value[: max(own, 1)] for name, value in inputs.items()}
        labels = inputs["labels"]
        loss, *others = super().prediction_step(model, inputs, *args, **kwargs)
        return (loss * (labels != _IGNORED).sum() / (len(labels) * self.answer_tokens), *others)

    def floating_point_ops(self, inputs: Mapping[str, Any]) -> int:
        """Return 0: the number is not used, and transformers visits all modules at each step to compute it."""
        return 0

    def create_optimizer(self, model: Any = None) -> Any:
        """Create one optimizer that updates all weights at once, unless they are split over processes."""
        if self.is_fsdp_enabled or self.is_deepspeed_enabled:
            return super().create_optimizer(model)
        _, how = self.get_optimizer_cls_and_kwargs(self.args, self.model)
        trained = [each for each in self.model.parameters() if each.requires_grad]
        self.optimizer = self._flat = FlatAdamW(trained, weight_decay=self.args.weight_decay, **how)
        return self.optimizer

    def _clip_grad_norm(self, model: Any) -> Any:
        """Clip the gradients of the trained weights only, which the flat optimizer knows."""
        if self._flat is None:
            return super()._clip_grad_norm(model)
        return self.accelerator.clip_grad_norm_(self._flat.weights, self.args.max_grad_norm)

    def _maybe_log_save_evaluate(self, *args: Any, **kwargs: Any) -> None:
        """Log, evaluate and save; with averaging, the mean is evaluated and saved in place of the newest weights."""
        is_look = self.control.should_evaluate or self.control.should_save
        with self.average.in_place() if self.average is not None and is_look else contextlib.nullcontext():
            super()._maybe_log_save_evaluate(*args, **kwargs)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        super()._load_from_checkpoint(resume_from_checkpoint, model)
        if self.average is not None:
            self.average.load(Path(resume_from_checkpoint))

    def take_best_after_all_steps(self, checkpoint: Path) -> bool:
        """Return whether no step follows ``checkpoint``; if so, load the best one, because train() would add a step."""
        state = TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))
        is_last = state.global_step >= state.max_steps or had_run_out(state)
        if not state.best_model_checkpoint or not is_last:
            return False
        self.state = state
        self._load_best_model()
        return True

    def _load_best_model(self) -> None:
        """Load the best checkpoint from the training's current folder; transformers ignores it if it is gone."""
        best = find_best(Path(self.args.output_dir), self.state.best_global_step, self.launch)
        self.state.best_model_checkpoint = str(best)
        super()._load_best_model()

    def _get_train_sampler(self, train_dataset: Any = None) -> ByLength:
        rows = self.train_dataset if train_dataset is None else train_dataset
        args = self.args
        return ByLength(
            [len(tokens) for tokens in rows["input_ids"]],
            step=args.train_batch_size * args.gradient_accumulation_steps * args.world_size,
            seed=args.data_seed,
            train_epoch=lambda: int(self.state.epoch or 0),
        )

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """Write no model card: the card follows the proof, and trl's would be in every checkpoint."""

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Save the adapter; where processes share the weights, transformers would gather those of the base too."""
        if self.is_fsdp_enabled or self.is_deepspeed_enabled:
            self._save(output_dir, state_dict=trained_weights(self.model))
        else:
            super().save_model(output_dir, _internal_call)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        folder = Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}"
        try:
            if self.args.should_save:
                mark_open(folder)
                if self.average is not None:
                    self.average.save(folder)
            super()._save_checkpoint(model, trial)
            if self.args.should_save:
                settle(folder, self.state.best_global_step)
        except Exception as error:  # tokenizers raises a bare Exception on a full disk
            shutil.rmtree(folder, ignore_errors=True)
            raise SaveError(f"{unwritten(folder, error)}; it was taken away, earlier checkpoints are whole") from error


def main(arguments: list[str]) -> int:
    """Train by the plan in a file, write the outcome, and return the exit status.

    A single process always returns 0. Of several processes, the first one writes the outcome, or the first one to fail;
    each one that fails returns 1.
    """
    plan = Plan.read(Path(arguments[0]))
    ranks = Ranks(plan.config.launch)
    ranks.end_with_parent()
    outcome = _outcome(plan, ranks)
    if ranks.count == 1:
        outcome.write(plan.folder)
        return 0
    is_well = outcome.state in ("trained", "interrupted", "pruned")
    if outcome.state != "lost" and (ranks.is_first or not is_well):
        outcome.write_first(plan.folder, rank=ranks.number)
    return 0 if is_well else 1


def _outcome(plan: Plan, ranks: Ranks) -> Outcome:
    """Train, and turn whatever is raised into an outcome."""
    ending = EndOnSignal(ranks, plan.end_mark)
    lock = filelock.FileLock(plan.folder / ".lock", blocking=False) if ranks.is_first else contextlib.nullcontext()
    try:
        with lock:
            return train(plan, ranks, ending)
    except filelock.Timeout:
        return Outcome(state="refused", message=f"another process still trains in {plan.folder}; wait for its end")
    except UserError as error:
        is_of_trial = plan.trial is not None and isinstance(error, NoRoomError)  # another trial may fit
        return Outcome(state="failed" if is_of_trial else "refused", message=str(error))
    except LlmevalError as error:
        return Outcome(state="unsaved" if isinstance(error, SaveError) else "failed", message=str(error))
    except (torch.OutOfMemoryError, MemoryError) as error:
        return Outcome(state="out_of_memory", message=one_line(str(error), 400))
    except KeyboardInterrupt:
        return Outcome(state="interrupted", message="nothing was saved since the newest checkpoint")
    except Exception as error:  # noqa: BLE001  # of the libraries; the traceback goes into output.txt
        traceback.print_exc()
        if ranks.count > 1 and is_lost_peer(error):
            return Outcome(state="lost")
        message = one_line(f"{type(error).__name__}: {error}", 400)
        return Outcome(state="out_of_memory" if is_out_of_memory(error) else "failed", message=message)


def train(plan: Plan, ranks: Ranks, ending: EndOnSignal) -> Outcome:
    """Train, and save the best adapter atomically."""
    began = time.monotonic()
    ranks.meet(plan.config.device)
    require_device(plan.config)
    before = plan.laid_out() if plan.is_resumed else None  # read by all processes before the first one writes its own
    plan = replace(plan, free=ranks.may_take(plan.free, plan.config.device))
    with ranks.in_turn():
        material = gather(plan, before)
    launch, is_averaged = plan.config.launch, plan.config.optim.average
    begin, skipped = newest_complete(plan.folder, launch, is_averaged=is_averaged) if plan.is_resumed else (None, [])
    if ranks.is_first:
        begin_in_folder(plan, material, begin, skipped)
    if plan.config.device == "cpu":
        score_answers_only()
    liger = put_liger_in(plan.config, material.source)
    model = load_base(plan.config, material.source)
    require_layers(model, plan.config.lora.targets)
    built = _build(plan, material, model, ranks, ending, liger)
    if ranks.is_first:
        say(plan, [built.layout.line(), *material.notes(), *filter(None, [liger.note])])
    giving_up = _watched(plan, ranks, built.trainer)
    if begin is None or launch.engine != "ddp" or not built.trainer.take_best_after_all_steps(begin):
        built.trainer.train(resume_from_checkpoint=str(begin) if begin else None)
    state = built.trainer.state
    if ending.came and state.global_step < state.max_steps and not has_run_out(built.trainer):
        return Outcome(state="interrupted", message=f"a checkpoint was made after step {state.global_step}")
    if giving_up is not None and giving_up.came:
        return Outcome(state="pruned", message=f"given up after step {state.global_step}")
    early = early_end(built.trainer)
    require_stop(state, early)
    went_on = steps_of(begin) if begin else 0
    metric = plan.config.check.metric
    measured = Measured.of(built.trainer, built.clock, ranks, metric=metric, steps_before=went_on, began=began)
    weights = adapter_weights(built.trainer)
    if ranks.is_first:
        try:
            with whole_folder(plan.adapter) as scratch:
                save_adapter(scratch, built.trainer, weights, plan, material, measured, built.layout)
        except OSError as error:
            raise SaveError(f"{unwritten(plan.adapter, error)}; the checkpoints are whole") from error
    ranks.part()
    return Outcome(state="trained", message=early)


def _watched(plan: Plan, ranks: Ranks, trainer: _Trainer) -> Any:
    """Make a trial report each look to its search; return the callback that prunes it, or None outside a search."""
    if plan.trial is None:
        return None
    from pytest_llmeval.training.sft.pruning import GivingUp  # imports optuna, which only a search needs

    found = GivingUp(plan, ranks)
    trainer.add_callback(found)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Built:
    trainer: _Trainer
    clock: Clock
    layout: Layout


def _build(plan: Plan, material: Material, model: Any, ranks: Ranks, ending: EndOnSignal, liger: Liger) -> _Built:
    config, clock = plan.config, Clock()
    tokenizer, chat = material.tokenizer, material.chat
    task = TaskMetric(
        material.val[: config.check.rows],
        config.check.metric,
        chat,
        new_tokens=material.task.new_tokens,
        batch=material.answered_at_once,
        ranks=ranks,
        is_split=config.launch.engine == "fsdp",
    )
    trainer = _Trainer(
        model=model,
        args=sft_arguments(plan, material.fit, model.config),
        train_dataset=Dataset.from_list([row.columns() for row in material.train]),
        eval_dataset=Dataset.from_list([row.columns() for row in material.val]),
        processing_class=tokenizer,
        peft_config=_lora_config(config.lora),
        # TaskMetric first: Patience reads the metric that it adds.
        callbacks=[task, Patience(config.check.patience, metric=config.check.metric), Finite(), clock, ending],
    )
    if ranks.is_first:
        trainer.add_callback(Looks(plan.folder, config.check))
    task.log, trainer.launch = trainer.log, config.launch
    trainer.answer_tokens = fmean(len(row.completion) for row in material.val)
    # trl makes a QLoRA adapter bf16, while a resumed one is fp32: with fp32 from the start both are the same.
    # Weights that are split over processes must have one dtype.
    dtype = model.dtype if config.launch.engine == "fsdp" else torch.float32
    for parameter in trainer.model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.to(dtype)
    layout = _laid_out(plan, material, trainer.model, ranks, liger)
    if config.optim.average:
        trainer.average = Average({name: each for name, each in trainer.model.named_parameters() if each.requires_grad})
        trainer.add_callback(Averaging(trainer.average))
    return _Built(trainer=trainer, clock=clock, layout=layout)


def _lora_config(lora: LoraModel) -> LoraConfig:
    return LoraConfig(
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        bias="none",
        task_type="CAUSAL_LM",
        target_modules=list(lora.targets),
    )


def _laid_out(plan: Plan, material: Material, model: Any, ranks: Ranks, liger: Liger) -> Layout:
    """Fuse the layers that can be fused, and return how steps are computed."""
    launch, fit = plan.config.launch, material.fit
    is_fusible = plan.config.kernels and launch.engine == "ddp"  # others split the weights that fused layers hold
    return Layout(
        micro_batch=fit.micro_batch,
        accumulation=fit.accumulation,
        processes=ranks.count,
        checkpointing=fit.checkpointing,
        fused_layers=fuse_adapters(model) if is_fusible else 0,
        adapted_layers=sum(isinstance(module, LoraLayer) for module in model.modules()),
        liger=liger.is_used,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
