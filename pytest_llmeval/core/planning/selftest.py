"""The self-test of the rules: how often they raise a false alarm on two runs whose answers are swapped at random.

If nothing changed, it makes no difference which run gave which of a row's two answers. So the answers of each row, or
of each whole cluster, are swapped with probability 1/2, and the gate judges the result, again and again. A rule on a
change that then fails is a false alarm, whatever the two runs were (the permutation argument of R. A. Fisher, "The
Design of Experiments" (1935), section 21).

Absolute rules (``min``, ``every`` and the like) ask how good the answers are, not which run gave them, and ``mode:
noninferior`` is meant to fail if a loss is not ruled out. Swapping says nothing about their false alarms, so they are
judged but counted separately.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pytest_llmeval.core.gate.baseline import Baseline
from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.gate.family import looks_alpha
from pytest_llmeval.core.gate.judging import Verdict, apply_gate
from pytest_llmeval.core.gate.spread import RowValues, read_rows
from pytest_llmeval.core.grouping import grouped
from pytest_llmeval.core.judge.trust import UNKNOWN, Trust
from pytest_llmeval.core.planning.twins import Twins
from pytest_llmeval.core.rules import RuleKind, Thresholds, kind_of
from pytest_llmeval.core.stats.intervals import Interval, wilson
from pytest_llmeval.core.stats.means import mean

__all__ = ["PAIRS", "RuleTally", "SelfTest", "pairs_within", "replay"]

_CHANGE: frozenset[RuleKind] = frozenset({"max_drop", "max_rise"})
PAIRS = 1_000
"""Default number of pairs to judge, unless that is too much work."""
_MOST_CASES = 4_000_000
"""Largest number of cases judged over all pairs by default; it takes about a minute."""
_FEWEST_PAIRS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTally:
    """The number of pairs for which one rule came to each verdict."""

    suite: str
    model: str
    metric: str
    slice: str | None
    rule: str
    """The rule as text."""
    is_change: bool
    """Whether a failure is a false alarm: the rule is ``max_drop`` or ``max_rise``."""
    n: int
    """Number of rows with a value in both runs."""
    differing: int
    """Number of those rows whose two values differ; swapping the others changes nothing."""
    pairs: int
    verdicts: Mapping[str, int]
    """Number of pairs by verdict."""
    reason: str | None
    """Reason of the first unmeasurable or not judged verdict; None if there was none."""

    @property
    def fails(self) -> int:
        """Number of pairs on which the rule failed."""
        return self.verdicts.get("fail", 0)

    @property
    def interval(self) -> Interval:
        """The 95 % interval of the share of pairs on which the rule fails."""
        return wilson(self.fails / self.pairs, self.pairs)


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfTest:
    """The result of judging pairs of runs with swapped answers."""

    pairs: int
    """Number of pairs judged, at least 1."""
    alarms: int
    """Number of pairs in which a rule on a change failed."""
    unsure: int
    """Number of pairs in which no rule on a change failed, but one was inconclusive or unmeasurable."""
    alpha: float
    """Share of false alarms allowed for all rules on a change together, in one look at a run."""
    rows: int
    """Number of rows in both runs, each counted once in its suite."""
    units: int
    """Number of rows, or clusters of rows, that were swapped as a whole."""
    uneven: int
    """Number of rows with more epochs in one run. The difference between a mean of many draws and one of few is skewed,
    which swapping hides."""
    rules: tuple[RuleTally, ...]
    """In the order of the file."""

    @property
    def rate(self) -> float:
        """Share of pairs with a false alarm."""
        return self.alarms / self.pairs

    @property
    def interval(self) -> Interval:
        """The 95 % interval of ``rate``."""
        return wilson(self.rate, self.pairs)

    @property
    def is_above(self) -> bool:
        """Whether ``rate`` is significantly above ``alpha``: the whole interval lies above it."""
        return self.interval.low > self.alpha


def pairs_within(cases: int) -> int:
    """Return how many pairs, of ``cases`` cases each, take about a minute to judge: at least 20, at most ``PAIRS``."""
    return min(PAIRS, max(_FEWEST_PAIRS, _MOST_CASES // max(cases, 1)))


def replay(
    thresholds: Thresholds,
    rows: Twins,
    *,
    pairs: int,
    seed: int = 0,
    trust: Trust = UNKNOWN,
    on_pair: Callable[[int], None] = lambda done: None,
) -> SelfTest:
    """Judge ``pairs`` pairs of runs with randomly swapped answers and return the tally; reproducible by ``seed``.

    Args:
        thresholds: the rules.
        rows: rows of the two runs.
        pairs: number of pairs, at least 1.
        seed: seed of the swaps.
        trust: agreement of the judges with people; a rule whose judge may not gate raises no alarm.
        on_pair: called with the number of pairs done after each pair.
    """
    draw = random.Random(seed)  # noqa: S311 - no secret depends on it
    tally = _Tally()
    for done in range(1, pairs + 1):
        before, current = rows.mixed(draw)
        baseline = Baseline(name="the other run", cases=before)
        tally.add(apply_gate(thresholds, current, baseline=baseline, trust=trust).verdicts)
        on_pair(done)
    rules = tuple(_rules(thresholds, rows, tally))
    return SelfTest(
        pairs=pairs,
        alarms=tally.alarms,
        unsure=tally.unsure,
        alpha=_alpha(thresholds, rules),
        rows=rows.rows,
        units=len(rows.units),
        uneven=rows.uneven,
        rules=rules,
    )


_Column = Mapping[str, RowValues]
_Key = tuple[str, str, str, str | None, str]
"""Suite, model, metric, slice and rule."""


class _Tally:
    """Counts verdicts over all pairs."""

    def __init__(self) -> None:
        self.alarms = 0
        self.unsure = 0
        self.counts: dict[_Key, Counter[str]] = {}
        self.reasons: dict[_Key, str | None] = {}

    def add(self, verdicts: Iterable[Verdict]) -> None:
        """Count the verdicts on one pair; rules that were not judged and have no numbers are skipped."""
        changes: set[str] = set()
        for verdict in verdicts:
            if verdict.model is None or (verdict.verdict == "not_judged" and not verdict.is_reported):
                continue
            key = (verdict.suite, verdict.model, verdict.metric, verdict.slice, verdict.rule)
            self.counts.setdefault(key, Counter())[verdict.verdict] += 1
            if verdict.verdict in ("unmeasurable", "not_judged"):
                self.reasons.setdefault(key, verdict.reason)
            if _is_change(verdict.rule):
                changes.add(verdict.verdict)
        self.alarms += "fail" in changes
        self.unsure += "fail" not in changes and bool(changes & {"inconclusive", "unmeasurable"})


def _rules(thresholds: Thresholds, rows: Twins, tally: _Tally) -> Iterator[RuleTally]:
    """Yield the tally of each rule, in the order of the file."""
    columns: dict[tuple[str, str, str], tuple[_Column, _Column]] = {}
    before, current = map(_by_group, rows.straight())
    places = {name: number for number, name in enumerate(thresholds.suites)}
    for key in sorted(tally.counts, key=lambda key: places[key[0]]):
        suite, model, metric, part, rule = key
        group = (suite, model)
        if (*group, metric) not in columns:
            columns[*group, metric] = read_rows(metric, before[group], current[group])
        changes = list(_changes(*columns[*group, metric], part))
        yield RuleTally(
            suite=suite,
            model=model,
            metric=metric,
            slice=part,
            rule=rule,
            is_change=_is_change(rule),
            n=len(changes),
            differing=sum(changes),
            pairs=sum(tally.counts[key].values()),
            verdicts=dict(tally.counts[key]),
            reason=tally.reasons.get(key),
        )


def _changes(before: _Column, current: _Column, part: str | None) -> Iterator[bool]:
    """Yield for each row with a value in both runs whether the two values differ."""
    for sample_id, row in current.items():
        if sample_id in before and (part is None or part in row.slices):
            yield mean(row.values) != mean(before[sample_id].values)


def _by_group(cases: Iterable[JudgedCase]) -> dict[tuple[str, str], list[JudgedCase]]:
    return grouped(cases, lambda case: (case.suite, case.model))


def _is_change(rule: str) -> bool:
    """Return whether a rule, as verdicts show it, is ``max_drop`` or ``max_rise``."""
    return kind_of(rule) in _CHANGE


def _alpha(thresholds: Thresholds, rules: Sequence[RuleTally]) -> float:
    """Return the alpha of all rules on a change together: the greatest of their suites', for one look.

    A second look may follow if any of the suites that were judged escalates.
    """
    there = {rule.suite for rule in rules}
    changing = {rule.suite for rule in rules if rule.is_change}
    found = [looks_alpha(thresholds, thresholds.suites[name].settings, there) for name in changing]
    return max(found, default=looks_alpha(thresholds, thresholds.defaults, there))
