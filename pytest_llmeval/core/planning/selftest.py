"""How often the rules raise a false alarm: two runs of the same rows, judged again and again with their labels mixed.

Where nothing changed it makes no difference which of two answers of a row was given first. So for each row both are
swapped with chance 1/2, for whole clusters where rows have one, and the gate judges what comes out: a rule on a change
that fails then is a false alarm, whatever the two runs were (the permutation argument of R. A. Fisher, "The Design of
Experiments" (1935), section 21).

A bar (``min``, ``every`` and the like) asks what the answers are worth, not which run gave them, and ``mode:
noninferior`` is to fail where a loss is not ruled out: swapping says nothing of their false alarms. They are judged all
the same, and counted apart.
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
"""How many pairs are judged unless that is too much work."""
_MOST_CASES = 4_000_000
"""Cases judged over all pairs unless more are asked for; about a minute."""
_FEWEST_PAIRS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTally:
    """How often one rule came to which verdict."""

    suite: str
    model: str
    metric: str
    slice: str | None
    rule: str
    """The rule in a few words."""
    is_change: bool
    """Whether a failure is a false alarm: the rule is ``max_drop`` or ``max_rise``."""
    n: int
    """Rows with a value in both runs."""
    differing: int
    """Those of them whose values differ: of the others a swap changes nothing."""
    pairs: int
    verdicts: Mapping[str, int]
    """Pairs by verdict."""
    reason: str | None
    """Why it was unmeasurable or may not gate, the first time that it was so; None where it never was."""

    @property
    def fails(self) -> int:
        """Pairs that it failed."""
        return self.verdicts.get("fail", 0)

    @property
    def interval(self) -> Interval:
        """The 95 % interval of the share of pairs that it fails."""
        return wilson(self.fails / self.pairs, self.pairs)


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfTest:
    """What judging pairs with mixed labels came to."""

    pairs: int
    """From 1."""
    alarms: int
    """Pairs in which a rule on a change failed."""
    unsure: int
    """Pairs in which none failed, and one was inconclusive or unmeasurable."""
    alpha: float
    """What all rules on a change together may raise, of one look at a run."""
    rows: int
    """Rows in both runs, each counted once in its suite."""
    units: int
    """Rows, or clusters of them, that were swapped as a whole."""
    uneven: int
    """Rows with more epochs in one run: means of many draws less those of few are skewed, and swapping hides it."""
    rules: tuple[RuleTally, ...]
    """In the order of the file."""

    @property
    def rate(self) -> float:
        """The share of pairs with a false alarm."""
        return self.alarms / self.pairs

    @property
    def interval(self) -> Interval:
        """Its 95 % interval."""
        return wilson(self.rate, self.pairs)

    @property
    def is_above(self) -> bool:
        """Whether it is clearly more than the rules may raise."""
        return self.interval.low > self.alpha


def pairs_within(cases: int) -> int:
    """Return how many pairs of ``cases`` together are judged in about a minute: at least 20, at most ``PAIRS``."""
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
    """Return what the gate says of ``pairs`` pairs of runs with mixed labels; the same for the same ``seed``.

    Args:
        thresholds: the rules.
        rows: of the two runs.
        pairs: how many, from 1.
        seed: of the swaps.
        trust: what judges are worth; a rule whose judge may not gate raises no alarm.
        on_pair: is told how many pairs are done.
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
    """Counts verdicts."""

    def __init__(self) -> None:
        self.alarms = 0
        self.unsure = 0
        self.counts: dict[_Key, Counter[str]] = {}
        self.reasons: dict[_Key, str | None] = {}

    def add(self, verdicts: Iterable[Verdict]) -> None:
        """Count what one pair came to; rules without numbers have no place."""
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
    """Yield what each rule came to, in the order of the file."""
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
    """Yield for each row with a value in both runs whether it is another one."""
    for sample_id, row in current.items():
        if sample_id in before and (part is None or part in row.slices):
            yield mean(row.values) != mean(before[sample_id].values)


def _by_group(cases: Iterable[JudgedCase]) -> dict[tuple[str, str], list[JudgedCase]]:
    return grouped(cases, lambda case: (case.suite, case.model))


def _is_change(rule: str) -> bool:
    """Return whether a rule, as verdicts show it, is ``max_drop`` or ``max_rise``."""
    return kind_of(rule) in _CHANGE


def _alpha(thresholds: Thresholds, rules: Sequence[RuleTally]) -> float:
    """Return what the rules on a change may raise together: the greatest alpha of their suites, of one look.

    Whether a second look may follow, any suite that is there decides.
    """
    there = {rule.suite for rule in rules}
    changing = {rule.suite for rule in rules if rule.is_change}
    found = [looks_alpha(thresholds, thresholds.suites[name].settings, there) for name in changing]
    return max(found, default=looks_alpha(thresholds, thresholds.defaults, there))
