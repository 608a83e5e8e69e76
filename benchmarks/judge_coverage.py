"""How often a corrected rate's interval holds the truth, by simulation, beside the interval of the judge's raw rate.

    python benchmarks/judge_coverage.py                        # one judge for each true rate: seconds
    python benchmarks/judge_coverage.py --cells all --markdown # every judge: the tables of the README

``judge_draws.py`` draws the judges. A cell is a judge, a number of cases and a number of labels; it has a seed of its
own, made of ``--seed`` and its name. It shows how many of the intervals hold the truth and half their mean width in
points; one below the bar is marked. A run whose labels tell too little for an interval has none and does not count;
the line above each table says how often that happens. The last two columns are Wilson's intervals of what the judge
says.
"""

import argparse
import random
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from judge_draws import DESIGNS, LABELS, ROWS, Judge, judges
from tables import setting

from pytest_llmeval.core.stats.corrected import LEAST_LABELS
from pytest_llmeval.core.stats.intervals import Interval

BAR = 0.93
QUICK = 0.9
"""How often the judges of ``--cells quick`` are right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A judge, a run and its labels."""

    design: str
    judge: Judge
    n: int
    labels: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Shares over all simulated runs of a cell."""

    covered: float
    """Of the intervals, those that hold the truth."""
    raw: float
    """Of the raw intervals, the same."""
    width: float
    """The mean width of the intervals."""
    without: float
    """Of the runs, those without an interval."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Simulate the judges and print a table for each design; end with 1 where ``--check`` finds one below the bar."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--cells", choices=("quick", "all"), default="quick", help="one judge a true rate, or every one"
    )
    parser.add_argument("--judges", type=int, default=2_000, help="simulated runs a cell")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--markdown", action="store_true", help="print Markdown tables")
    parser.add_argument("--check", action="store_true", help="end with 1 where a bar is missed")
    options = parser.parse_args(arguments)
    started, missed, cells = time.perf_counter(), 0, 0
    print(f"{setting()}\n{options.judges:,} simulated judges a cell, seed {options.seed}.", flush=True)
    for design in DESIGNS:
        chosen = list(_cells(design, everything=options.cells == "all"))
        found = dict(zip(chosen, _measured(chosen, options.judges, options.seed, options.jobs), strict=True))
        cells, missed = cells + len(found), missed + sum(each.covered < BAR for each in found.values())
        print("\n".join(_table(design, found, markdown=options.markdown)), flush=True)
    print(f"\n{cells - missed} of {cells} cells reach {BAR:.0%}; {time.perf_counter() - started:.0f} s.")
    if options.check and missed:
        sys.exit(1)


def _cells(design: str, *, everything: bool) -> Iterator[Cell]:
    least = LEAST_LABELS if design.startswith("PPI") else 0
    for judge in judges(design):
        if everything or set(judge.right) == {QUICK}:
            for n in ROWS:
                yield from (Cell(design=design, judge=judge, n=n, labels=many) for many in LABELS if many >= least)


def _measured(chosen: Sequence[Cell], runs: int, seed: int, jobs: int) -> Iterator[Measured]:
    """Yield what each cell shows, in their order."""
    if jobs == 1:
        yield from (_measure(cell, runs, seed) for cell in chosen)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(_measure, chosen, [runs] * len(chosen), [seed] * len(chosen))


def _measure(cell: Cell, runs: int, seed: int) -> Measured:
    drawn, truth = random.Random(f"{seed}/{cell}"), cell.judge.rate
    seen = [DESIGNS[cell.design](drawn, cell.judge, cell.n, cell.labels) for _ in range(runs)]
    intervals = [each.corrected.interval for each in seen if each.corrected.interval]
    return Measured(
        covered=sum(_holds(each, truth) for each in intervals) / len(intervals),
        raw=sum(_holds(each.raw, truth) for each in seen) / runs,
        width=sum(each.high - each.low for each in intervals) / len(intervals),
        without=1 - len(intervals) / runs,
    )


def _holds(interval: Interval | None, truth: float) -> bool:
    return interval is not None and interval.low <= truth <= interval.high


def _table(design: str, found: dict[Cell, Measured], *, markdown: bool) -> Iterator[str]:
    """Yield the lines of a design: its summary, then a row for each judge."""
    worst, raw = min(found, key=lambda cell: found[cell].covered), [each.raw for each in found.values()]
    yield f"\n### {design}\n" if markdown else f"\n{design}"
    yield (
        f"Covered: least {found[worst].covered:.1%} (true rate {worst.judge.rate:g}, judge {_named(worst.judge)}, "
        f"n = {worst.n:,}, {worst.labels} labels), mean {_mean([each.covered for each in found.values()]):.1%}; "
        f"by the raw interval from {min(raw):.1%} to {max(raw):.1%}. "
        f"No interval in up to {max(each.without for each in found.values()):.1%} of the runs of a cell."
    )
    sizes = sorted({(cell.n, cell.labels) for cell in found})
    if markdown:
        named = [f"n {n:,}, {labels} labels" for n, labels in sizes]
        head = ["true rate", "judge", *named, *(f"raw, n {n:,}" for n in ROWS)]
        yield f"\n| {' | '.join(head)} |\n|{'---|' * len(head)}"
    else:
        head = ["rate", "judge", *(f"{n}/{labels}" for n, labels in sizes), *(f"raw {n}" for n in ROWS)]
        yield _columns(head)
    for judge in dict.fromkeys(cell.judge for cell in found):
        row = [f"{judge.rate:g}", _named(judge)]
        row += [_told(found[Cell(design=design, judge=judge, n=n, labels=labels)]) for n, labels in sizes]
        for n in ROWS:
            row.append(f"{_mean([each.raw for cell, each in found.items() if (cell.judge, cell.n) == (judge, n)]):.1%}")
        yield f"| {' | '.join(row)} |" if markdown else _columns(row)


def _columns(row: Sequence[str]) -> str:
    return "".join(f"{each:>{5 if at == 0 else 13}}" for at, each in enumerate(row))


def _told(measured: Measured) -> str:
    return f"{measured.covered:.1%} ± {100 * measured.width / 2:.0f}" + ("" if measured.covered >= BAR else " !")


def _named(judge: Judge) -> str:
    return " / ".join(f"{each:g}" for each in judge.right)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


if __name__ == "__main__":
    main()
