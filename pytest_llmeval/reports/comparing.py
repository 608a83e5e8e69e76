"""Comparing two stored runs: gathers their cases, texts and set-ups for ``compare``."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_llmeval.core.errors import StoreError
from pytest_llmeval.core.gate.baseline import Baseline
from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.rules import Thresholds
from pytest_llmeval.core.text import one_line
from pytest_llmeval.reports.against import difference_line, is_held_against
from pytest_llmeval.reports.comparison import Comparison, compare
from pytest_llmeval.reports.judge_changes import judge_changes
from pytest_llmeval.reports.judge_drift import judge_warnings
from pytest_llmeval.reports.own_gate import OwnGate, own_gate
from pytest_llmeval.reports.row_flips import FlippedRows, RowKey, Side, flipped_rows, paired_suites
from pytest_llmeval.reports.row_texts import row_texts
from pytest_llmeval.store.baseline_choice import why_not_whole
from pytest_llmeval.store.baselines import FoundBaseline, deselected_rows, find_baseline, set_up_differences
from pytest_llmeval.store.records import UNFINISHED, Run
from pytest_llmeval.store.sqlite_reader import SqliteReader
from pytest_llmeval.store.trust import trust_in

__all__ = ["SinceBaseline", "compare_found", "flips_since_baseline", "recorded_baseline"]


def compare_found(
    base: FoundBaseline,
    current: FoundBaseline,
    rules: Thresholds,
    *,
    reader: SqliteReader | None,
    most_flips: int,
) -> Comparison:
    """Return what changed from ``base`` to ``current``.

    Args:
        base: the run to compare with.
        current: the run under test.
        rules: the thresholds whose change rules decide.
        reader: the database whose labels show how far judges can be trusted; None if there is none.
        most_flips: the largest number of rows shown in full, worse and better ones together.
    """
    is_same = base.run.id == current.run.id and "file" not in (base.kind, current.kind)
    is_same_suite = base.suite == current.suite
    cases = list(current.judged())
    before = cases if is_same and is_same_suite else list(base.judged())
    set_up = [
        *_suites(base, current),
        *set_up_differences(_as_asked(base), _as_asked(current)),
        *judge_changes(before, cases, base.judges(), current.judges()),
    ]
    if is_same and is_same_suite and base.model == current.model:
        set_up = ["nothing: it is the same run twice"]
    return compare(
        _side(base, before),
        replace(_side(current, cases), deselected=deselected_rows(base.run, current.run)),
        rules,
        set_up=set_up,
        notes=[
            *judge_warnings(current.run, current.answering(), base),
            *dict.fromkeys([*_notes(base), *_notes(current)]),
        ],
        most_flips=most_flips,
        trust=trust_in(reader, rules),
        why_no_base=why_not_whole(base),
        gate=_gate(current, cases, reader),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SinceBaseline:
    """The rows of a run that changed since its baseline."""

    base: str
    """Name of the baseline."""
    base_id: str
    flipped: FlippedRows
    known: Collection[RowKey]
    """Rows of the run that the baseline has too, with the same input and target."""
    differs: str | None
    """Differences in the set-up, in words; None if none are known."""
    is_held: bool
    """Whether the run's change rules, if it has any, were judged against this baseline."""


def flips_since_baseline(run: Run, *, reader: SqliteReader, root: Path, most: int) -> SinceBaseline | None:
    """Return the rows of ``run`` that changed since the baseline its session chose; None if that is gone.

    Nothing is judged again: the recorded verdicts are used.

    Args:
        run: a recorded run.
        reader: its database.
        root: the root of the project. A baseline file is looked up from the current folder, then from there.
        most: the largest number of rows shown in full.
    """
    base = recorded_baseline(run, reader=reader, root=root)
    if base is None:
        return None
    try:
        before = _side(base, list(base.judged()))
        now = _side(find_baseline(run.id, reader=reader, root=root), list(reader.judged(run.id)))
        baseline = Baseline(name=before.name, cases=before.cases, model=before.model)
        paired = list(paired_suites(baseline, now.cases))
        verdicts = reader.verdicts(run.id)
        flipped = flipped_rows(paired, verdicts, before, now, most=most)
    except StoreError:  # the baseline's file is damaged
        return None
    return SinceBaseline(
        base=base.name,
        base_id=base.run.id,
        flipped=flipped,
        known=frozenset(
            RowKey(each.suite, each.model, pair.sample_id) for each in paired for pair in each.outcomes.pairs
        ),
        differs=difference_line(base.run, run),
        is_held=is_held_against(verdicts, is_beside=bool(paired)),
    )


def recorded_baseline(run: Run, *, reader: SqliteReader, root: Path) -> FoundBaseline | None:
    """Return the baseline that the session of ``run`` chose; None if it chose none, or it was removed."""
    chosen = run.settings.get("baseline") or {}
    ref = chosen.get("name") if chosen.get("kind") == "file" else chosen.get("run")
    if ref is None:
        return None
    try:
        return replace(find_baseline(ref, reader=reader, root=root), name=chosen["name"], model=chosen.get("model"))
    except StoreError:
        return None


def _side(found: FoundBaseline, cases: Sequence[JudgedCase]) -> Side:
    return Side(
        name=found.name,
        run_id=found.run.id,
        model=found.model,
        cases=cases,
        texts=lambda keys: row_texts(found, keys),
        expected=found.run.expected,
        partial=found.run.left_out,
    )


def _gate(found: FoundBaseline, cases: Sequence[JudgedCase], reader: SqliteReader | None) -> OwnGate:
    """Return the gate's verdict from the run's own session, without rules if the run was imported from a file."""
    run = found.run
    if reader is None or found.kind == "file" or run.is_imported:
        return own_gate(run, (), model=found.model, suite=found.suite)
    ruled = () if run.settings.get("shard") else cases  # a shard is only judged once joined
    return own_gate(run, reader.verdicts(run.id), model=found.model, suite=found.suite, cases=ruled)


def _as_asked(found: FoundBaseline) -> Run:
    """Return the run, limited to the one model that takes part, if only one does."""
    return found.run if found.model is None else replace(found.run, models=(found.model,))


def _suites(base: FoundBaseline, current: FoundBaseline) -> list[str]:
    """Return a line if two suites of different names are compared, else nothing."""
    if base.suite is None or current.suite is None or base.suite == current.suite:
        return []
    return [f"suite {one_line(base.suite, 120)}, now {one_line(current.suite, 120)}"]


def _notes(found: FoundBaseline) -> list[str]:
    run, shard = found.run, found.run.settings.get("shard")
    status = run.shown_status
    notes = [f"run {run.id} is {status}: the rows that it had not come to are missing"] if status in UNFINISHED else []
    message = (
        f"run {run.id} is shard {one_line(str(shard), 40)}: llmeval merge joins it with the others, and judges them"
    )
    return [*notes, message] if shard else notes
