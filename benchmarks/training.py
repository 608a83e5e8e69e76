"""What trainings of one configuration reach, over seeds and over the ways in which the base is held.

    python benchmarks/training.py finetune/configs/smollm2-135m-json-cpu.yaml --seeds 3 --held 4bit bfloat16

Each training runs in a process of its own, as in ``pytest -m train``; then base and adapter answer rows of ``test``,
greedily, in this process. It prints Markdown, and the adapters stay where ``--keep`` says.
"""

import argparse
import asyncio
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pytest_llmeval.core.types import Request
from pytest_llmeval.models.hf.host import HfModels
from pytest_llmeval.models.named import resolve_model
from pytest_llmeval.models.registry import Hosts, open_model
from pytest_llmeval.scorers.json_scorers import json_match, json_valid
from pytest_llmeval.training.base_spec import weights_of
from pytest_llmeval.training.config import TrainingConfig, WeightStorage
from pytest_llmeval.training.config_file import load_config
from pytest_llmeval.training.machine import look_at
from pytest_llmeval.training.plan import Outcome, Plan
from pytest_llmeval.training.rows import TrainingRow, read_rows
from pytest_llmeval.training.task import load_task

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """Means over the rows, in [0, 1]."""

    valid: float
    match: float
    exact: float

    def __str__(self) -> str:
        return f"{self.valid:.1%} | {self.match:.1%} | {self.exact:.1%}"


def main() -> None:
    """Train, answer, print a line for each training."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--held", nargs="+", default=["4bit"], choices=get_args(WeightStorage))
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="of optim: max_steps=96")
    parser.add_argument("--rows", type=int, help="so many test rows, after the configuration's slice; all without")
    parser.add_argument("--keep", type=Path, default=Path(tempfile.mkdtemp(prefix="llmeval-training-")))
    options = parser.parse_args()
    told = load_config(options.config, shown_as=str(options.config)).model_dump(mode="json")
    told["optim"].update({key: json.loads(value) for key, value in (each.split("=") for each in options.set)})
    rows = _rows(TrainingConfig.model_validate(told), options.rows)
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; {len(rows)} test rows\n")
    print("| held in | seed | steps | training, s | tokens/s | JSON valid | fields right | all fields right |")
    print("|---|---|---|---|---|---|---|---|")
    for held in options.held:
        found = []
        for seed in range(options.seeds):
            config = TrainingConfig.model_validate({**told, **_written(held), "seed": seed})
            plan = _trained(config, options.keep / f"{held}-{seed}")
            record = _record(plan)
            if not seed:
                print(f"| {held} | base | | | | {_reached(config, record['path'], None, rows)} |", flush=True)
            found.append(_reached(config, record["path"], plan.adapter, rows))
            speed = f"{record['steps']} | {record['step_seconds']:.0f} | {record['tokens_per_s']:.0f}"
            print(f"| {held} | {seed} | {speed} | {found[-1]} |", flush=True)
        means = [statistics.fmean(getattr(each, name) for each in found) for name in ("valid", "match", "exact")]
        print(f"| {held} | mean | | | | {' | '.join(f'{mean:.1%}' for mean in means)} |", flush=True)


def _written(held: str) -> dict[str, str | None]:
    """Return the keys of a configuration that say how its base is held."""
    return {"load": held, "dtype": None} if held == "4bit" else {"load": None, "dtype": held}


def _rows(config: TrainingConfig, limit: int | None) -> Sequence[TrainingRow]:
    data = config.data
    task = load_task(config.eval, ROOT)
    found = read_rows(data.test, rootdir=ROOT, prompt=task.prompt, completion=data.completion, slice_=data.slice)
    return found.rows[:limit]


def _trained(config: TrainingConfig, folder: Path) -> Plan:
    folder.mkdir(parents=True)
    machine = look_at(os.environ, config)
    free = machine.gpu_total if config.device == "cuda" else machine.ram_free
    plan = Plan(name=folder.name, id=folder.name, config=config, rootdir=ROOT, folder=folder, free=int(0.9 * free))
    command = [sys.executable, "-m", "pytest_llmeval.training.sft.trainer", str(plan.write())]
    alone = {**os.environ, "CUDA_VISIBLE_DEVICES": os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]}
    with open(folder / "output.txt", "wb") as output:
        subprocess.run(command, cwd=ROOT, stdout=output, stderr=output, env=alone, check=True)
    outcome = Outcome.read(folder)
    if outcome is None or outcome.state != "trained":
        raise SystemExit(f"{outcome}; see {folder / 'output.txt'}")
    return plan


def _record(plan: Plan) -> dict[str, Any]:
    record = json.loads((plan.adapter / "run.json").read_text("utf-8"))
    base = json.loads((plan.adapter / "adapter_config.json").read_text("utf-8"))["base_model_name_or_path"]
    return {**record, "path": base}


def _reached(config: TrainingConfig, base: str, adapter: Path | None, rows: Sequence[TrainingRow]) -> Reached:
    """Return what base or adapter answer, held as they were while training."""
    weights = weights_of(config, base, str(adapter) if adapter else None)
    models, model = HfModels(os.environ), resolve_model(f"hf:{weights}", {})
    models.load(weights, lambda line: None)
    backend = open_model(model, environ={}, hosts=Hosts(hf=models))
    params = {"temperature": 0, "max_tokens": load_task(config.eval, ROOT).new_tokens}

    async def ask() -> list[str]:
        asked = [backend.complete(Request(messages=row.messages, params=params)) for row in rows]
        return [response.text for response in await asyncio.gather(*asked)]

    try:
        texts = asyncio.run(ask())
    finally:
        models.close()
    matches = [json_match(text, row.target) for text, row in zip(texts, rows, strict=True)]
    return Reached(
        valid=statistics.fmean(float(json_valid(text).value or 0) for text in texts),
        match=statistics.fmean(float(match.value or 0) for match in matches),
        exact=statistics.fmean(float(match.companions["exact"]) for match in matches),
    )


if __name__ == "__main__":
    main()
