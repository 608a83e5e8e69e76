"""Whether ``mode: noninferior`` can be judged with the rows of a session, found before anything is spent.

Such a rule passes only if a loss as large as its margin is ruled out with confidence. With too few rows it fails more
than one in five runs in which nothing changed, so its verdict means nothing.
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
"""Greatest usual correlation of rows between runs. It is assumed if none was measured, so that a rule is refused only
if even such a correlation is too low."""


def has_margins(thresholds: Thresholds) -> bool:
    """Return whether any rule is ``mode: noninferior``; without one ``unjudgeable`` returns nothing."""
    return any(rule.kind == "noninferior" for suite in thresholds.suites.values() for rule in suite.rules)


def unjudgeable(thresholds: Thresholds, sizes: Mapping[str, SuiteSize], baseline: Baseline) -> list[str]:
    """Return a message for each ``mode: noninferior`` that cannot be judged, in the order of the file.

    A rule cannot be judged if the loss that it can rule out in four runs of five (``margin_needed``) is above its
    margin. How much answers vary is taken from the baseline's epochs. If it has one epoch, a correlation of 0.7 between
    runs is assumed, so that no rule is refused that may well be judged. Rules without rows in the baseline are skipped.

    Args:
        thresholds: the rules.
        sizes: sizes of the suites that are to run, by suite.
        baseline: the baseline to compare with; its cases are read.
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
