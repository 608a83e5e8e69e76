"""Tokens per second and memory of a QLoRA training: this package's entrypoint beside plain TRL, over the same rows.

    python benchmarks/training_shapes.py              # the shape of Llama 3.2 3B with random weights, on one GPU
    python benchmarks/training_shapes.py --base smollm2-135m --device cpu --shapes 8x320     # without one

``--keep`` keeps the base for the next call; ``--tokenizer`` names a folder with one where none can be fetched.

Each training runs in a process of its own: plain TRL first (NF4, checkpointing, its defaults), then the entrypoint
with no more memory than that took, then with all that is free; where it is to be no more, a peak more than 1 % above
plain TRL's is marked. Rows have exactly the tokens of their shape, a quarter of them an answer. Steps are timed from
one's beginning to the next one's; the median leaves the first four out. It prints Markdown.
"""

import argparse
import json
import os
import platform
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig, LlamaConfig, LlamaForCausalLM
from trl import SFTConfig, SFTTrainer

from pytest_llmeval.models.local.weights import default_cache_dir
from pytest_llmeval.training.config import TrainingConfig
from pytest_llmeval.training.machine import look_at
from pytest_llmeval.training.plan import Outcome, Plan, write_json
from pytest_llmeval.training.sft import trainer as entrypoint
from pytest_llmeval.training.sft.embedded import embedded_folder
from pytest_llmeval.training.sft.material import gather
from pytest_llmeval.training.sft.order import ByLength
from pytest_llmeval.training.sft.watching import Clock

WAYS = ("plain TRL", "no more memory", "all memory")
TARGETS = {"16x512": (1.25, 1.4), "8x1024": (1.05, 1.4), "8x2048": (1.25, 1.4)}
"""Least speed over plain TRL's, within its memory and with all there is."""
BASES: dict[str, dict[str, int]] = {
    "llama-3.2-3b": {
        "hidden_size": 3072,
        "intermediate_size": 8192,
        "num_hidden_layers": 28,
        "num_attention_heads": 24,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "vocab_size": 128256,
    },
    "smollm2-135m": {
        "hidden_size": 576,
        "intermediate_size": 1536,
        "num_hidden_layers": 30,
        "num_attention_heads": 9,
        "num_key_value_heads": 3,
        "head_dim": 64,
        "vocab_size": 49152,
    },
}
WORDS = ("red", "green", "blue", "black", "white", "time", "people", "world", "water", "house", "day", "light")
"""One token each, with the blank before."""
WARM_UP = 4
CONTEXT_BYTES = {"cuda": 500_000_000, "cpu": 900_000_000}
"""What the estimate of a training counts beside tensors."""
LAID_OUT_FOR = 1.03
"""Of plain TRL's peak: estimates are a few per cent off both ways, and what counts is the peak that comes of it."""
EVAL = """
import pytest

@pytest.mark.llmeval("data/val.jsonl", prompt="{input}", params={"temperature": 0, "max_tokens": 4})
async def test_speed(sample, model, score):
    score.exact(await model.generate(), sample.target)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One training."""

    how: str
    tokens_per_s: float
    peak_gib: float
    losses: Sequence[float]


class Ticks(Clock):
    """The clock of a training that knows when each step began."""

    def __init__(self) -> None:
        super().__init__()
        self.began: list[float] = []

    def on_step_begin(self, *args: Any, **kwargs: Any) -> None:
        """Note it."""
        super().on_step_begin(*args, **kwargs)
        self.began.append(time.perf_counter())


def main() -> None:
    """Train in every way and shape, print a line for each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--shapes", nargs="+", default=list(TARGETS), metavar="ROWSxTOKENS")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--base", choices=list(BASES), default="llama-3.2-3b")
    parser.add_argument("--keep", type=Path, help="where everything lies; a temporary folder without")
    parser.add_argument("--tokenizer", type=Path, help="the embedded model's without")
    parser.add_argument("--child", nargs=2, metavar=("WAY", "PLAN"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        way, plan = options.child
        return _train(way, Plan.read(Path(plan)))
    keep = options.keep or Path(tempfile.mkdtemp(prefix="llmeval-shapes-"))
    base = _base(keep / f"base-{options.base}", options.base, options.tokenizer)
    device = (
        torch.cuda.get_device_name() if options.device == "cuda" else f"{platform.machine()}, {os.cpu_count()} cores"
    )
    print(f"{device}; torch {torch.__version__}, {options.steps} steps\n")
    print("| rows x tokens | way | rows at once | tokens/s | over TRL's | at least | peak GiB | loss apart, at most |")
    print("|---|---|---|---|---|---|---|---|")
    for shape in options.shapes:
        root = keep / shape
        shutil.rmtree(root, ignore_errors=True)
        config = _project(root, base, *map(int, shape.split("x")), device=options.device, steps=options.steps)
        plain: Seen | None = None
        for way, target in zip(WAYS, (None, *TARGETS.get(shape, (None, None))), strict=True):
            seen = _measured(way, root, config, plain)
            plain = plain or seen
            apart = max(abs(one / other - 1) for one, other in zip(seen.losses, plain.losses, strict=True))
            over = seen.tokens_per_s / plain.tokens_per_s
            is_above = way == WAYS[1] and seen.peak_gib > 1.01 * plain.peak_gib
            print(
                f"| {shape} | {way} | {seen.how} | {seen.tokens_per_s:,.0f} | {over:.2f}"
                f" | {target or ''} | {seen.peak_gib:.2f}{' (above)' if is_above else ''} | {apart:.1%} |",
                flush=True,
            )
    return None


def _base(folder: Path, name: str, tokenizer_folder: Path | None) -> Path:
    """Write random weights in the shape of a model, with the tokenizer of the embedded one or another."""
    if not (folder / "tokenizer_config.json").is_file():
        found = tokenizer_folder or embedded_folder(default_cache_dir(), print, environ=os.environ)
        tokenizer = AutoTokenizer.from_pretrained(found)
        torch.manual_seed(0)
        torch.set_default_dtype(torch.bfloat16)
        config = LlamaConfig(**BASES[name], tie_word_embeddings=True, eos_token_id=tokenizer.eos_token_id)
        LlamaForCausalLM(config).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return folder


def _project(root: Path, base: Path, rows: int, tokens: int, *, device: str, steps: int) -> TrainingConfig:
    """Write rows of exactly ``tokens`` tokens and an eval; return the configuration that trains on them."""
    (root / "data").mkdir(parents=True)
    (root / "test_speed.py").write_text(EVAL, "utf-8")
    tokenizer, drawn = AutoTokenizer.from_pretrained(base), random.Random(0)

    def row(number: int, asked: int, answered: int) -> dict[str, str]:
        text, target = (" ".join(drawn.choices(WORDS, k=count)) for count in (asked, answered))
        return {"id": f"row-{number}", "input": text, "target": target}

    answered = tokens // 4
    example = row(0, tokens, answered)
    said = [{"role": "user", "content": example["input"]}, {"role": "assistant", "content": example["target"]}]
    asked = 2 * tokens - len(tokenizer.apply_chat_template(said, tokenize=True, return_dict=False))
    for name, count in (("train", rows * steps), ("val", 1), ("test", 1)):
        lines = [json.dumps(row(number, asked, answered)) for number in range(count)]
        (root / "data" / f"{name}.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    data = {name: f"data/{name}.jsonl" for name in ("train", "val", "test")}
    return TrainingConfig.model_validate(
        {
            "version": 1,
            "eval": "test_speed.py::test_speed",
            "base": str(base),
            "device": device,
            "data": {**data, "completion": "text", "max_tokens": tokens},
            "optim": {"batch": rows, "max_steps": steps},
            "check": {"every": steps, "rows": 1, "metric": "exact"},
            "proof": {"metric": "exact", "margin": 0.0},
        }
    )


def _measured(way: str, root: Path, config: TrainingConfig, plain: Seen | None) -> Seen:
    """Return what a training in a process of its own did."""
    machine = look_at(os.environ, config)
    free = int(0.9 * (machine.gpu_total if config.device == "cuda" else machine.ram_free))
    if way == WAYS[1] and plain is not None:
        free = int(LAID_OUT_FOR * plain.peak_gib * 2**30) + CONTEXT_BYTES[config.device]
    folder = root / way.replace(" ", "-")
    folder.mkdir()
    plan = Plan(name="speed", id="speed", config=config, rootdir=root, folder=folder, free=free)
    command = [sys.executable, __file__, "--child", way, str(plan.write())]
    with open(folder / "output.txt", "wb") as output:
        alone = {**os.environ, "CUDA_VISIBLE_DEVICES": os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]}
        if subprocess.run(command, stdout=output, stderr=output, env=alone, check=False).returncode:
            raise SystemExit(f"{way} failed; see {folder / 'output.txt'}")
    seen = json.loads((folder / "seen.json").read_text("utf-8"))
    times = [later - earlier for earlier, later in zip(seen["began"], seen["began"][1:], strict=False)]
    step = statistics.median(times[WARM_UP:] or times)
    return Seen(
        how=seen["how"],
        tokens_per_s=seen["step_tokens"] / step,
        peak_gib=seen["peak"] / 2**30,
        losses=seen["losses"],
    )


def _train(way: str, plan: Plan) -> None:
    """Train in this process and write what was seen."""
    ticks = Ticks()
    seen = _plain(plan, ticks) if way == WAYS[0] else _ours(plan, ticks)
    write_json(plan.folder / "seen.json", {**seen, "began": ticks.began})


def _ours(plan: Plan, ticks: Ticks) -> dict[str, Any]:
    entrypoint.Clock = lambda: ticks  # type: ignore[attr-defined,assignment]  # the only way to its clock
    entrypoint.main([str(plan.folder / "plan.json")])
    outcome = Outcome.read(plan.folder)
    if outcome != Outcome(state="trained"):
        raise SystemExit(str(outcome))
    record = json.loads((plan.adapter / "run.json").read_text("utf-8"))
    log = [json.loads(line) for line in (plan.adapter / "train_log.jsonl").read_text("utf-8").splitlines()]
    kept = "checkpointing" if record["checkpointing"] else "all kept"
    fused = f"{record['fused_layers']} fused" + (", Liger" if record["liger"] else "")
    return {
        "how": f"{record['micro_batch']}, {kept}, {fused}",
        "peak": record["peak_memory_bytes"],
        "losses": [entry["loss"] for entry in log if "loss" in entry],
        "step_tokens": record["tokens"] / record["steps"],
    }


def _plain(plan: Plan, ticks: Ticks) -> dict[str, Any]:
    config, is_cuda = plan.config, plan.config.device == "cuda"
    material = gather(replace(plan, free=1 << 50))
    lengths = [row.length for row in material.train]
    order = ByLength(lengths, step=config.optim.batch, seed=config.seed, train_epoch=lambda: 0)
    optim, lora = config.optim, config.lora
    quantised = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
    trainer = SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(
            material.source.base,
            quantization_config=quantised,
            dtype=torch.bfloat16,
            device_map={"": 0 if is_cuda else "cpu"},
        ),
        args=SFTConfig(
            output_dir=str(plan.folder),
            per_device_train_batch_size=optim.batch,
            max_steps=optim.max_steps or -1,
            learning_rate=optim.learning_rate,
            lr_scheduler_type=optim.schedule,
            warmup_steps=optim.warmup,
            max_grad_norm=optim.max_grad_norm,
            optim="paged_adamw_8bit",
            bf16=True,
            use_cpu=not is_cuda,
            max_length=None,
            completion_only_loss=True,
            train_sampling_strategy="sequential",
            save_strategy="no",
            report_to="none",
            logging_steps=1,
            disable_tqdm=True,
            seed=config.seed,
        ),
        train_dataset=Dataset.from_list([material.train[index].columns() for index in order]),
        processing_class=material.tokenizer,
        peft_config=LoraConfig(
            r=lora.r, lora_alpha=lora.alpha, task_type="CAUSAL_LM", target_modules=list(lora.targets)
        ),
        callbacks=[ticks],
    )
    trainer.train()
    peak = torch.cuda.max_memory_allocated() if is_cuda else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {
        "how": f"{optim.batch}, checkpointing",
        "peak": peak,
        "losses": [entry["loss"] for entry in trainer.state.log_history if "loss" in entry],
        "step_tokens": statistics.fmean(lengths) * optim.batch,
    }


if __name__ == "__main__":
    main()
