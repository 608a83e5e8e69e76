"""Checks that a resumed or unproved training has the same configuration, rows, prompt and base as now."""

import json
import os
from dataclasses import replace

from pytest_llmeval.models.hf.sources import Source, find_source, source_digest
from pytest_llmeval.models.weights_spec import WeightsSpec
from pytest_llmeval.training.base_spec import weights_of
from pytest_llmeval.training.plan import Plan
from pytest_llmeval.training.rows import read_splits
from pytest_llmeval.training.soup import members
from pytest_llmeval.training.task import load_task

__all__ = ["base_of", "require_same"]


def require_same(plan: Plan) -> None:
    """Raise SettingsError if a training was begun with another configuration, prompt or rows than now.

    The base is compared only if the training has an adapter; otherwise the training process compares it.
    """
    config = plan.config
    if config.search is not None:
        plan.hold_to({"config": config.digest})
        now = {name: value for name, value in _identity(plan).items() if name != "config"}  # each trial has its own
        for identity in plan.folder.glob("trials/*/identity.json"):
            replace(plan, folder=identity.parent).hold_to(now)
    elif config.optim.soup > 1:
        plan.hold_to({"config": config.digest})
        for member in members(plan):
            if member.identity.exists():
                require_same(member)
    else:
        plan.hold_to(_identity(plan))


def _identity(plan: Plan) -> dict[str, str]:
    """Return the sha256 in hex of what would decide the adapter now, as far as it can be read without torch."""
    config, is_trained = plan.config, plan.adapter.is_dir()
    data = config.data if is_trained else config.data.model_copy(update={"variants": 0})  # making them takes long
    prompt = load_task(config.eval, plan.rootdir).prompt
    train, val, *_ = read_splits(data, config.proof, rootdir=plan.rootdir, prompt=prompt, seed=config.seed)
    found = {"config": config.digest, "prompt": prompt.digest, **train.digests, "val": val.digest}
    if not is_trained:
        return found
    weights = weights_of(config, base_of(plan))
    return {**found, "base": source_digest(weights, _source_of(plan, weights))}


def _source_of(plan: Plan, weights: WeightsSpec) -> Source:
    """Return the adapter's base as the trainer found it: one of the hub is its commit, wherever its files are."""
    source, found = find_source(weights, os.environ), plan.run_json()["base"]
    return source if found["revision"] is None else replace(source, hub_id=found["spec"].partition("@")[0])


def base_of(plan: Plan) -> str:
    """Return the folder of the adapter's base; of a base from the hub, that of its commit in the hub's cache."""
    return str(json.loads((plan.adapter / "adapter_config.json").read_text("utf-8"))["base_model_name_or_path"])
