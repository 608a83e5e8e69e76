"""The numbers of docs/verdicts.md that take many draws; about five minutes.

    python docs/pictures/simulate.py           # writes simulated.json, which make.py reads and the page quotes
    python docs/pictures/simulate.py spread    # that part of it alone

Pairs of runs come from the real rows (``real_rows.py``) or from the model of rows of ``benchmarks/gate_rows.py``, and
each is judged by the function that ``llmeval gate`` calls. Every number has a seed of its own.
"""

import itertools
import json
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import fmean, variance
from typing import Any

from real_rows import BASE, METRIC, SUITE, RealRows, as_cases, load, two_answers

from pytest_llmeval.core.gate.baseline import Baseline
from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.gate.judging import apply_gate
from pytest_llmeval.core.rules import Rule, SuiteRules, Thresholds
from pytest_llmeval.core.stats.distributions import binomial_at_least

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

from gate_cells import cells
from gate_rows import Rows, pair_of_runs

FILE = Path(__file__).with_name("simulated.json")
PAIRS = 2_000
SIZES = (20, 30, 50, 75, 100, 150, 200, 300, 500)
DROP = 0.02


def main(names: Sequence[str]) -> None:
    """Write the named parts of ``simulated.json``, all of them where none is named, and show them."""
    real = load()
    told: dict[str, Any] = json.loads(FILE.read_text("utf-8")) if FILE.exists() else {}
    for name in names or PARTS:
        told[name] = PARTS[name](real)
        sys.stdout.write(f"{name}: {json.dumps(told[name])}\n")
        sys.stdout.flush()
    ordered = {name: told[name] for name in PARTS if name in told}
    FILE.write_text(json.dumps(ordered, indent=1) + "\n", encoding="utf-8")


def false_alarms(real: RealRows) -> dict[str, dict[str, float]]:
    """Return how often each way to decide fails an unchanged system, by the number of rows (real ones, drawn again)."""
    return {str(n): _alarms(real, n, random.Random(f"alarms/{n}")) for n in SIZES}  # noqa: S311 - no secret


def _alarms(real: RealRows, n: int, draw: random.Random) -> dict[str, float]:
    counts: Counter[str] = Counter()
    rules = _rules(DROP)
    for _ in range(PAIRS):
        before, after = two_answers(draw.choices(real.sampled, k=n), draw)
        drop = fmean(before) - fmean(after)
        counts["dropped at all"] += drop > 1e-9
        counts["dropped by more than 2 points"] += drop > DROP + 1e-9
        counts[apply_gate(rules, as_cases(after), baseline=Baseline(name="main", cases=as_cases(before))).verdict] += 1
    names = ("dropped at all", "dropped by more than 2 points", "fail", "inconclusive")
    return {name: counts[name] / PAIRS for name in names}


def slices(real: RealRows) -> dict[str, float]:
    """Return how often a slice of the real suite falls by 5 points though nothing changed, and what the gate says.

    Its rules are ``max_drop: 0.02`` for the suite and each slice.
    """
    draw = random.Random("slices")  # noqa: S311 - no secret
    names = sorted({row[0] for row in real.slices})  # the kinds of question
    rules = _rules(DROP, names)
    counts: Counter[str] = Counter()
    for _ in range(PAIRS):
        before, after = two_answers(real.sampled, draw)
        falls = [b - a for b, a in zip(before, after, strict=True)]
        counts["some slice fell by 5 points"] += any(
            fmean(fall for fall, row in zip(falls, real.slices, strict=True) if name in row) > 0.05 for name in names
        )
        old, new = (as_cases(values, names=real.ids, slices=real.slices) for values in (before, after))
        counts[apply_gate(rules, new, baseline=Baseline(name="main", cases=old)).verdict] += 1
    return {name: share / PAIRS for name, share in sorted(counts.items())}


def spread(real: RealRows) -> dict[str, float]:
    """Return what the scores of the real rows scatter by: between rows, within a row, and together."""
    within = fmean(variance(answers) for answers in real.sampled)
    between = variance([fmean(answers) for answers in real.sampled]) - within / len(real.sampled[0])
    return {
        "mean": fmean(fmean(answers) for answers in real.sampled),
        "within": within,
        "between": between,
        "correlation": between / (between + within),
    }


def errors(real: RealRows) -> dict[str, float]:
    """Return the mean of the first prompt, and what its run with timeouts looks like by what is made of them."""
    scored = [value for value in real.slow if value is not None]
    return {
        "rows that timed out": len(real.slow) - len(scored),
        "mean without errors": fmean(real.runs[BASE]),
        "errors as 0": sum(scored) / len(real.slow),
        "errors left out": fmean(scored),
    }


def drop_at_the_floor(real: RealRows) -> dict[str, dict[str, float]]:
    """Return the verdicts of ``max_drop: 0.02`` on a true drop of 2 points (model of rows, mean .85, yes or no)."""
    return {str(n): _verdicts(Rows(n=n, drop=DROP), "floor", pairs) for n, pairs in ((100, 4_000), (2_000, 500))}


def power(real: RealRows) -> dict[str, dict[str, float]]:
    """Return the verdicts by true drop (model of rows, 100 rows, mean .85, yes or no)."""
    return {f"{drop:.2f}": _verdicts(Rows(drop=drop), "power", PAIRS) for drop in (0.0, 0.05, 0.1, 0.15)}


def a_bar(real: RealRows) -> dict[str, float]:
    """Return how often 100 rows with a true share of .85 miss a bar by chance."""
    return {f"{bar / 100:.2f}": 1 - binomial_at_least(bar, 100, 0.85) for bar in (85, 83, 81, 78, 75)}


def best_of_ten(real: RealRows) -> dict[str, float]:
    """Return what an unchanged system looks like beside the best of its ten last runs, and beside the last of them.

    100 rows, p ~ Beta(1.7, .3), yes or no.
    """
    draw = random.Random("best of ten")  # noqa: S311 - no secret
    rules = _rules(DROP)
    drops, fails = [], Counter[str]()
    for _ in range(PAIRS):
        chances = [draw.betavariate(1.7, 0.3) for _ in range(100)]
        *runs, now = ([float(draw.random() < chance) for chance in chances] for _ in range(11))
        for name, base in (("best", max(runs, key=fmean)), ("last", runs[-1])):
            verdict = apply_gate(rules, as_cases(now), baseline=Baseline(name="main", cases=as_cases(base))).verdict
            fails[name] += verdict == "fail"
        drops.append(fmean(max(runs, key=fmean)) - fmean(now))
    return {
        "drop since the best": fmean(drops),
        "fails beside the best": fails["best"] / PAIRS,
        "fails beside the last": fails["last"] / PAIRS,
    }


def ratchet(real: RealRows) -> dict[str, float]:
    """Return how often ten releases that lose a point each are caught, beside the one before and beside the first.

    200 rows, p ~ Beta(1.7, .3), yes or no.
    """
    draw = random.Random("ratchet")  # noqa: S311 - no secret
    rules = _rules(DROP)
    seen: Counter[str] = Counter()
    pairs = PAIRS // 4
    for _ in range(pairs):
        chances = [draw.betavariate(1.7, 0.3) for _ in range(200)]
        runs = [
            as_cases([float(draw.random() < chance * (1 - 0.01 * step / 0.85)) for chance in chances])
            for step in range(11)
        ]
        seen["a step fails beside the one before"] += any(_fails(rules, *two) for two in itertools.pairwise(runs))
        seen["the last fails beside the one before"] += _fails(rules, runs[-2], runs[-1])
        seen["the last fails beside the first"] += _fails(rules, runs[0], runs[-1])
    return {name: share / pairs for name, share in seen.items()}


def _fails(rules: Thresholds, before: Sequence[JudgedCase], after: Sequence[JudgedCase]) -> bool:
    return apply_gate(rules, after, baseline=Baseline(name="main", cases=before)).verdict == "fail"


def _verdicts(rows: Rows, seed: str, pairs: int) -> dict[str, float]:
    rules = next(cell.rules for cell in cells())  # max_drop: 0.02
    counts = Counter(
        apply_gate(rules, after, baseline=Baseline(name="main", cases=before)).verdict
        for before, after in (pair_of_runs(rows, f"{seed}/{rows.n}/{rows.drop}/{number}") for number in range(pairs))
    )
    return {verdict: counts[verdict] / pairs for verdict in ("pass", "fail", "inconclusive")}


def _rules(drop: float, parts: Iterable[str] = ()) -> Thresholds:
    rules = [Rule(suite=SUITE, metric=METRIC, kind="max_drop", bound=drop, slice=part) for part in (None, *parts)]
    return Thresholds(suites={SUITE: SuiteRules(name=SUITE, rules=tuple(rules))})


PARTS: dict[str, Callable[[RealRows], Any]] = {
    each.__name__.replace("_", " "): each
    for each in (a_bar, spread, errors, drop_at_the_floor, power, best_of_ten, ratchet, slices, false_alarms)
}


if __name__ == "__main__":
    main(sys.argv[1:])
