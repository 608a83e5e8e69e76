"""Rows per second of an ``hf:`` model on this machine, one by one and in batches; and whether both say the same.

    OMP_NUM_THREADS=1 python benchmarks/hf_batches.py hf:PATH --rows 32

It prints Markdown. Prompts and limits are those of two evals of this repository; rounds of both ways alternate, so that
other work on the machine hits both.
"""

import argparse
import asyncio
import importlib.metadata
import os
import platform
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_llmeval.core.errors import DatasetError
from pytest_llmeval.core.protocols import Backend
from pytest_llmeval.core.types import Request, Response, Sample
from pytest_llmeval.loaders.datasets import open_dataset
from pytest_llmeval.loaders.prompts import load_prompt
from pytest_llmeval.models.hf.host import HfModels
from pytest_llmeval.models.named import resolve_model
from pytest_llmeval.models.registry import Hosts, open_model

ROOT = Path(__file__).parent.parent
EVALS = {
    "qa: worked examples before every question": ("data/qa/test.jsonl", "qa.v1.yaml", 24),
    "extraction: a short prompt, long answers": ("data/json_extraction/test.jsonl", "json_extraction.short.yaml", 64),
}
"""Rows, prompt and the most tokens of an answer; the eval of the latter allows 160, which take long one by one."""
TARGET = 2.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """All rows once."""

    wall_s: float
    cpu_s: float
    responses: Sequence[Response]

    def __str__(self) -> str:
        rows, tokens = len(self.responses), sum(each.usage.output_tokens or 0 for each in self.responses)
        return f"{rows / self.wall_s:.2f} | {rows / self.cpu_s:.2f} | {tokens / self.wall_s:.0f}"


def main() -> None:
    """Measure, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("spec", help="hf:PATH or hf:BASE+ADAPTER")
    parser.add_argument("--rows", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="the beginning of an eval's name")
    options = parser.parse_args()
    models, model = HfModels(os.environ), resolve_model(options.spec, {})
    if model.spec.weights is None:
        parser.error(f"{options.spec}: not a model that this machine runs itself")
    models.load(model.spec.weights, print)
    backend = open_model(model, environ={}, hosts=Hosts(hf=models))
    print(f"\n{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, torch {_torch()};")
    print(f"{options.rows} rows, median of {options.rounds} rounds; load average before: {os.getloadavg()[0]:.1f}")
    for title, (dataset, prompt, max_tokens) in EVALS.items():
        if not title.startswith(options.only):
            continue
        requests = _requests(dataset, prompt, max_tokens)[: options.rows]
        _run(backend, requests[:2], at_once=2)
        print(f"\n**{title}** (at most {max_tokens} tokens)\n")
        _measure(backend, requests, options.rounds)
    models.close()


def _measure(backend: Backend, requests: Sequence[Request], count: int) -> None:
    """Print a table: one by one, in batches, and what the latter gains."""
    ways = {"one by one": 1, "in batches": len(requests)}
    rounds: dict[str, list[Round]] = {way: [] for way in ways}
    for _ in range(count):
        for way, at_once in ways.items():
            rounds[way].append(_run(backend, requests, at_once=at_once))
    print("| | rows/s | rows per CPU second | tokens/s |\n|---|---|---|---|")
    for way, found in rounds.items():
        print(f"| {way} | {sorted(found, key=lambda each: each.wall_s)[len(found) // 2]} |")
    pairs = list(zip(*rounds.values(), strict=True))
    gain = statistics.median(alone.wall_s / together.wall_s for alone, together in pairs)
    same = sum(a.text == b.text for a, b in zip(*(each.responses for each in pairs[0]), strict=True))
    print(f"\n- in batches ÷ one by one: {gain:.1f} times the rows per second (target: at least {TARGET})")
    print(f"- {same} of {len(requests)} answers are the same")


def _requests(dataset: str, prompt: str, max_tokens: int) -> list[Request]:
    here = ROOT / "evals" / "test_qa.py"
    rows = open_dataset(dataset, rootdir=ROOT, test_file=here).rows()
    render = load_prompt(f"prompts/{prompt}", rootdir=ROOT, test_file=here).render
    return [Request(messages=render(_whole(sample)), params={"max_tokens": max_tokens}) for _, sample in rows]


def _whole(sample: Sample | DatasetError) -> Sample:
    if isinstance(sample, DatasetError):
        raise sample
    return sample


def _torch() -> str:
    return importlib.metadata.version("torch")


def _run(backend: Backend, requests: Sequence[Request], *, at_once: int) -> Round:
    async def run() -> list[Response]:
        slots = asyncio.Semaphore(at_once)

        async def one(request: Request) -> Response:
            async with slots:
                return await backend.complete(request)

        return await asyncio.gather(*map(one, requests))

    start_s, start_cpu_s = time.monotonic(), time.process_time()
    responses = asyncio.run(run())
    return Round(wall_s=time.monotonic() - start_s, cpu_s=time.process_time() - start_cpu_s, responses=responses)


if __name__ == "__main__":
    main()
