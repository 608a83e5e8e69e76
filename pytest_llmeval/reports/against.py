"""What the rules on a change were judged against, in a few lines."""

import shlex
from collections.abc import Iterator
from datetime import datetime, timedelta

from pytest_llmeval.core.rules import REGRESSION_KINDS, Thresholds
from pytest_llmeval.core.text import one_line
from pytest_llmeval.store.baseline_choice import BaselineChoice
from pytest_llmeval.store.baselines import FoundBaseline, set_up_differences
from pytest_llmeval.store.records import Run

__all__ = ["against_lines"]

_MOST = 6
"""Differences told."""
_LONGEST = timedelta(days=90)
"""After it small losses may have added up that no comparison with a newer run would see."""


def against_lines(choice: BaselineChoice, run: Run, thresholds: Thresholds) -> list[str]:
    """Return lines with the baseline, its age where it is old and what differs in the set-up.

    There are none where no rule asks for it.

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
    lines = [f"compared with {which}, of {one_line(base.run.started_at[:10])}", *_age(base, run)]
    return [*lines, f"what differs from it: {told}{more}"] if differences else lines


def _age(base: FoundBaseline, run: Run) -> Iterator[str]:
    """Yield how old the baseline was when ``run`` began, where that is too old."""
    try:
        age = datetime.fromisoformat(run.started_at) - datetime.fromisoformat(base.run.started_at)
    except (ValueError, TypeError):  # a file of somebody else's may say anything
        return
    if age > _LONGEST:
        told = shlex.quote(one_line(base.name.partition("@")[0], 60))
        command = {"name": f"set {told}", "file": f"export RUN {told}"}.get(base.kind, "set NAME")
        yield f"the baseline is {age.days} days old; set it anew by a newer green run: llmeval baseline {command}"
