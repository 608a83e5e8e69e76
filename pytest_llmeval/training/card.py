"""The model card of an adapter, written from its record and its proof."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from shlex import quote
from typing import Any

from pytest_llmeval.training.base_spec import weights_of
from pytest_llmeval.training.config import TrainingConfig
from pytest_llmeval.training.proof import Gain, formatter

__all__ = ["card", "shown_values"]


def card(record: Mapping[str, Any], gains: Sequence[Gain]) -> str:
    """Return the model card as Markdown.

    Args:
        record: the content of run.json.
        gains: one for each held-out split.
    """
    config, data = record["config"], record["data"]
    lora, optim = config["lora"], config["optim"]
    lines = [
        "---",
        "library_name: peft",
        "tags: [lora, pytest-llmeval]",
        "---",
        f"# {record['name']}",
        "",
        f"A LoRA adapter for `{config['base']}`, trained for the eval `{config['eval']}`.",
        "",
        "## What it gains over its base",
        "",
        "| rows | score | base | adapter | gain, 90 % interval | margin | verdict |",
        "|---|---|---|---|---|---|---|",
        *(row for gain in gains for row in (_row(gain), *(_row_of_other(gain, other) for other in gain.others))),
        "",
        "Both answered the same held-out rows by the same prompt; the gain is paired by row and passes where its lower"
        " 95 % bound, the lower end of the interval or less, lies above the margin:",
        "",
        *(f"- {gain.split}: {gain.reason.partition(';')[0]}" for gain in gains),
        "",
        "## How it was trained",
        "",
        f"- Weights of the base: {config['dtype'] or config['load']}{_of_base(record['base'])}; adapter of rank"
        f" {lora['r'] * optim.get('soup', 1)}, alpha {lora['alpha']}{_dropout(lora)}, on {', '.join(lora['targets'])}.",
        f"- {record['steps']} steps of {optim['batch']} rows, drawn from the {data['train']['rows']} of"
        f" `{data['train']['file']}`{_variants(data['train'])}, rate {optim['learning_rate']:g},"
        f" {optim['schedule']}; seed {record['seed']}.",
        *_kept(record),
        *_search(record.get("search")),
        f"- {_number(record['tokens_per_s'])} tokens/s on {record['device']}, at most"
        f" {record['peak_memory_bytes'] / 2**30:.2f} GiB.",
        f"- Rows left out because they are too long: {len(data['train'].get('too_long', ()))}"
        f"{_long_variants(data['train'])}.",
        "",
        "`run.json` has every setting, digest and version, `train_log.jsonl` the curves.",
        "",
        "## Use",
        "",
        f"    pytest {quote(config['eval'])} --model '{_spec(config)}'",
        "",
        "ADAPTER is the folder of this card. The chat template is rendered with the date that `run.json` names; another"
        " prompt than the eval's is another task.",
        "",
    ]
    return "\n".join(lines)


def shown_values(values: Mapping[str, Any]) -> str:
    """Return the values of a trial by key, on one line."""
    shown = ((key, f"{value:.4g}" if isinstance(value, float) else value) for key, value in values.items())
    return ", ".join(f"{key} {value}" for key, value in shown)


def _spec(config: Mapping[str, Any]) -> str:
    """Return the model spec of base and adapter together, with the base stored as it was during training."""
    if config["base"].startswith("local:"):
        return f"{config['base']}+ADAPTER"
    return f"hf:{replace(weights_of(TrainingConfig.model_validate(config), config['base'], 'ADAPTER'), device=None)}"


def _row(gain: Gain) -> str:
    shown = formatter(gain.metric, gain.before, gain.after)
    found = f"{shown(gain.low)} to {shown(gain.high)}" if gain.low is not None else gain.no_interval
    change = f"{shown(gain.delta)} ({found})"
    cells = [f"{gain.split}, {gain.n}", gain.metric, shown(gain.before), shown(gain.after), change]
    return f"| {' | '.join([*cells, shown(gain.margin), gain.verdict])} |"


def _row_of_other(gain: Gain, other: Mapping[str, Any]) -> str:
    """Return the table row of a further score, which must only not be worse."""
    shown = formatter(other["metric"], other["baseline_value"], other["value"])
    found = "no interval" if other["low"] is None else f"{shown(other['low'])} to {shown(other['high'])}"
    ends = [shown(other[name]) for name in ("baseline_value", "value")]
    cells = [f"{gain.split}, {other['n']}", other["metric"], *ends, f"{shown(other['delta'])} ({found})"]
    return f"| {' | '.join([*cells, 'not worse', other['verdict']])} |"


def _kept(record: Mapping[str, Any]) -> list[str]:
    """Return a line on the checkpoint that is kept, or on the checkpoints that the adapter is the mean of."""
    metric, file = record["config"]["check"]["metric"], record["data"]["val"]["file"]
    best = f"the best by {metric} on `{file}`"
    mean = ", with the mean over the steps," if record["config"]["optim"].get("average") else ""
    if "members" not in record:
        return [f"- The checkpoint of step {record['best_step']}{mean} is kept, {best}: {_results(record['best'])}."]
    each = [f"seed {one['seed']}, step {one['best_step']}: {_results(one['best'])}" for one in record["members"]]
    return [f"- The mean of {len(each)} trainings, of each the checkpoint{mean} that is {best}: {'; '.join(each)}."]


def _of_base(base: Mapping[str, Any]) -> str:
    """Return what the name of the weights' type omits: a second rounding to 4 bits, or the commit of the hub."""
    if base["spec"].startswith("local:"):
        return ", of the numbers that a GGUF file of 4-bit ones stands for"
    return f", of commit `{base['revision']}`" if base["revision"] else ""


def _dropout(lora: Mapping[str, Any]) -> str:
    return f", dropout {lora['dropout']:g}" if lora.get("dropout") else ""


def _long_variants(train: Mapping[str, Any]) -> str:
    count = len(train.get("long_variants", ()))
    return f"; variants: {count}" if count else ""


def _variants(train: Mapping[str, Any]) -> str:
    count = train.get("variants", 0)
    return f" ({count} of them variants of others, with other values in another arrangement)" if count else ""


def _search(found: Mapping[str, Any] | None) -> list[str]:
    if found is None:
        return []
    values = next(each["values"] for each in found["trials"] if each["trial"] == found["best"])
    return [f"- The best of {len(found['trials'])} trials: {shown_values(values)}."]


def _number(value: float | None) -> str:
    return "?" if value is None else f"{value:,.0f}"


def _results(best: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in sorted(best.items()))
