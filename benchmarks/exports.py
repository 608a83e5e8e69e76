"""How long the exports of a run of 10,000 cases take, and how much memory: each in a process of its own.

Run it: python benchmarks/exports.py [CASES]
"""

import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pytest_llmeval.core.gate.judging import Verdict
from pytest_llmeval.core.types import Call, CaseKey, CaseRecord, Score
from pytest_llmeval.store.records import Run, RunEnd
from pytest_llmeval.store.sqlite import SqliteStore

COMMANDS = (
    ("csv",),
    ("csv", "--summary"),
    ("jsonl",),
    ("prometheus",),
    ("markdown",),
)
WORDS = "the quick brown fox jumps over a lazy dog and says nothing of it".split()  # noqa: SIM905


def main() -> None:
    """Print a table in Markdown."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "llmeval.db"
        fill(database, count)
        print(f"{count:,} cases, database of {database.stat().st_size / 2**20:.0f} MiB\n")
        print("| export | seconds | of them CPU | peak memory, MiB | file, MiB |\n|---|---|---|---|---|")
        for command in COMMANDS:
            output = Path(folder) / "out"
            seconds, busy, peak = measured([*command, "last", "--output", str(output), "--llmeval-db", str(database)])
            size = output.stat().st_size / 2**20
            print(f"| {' '.join(command)} | {seconds:.1f} | {busy:.1f} | {peak:.0f} | {size:.1f} |")


def measured(arguments: list[str]) -> tuple[float, float, float]:
    """Return seconds, seconds of CPU and peak memory in MiB of one command."""
    began = time.perf_counter()
    command = [sys.executable, "-c", "from pytest_llmeval.cli import main; main()", "export", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0
    return (
        time.perf_counter() - began,
        usage.ru_utime + usage.ru_stime,
        usage.ru_maxrss / 1024,
    )  # which Linux tells in KiB


def fill(database: Path, count: int) -> None:
    """Make a baseline and a run of as many cases, in 10 slices, with texts of about 1 kB, 5 scores and 2 calls each."""
    store = SqliteStore(database)
    end = RunEnd(finished_at="2026-01-02T00:00:00.000+00:00", status="finished", exit_code=0, verdict="pass")
    first, second = "20260101-000000-000000", "20260102-000000-000000"
    chosen = {"name": "main", "kind": "name", "run": first, "model": None}
    for day, (run_id, settings) in enumerate({first: {}, second: {"baseline": chosen}}.items()):
        at = f"2026-01-0{day + 1}T00:00:00.000+00:00"
        store.start_run(Run(id=run_id, started_at=at, version="0", models=("m",), settings=settings))
        rng = random.Random(0)
        store._connection.execute("PRAGMA synchronous = OFF")
        for number in range(count):
            store.add_case(run_id, case(number, rng, bad=rng.random() < 0.1 + 0.02 * day, at=at))
        rule = Verdict(
            suite="qa", model="m", metric="s0", slice=None, rule="min=0.5", value=0.9, n=count, verdict="pass"
        )
        store.set_verdicts(run_id, [rule])
        store.finish_run(run_id, end)
    store.close()


def case(number: int, rng: random.Random, *, bad: bool, at: str) -> CaseRecord:
    """Return one case."""
    text = " ".join(rng.choices(WORDS, k=200))
    calls = tuple(
        Call(
            role=role,
            model="m" if role == "model" else "j",
            request={"messages": [{"role": "user", "content": text}], "params": {"temperature": 0}},
            response=text,
            status="ok",
            attempts=1,
            latency_s=rng.random(),
            input_tokens=200,
            output_tokens=200,
            cost_usd=0.001,
        )
        for role in ("model", "judge")
    )
    value = 0.0 if bad else 1.0
    scores = [
        Score(name=f"s{place}", value=value, passed=not bad, reason=text[:200] if bad else None) for place in range(5)
    ]
    return CaseRecord(
        key=CaseKey(
            nodeid=f"evals/test_qa.py::test_qa[r{number}]", suite="qa", sample_id=f"r{number}", model="m", epoch=1
        ),
        slices=(f"slice {number % 10}",),
        outcome="missed" if bad else "passed",
        input_digest=str(number),
        started_at=at,
        scores=tuple(scores),
        calls=calls,
        target=f'"{text[:40]}"',
    )


if __name__ == "__main__":
    main()
