"""How often the gate is right: false alarms and power of its rules, by simulation.

    python benchmarks/gate.py                        # three cells: ten seconds
    python benchmarks/gate.py --cells all --markdown # every cell, 2,000 pairs each: the tables of the README

Each cell draws pairs of runs (``gate_rows.py`` says how), judges each by the function that ``llmeval gate`` calls, and
counts the verdicts of the sessions. A cell with a bar (``gate_cells.py``) says whether it was met. Every pair has a
seed of its own, made of ``--seed``, the cell and its number, so that each can be drawn again.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor

from gate_cells import QUICK, Cell, cells
from gate_rows import pair_of_runs
from tables import setting

from pytest_llmeval.core.gate.baseline import Baseline
from pytest_llmeval.core.gate.judging import apply_gate

VERDICTS = ("pass", "fail", "inconclusive", "unmeasurable")
HEAD = ("", *VERDICTS, "bar", "")


def main(arguments: Sequence[str] | None = None) -> None:
    """Simulate the cells and print a table of them; end with 1 where ``--check`` finds a bar that was missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", choices=("quick", "all"), default="quick", help="three of them, or every one")
    parser.add_argument("--pairs", type=int, default=2_000, help="pairs of runs a cell")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--markdown", action="store_true", help="print Markdown tables")
    parser.add_argument("--check", action="store_true", help="end with 1 where a bar is missed")
    options = parser.parse_args(arguments)
    chosen = [cell for cell in cells() if options.cells == "all" or (cell.table, cell.name) in QUICK]
    started = time.perf_counter()
    print(f"{setting()}\n{options.pairs:,} pairs a cell, seed {options.seed}; {len(chosen)} cells.", flush=True)
    missed, table = 0, ""
    for cell, counts in _measured(chosen, options.pairs, options.seed, options.jobs):
        if cell.table != table:
            table = cell.table
            print(_heading(table, markdown=options.markdown))
        shares = {verdict: counts[verdict] / options.pairs for verdict in VERDICTS}
        met = all(bar.is_met(shares) for bar in cell.bars)
        missed += not met
        print(_line(cell, shares, met=met, markdown=options.markdown), flush=True)
    bars = sum(bool(cell.bars) for cell in chosen)
    print(f"\n{bars - missed} of {bars} cells with a bar meet it; {time.perf_counter() - started:.0f} s.")
    if options.check and missed:
        sys.exit(1)


def _measured(chosen: Sequence[Cell], pairs: int, seed: int, jobs: int) -> Iterator[tuple[Cell, Counter[str]]]:
    """Yield each cell with how often each verdict came, in their order."""
    if jobs == 1:
        yield from ((cell, _count(cell, pairs, seed)) for cell in chosen)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from zip(chosen, pool.map(_count, chosen, [pairs] * len(chosen), [seed] * len(chosen)), strict=True)


def _count(cell: Cell, pairs: int, seed: int) -> Counter[str]:
    return Counter(_verdict(cell, f"{seed}/{cell.table}/{cell.name}/{number}") for number in range(pairs))


def _verdict(cell: Cell, seed: str) -> str:
    """Return the verdict of one session."""
    before, after = pair_of_runs(cell.rows, seed)
    return apply_gate(cell.rules, after, baseline=Baseline(name="main", cases=before)).verdict


def _heading(table: str, *, markdown: bool) -> str:
    if markdown:
        return f"\n### {table}\n\n| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}"
    return f"\n{table.replace('`', '')}\n{'':68}{''.join(f'{verdict:>14}' for verdict in VERDICTS)}"


def _line(cell: Cell, shares: Mapping[str, float], *, met: bool, markdown: bool) -> str:
    told = [f"{shares[verdict]:.1%}" for verdict in VERDICTS]
    bars = ", ".join(bar.text for bar in cell.bars)
    result = ("met" if met else "missed") if bars else ""
    if markdown:
        return f"| {' | '.join([cell.name, *told, bars, result])} |"
    return f"{cell.name.replace('`', ''):68}{''.join(f'{each:>14}' for each in told)}  {bars} {result}".rstrip()


if __name__ == "__main__":
    main()
