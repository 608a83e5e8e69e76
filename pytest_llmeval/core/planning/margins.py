"""Whether ``mode: noninferior`` can be judged with the rows of a session, told before anything is spent.

Such a rule passes only where a loss of its margin is surely ruled out. With too few rows it fails runs in which nothing
changed more often than one time in five, so that it says nothing.
"""

from collections.abc import Iterator, Mapping, Sequence

from pytest_llmeval.core.gate.baseline import Baseline
from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.gate.family import looks_alpha
from pytest_llmeval.core.gate.names import place_of
from pytest_llmeval.core.gate.opponents import Opponents
from pytest_llmeval.core.gate.sight import margin_needed, rows_for_margin
from pytest_llmeval.core.gate.sizes import SuiteSize
from pytest_llmeval.core.gate.spread import part_spread, read_rows
from pytest_llmeval.core.rules import Rule, Thresholds
from pytest_llmeval.core.text import counted

__all__ = ["has_margins", "unjudgeable"]

_POWER = 0.8
_LIKELY_AT_MOST = 0.7
"""The greatest correlation of rows between runs that is usual; where none was measured a rule is refused only if even
that is too little."""


def has_margins(thresholds: Thresholds) -> bool:
    """Return whether any rule is ``mode: noninferior``, so that ``unjudgeable`` may have something to say."""
    return any(rule.kind == "noninferior" for suite in thresholds.suites.values() for rule in suite.rules)


def unjudgeable(thresholds: Thresholds, sizes: Mapping[str, SuiteSize], baseline: Baseline) -> list[str]:
    """Return a message for each ``mode: noninferior`` that cannot be judged, in the order of the file.

    So it is where the loss that such a rule can rule out in four runs of five (``margin_needed``) is above its margin.
    How much answers vary comes from the baseline's epochs; where it has one epoch, rows are taken to correlate by 0.7
    between runs, so that nothing is refused that may well be judged. Rules that the baseline has no row for are passed
    over.

    Args:
        thresholds: the rules.
        sizes: what is to run, by suite.
        baseline: what it is to be compared with; its cases are read.
    """
    opponents = Opponents(baseline, thresholds.suites, why_none="")
    return list(
        dict.fromkeys(
            message
            for name, suite in thresholds.suites.items()
            for rule in suite.rules
            for model in (sizes[name].models if name in sizes else ())
            if rule.kind == "noninferior" and rule.model in (None, model)
            for message in _refused(thresholds, rule, sizes, _before(opponents, rule, model, sizes[name]))
        )
    )


def _before(opponents: Opponents, rule: Rule, model: str, size: SuiteSize) -> Sequence[JudgedCase]:
    return opponents.find(rule.suite, model, is_only=len(size.models) == 1).cases


def _refused(
    thresholds: Thresholds, rule: Rule, sizes: Mapping[str, SuiteSize], before: Sequence[JudgedCase]
) -> Iterator[str]:
    size = sizes[rule.suite]
    spread = part_spread(rule.metric, *read_rows(rule.metric, before), rule.slice, correlation=_LIKELY_AT_MOST)
    if spread is None or not rule.bound:
        return
    alpha = looks_alpha(thresholds, thresholds.suites[rule.suite].settings, sizes)
    n, epochs = min(spread.n, size.rows.get(rule.slice, 0)), 2 / (1 / spread.epochs + 1 / size.epochs)
    needed = rows_for_margin(spread, rule.bound, alpha=alpha, power=_POWER, epochs=epochs)
    if not 0 < n < needed:
        return
    margin = margin_needed(spread, alpha=alpha, power=_POWER, n=n, epochs=epochs)
    if margin <= rule.bound:
        return
    assumed = "; at least, as the baseline has one epoch only" if spread.source == "assumed" else ""
    yield (
        f"{place_of(thresholds, rule, 'mode')}: noninferior with margin {rule.bound:.4g} cannot be judged with"
        f" {counted(n, 'row')}: it would fail more than one in five runs in which nothing changed; about"
        f" {needed:,} rows or a margin of {margin:.2g} are needed{assumed}"
    )
