"""This plugin beside bare asyncio, plain pytest and other tools: the same rows, the same local server.

    python benchmarks/calls.py                                    # without other tools: one to two minutes
    python benchmarks/calls.py --install-rivals --rivals --kill   # with them; installs them first
    python benchmarks/calls.py --rows 10000 --connections 128 --only bare-aiohttp ours

It prints Markdown. Each contestant is a command of its own, in a folder of its own, timed from its start to its exit.
One with few calls in flight (plain pytest, deepeval, pytest-evals) runs fewer rows, see ``--few-rows``.
"""

import argparse
import dataclasses
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench import Bench, Measurement, Server
from contestants import CONTESTANTS, Contestant
from kill import Kill, kill
from rivals import bin_folder, install
from slopes import slopes_table
from tables import calls_table, kill_table, machine, start_up_table

README = Path(__file__).parent / "README.md"
BEGIN, END = "<!-- calls:begin -->", "<!-- calls:end -->"
START_UP_ROWS = 100


@dataclass(slots=True, kw_only=True)
class Kept:
    """All results, as ``--json`` writes them."""

    machine: str
    start_up: list[Measurement] = field(default_factory=list)
    calls: list[Measurement] = field(default_factory=list)
    kills: list[Kill] = field(default_factory=list)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what the command line asks for; print the tables."""
    options = _options(arguments)
    if options.install_rivals:
        install(options.venvs)
    chosen = _chosen(options)
    rivals = [each.rival for each in chosen if each.rival is not None]
    shown = [machine(options.venvs, rivals, options.latency_ms, options.memory)]
    kept = Kept(machine=shown[0])
    with Server.started(options.latency_ms) as server, tempfile.TemporaryDirectory() as folder:
        bench = Bench(
            server=server,
            folder=Path(folder),
            venvs=options.venvs,
            timeout_s=options.timeout_s,
            memory=options.memory,
        )
        for each in chosen:
            _say(f"warming up {each.name}")
            bench.run(each, rows=4, connections=2)
        if options.start_up:
            measured = {
                each.name: _median(
                    bench, each, START_UP_ROWS, options.connections[0], options.repeat, lambda run: run.first_request_s
                )
                for each in chosen
                if each.in_flight != 0
            }
            shown.append(start_up_table(START_UP_ROWS, measured))
            kept.start_up.extend(measured.values())
        if options.calls:
            shown.extend(_calls(bench, chosen, options, kept))
        if options.kill:
            shown.append(_kills(bench, chosen, options, kept))
    text = "\n\n".join(shown)
    print(text)
    if options.json:
        options.json.write_text(json.dumps(dataclasses.asdict(kept), indent=1) + "\n")
    if options.update_readme:
        _update_readme(text)


def _calls(bench: Bench, chosen: Sequence[Contestant], options: argparse.Namespace, kept: Kept) -> list[str]:
    """Return a table for each number of rows and connections."""
    tables = []
    for rows in options.rows:
        same: dict[str, Measurement] = {}  # by contestants whose calls in flight are their own
        for connections in options.connections:
            measured = dict(same)
            for each in chosen:
                if each.name not in same:
                    measured[each.name] = _median(
                        bench, each, _rows(each, rows, options.few_rows), connections, options.repeat
                    )
                    kept.calls.append(measured[each.name])
                if each.in_flight is not None:
                    same[each.name] = measured[each.name]
            tables.append(calls_table(rows, connections, options.latency_ms, measured))
    slopes = [slopes_table(connections, kept.calls) for connections in options.connections]
    return [*tables, *filter(None, slopes)]


def _kills(bench: Bench, chosen: Sequence[Contestant], options: argparse.Namespace, kept: Kept) -> str:
    connections = options.connections[0]
    kills = []
    for each in chosen:
        if each.killed:
            _say(f"killing {each.name}")
            rows = _rows(each, options.rows[0], options.few_rows)
            kills.append(kill(bench, each, rows=rows, connections=connections))
    kept.kills.extend(kills)
    return kill_table(connections, kills)


def _median(
    bench: Bench,
    contestant: Contestant,
    rows: int,
    connections: int,
    repeat: int,
    value: Callable[[Measurement], float | None] = lambda run: run.cost.wall_s,
) -> Measurement:
    """Return the measurement with the median value."""
    _say(f"{contestant.name}: {rows} rows, {connections} connections")
    runs = [bench.run(contestant, rows=rows, connections=connections) for _ in range(repeat)]
    return sorted(runs, key=lambda run: value(run) or 0.0)[(len(runs) - 1) // 2]


def _rows(contestant: Contestant, rows: int, few: int) -> int:
    return min(rows, few) if contestant.in_flight and few else rows


def _chosen(options: argparse.Namespace) -> list[Contestant]:
    """Return the contestants that take part."""
    if options.only:
        chosen = [each for each in CONTESTANTS if each.name in options.only]
    else:
        chosen = [each for each in CONTESTANTS if not each.optional and (options.rivals or each.rival is None)]
    missing = sorted({each.rival for each in chosen if each.rival and bin_folder(options.venvs, each.rival) is None})
    if missing:
        raise SystemExit(f"not installed in {options.venvs}: {', '.join(missing)}; add --install-rivals")
    return chosen


def _update_readme(text: str) -> None:
    before, _, rest = README.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    README.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [each.name for each in CONTESTANTS]
    venvs = Path(tempfile.gettempdir()) / "llmeval-rivals"
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000])
    parser.add_argument("--connections", type=int, nargs="+", default=[32, 128])
    parser.add_argument("--latency-ms", type=float, default=200, help="of the server")
    parser.add_argument("--repeat", type=int, default=1, help="runs of each; the one of the median wall time counts")
    parser.add_argument("--few-rows", type=int, default=100, help="rows of those that call one by one; 0: all rows")
    parser.add_argument("--only", nargs="+", choices=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--rivals", action="store_true", help="other tools take part")
    parser.add_argument("--install-rivals", action="store_true", help="install them first, where they are not yet")
    parser.add_argument("--venvs", type=Path, default=venvs, help="folder of their environments (default: %(default)s)")
    parser.add_argument("--no-calls", dest="calls", action="store_false", help="leave out the main tables")
    parser.add_argument("--start-up", action="store_true", help="time to the first request")
    parser.add_argument("--kill", action="store_true", help="what a kill -9 leaves, with the first number of each")
    parser.add_argument("--memory", choices=["rss", "pss"], default="rss", help="pss counts shared pages once; dearer")
    parser.add_argument("--timeout-s", type=float, default=600, help="for one run of one contestant")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all measurements")
    parser.add_argument("--update-readme", action="store_true", help="put the tables into benchmarks/README.md")
    options = parser.parse_args(arguments)
    options.venvs = options.venvs.resolve()
    return options


if __name__ == "__main__":
    main()
