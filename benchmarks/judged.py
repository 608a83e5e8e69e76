"""An answer and its judgement for each row, by this plugin and by bare asyncio, against the same local server.

    python benchmarks/judged.py                  # 1,000 rows, 64 connections, three runs of each: three minutes

It prints Markdown. The contestants take turns, so that what else the machine does falls on all of them alike; the run
of the median wall time counts.
"""

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench import Bench, Measurement, Server
from contestants import OURS, Contestant
from results import mean_in_database, printed_mean
from tables import line, machine

TARGET = 1.3
"""At most so many times the wall time of bare-judged."""
BARE = "bare-judged"
MODELS = ("--model=openai:echo@{url}", "--judge-model=openai:judge@{url}", "--max-connections={connections}")


def _ours(name: str, body: str, *how: str) -> Contestant:
    """Return this plugin with a body."""
    return Contestant(
        name=name,
        body=body,
        place="evals/test_echo.py",
        command=(*OURS, "-p", *(how or ("no:xdist",)), *MODELS),
        mean=mean_in_database,
    )


CONTESTANTS = (
    Contestant(name=BARE, body="bare_judged.py", place="run.py", command=("{python}", "run.py"), mean=printed_mean),
    _ours("generate", "ours_judged_generate.py"),
    _ours("generate-n2", "ours_judged_generate.py", "xdist", "-n2"),
    _ours("generate-n2-worksteal", "ours_judged_generate.py", "xdist", "-n2", "--dist=worksteal"),
    _ours("response", "ours_judged_response.py"),
    _ours("response-n2", "ours_judged_response.py", "xdist", "-n2"),
    _ours("sync", "ours_judged_sync.py"),
    _ours("sync-n2", "ours_judged_sync.py", "xdist", "-n2"),
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    options = _options(arguments)
    chosen = [each for each in CONTESTANTS if not options.only or each.name in (BARE, *options.only)]
    print(machine(Path(), (), options.latency_ms, "rss"))
    runs: dict[str, list[Measurement]] = {each.name: [] for each in chosen}
    with Server.started(options.latency_ms) as server, tempfile.TemporaryDirectory() as folder:
        bench = Bench(server=server, folder=Path(folder), venvs=Path(), timeout_s=options.timeout_s)
        for each in chosen:
            bench.run(each, rows=4, connections=2)
        for number in range(options.repeat):
            for each in chosen:
                print(f"{each.name}: run {number + 1}", file=sys.stderr, flush=True)
                runs[each.name].append(bench.run(each, rows=options.rows, connections=options.connections))
    medians = {
        name: sorted(found, key=lambda run: run.cost.wall_s)[(len(found) - 1) // 2] for name, found in runs.items()
    }
    print(_table(options.rows, options.connections, options.latency_ms, medians, runs))


def _table(
    rows: int,
    connections: int,
    latency_ms: float,
    medians: Mapping[str, Measurement],
    runs: Mapping[str, Sequence[Measurement]],
) -> str:
    lines = [
        f"\n### {rows:,} rows, each answered and judged, {connections} connections\n",
        "| contestant | wall s | all runs | CPU s | peak MiB | requests | in flight | mean "
        f"| wall ÷ bare (≤ {TARGET}) |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    bare = medians[BARE].cost.wall_s
    for name, each in medians.items():
        walls = ", ".join(f"{run.cost.wall_s:.2f}" for run in runs[name])
        if each.cost.status != 0:
            lines.append(line(name, f"n/a (exit {each.cost.status})", walls, *[""] * 6))
            continue
        ratio = each.cost.wall_s / bare
        verdict = "" if name == BARE else " met" if ratio <= TARGET else " missed"
        lines.append(
            line(
                name,
                f"{each.cost.wall_s:.2f}",
                walls,
                f"{each.cost.cpu_s:.2f}",
                f"{each.cost.peak_kib / 1024:.0f}",
                f"{each.counts['requests']:,}",
                each.counts["max_in_flight"],
                "n/a" if each.mean is None else f"{each.mean:.3f}",
                f"{ratio:.2f}{verdict}",
            )
        )
    least_s = -(-2 * rows // connections) * latency_ms / 1000
    return "\n".join([*lines, "", f"The latency alone makes {least_s:.2f} s."])


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [each.name for each in CONTESTANTS]
    parser.add_argument("--rows", type=int, default=1_000)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--latency-ms", type=float, default=200, help="of the server")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each")
    parser.add_argument("--only", nargs="+", choices=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--timeout-s", type=float, default=600, help="for one run of one contestant")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
