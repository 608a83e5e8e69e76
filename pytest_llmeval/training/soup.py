"""A soup: several trainings of one configuration with different seeds, and the mean of their adapters.

It is a uniform soup (Wortsman et al. 2022, https://arxiv.org/abs/2203.05482). N adapters of rank r each add a product
BA to a matrix, and the mean of these is one product again: all A stacked below each other, all B side by side. Its rank
is N r, and its scale, alpha / (N r), turns the sum into the mean, so that no weight is rounded.
"""

import json
import shutil
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pytest_llmeval.core.errors import LlmevalError
from pytest_llmeval.store.whole_file import whole_folder
from pytest_llmeval.training.plan import Plan, write_json
from pytest_llmeval.training.process import Train, carried_out, require_trained
from pytest_llmeval.training.starting import beginning

__all__ = ["FOLDER", "members", "train_soup"]

FOLDER = "members"
_WEIGHTS = "adapter_model.safetensors"


def train_soup(plan: Plan, train: Train, *, environ: Mapping[str, str], report: Callable[[str], None]) -> None:
    """Run the trainings that are still missing, and make the mean of all the adapter of ``plan``.

    Args:
        plan: of the soup.
        train: carries out the plan of one training.
        environ: of the processes.
        report: shows one line to the user.

    Raises:
        SettingsError: something the user wrote is wrong.
        TrainingFailedError: a training failed; those before it are kept.
    """
    plan.hold_to({"config": plan.config.digest})
    found = members(plan)
    for number, member in enumerate(found, start=1):
        member.folder.mkdir(parents=True, exist_ok=True)
        if not member.adapter.is_dir():
            place = member.folder.relative_to(plan.folder)
            report(f"{plan.name}: training {number} of {len(found)} in {place}: seed {member.config.seed}")
            if member.is_resumed:
                report(f"{plan.name}: training {number} {beginning(member)}")
            if found[0].identity.exists():
                member.hold_beside(found[0].identity, apart=("variants",))  # which depend on the seed
            require_trained(carried_out(member, train, environ=environ, report=report), name=plan.name)
        for checkpoint in member.folder.glob("checkpoint-*"):
            shutil.rmtree(checkpoint)
    with whole_folder(plan.adapter) as scratch:
        _write_mean(scratch, plan, found)


def members(plan: Plan) -> list[Plan]:
    """Return the plan of each training of a soup."""
    folders = [plan.folder / FOLDER / str(number) for number in range(plan.config.optim.soup)]
    return [
        replace(
            plan,
            config=plan.config.member(number),
            folder=folder,
            is_resumed=(folder / "fit.json").exists(),
        )
        for number, folder in enumerate(folders)
    ]


def _write_mean(scratch: Path, plan: Plan, found: Sequence[Plan]) -> None:
    config = json.loads((found[0].adapter / "adapter_config.json").read_text("utf-8"))
    write_json(scratch / "adapter_config.json", {**config, "r": config["r"] * len(found)})
    _save(scratch / _WEIGHTS, _mean([_read(member.adapter / _WEIGHTS) for member in found]))
    with open(scratch / "train_log.jsonl", "w", encoding="utf-8") as file:
        for member in found:
            for line in (member.adapter / "train_log.jsonl").read_text("utf-8").splitlines():
                file.write(json.dumps({**json.loads(line), "seed": member.config.seed}, sort_keys=True) + "\n")
    write_json(scratch / "run.json", _record(plan, [member.run_json() for member in found]))


def _record(plan: Plan, records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the content of run.json; of what differs between the trainings, the sum, the maximum or each value."""
    seconds, wall, tokens = (
        sum(record.get(name, 0) for record in records) for name in ("step_seconds", "wall_seconds", "tokens")
    )
    each = ("seed", "best_step", "best", "steps", "resumed_from", "digests", "step_seconds", "tokens_per_s")
    return {
        **records[0],
        "config": plan.config.model_dump(mode="json"),
        "digests": {**records[0]["digests"], "config": plan.config.digest},
        "steps": sum(record["steps"] for record in records),
        "best_step": None,
        "best": {},
        "tokens": tokens,
        "step_seconds": seconds,
        "wall_seconds": wall,
        "tokens_per_s": round(tokens / seconds, 1) if seconds else None,
        "peak_memory_bytes": max(record["peak_memory_bytes"] for record in records),
        "members": [{name: record[name] for name in each} for record in records],
    }


@dataclass(frozen=True, slots=True)
class _Matrix:
    dtype: str
    rows: int
    columns: int
    data: bytes
    """The numbers, in row-major order."""

    @property
    def width(self) -> int:
        """Number of bytes in a row."""
        return len(self.data) // self.rows


def _mean(parts: Sequence[Mapping[str, _Matrix]]) -> dict[str, _Matrix]:
    return {name: _joined(name, [part[name] for part in parts]) for name in parts[0]}


def _joined(name: str, found: Sequence[_Matrix]) -> _Matrix:
    """Return the A of all adapters for one matrix stacked below each other, or their B side by side."""
    first = found[0]
    if ".lora_A." in name:
        return replace(first, rows=sum(each.rows for each in found), data=b"".join(each.data for each in found))
    if ".lora_B." not in name:
        raise LlmevalError(f"{name}: neither of a LoRA's two matrices, so there is no mean of it")
    lines = [[each.data[row * each.width : (row + 1) * each.width] for row in range(each.rows)] for each in found]
    data = b"".join(line for row in zip(*lines, strict=True) for line in row)
    return replace(first, columns=sum(each.columns for each in found), data=data)


def _read(path: Path) -> dict[str, _Matrix]:
    """Return the matrices of a safetensors file; its format is https://github.com/huggingface/safetensors#format."""
    content = path.read_bytes()
    start = 8 + struct.unpack("<Q", content[:8])[0]
    found = {}
    for name, told in json.loads(content[8:start]).items():
        if name != "__metadata__":
            (rows, columns), (begin, end) = told["shape"], told["data_offsets"]
            found[name] = _Matrix(told["dtype"], rows, columns, content[start + begin : start + end])
    return found


def _save(path: Path, matrices: Mapping[str, _Matrix]) -> None:
    fields: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, each in matrices.items():
        begin, end = end, end + len(each.data)
        fields[name] = {"dtype": each.dtype, "shape": [each.rows, each.columns], "data_offsets": [begin, end]}
    header = json.dumps(fields).encode()
    header += b" " * (-len(header) % 8)
    path.write_bytes(struct.pack("<Q", len(header)) + header + b"".join(each.data for each in matrices.values()))
