"""What ``llmeval gate`` takes for a large stored run beside a baseline of as many cases. Linux only.

    python benchmarks/gate_speed.py                  # 100,000 cases: about half a minute, most of it to store them

A rule on the suite and one on each of 20 slices compare with the baseline; every case has two scores and an answer.
"""

import argparse
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from watch import measure

from pytest_llmeval.core.stored import StoredCase
from pytest_llmeval.core.types import CaseKey, Score
from pytest_llmeval.store.records import Run, RunEnd, utc_now
from pytest_llmeval.store.sqlite import SqliteStore

SLICES = 20


def main(arguments: Sequence[str] | None = None) -> None:
    """Store two runs, judge one beside the other, and print what that took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        _fill(folder, options.cases)
        command = [str(Path(sys.executable).with_name("llmeval")), "gate", "current", "--baseline", "base"]
        for _ in range(options.repeat):
            cost = measure(command, folder=folder, environ={"PATH": "/usr/bin:/bin"}, timeout_s=600)
            print(
                f"{options.cases:,} cases, {SLICES} slices, with a baseline: {cost.wall_s:.1f} s, {cost.cpu_s:.1f} s of"
                f" CPU, {cost.peak_kib / 1024:.0f} MiB; status {cost.status}"
            )


def _fill(folder: Path, cases: int) -> None:
    """Write the rules and two finished runs."""
    parts = "".join(f"      part-{number:02d}: {{f1: {{max_drop: 0.02}}}}\n" for number in range(SLICES))
    rules = f"version: 1\nsuites:\n  qa:\n    f1: {{min: 0.3, max_drop: 0.02}}\n    slices:\n{parts}"
    (folder / "thresholds.yaml").write_text(rules, encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    (folder / ".llmeval").mkdir()
    with closing(SqliteStore(folder / ".llmeval" / "llmeval.db")) as store:
        for name in ("base", "current"):
            end = RunEnd(finished_at=utc_now(), status="finished", exit_code=0, verdict="pass")
            settings = {"suites": {"qa": {"expected": {"m": cases}}}}
            run = Run(id=name, started_at=utc_now(), version="0", models=("m",), settings=settings, end=end)
            store.import_run(run, _cases(name, cases))


def _cases(run: str, count: int) -> Iterator[StoredCase]:
    draw = random.Random(run)
    for number in range(count):
        right, f1 = float(draw.random() < 0.85), round(draw.random(), 3)
        yield StoredCase(
            id=f"{run}-{number}",
            key=CaseKey(
                nodeid=f"evals/test_qa.py::test_qa[row-{number}]",
                suite="qa",
                sample_id=f"row-{number}",
                model="m",
                epoch=1,
            ),
            slices=(f"part-{number % SLICES:02d}",),
            outcome="passed" if right else "missed",
            error_kind=None,
            error=None,
            input_digest=f"{number:064x}",
            response="an answer of a few words " * 5,
            latency_s=draw.random(),
            input_tokens=50,
            output_tokens=20,
            cost_usd=0.001,
            attempts=1,
            cached=False,
            started_at=utc_now(),
            scores=(
                Score(name="exact", value=right, passed=right >= 1, scorer_digest="a" * 64),
                Score(name="f1", value=f1, passed=f1 >= 0.5, scorer_digest="b" * 64),
            ),
        )


if __name__ == "__main__":
    main()
