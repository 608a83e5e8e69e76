"""An adapter that is trained and not yet proved: what it was made by, and whether that is what would make it now."""

import json
import os
from dataclasses import replace
from typing import Any

from pytest_llmeval.models.hf.sources import Source, find_source, source_digest
from pytest_llmeval.models.weights_spec import WeightsSpec
from pytest_llmeval.training.base_spec import weights_of
from pytest_llmeval.training.plan import Plan
from pytest_llmeval.training.rows import read_splits
from pytest_llmeval.training.soup import members
from pytest_llmeval.training.task import load_task

__all__ = ["base_of", "require_same", "run_json"]


def require_same(plan: Plan) -> None:
    """Raise SettingsError where an adapter was trained with another configuration, prompt, base or row than now."""
    config = plan.config
    if config.search is not None:
        plan.hold_to({"config": config.digest})
        now = {name: value for name, value in _identity(plan).items() if name != "config"}  # each trial has its own
        for identity in plan.folder.glob("trials/*/identity.json"):
            replace(plan, folder=identity.parent).hold_to(now)
    elif config.optim.soup > 1:
        plan.hold_to({"config": config.digest})
        for member in members(plan):
            require_same(member)
    else:
        plan.hold_to(_identity(plan))


def _identity(plan: Plan) -> dict[str, str]:
    """Return the sha256 in hex of what would decide the adapter of ``plan`` now, as far as it needs no torch."""
    config = plan.config
    prompt = load_task(config.eval, plan.rootdir).prompt
    train, val, *_ = read_splits(config.data, config.proof, rootdir=plan.rootdir, prompt=prompt, seed=config.seed)
    weights = weights_of(config, base_of(plan))
    return {
        "config": config.digest,
        "prompt": prompt.digest,
        **train.digests,
        "val": val.digest,
        "base": source_digest(weights, _source_of(plan, weights)),
    }


def _source_of(plan: Plan, weights: WeightsSpec) -> Source:
    """Return the base of the adapter as the trainer found it: one of the hub is its commit, wherever its files lie."""
    source, found = find_source(weights, os.environ), run_json(plan)["base"]
    return source if found["revision"] is None else replace(source, hub_id=found["spec"].partition("@")[0])


def base_of(plan: Plan) -> str:
    """Return the folder of the adapter's base; of one of the hub that of its commit in the hub's cache."""
    return str(json.loads((plan.adapter / "adapter_config.json").read_text("utf-8"))["base_model_name_or_path"])


def run_json(plan: Plan) -> dict[str, Any]:
    """Return what is recorded beside the adapter."""
    return dict(json.loads((plan.adapter / "run.json").read_text("utf-8")))
