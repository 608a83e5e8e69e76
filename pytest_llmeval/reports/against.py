"""A few lines on the baseline that a run's change rules were judged against."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from pytest_llmeval.core.errors import StoreError
from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.gate.judging import Verdict
from pytest_llmeval.core.gate.weigh import lacks_its_suite
from pytest_llmeval.core.rules import REGRESSION_KINDS, kind_of
from pytest_llmeval.core.text import and_more, counted, one_line, printable, shell_words
from pytest_llmeval.reports.beside_baseline import Beside, beside_baseline, flip_counts
from pytest_llmeval.store.baseline_choice import BaselineChoice
from pytest_llmeval.store.baselines import FoundBaseline, set_up_differences
from pytest_llmeval.store.records import Run

__all__ = ["NOT_HELD", "against_lines", "difference_line", "is_held_against", "recorded_line"]

NOT_HELD = "no rule on a change was judged against it"
_MOST = 6
"""Largest number of set-up differences shown."""
_FIRST = 3
"""Largest number of rows that flipped for the worse and are named."""
_LONGEST = timedelta(days=90)
"""Age above which a baseline is called old: by then small losses may have added up that comparisons with newer runs
never showed."""


def against_lines(
    choice: BaselineChoice,
    run: Run,
    verdicts: Collection[Verdict],
    cases: Iterable[JudgedCase],
    *,
    db_option: str = "",
    to_root: str = "",
) -> list[str]:
    """Return lines on the baseline: its name, its age if it is old, set-up differences, and the rows that flipped.

    A different number of epochs in the baseline, which affects alpha, gets a line too. The result is empty if suites
    that ran have change rules but none of them was judged against the baseline, and if there are no such rules and the
    baseline shares no suite with the run.

    Args:
        choice: the baseline that was chosen, if any.
        run: the run that was judged.
        verdicts: the verdicts of its rules.
        cases: its cases.
        db_option: the option by which suggested commands find the database, with a leading blank.
        to_root: the start of a suggested command that changes to the folder in which it works, such as ``cd svc && ``.
    """
    if choice.found is None:
        return []
    base, on_change = choice.found, _on_change(verdicts)
    try:
        beside = beside_baseline(base, cases)
    except StoreError:  # the file of the baseline has been deleted since
        beside = {}
    if not is_held_against(verdicts, is_beside=bool(beside)):
        return []
    which = _which(base.name, base.kind, base.run.id)
    by_none = "" if on_change else "; no rule is on a change"
    lines = [
        f"compared with {which}, of {one_line(base.run.started_at[:10])}{by_none}",
        *(_age(base, run, f"{to_root}llmeval", db_option) if on_change else ()),
    ]
    differs = difference_line(base.run, run)
    lines += [differs] if differs else []
    lines += _epochs(base.run, run) if on_change else []
    command = f"{to_root}llmeval compare {shell_words([base.ref]) or 'BASE'} {run.id}{db_option}"
    flipped = list(_flipped(beside, command))
    return [*lines, *(flipped or ([] if on_change else [f"what changed: {printable(command)}"]))]


def recorded_line(run: Run, verdicts: Collection[Verdict]) -> str | None:
    """Return a line naming the baseline that recorded change verdicts were judged against; None if there are none."""
    told = run.settings.get("baseline")
    if not told or not is_held_against(verdicts, is_beside=False):
        return None
    return f"compared with {_which(str(told['name']), str(told['kind']), str(told['run']))}"


def _which(name: str, kind: str, run_id: str) -> str:
    shown = one_line(name, 60)
    return f"run {shown}" if kind == "run" else f"baseline {shown}: run {one_line(run_id, 60)}"


def is_held_against(verdicts: Iterable[Verdict], *, is_beside: bool) -> bool:
    """Return whether a run was judged against a baseline or, without change rules, shares a suite with it.

    Args:
        verdicts: the verdicts of all rules.
        is_beside: whether the run and the baseline share a suite.
    """
    on_change = _on_change(verdicts)
    return (is_beside and not on_change) or any(each.verdict != "not_judged" or each.is_reported for each in on_change)


def _on_change(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """Return the verdicts of change rules on suites that ran."""
    return [each for each in verdicts if kind_of(each.rule) in REGRESSION_KINDS and not lacks_its_suite(each.reason)]


def _flipped(beside: Mapping[tuple[str, str], Beside], command: str) -> Iterator[str]:
    """Yield a line with the number of flipped rows, the first ones for the worse, and the command that shows all."""
    directions = flip_counts(beside.values())
    if not directions:
        return
    worse = [
        f"{one_line(sample_id, 60)} of {one_line(suite, 60)}"
        for (suite, _), each in sorted(beside.items())
        for sample_id, direction in each.flips.items()
        if direction == "worse"
    ]
    named = f" ({and_more(worse, _FIRST)})" if worse else ""
    yield (
        f"rows that flipped: {len(worse):,} for the worse{named}, {directions['better']:,} for the better; what"
        f" changed: {printable(command)}"
    )


def difference_line(base: Run, run: Run) -> str | None:
    """Return a line with the set-up differences between ``run`` and its baseline; None if none are known."""
    differences = set_up_differences(base, run)
    named = "; ".join(one_line(each, 120) for each in differences[:_MOST])
    more = f"; and {len(differences) - _MOST} more (llmeval compare)" if len(differences) > _MOST else ""
    return f"what differs from it: {named}{more}" if differences else None


def _age(base: FoundBaseline, run: Run, llmeval: str, db_option: str) -> Iterator[str]:
    """Yield a line with the baseline's age when ``run`` began, if it is too old."""
    try:
        age = datetime.fromisoformat(run.started_at) - datetime.fromisoformat(base.run.started_at)
    except (ValueError, TypeError):  # the start time in an imported file may be any text
        return
    if age > _LONGEST:
        own = shell_words([base.name.removesuffix(f"@{base.model}")])
        command = {"name": f"set {own or 'NAME'}", "file": f"export RUN {own or 'FILE'}"}.get(base.kind, "set NAME")
        todo = f"set it anew by a newer green run: {llmeval} baseline {command}{printable(db_option)}"
        yield f"the baseline is {age.days} days old; {todo}"


def _epochs(base: Run, run: Run) -> Iterator[str]:
    """Yield a warning if the epochs differ: near 0 and 1 the mean of many draws less that of few is skewed."""
    before, now = (each.settings.get("options", {}).get("epochs") for each in (base, run))
    if before and now and before != now:
        yield (
            f"the baseline has {counted(before, 'epoch')} and this run {now:,}: rules on a change fail more often than"
            " alpha says where means are near 0 or 1; run both with the same --epochs"
        )
