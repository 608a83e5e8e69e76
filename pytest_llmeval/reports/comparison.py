"""The comparison of two runs: the verdict, every change with its size and p-value, and the rows that flipped."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from pytest_llmeval.core.comparing import MeasureChange, comparison_rules, measure_changes
from pytest_llmeval.core.gate.baseline import Baseline
from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.gate.family import on_its_side
from pytest_llmeval.core.gate.judging import GateResult, SessionVerdict, Verdict, apply_gate, session_verdict
from pytest_llmeval.core.grouping import grouped
from pytest_llmeval.core.judge.trust import UNKNOWN, Trust
from pytest_llmeval.core.rules import REGRESSION_KINDS, Thresholds, kind_of
from pytest_llmeval.core.stats.resampling import Budget
from pytest_llmeval.core.status import UNMEASURABLE, exit_status, on_inconclusive
from pytest_llmeval.core.text import and_more, counted, one_line
from pytest_llmeval.reports.own_gate import OwnGate
from pytest_llmeval.reports.row_flips import Flip, PairedSuite, Side, flipped_rows, paired_suites

__all__ = ["Comparison", "compare"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The result of comparing two runs."""

    base: str
    """Name of the run that is compared with."""
    base_id: str
    base_partial: tuple[str, ...]
    """What left out cases of the base, such as ``-k``; empty for a whole run."""
    current: str
    current_id: str
    current_partial: tuple[str, ...]
    gate: OwnGate | None
    """Verdict of the current run's own session, by all its rules; None if that is not known."""
    verdict: SessionVerdict
    """Verdict of the changes alone."""
    why_no_base: str | None
    """Why the base misses too many rows for anything to pass against it; None if it is whole."""
    exit_code: int
    """Exit status with ``--fail-on-regression``: 0, 1 or 10."""
    changes: tuple[Verdict, ...]
    """Verdict of each change rule, by suite; the whole suite comes before its slices."""
    alphas: tuple[float | None, ...]
    """For each of ``changes``, the adjusted alpha below which its p-value fails; None if no p-value decides."""
    why_unpaired: str | None
    """Why no rows of the two runs pair; None if they share a suite and model."""
    measures: tuple[MeasureChange, ...]
    flips: tuple[Flip, ...]
    """Rows that flipped: those for the worse first, each kind by the size of the change."""
    worse: int
    """Number of rows that flipped for the worse by ``flip_of``; ``flips`` shows some of them."""
    better: int
    set_up: tuple[str, ...]
    """Differences in the set-up, in words."""
    notes: tuple[str, ...]
    """Further notes in words, such as which rows and suites only one of the runs has."""

    def chance(self, change: Verdict) -> str | None:
        """Return the p-value of a change in about two digits that stay on its side of alpha; None without one."""
        if change.p_value is None:
            return None
        alpha = self.alphas[self.changes.index(change)]
        return f"{change.p_value:.2g}" if alpha is None else on_its_side(change.p_value, alpha)[0]


_NAMED = 5
"""Largest number of rows that a note names, and of suites that get a note of their own."""
_MOST_DRAWS = 4_000_000
"""Budget of resampling draws for the latency intervals, some 2 s. Beyond it closed forms are used; by then there are
rows enough."""


def compare(
    base: Side,
    current: Side,
    thresholds: Thresholds,
    *,
    set_up: Sequence[str],
    notes: Sequence[str] = (),
    most_flips: int = 20,
    trust: Trust = UNKNOWN,
    why_no_base: str | None = None,
    gate: OwnGate | None = None,
) -> Comparison:
    """Return what changed from ``base`` to ``current``.

    Args:
        base: the run to compare with.
        current: the run under test.
        thresholds: the rules whose change rules decide; suites without any are held to ``max_drop: 0``.
        set_up: the differences in the set-up, in words.
        notes: further notes on the runs, in words.
        most_flips: the largest number of rows shown in full, worse and better ones together.
        trust: how far judges can be trusted.
        why_no_base: why the base lacks many of its rows: losses on the others still fail, and nothing passes. None if
            the base ran to its end.
        gate: the verdict of the own session of the run under test.
    """
    cases = [case for case in current.cases if current.model in (None, case.model)]
    rules = comparison_rules(thresholds, cases, (case for case in base.cases if base.model in (None, case.model)))
    baseline = Baseline(name=base.name, cases=base.cases, model=base.model, deselected=current.deselected)
    expected = {key: count for key, count in current.expected.items() if current.model in (None, key[1])}
    result = _of_changes(apply_gate(rules, cases, collected=expected, baseline=baseline, trust=trust))
    if why_no_base is not None and result.verdict in ("pass", "inconclusive"):
        result = replace(result, verdict="unmeasurable")
    paired = list(paired_suites(baseline, cases))
    flipped = flipped_rows(paired, result.verdicts, base, current, most=most_flips)
    return Comparison(
        base=base.name,
        base_id=base.run_id,
        base_partial=tuple(base.partial),
        current=current.name,
        current_id=current.run_id,
        current_partial=tuple(current.partial),
        gate=gate,
        verdict=result.verdict,
        why_no_base=why_no_base,
        exit_code=_exit_code(result, rules),
        changes=result.verdicts,
        alphas=result.alphas,
        why_unpaired=None if paired else _why_unpaired(base, cases),
        measures=_measures(paired),
        flips=flipped.flips,
        worse=flipped.worse,
        better=flipped.better,
        set_up=tuple(set_up),
        notes=(*notes, *_not_answered(cases), *_not_alike(base, cases, paired)),
    )


def _why_unpaired(base: Side, cases: Sequence[JudgedCase]) -> str:
    suites = {case.suite for case in cases}
    known = sorted({case.model for case in base.cases if case.suite in suites and base.model in (None, case.model)})
    if not known:
        return "no suite is in both runs"
    names = (", ".join(one_line(name, 60) for name in each) for each in (known, sorted({case.model for case in cases})))
    return f"no model is in both runs ({'; '.join(names)}); name one of each as RUN@MODEL"


def _of_changes(result: GateResult) -> GateResult:
    """Return the gate's result limited to changes. Other rules share the false alarm rate but are not changes."""
    kinds = (*REGRESSION_KINDS, "max_error_rate")
    settled = zip(result.verdicts, result.alphas, strict=True)
    shown = [(verdict, alpha) for verdict, alpha in settled if kind_of(verdict.rule) in kinds]
    verdicts = tuple(verdict for verdict, _ in shown)
    alphas = tuple(alpha for _, alpha in shown)
    return replace(result, verdicts=verdicts, verdict=session_verdict(verdicts), alphas=alphas)


def _measures(paired: Iterable[PairedSuite]) -> tuple[MeasureChange, ...]:
    budget = Budget(left=_MOST_DRAWS)
    return tuple(
        change for each in paired for change in measure_changes(each.suite, each.model, each.own, each.before, budget)
    )


def _exit_code(result: GateResult, rules: Thresholds) -> int:
    """Return the gate's exit status, and 10 if nothing could be compared, so that "no worse" is not known."""
    if result.verdict == "none":
        return UNMEASURABLE
    return exit_status(
        0,
        verdict=result.verdict,
        on_inconclusive=on_inconclusive(result, rules),
        stopped=False,
        only_decided_failures=True,
        money_errors=False,
    )


def _not_answered(cases: Iterable[JudgedCase]) -> Iterator[str]:
    """Yield notes on the cases of the current run that ended in an error, with their kinds; no flip shows them."""
    failed = [case for case in cases if case.outcome == "error"]
    groups = sorted(grouped(failed, lambda case: (case.suite, case.model)).items())
    for (suite, model), found in groups[:_NAMED]:
        rows = dict.fromkeys(f"{one_line(case.sample_id, 60)} ({case.error_kind})" for case in found)
        message = (
            f"{counted(len(found), 'case')} ended in an error and {'has' if len(found) == 1 else 'have'} no verdict"
        )
        yield f"{suite} on {model}: {message}: {and_more(list(rows), _NAMED)}"
    if more := sum(len(found) for _, found in groups[_NAMED:]):
        yield f"so did {counted(more, 'case')} of other suites or models"


def _not_alike(base: Side, cases: Sequence[JudgedCase], paired: Sequence[PairedSuite]) -> Iterator[str]:
    """Yield notes on what only one of the runs has, and on rows scored by another judge or scorer in each."""
    for group in paired:
        column = group.outcomes
        counts = {"new": len(column.added), "changed": len(column.altered), "gone": len(column.absent)}
        others = ", ".join(f"{count} {what}" for what, count in sorted(counts.items()) if count)
        if others:
            pairs = counted(len(column.pairs), "row") + (" pairs" if len(column.pairs) == 1 else " pair")
            yield f"{group.suite} on {group.model}: {pairs}; {others}"
        for what, rows in sorted(column.remade.items()):
            scored = counted(len(rows), "row")
            yield f"{group.suite} on {group.model}: another {what} scored {scored}, whose flips may come of that alone"
    ours = {(case.suite, case.model) for case in cases} - {(group.suite, group.model) for group in paired}
    yield from (f"{suite} on {model}: only in the current run" for suite, model in sorted(ours))
    theirs = {case.suite for case in base.cases} - {case.suite for case in cases}
    yield from (f"{suite}: only in the base" for suite in sorted(theirs))
