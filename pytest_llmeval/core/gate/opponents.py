"""The baseline's cases that a suite and model is compared with, and the reasons to refuse a comparison."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pytest_llmeval.core.gate.baseline import Baseline
from pytest_llmeval.core.gate.case import JudgedCase, in_order
from pytest_llmeval.core.gate.pairs import PairedColumn
from pytest_llmeval.core.rules import MEASURED_METRICS, GateSettings
from pytest_llmeval.core.text import and_more, counted, one_line

__all__ = ["Opponent", "Opponents", "left_out", "nothing_pairs", "refusal"]

_LEAST_PAIRED = 0.9
"""Smallest share of the baseline's rows that must pair, so that both runs still have the same dataset."""

_NAMED = 3
_LEFT = "no longer in this slice"
_WITHOUT_VALUE = "see why the others have none (skipped, lost or not scored)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opponent:
    """The cases of the baseline that one suite and model is compared with."""

    name: str = ""
    """Name of the baseline."""
    again: str | None = None
    """Argument for ``llmeval rescore`` to score the baseline again; None if that is not possible."""
    cases: Sequence[JudgedCase] = ()
    deselected: int = 0
    """Number of rows that ``-m`` left out of the current run."""
    why_none: str | None = None
    """Why there is nothing to compare with; None if there is."""


class Opponents:
    """The cases of the baseline, by suite and model."""

    def __init__(self, baseline: Baseline | None, suites: Iterable[str], *, why_none: str) -> None:
        """Read the baseline.

        Args:
            baseline: None if there is no baseline.
            suites: names of the suites to keep.
            why_none: why there is no baseline.
        """
        self._baseline = baseline
        self._why_none = why_none
        self._cases: dict[str, dict[str, list[JudgedCase]]] = {suite: {} for suite in suites}
        for case in in_order(baseline.cases if baseline is not None else ()):
            if case.suite in self._cases and baseline is not None and baseline.model in (None, case.model):
                self._cases[case.suite].setdefault(case.model, []).append(case)

    def find(self, suite: str, model: str, *, is_only: bool) -> Opponent:
        """Return the baseline's cases that a suite and model is compared with.

        They are those of the baseline's model that the user named, else of the model with the same name. If both runs
        have a single model in the suite, these are compared whatever their names, since the model may be under test.

        Args:
            suite: the suite.
            model: model of the current run.
            is_only: whether it is the suite's only model in the current run.
        """
        if self._baseline is None:
            return Opponent(why_none=self._why_none)
        name, models = self._baseline.name, self._cases[suite]
        if not models:
            which = f" on {one_line(self._baseline.model, 60)}" if self._baseline.model is not None else ""
            return Opponent(why_none=f"baseline {name} has no case of suite {one_line(suite, 60)!r}{which}")
        chosen = model if model in models else None
        if chosen is None and len(models) == 1 and (is_only or self._baseline.model is not None):
            (chosen,) = models
        if chosen is None:
            known = ", ".join(one_line(each, 60) for each in sorted(models))
            return Opponent(
                why_none=f"baseline {name} has no model {one_line(model, 60)!r} (it has {known}); name one as RUN@MODEL"
            )
        return Opponent(
            name=name,
            again=self._baseline.again,
            cases=models[chosen],
            deselected=self._baseline.deselected.get(suite, 0),
        )


def refusal(column: PairedColumn, opponent: Opponent, settings: GateSettings, *, with_lost: bool = False) -> str | None:
    """Return why a metric cannot be compared, if so: other scorers or judges made it, or too few rows pair.

    Args:
        column: pairs of the metric, perhaps of a slice.
        opponent: the baseline's cases.
        settings: settings of the suite.
        with_lost: whether lost values could be any, so that rows that the infrastructure lost are weighed after all.
    """
    for what, rows in sorted(column.remade.items()):
        if what not in settings.allow_change:
            alone = f" ({_alone(column, len(rows))})" if what == "scorer" and column.by_lone else ""
            return (
                f"another {what} than the baseline's made it in {len(rows)} of {len(column.pairs)} rows{alone};"
                f" {_fix(opponent, by_judge=what == 'judge')}, or allow it with allow_change: [{what}]"
            )
    return _too_few(column, opponent, column.missing_unlost if with_lost else column.missing)


def _too_few(column: PairedColumn, opponent: Opponent, missing: int) -> str | None:
    """Return why too few baseline rows pair, ``missing`` of which have a value only there; None if enough do."""
    altered, gone = len(column.altered), _gone(column, opponent)
    scored = len(column.pairs) - column.unscored_before
    # in a small slice a single row would be too much already; if all are missing, ``nothing_pairs`` gives the reason
    lost = column.lost_before if 1 < column.lost_before < len(column.pairs) else 0
    missing = missing if 1 < missing < scored else 0
    wanted, paired = len(column.pairs) + altered + gone + column.left, len(column.pairs) - lost - missing
    advice = _WITHOUT_VALUE if paired + missing >= _LEAST_PAIRED * wanted else "set a new baseline"
    renamed = min(len(column.renamed), gone)
    advice = f"give rows their ids back, or {advice}" if paired + renamed >= _LEAST_PAIRED * wanted else advice
    if paired < _LEAST_PAIRED * wanted:
        unanswered = (f", {lost} lost there" if lost else "") + (f", {missing} without a value here" if missing else "")
        left = f", {column.left} {_LEFT}" if column.left else ""
        ids = f", {renamed} of them under other ids now" if renamed else ""
        counts = f"{altered} changed, {gone} gone{ids}{left}{unanswered}"
        return f"only {paired} of {wanted} baseline rows pair ({counts}); {advice}"
    if scored - missing < _LEAST_PAIRED * scored:
        return f"only {scored - missing} of {scored} rows that the baseline scored have a value here; {_WITHOUT_VALUE}"
    return None


def left_out(column: PairedColumn, opponent: Opponent) -> str:
    """Return in words which rows are left out of a comparison; empty if none are."""
    counts = {
        "new": len(column.added),
        "changed": len(column.altered),
        "gone": _gone(column, opponent),
        _LEFT: column.left,
        "answered from the cache": column.cached,
        "not scored by the baseline": sum(pair.before is None and not pair.is_cached for pair in column.pairs),
        "without a value here": sum(pair.has_no_value and not pair.is_cached for pair in column.pairs),
    }
    parts = [f"{count} {what}" for what, count in counts.items() if count]
    parts += [f"the judges' part of the cost of {counted(column.by_model, 'row')}"] if column.by_model else []
    return f"left out: {', '.join(parts)}" if parts else ""


def _gone(column: PairedColumn, opponent: Opponent) -> int:
    """Return how many rows of the baseline are gone, apart from as many as ``-m`` left out.

    Which rows ``-m`` left out is not recorded. So a slice counts all its absent rows as gone, up to the number of rows
    that are gone from the whole suite.
    """
    return min(len(column.absent), max(0, column.absent_in_suite - opponent.deselected))


def _alone(column: PairedColumn, remade: int) -> str:
    """Return in words which scores decide outcomes in only one run, and for how many of the ``remade`` rows."""
    named = [repr(one_line(name, 40)) for name in column.lone_scores]
    some = f"{len(column.by_lone)} of them as " if len(column.by_lone) < remade else ""
    return f"{some}one of both runs alone has the score{'s' if len(named) > 1 else ''} {and_more(named, _NAMED)}"


def _fix(opponent: Opponent, *, by_judge: bool = False) -> str:
    """Return advice on how to get a baseline with today's scores."""
    if opponent.again is None:
        return "set a new baseline"
    judge = " --judge-model SPEC" if by_judge else ""
    return f"set a new baseline, or score its answers again (llmeval rescore {opponent.again}{judge}) and set that"


def nothing_pairs(column: PairedColumn, opponent: Opponent) -> str:
    """Return why no row has a value in both runs."""
    if column.pairs and column.unscored_before == len(column.pairs):
        fix = "set a new baseline" if column.metric in MEASURED_METRICS else _fix(opponent)
        return f"baseline {opponent.name} has no value of {one_line(column.metric, 60)!r}; {fix}"
    return f"no row has a value of {one_line(column.metric, 60)!r} in both runs"
