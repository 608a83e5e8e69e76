"""The arguments of trl's trainer, from a configuration and the estimate of memory."""

from typing import Any

from trl import SFTConfig

from pytest_llmeval.training.memory import Fit
from pytest_llmeval.training.plan import Plan
from pytest_llmeval.training.sft.watching import CHOSEN_BY
from pytest_llmeval.training.sft.weights import sums_in_bf16

__all__ = ["draws", "sft_arguments"]


def sft_arguments(plan: Plan, fit: Fit, base: Any) -> SFTConfig:
    """Return the arguments of trl's trainer.

    Args:
        plan: what is trained.
        fit: how it fits into memory.
        base: the config of the base model.
    """
    config, optim, check = plan.config, plan.config.optim, plan.config.check
    is_cuda = config.device == "cuda"
    has_bf16 = sums_in_bf16(config.device)
    # Renamed in transformers 5.23; the old name warns there, from trl's own default too.
    known = "activation_checkpointing" in SFTConfig.__dataclass_fields__
    name = "activation_checkpointing" if known else "gradient_checkpointing"
    again = {"use_reentrant": False, "preserve_rng_state": bool(config.lora.dropout) or draws(base)}
    checkpointing = {name: fit.checkpointing, f"{name}_kwargs": again if fit.checkpointing else None}
    return SFTConfig(
        output_dir=str(plan.folder),
        seed=config.seed,
        data_seed=config.seed,
        per_device_train_batch_size=fit.micro_batch,
        gradient_accumulation_steps=fit.accumulation,
        per_device_eval_batch_size=fit.micro_batch,
        num_train_epochs=optim.train_epochs,
        max_steps=optim.max_steps or -1,
        learning_rate=optim.learning_rate,
        lr_scheduler_type="constant_with_warmup" if optim.schedule == "constant" else optim.schedule,
        warmup_steps=optim.warmup,  # a value below 1 is a share of all steps
        weight_decay=optim.weight_decay,
        max_grad_norm=optim.max_grad_norm,
        # The other engines can neither split nor gather the optimizer states of bitsandbytes.
        optim="paged_adamw_8bit" if config.launch.engine == "ddp" else "adamw_torch",
        ddp_find_unused_parameters=False,
        bf16=has_bf16,
        fp16=is_cuda and not has_bf16,
        use_cpu=not is_cuda,
        max_length=None,  # rows that are too long were refused or left out
        packing=False,
        completion_only_loss=True,
        eval_strategy="steps",
        eval_steps=check.every,
        save_strategy="steps",
        save_steps=check.every,
        save_total_limit=None,  # ``settle`` removes earlier ones once the new one is on the disk
        load_best_model_at_end=True,
        metric_for_best_model=CHOSEN_BY,
        greater_is_better=True,
        restore_callback_states_from_checkpoint=True,
        logging_steps=1,
        logging_nan_inf_filter=False,  # it would replace a loss that is not finite by one that is
        report_to="none",
        disable_tqdm=True,
        dataloader_num_workers=0,
        dataloader_pin_memory=is_cuda,
        **checkpointing,
    )


def draws(base: Any) -> bool:
    """Whether a base draws random numbers during training, by the settings in its config.

    If it draws none, activations can be recomputed without saving and restoring the generators' state, which takes
    time.
    """
    return any(value for name, value in base.to_dict().items() if "drop" in name or "jitter" in name)
