"""What the rules on a change were judged against, in a line or two."""

from pytest_llmeval.core.rules import REGRESSION_KINDS, Thresholds
from pytest_llmeval.core.text import one_line
from pytest_llmeval.store.baseline_choice import BaselineChoice
from pytest_llmeval.store.baselines import set_up_differences
from pytest_llmeval.store.records import Run

__all__ = ["against_lines"]

_MOST = 6
"""Differences told."""


def against_lines(choice: BaselineChoice, run: Run, thresholds: Thresholds) -> list[str]:
    """Return a line with the baseline and one with what differs in the set-up; none where no rule asks for it.

    Args:
        choice: the baseline, or none.
        run: that was judged.
        thresholds: the rules.
    """
    asked = any(rule.kind in REGRESSION_KINDS for suite in thresholds.suites.values() for rule in suite.rules)
    if choice.found is None or not asked:
        return []
    base = choice.found
    is_run = base.kind == "run"
    which = (
        f"run {one_line(base.name, 60)}"
        if is_run
        else f"baseline {one_line(base.name, 60)}: run {one_line(base.run.id, 60)}"
    )
    differences = set_up_differences(base.run, run)
    told = "; ".join(one_line(each, 120) for each in differences[:_MOST])
    more = f"; and {len(differences) - _MOST} more (llmeval compare)" if len(differences) > _MOST else ""
    lines = [f"compared with {which}, of {one_line(base.run.started_at[:10])}"]
    return [*lines, f"what differs from it: {told}{more}"] if differences else lines
