"""Stand-ins for the trainer and the proof of a training, as its session sees them, and what they leave."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import Any

from pytest_llmeval.models.hf.sources import find_source, source_digest
from pytest_llmeval.store.sqlite import SqliteStore
from pytest_llmeval.store.trainings import Training
from pytest_llmeval.training.base_spec import weights_of
from pytest_llmeval.training.plan import Outcome, Plan, State, write_json
from pytest_llmeval.training.proof import Gain, Measurement
from pytest_llmeval.training.rows import read_splits
from pytest_llmeval.training.supervise import Job
from pytest_llmeval.training.task import load_task

GAIN = Gain(
    split="val",
    base_run="b",
    adapter_run="a",
    metric="exact",
    n=12,
    before=0.0,
    after=0.9,
    delta=0.9,
    low=0.7,
    high=1.0,
    margin=0.1,
    verdict="pass",
    reason="the loss may be up to -0.7",
)

OTHER: Mapping[str, Any] = {
    "metric": "pass_rate",
    "n": 12,
    "baseline_value": 0.5,
    "value": 0.75,
    "delta": 0.25,
    "low": 0.1,
    "high": 0.4,
    "p_value": 1.0,
    "verdict": "pass",
    "reason": None,
}
"""What a gain tells of a further score."""

RECORD = {
    "name": "tiny",
    "steps": 8,
    "best_step": 4,
    "best": {"loss": 1.5, "exact": 0.5},
    "tokens_per_s": 1234.5,
    "peak_memory_bytes": 3 << 30,
    "seed": 0,
    "device": "x86_64",
    "base": {"spec": "base", "revision": None},
    "data": {"train": {"file": "data/train.jsonl", "rows": 24, "too_long": []}, "val": {"file": "data/val.jsonl"}},
}


class Trainer:
    """Ends in the states that it is given, one after the other."""

    def __init__(self, *states: State, rows: int = 4, checkpointing: bool = True) -> None:
        self.states = list(states)
        self.fit = {"micro_batch": rows, "checkpointing": checkpointing, "estimate": ["  total  9.00 GiB"]}
        self.plans: list[Plan] = []

    def __call__(self, plan: Plan, environ: Mapping[str, str]) -> Outcome:
        self.plans.append(plan)
        write_json(plan.folder / "identity.json", {})
        told = {} if plan.most_rows is None else {"estimate": [f"  total  {plan.most_rows}.00 GiB"]}
        write_json(plan.folder / "fit.json", {**self.fit, **told})
        state = self.states.pop(0)
        if state == "trained":
            plan.adapter.mkdir()
            write_json(plan.adapter / "adapter_config.json", {"base_model_name_or_path": str(plan.rootdir / "base")})
            write_json(plan.adapter / "run.json", {**RECORD, "config": plan.config.model_dump(mode="json")})
            (plan.adapter / "train_log.jsonl").write_text('{"step": 1, "loss": 2.0}\n', "utf-8")
        return Outcome(state=state, message=f"it {state}" if state != "trained" else "")


def digests_of(plan: Plan) -> dict[str, str]:
    """Return what the trainer holds a training to, as far as it takes no torch."""
    config = plan.config
    prompt = load_task(config.eval, plan.rootdir).prompt
    train, val, *_ = read_splits(config.data, config.proof, rootdir=plan.rootdir, prompt=prompt, seed=config.seed)
    base = weights_of(config, str(plan.rootdir / "base"))
    found = {"config": config.digest, "prompt": prompt.digest, **train.digests, "val": val.digest}
    return {**found, "base": source_digest(base, find_source(base, {}))}


def run_json(plan: Plan) -> dict[str, Any]:
    """Return what an adapter says of its training."""
    found: dict[str, Any] = json.loads((plan.adapter / "run.json").read_text("utf-8"))
    return found


def stored(job: Job) -> Training:
    with closing(SqliteStore(job.db)) as store:
        return store.trainings()[0]


Proved = Callable[..., Sequence[Measurement]]
