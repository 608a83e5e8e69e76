"""What the plugin costs beyond pytest: start-up, collection, CPU and memory of each case.

    python benchmarks/overhead.py                    # 1,000 and 10,000 rows: a few minutes
    python benchmarks/overhead.py --rows 1000 100000

Each measurement is a pytest process of its own, in a folder of its own, without any other plugin: bare pytest with as
many parametrized items, and the plugin with as many rows in a JSONL file, a body with one scorer, and no model call.
CPU is user + system time of the process and its children; memory is the peak resident set.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

BARE = """
import pytest

@pytest.mark.parametrize("number", range({rows}), ids=[f"row-{{n:06d}}" for n in range({rows})])
def test_bare(number):
    assert number >= 0
"""
EVAL = """
import pytest

@pytest.mark.llmeval("rows.jsonl")
def test_rows(sample, score):
    score.exact(sample.input, sample.target)
"""
PLUGIN = ("-p", "pytest_llmeval.plugin")
RULES = "version: 1\nsuites: {rows: {exact: {min: 1.0}}}\n"
WATCH = """
import os, resource, subprocess, sys, time
start = time.perf_counter()
status = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
wall = time.perf_counter() - start
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
print(status, wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss)
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one process took."""

    wall_s: float
    cpu_s: float
    peak_kib: int


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print one Markdown table for each question."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--repeat", type=int, default=3, help="processes for each small measurement; the median counts")
    options = parser.parse_args(arguments)
    print(_machine())
    with tempfile.TemporaryDirectory() as folder:
        _start_up(Path(folder) / "empty", max(options.repeat, 11))
        runs = {
            rows: _cases(Path(folder) / str(rows), rows, options.repeat if rows <= 10_000 else 1)
            for rows in sorted(options.rows)
        }
    _slopes(runs)


def _start_up(folder: Path, repeat: int) -> None:
    """Compare a project with one plain test, without and with the plugin."""
    folder.mkdir()
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "test_one.py").write_text("def test_one():\n    pass\n")
    pairs = [(_run(folder, "."), _run(folder, *PLUGIN, ".")) for _ in range(repeat)]
    bare, with_plugin = ([each[side].cpu_s for each in pairs] for side in (0, 1))
    extra = statistics.median(one[1].cpu_s - one[0].cpu_s for one in pairs)
    print(f"\n### Start-up of a session without evals ({repeat} pairs, CPU, median)\n")
    print("| | ms |\n|---|---|")
    print(f"| bare pytest | {statistics.median(bare) * 1000:.0f} |")
    print(f"| with the plugin | {statistics.median(with_plugin) * 1000:.0f} |")
    print(f"| the plugin's share (target: at most 30) | {extra * 1000:.0f} |")


def _cases(folder: Path, rows: int, repeat: int) -> tuple[Cost, Cost]:
    """Compare collection and run of ``rows`` rows with as many parametrized items; return the costs of the two runs."""
    folder.mkdir()
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "bare").mkdir()
    (folder / "bare" / "test_bare.py").write_text(BARE.format(rows=rows))
    (folder / "evals").mkdir()
    (folder / "evals" / "test_rows.py").write_text(EVAL)
    with (folder / "rows.jsonl").open("w") as file:
        for number in range(rows):
            text = f"row number {number} of the dataset, with a text of about one hundred characters in its input"
            file.write(
                json.dumps({"id": f"row-{number:06d}", "input": text, "target": text, "slice": f"s{number % 5}"}) + "\n"
            )
    plain = ["-p", "no:cacheprovider", "-q", "bare"]
    ours = [*PLUGIN, "-p", "no:cacheprovider", "-q", "evals", "--model=openai:none@http://127.0.0.1:9/v1"]
    listed = [(_run(folder, "--co", *plain), _run(folder, "--co", *ours)) for _ in range(repeat)]
    (folder / "thresholds.yaml").write_text(RULES)
    listed_with_rules = [(each, _run(folder, "--co", *ours)) for each, _ in listed]
    ran = [(_run(folder, *plain), _run(folder, *ours)) for _ in range(repeat)]
    bare_co, our_co = _median(listed, 0), _median(listed, 1)
    bare, our = _median(ran, 0), _median(ran, 1)
    print(f"\n### {rows:,} rows ({repeat} of each, median)\n")
    print("| | wall s | CPU s | peak MiB |\n|---|---|---|---|")
    ruled = _median(listed_with_rules, 1)
    for name, cost in (
        ("bare `--co`", bare_co),
        ("evals `--co`", our_co),
        ("evals `--co` with a thresholds.yaml", ruled),
        ("bare run", bare),
        ("evals run", our),
    ):
        print(f"| {name} | {cost.wall_s:.1f} | {cost.cpu_s:.1f} | {cost.peak_kib / 1024:.0f} |")
    print(f"\n- collection: {our_co.cpu_s / bare_co.cpu_s:.2f} times bare (target at 10,000 rows: 1.3)")
    each_ms = (our.cpu_s - bare.cpu_s) / rows * 1000
    print(f"- CPU beyond pytest's, start-up included: {each_ms:.2f} ms a case (target: 2)")
    return bare, our


def _slopes(runs: dict[int, tuple[Cost, Cost]]) -> None:
    """Say what one row more costs, from the fewest rows to the most."""
    few, many = min(runs), max(runs)
    if few == many:
        return
    cpu, memory = (
        [(getattr(runs[many][side], name) - getattr(runs[few][side], name)) / (many - few) for side in (0, 1)]
        for name in ("cpu_s", "peak_kib")
    )
    print(f"\n### One row more, between {few:,} and {many:,} rows\n")
    print("| | bare | evals | beyond pytest's own | target |\n|---|---|---|---|---|")
    print(f"| CPU ms | {cpu[0] * 1000:.2f} | {cpu[1] * 1000:.2f} | {(cpu[1] - cpu[0]) * 1000:.2f} | 2 |")
    print(f"| memory KiB | {memory[0]:.1f} | {memory[1]:.1f} | {memory[1] - memory[0]:.1f} | 3 |")


def _median(pairs: Sequence[tuple[Cost, Cost]], side: int) -> Cost:
    chosen = sorted((pair[side] for pair in pairs), key=lambda cost: cost.cpu_s)
    return chosen[len(chosen) // 2]


def _run(folder: Path, *arguments: str) -> Cost:
    """Return what one pytest process takes; ends the benchmark where it fails."""
    command = [sys.executable, "-c", WATCH, sys.executable, "-m", "pytest", *arguments]
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("LLMEVAL_", "PYTEST_"))}
    environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=True)
    status, wall, cpu, peak = done.stdout.split()
    if status != "0":
        raise SystemExit(f"pytest {' '.join(arguments)} in {folder} ended with {status}")
    return Cost(float(wall), float(cpu), int(peak))


def _machine() -> str:
    import importlib.metadata as metadata

    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("pytest", "pytest-llmeval", "sqlite-utils"))
    load = os.getloadavg()[0]
    day = time.strftime("%Y-%m-%d")
    return textwrap.dedent(
        f"""\
        {day}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()},
        {versions}; load average before: {load:.1f}"""
    )


if __name__ == "__main__":
    main()
