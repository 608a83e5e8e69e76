"""How long the pages of `llmeval view` take over large runs, and what files of a run take.

python benchmarks/view.py [--cases 100000] [--rounds 5]

Wall and CPU time of a request within this process, without a network and without a browser; the median of the rounds.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from starlette.testclient import TestClient
from view_rows import make_runs

from pytest_llmeval.core.rules import Thresholds
from pytest_llmeval.store.browsing import BrowsingReader
from pytest_llmeval.store.records import Run
from pytest_llmeval.view.app import make_app
from pytest_llmeval.view.source import Source


def no_rules(run: Run) -> Thresholds:
    """Return no rules."""
    return Thresholds()


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "llmeval.db"
        base, current = make_runs(path, asked.cases)
        print(f"\n## Two runs of {asked.cases:,} cases, {path.stat().st_size / 2**20:,.0f} MiB\n")
        measure_pages(path, base, current, asked.rounds)
        measure_files(path)


def measure_pages(path: Path, base: str, current: str, rounds: int) -> None:
    """Print the time of each kind of page, once what is worked out beside them is there."""
    source = Source(database=path, shown_as=path.name, root=path.parent, rules_of=no_rules, redact=str)
    with TestClient(make_app(source), base_url="http://127.0.0.1") as client:
        begin = time.monotonic()
        print(f"the first look at a run: {1000 * timed(client, f'/run?id={current}')[0]:,.0f} ms, without its metrics")
        while "being worked out" in client.get(f"/run?id={current}").text:
            time.sleep(0.2)
        print(f"its metrics are there after {time.monotonic() - begin:.1f} s\n")
        while "being worked out" in client.get("/").text:
            time.sleep(0.2)
        reader = BrowsingReader.open(path)
        case = next(reader.cases(current)).id
        _, first, last = reader._span(current)
        print("| page | wall ms | CPU ms |\n|---|---|---|")
        for name, address in (
            ("runs", "/"),
            ("a run", f"/run?id={current}"),
            ("its misses", f"/run?id={current}&outcome=missed"),
            ("a page from the middle", f"/run?id={current}&after={(first + last) // 2}"),
            ("suite, model and slice", f"/run?id={current}&suite=qa&model=large&slice=hard"),
            ("a slice that has no skipped case", f"/run?id={current}&slice=hard&outcome=skipped"),
            ("what flipped", f"/run?id={current}&flipped=1"),
            ("a search that finds nothing", f"/run?id={current}&search=nowhere"),
            ("a case", f"/case?id={case}"),
            ("labelling", f"/label?run={current}"),
            ("two runs side by side", f"/compare?base={base}&current={current}"),
            ("two models of a run", f"/compare?base={current}@small&current={current}@large"),
            ("two suites of a run", f"/compare?base={current}::qa&current={current}::summaries"),
        ):
            while "being worked out" in client.get(address).text:  # what is counted once is counted
                time.sleep(0.2)
            found = [timed(client, address) for _ in range(rounds)]
            wall, spent = (statistics.median(each) * 1000 for each in zip(*found, strict=True))
            print(f"| {name} | {wall:,.0f} | {spent:,.0f} |")


def timed(client: TestClient, address: str) -> tuple[float, float]:
    """Return the wall and CPU seconds of a request."""
    wall, spent = time.perf_counter(), time.process_time()
    assert client.get(address).status_code == 200, address
    return time.perf_counter() - wall, time.process_time() - spent


def measure_files(path: Path) -> None:
    """Print the time and memory of the commands that write files."""
    llmeval = str(Path(sys.executable).with_name("llmeval"))
    print("\n| command | wall s | CPU s | peak MiB, of all so far |\n|---|---|---|---|")
    for arguments in (["export", "html", "--output", "run.html"], ["view", "--export", "out"]):
        wall, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [llmeval, *arguments, "--llmeval-db", str(path)], check=True, cwd=path.parent, capture_output=True
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        name = " ".join(arguments[:2])
        print(f"| `llmeval {name}` | {time.perf_counter() - wall:.1f} | {spent:.1f} | {after.ru_maxrss / 1024:,.0f} |")


if __name__ == "__main__":
    main()
