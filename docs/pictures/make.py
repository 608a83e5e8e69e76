"""The pictures of docs/verdicts.md, drawn from ``qa.json`` and ``simulated.json``.

    python -m venv build/pictures && build/pictures/bin/pip install matplotlib==3.11.* -e .
    build/pictures/bin/python docs/pictures/make.py

matplotlib is no dependency of the package. The same version of it writes the same bytes: no dates, a fixed salt for
ids, letters as outlines. Every verdict, interval and least visible change is the gate's own.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import NormalDist, fmean, stdev
from typing import Any

import matplotlib as mpl

mpl.use("svg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from real_rows import BASE, METRIC, SUITE, RealRows, as_cases, load

from pytest_llmeval.core.gate.baseline import Baseline
from pytest_llmeval.core.gate.judging import Verdict, apply_gate
from pytest_llmeval.core.rules import Rule, SuiteRules, Thresholds

HERE = Path(__file__).parent
PASS, FAIL, UNSURE, INK, FAINT = "#0072b2", "#c8401a", "#9a6700", "#222222", "#8a8a8a"
"""Told apart by people who are colour-blind, too, and on white at 4.5 to 1 but for the last."""
COLOURS = {"pass": PASS, "fail": FAIL, "inconclusive": UNSURE}
MARKS = {"pass": "o", "fail": "X", "inconclusive": "D"}
DROP = 0.02
PAIRED = "reworded"
"""The run of the first picture."""
NAMES = {
    "reworded": "the same, in other words",
    "one-example": "one worked example, not two",
    "no-examples": "no worked examples",
    "no-instruction": "examples, no instruction",
    "no-text": "the text left out",
}


def main() -> None:
    """Write every picture beside this file."""
    mpl.rcParams.update(
        {
            "svg.hashsalt": "verdicts",
            "svg.fonttype": "path",
            "font.family": "DejaVu Sans",
            "font.size": 11,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.edgecolor": INK,
            "text.color": INK,
            "axes.labelcolor": INK,
            "xtick.color": INK,
            "ytick.color": INK,
            "figure.facecolor": "white",
            "savefig.facecolor": "white",
            "figure.constrained_layout.h_pad": 0.12,
            "figure.constrained_layout.w_pad": 0.12,
        }
    )
    real = load()
    told = json.loads((HERE / "simulated.json").read_text("utf-8"))
    _save("rows", rows_picture(real))
    _save("prompts", prompts_picture(real))
    _save("alarms", alarms_picture(told["false alarms"]))
    _save("sight", sight_picture(told["spread"]))


def rows_picture(real: RealRows) -> Figure:
    """Return each row as a dot, before and after, beside what two means say and what the pairs say."""
    before, after = real.runs[BASE], real.runs[PAIRED]
    pairs = list(zip(before, after, strict=True))
    found = _verdict(real, PAIRED)
    figure, (dots, bars) = plt.subplots(1, 2, figsize=(8, 4.1), width_ratios=(1, 1.05), layout="constrained")
    kinds = (
        ("worse", FAIL, [(b, a) for b, a in pairs if a < b]),
        ("better", PASS, [(b, a) for b, a in pairs if a > b]),
        ("as before", FAINT, [(b, a) for b, a in pairs if a == b]),
    )
    dots.plot([0, 1], [0, 1], color=FAINT, linewidth=1, zorder=1)
    for name, colour, points in kinds:
        dots.scatter(*zip(*points, strict=True), s=34, color=colour, alpha=0.65, linewidths=0, zorder=2)
        dots.scatter([], [], s=34, color=colour, label=f"{len(points)} {name}")
    dots.set(xlabel=f"{METRIC} with the first prompt", ylabel="… with the same in other words", aspect="equal")
    dots.legend(frameon=False, loc="upper left", bbox_to_anchor=(0.0, 1.0), handletextpad=0.2)
    dots.set_title("one dot is one row, asked twice", fontsize=11, loc="left")
    _intervals(bars, before, after, found)
    return figure


def _intervals(axes: Axes, before: Sequence[float], after: Sequence[float], found: Verdict) -> None:
    n, z = len(before), NormalDist().inv_cdf(0.95)
    alone = (stdev(before) ** 2 / n + stdev(after) ** 2 / n) ** 0.5
    change = fmean(after) - fmean(before)
    assert found.low is not None and found.high is not None
    rows = (
        ("as two means", change - z * alone, change + z * alone, INK),
        ("row by row", found.low, found.high, COLOURS[found.verdict]),
    )
    for place, (name, low, high, colour) in enumerate(rows):
        axes.plot([low, high], [place, place], color=colour, linewidth=3, solid_capstyle="butt")
        axes.plot(change, place, "o", color=colour, markersize=9)
        told = f"{name}: {change:+.3f}, {low:+.3f} to {high:+.3f}"
        box = {"facecolor": "white", "edgecolor": "none", "pad": 1}
        axes.text(change, place - 0.17, told, ha="center", color=colour, bbox=box)
    axes.axvline(0, color=INK, linewidth=1)
    axes.set(ylim=(1.5, -0.6), yticks=[], xlabel="change of the mean, 90 % interval")
    axes.spines["left"].set_visible(False)
    axes.set_title("the same change, seen in two ways", fontsize=11, loc="left")


def prompts_picture(real: RealRows) -> Figure:
    """Return the change of each prompt, and of the slices of the worst, with interval and verdict."""
    names = sorted(NAMES, key=lambda name: -(_verdict(real, name).delta or 0))
    rows = [(NAMES[name], _verdict(real, name)) for name in names]
    rows += [(f"    of it, {part}", _verdict(real, names[-1], part)) for part in _slices(real)]
    figure, axes = plt.subplots(figsize=(8, 0.4 * len(rows) + 1.1), layout="constrained")
    for place, (_, found) in enumerate(rows):
        assert found.delta is not None and found.low is not None and found.high is not None
        colour = COLOURS[found.verdict]
        axes.plot([found.low, found.high], [place, place], color=colour, linewidth=3, solid_capstyle="butt")
        axes.plot(found.delta, place, MARKS[found.verdict], color=colour, markersize=10)
        axes.text(1.01, place, found.verdict, color=colour, va="center", transform=axes.get_yaxis_transform())
    axes.axvline(0, color=INK, linewidth=1)
    axes.axvline(-DROP, color=FAIL, linewidth=1, linestyle=(0, (4, 3)))
    axes.text(-DROP, -0.75, f"max_drop: {DROP} ", color=FAIL, ha="right", va="center", fontsize=10)
    axes.set(yticks=range(len(rows)), yticklabels=[name for name, _ in rows], ylim=(len(rows) - 0.5, -1))
    axes.set(xlabel=f"change of {METRIC} since the first prompt, 90 % interval")
    axes.tick_params(axis="y", length=0)
    for label in axes.get_yticklabels():
        label.set_horizontalalignment("left")
    axes.tick_params(axis="y", pad=205)
    axes.spines["left"].set_visible(False)
    return figure


def alarms_picture(alarms: dict[str, dict[str, float]]) -> Figure:
    """Return how often each way to decide fails an unchanged system."""
    figure, axes = plt.subplots(figsize=(8, 4), layout="constrained")
    sizes = [int(n) for n in alarms]
    lines = (
        ("dropped at all", "“the mean dropped”", INK, "-"),
        ("dropped by more than 2 points", "“it dropped by more than 2 points”", UNSURE, "-"),
        ("fail", "max_drop: 0.02", PASS, "-"),
    )
    for key, label, colour, style in lines:
        values = [each[key] for each in alarms.values()]
        axes.plot(sizes, values, marker="o", color=colour, linestyle=style, linewidth=2.2, clip_on=False)
        axes.text(sizes[-1] * 1.06, values[-1], f"{values[-1]:.0%}".replace("%", " %"), color=colour, va="center")
        axes.annotate(label, (sizes[0], values[0]), (0, 10), textcoords="offset points", color=colour)
    axes.axhline(0.05, color=FAINT, linewidth=1, linestyle=(0, (4, 3)))
    axes.text(sizes[-1] * 1.06, 0.055, "5 %", color=FAINT, va="bottom")
    axes.set(xscale="log", xticks=sizes, xticklabels=[str(n) for n in sizes], ylim=(0, 0.6), xlabel="rows")
    axes.set(ylabel="runs that fail, nothing changed")
    axes.minorticks_off()
    axes.yaxis.set_major_formatter(mpl.ticker.PercentFormatter(1, decimals=0, symbol=" %"))
    return figure


def sight_picture(spread: dict[str, float]) -> Figure:
    """Return the least drop that is seen in four runs of five, by rows and epochs, for the real scatter."""
    figure, axes = plt.subplots(figsize=(8, 4), layout="constrained")
    rows = [10 * 10 ** (step / 40) for step in range(81)]
    within, between = spread["within"], spread["between"]
    lines = (
        ("two means, not paired", 2 * (within + between), INK, (0, (4, 3))),
        ("paired, 1 epoch", 2 * within, PASS, "-"),
        ("paired, 3 epochs", 2 * within / 3, "#009068", "-"),
    )
    for label, variance, colour, style in lines:
        seen = [_seen(variance / n) for n in rows]
        axes.plot(rows, seen, color=colour, linestyle=style, linewidth=2.2, label=label)
        for n in (20, 120):
            at = _seen(variance / n)
            axes.plot(n, at, "o", color=colour, markersize=6)
            place = (
                {"xytext": (-4, -15), "ha": "right"} if label.startswith("paired") else {"xytext": (5, 5), "ha": "left"}
            )
            axes.annotate(f"{100 * at:.1f}", (n, at), textcoords="offset points", color=colour, **place)
    axes.set(xscale="log", yscale="log", xlim=(10, 1000), ylim=(0.018, 0.25))
    axes.set(xlabel="rows", ylabel="least drop that is seen")
    ticks, drops = [10, 20, 50, 120, 200, 500, 1000], [0.02, 0.03, 0.05, 0.1, 0.2]
    axes.set(xticks=ticks, xticklabels=[f"{n:,}" for n in ticks])
    axes.set(yticks=drops, yticklabels=[f"{100 * drop:.0f} points" for drop in drops])
    axes.grid(axis="y", color="#e4e4e4")
    axes.minorticks_off()
    axes.legend(frameon=False, loc="upper right")
    return figure


def _seen(variance: float) -> float:
    """Return the least drop that ``max_drop: 0.02`` sees four times in five at a variance of the change."""
    error: float = variance**0.5
    normal = NormalDist()
    return max(normal.inv_cdf(0.95) * error, DROP) + normal.inv_cdf(0.8) * error


def _verdict(real: RealRows, name: str, part: str | None = None) -> Verdict:
    """Return what the rules of the page say of a run, or a slice of it, beside the first prompt's."""
    rules = [
        Rule(suite=SUITE, metric=METRIC, kind="max_drop", bound=DROP, slice=each) for each in (None, *_slices(real))
    ]
    thresholds = Thresholds(suites={SUITE: SuiteRules(name=SUITE, rules=tuple(rules))})
    before, after = (as_cases(real.runs[each], names=real.ids, slices=real.slices) for each in (BASE, name))
    found = apply_gate(thresholds, after, baseline=Baseline(name=BASE, cases=before)).verdicts
    return next(each for each in found if each.slice == part)


def _slices(real: RealRows) -> list[str]:
    """Return the slices that the page has rules for: by the kind of question."""
    return sorted({row[0] for row in real.slices})


def _save(name: str, figure: Figure) -> None:
    metadata: dict[str, Any] = {"Date": None, "Creator": None}
    figure.savefig(HERE / f"{name}.svg", metadata=metadata)
    plt.close(figure)


if __name__ == "__main__":
    main()
