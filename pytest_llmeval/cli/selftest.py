"""The command ``llmeval selftest``: how often a project's rules raise a false alarm, measured on two of its runs."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from pytest_llmeval.cli.output import (
    database_option,
    echo_lines,
    emit_json,
    json_option,
    opened_store,
    table_room,
    terminal_width,
    thresholds_option,
)
from pytest_llmeval.cli.project import Project, find_project
from pytest_llmeval.cli.rules import rules_for
from pytest_llmeval.core.errors import StoreError, ThresholdsError
from pytest_llmeval.core.planning.selftest import PAIRS, RuleTally, SelfTest, pairs_within, replay
from pytest_llmeval.core.planning.twins import Twins, split_epochs, twins
from pytest_llmeval.core.rules import Thresholds
from pytest_llmeval.core.text import one_line
from pytest_llmeval.reports.run_text import run_label
from pytest_llmeval.reports.selftest_text import selftest_lines
from pytest_llmeval.store.baseline_choice import choose_baseline
from pytest_llmeval.store.baselines import FoundBaseline, find_baseline
from pytest_llmeval.store.sqlite_reader import SqliteReader
from pytest_llmeval.store.trust import trust_in
from pytest_llmeval.store.twins import origins, twin_of

__all__ = ["selftest"]

_QUIET_S = 1.0
"""Seconds before progress is shown."""
_EVERY_S = 0.2
"""Seconds between two updates of the progress."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chosen:
    """Two runs whose answers are swapped."""

    rows: Twins
    told: str
    """Description of the two runs."""
    ids: tuple[str, ...]


@click.command("selftest")
@click.argument("runs", nargs=-1, metavar="[RUN...]")
@thresholds_option("the last RUN")
@click.option(
    "--pairs",
    type=click.IntRange(min=1),
    help="How many pairs to judge; 1,000, or fewer where that takes more than about a minute.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the swaps.")
@json_option
@database_option
def selftest(
    runs: tuple[str, ...], thresholds: Path | None, pairs: int | None, seed: int, as_json: bool, database: Path | None
) -> None:
    """Measure how often the rules on a change raise a false alarm.

    The answers of two runs of the same rows are swapped at random, row by row (by whole clusters if rows have one), and
    judged by the rules, again and again: whatever fails then is a false alarm. Without RUN, the newest full run is
    used, with the baseline of the rules or the run most like it; a single run with several epochs is split.
    """
    if len(runs) > 2:
        raise click.UsageError(f"two runs are compared, not {len(runs)}")
    project = find_project()
    with opened_store(project, database, runs or ["last"]) as store:
        current = _current(store, project, runs)
        rules = rules_for(project, current.run, thresholds)
        _check(rules)
        chosen = _chosen(store, project, rules, runs, current)
        trust = trust_in(store, rules)
    count = pairs or pairs_within(chosen.rows.cases)
    found = replay(rules, chosen.rows, pairs=count, seed=seed, trust=trust, on_pair=_progress(count))
    if not any(rule.is_change for rule in found.rules):
        message = f"no max_drop and no max_rise is about a row that is in both of {chosen.told}"
        raise ThresholdsError(f"{rules.shown_as}: {message}")
    if as_json:
        emit_json({"runs": chosen.ids, "seed": seed, **_facts(found)})
    else:
        is_cut = pairs is None and count < PAIRS
        room = {"width": terminal_width(), "tables": table_room()}
        echo_lines(selftest_lines(found, chosen.told, seed=seed, is_cut=is_cut, **room))


def _check(rules: Thresholds) -> None:
    if not any(rule.kind in ("max_drop", "max_rise") for suite in rules.suites.values() for rule in suite.rules):
        raise ThresholdsError(
            f"{rules.shown_as}: no rule on a change (max_drop, max_rise), so nothing can raise a false alarm; add"
            " one, or name another file with --thresholds"
        )


def _current(store: SqliteReader | None, project: Project, refs: Sequence[str]) -> FoundBaseline:
    """Return the run that was named last, or the newest full run if none was named."""
    if refs:
        return find_baseline(refs[-1], reader=store, root=project.root)
    runs = store.runs() if store is not None else []
    newest = next((run for run in runs if run.is_full), None)
    if newest is None and runs:
        raise StoreError(
            "no run is finished with all its rows (one that is unmeasurable, partial or a shard is not); name one to"
            " take it all the same: llmeval selftest RUN"
        )
    if newest is None:
        raise StoreError(f"no run finished with all its rows; `{project.run_evals}` records one")
    return find_baseline(newest.id, reader=store, root=project.root)


def _chosen(
    store: SqliteReader | None, project: Project, rules: Thresholds, refs: Sequence[str], current: FoundBaseline
) -> _Chosen:
    """Return the two runs; raise StoreError if there is no second run of the same rows."""
    cases = current.own_cases()
    named = find_baseline(refs[0], reader=store, root=project.root) if len(refs) == 2 else None
    for other in [named] if named is not None else _partners(store, project, rules, current):
        if (other.run.id, other.model) == (current.run.id, current.model):
            continue
        rows = twins(rules, other.own_cases(), cases)
        if rows.rows:
            pair = f"{_told(other)} and {_told(current)}"
            return _Chosen(rows=rows, told=pair, ids=(other.run.id, current.run.id))
        if named is not None:
            raise StoreError(f"{_told(other)} and {_told(current)} share no row of a suite that has rules")
    rows = twins(rules, *split_epochs(cases))
    if rows.rows:
        return _Chosen(rows=rows, told=f"{_told(current)}, its epochs in two halves", ids=(current.run.id,))
    alone = "is the only full run of its rows" if current.run.is_full else "is not full, shares no row with a full run"
    alone = "was named twice" if named is not None else alone
    raise StoreError(
        f"{_told(current)} {alone} and has one epoch, but swapping needs two answers for each row: run the same"
        " evals once more, or with --epochs 2, and try again"
    )


def _partners(
    store: SqliteReader | None, project: Project, rules: Thresholds, current: FoundBaseline
) -> Iterator[FoundBaseline]:
    """Yield the runs that ``current`` can be compared with, the best first."""
    baseline = choose_baseline(None, rules, reader=store, root=project.root).found
    known = origins(store.runs()) if store is not None else {}
    is_rescored = baseline is not None and known.get(baseline.run.id) == known.get(current.run.id, current.run.id)
    if baseline is not None and not is_rescored:  # swapping the same answers would tell nothing
        yield baseline
    twin = twin_of(current.run, store.runs()) if store is not None else None
    if twin is not None:
        yield find_baseline(twin.id, reader=store, root=project.root)


def _told(found: FoundBaseline) -> str:
    model = f" on {one_line(found.model, 60)}" if found.model is not None else ""
    return f"run {run_label(found.run)}{model}"


def _progress(pairs: int) -> Callable[[int], None]:
    """Return a callback that shows the progress on a terminal, starting after a second."""
    if not sys.stderr.isatty():
        return lambda done: None
    next_s = time.monotonic() + _QUIET_S
    is_shown = False

    def tell(done: int) -> None:
        nonlocal next_s, is_shown
        if is_shown and done == pairs:
            click.echo("\r\x1b[K", err=True, nl=False)
        elif time.monotonic() >= next_s:
            click.echo(f"\r{done:,} of {pairs:,} pairs judged", err=True, nl=False)
            next_s, is_shown = time.monotonic() + _EVERY_S, True

    return tell


def _facts(found: SelfTest) -> dict[str, Any]:
    return {
        "pairs": found.pairs,
        "rows": found.rows,
        "units": found.units,
        "uneven": found.uneven,
        "alpha": found.alpha,
        "alarms": found.alarms,
        "rate": found.rate,
        "interval": found.interval,
        "above_alpha": found.is_above,
        "unsure": found.unsure,
        "rules": [_rule_facts(rule) for rule in found.rules],
    }


def _rule_facts(rule: RuleTally) -> dict[str, Any]:
    return {
        "suite": rule.suite,
        "model": rule.model,
        "metric": rule.metric,
        "slice": rule.slice,
        "rule": rule.rule,
        "on_a_change": rule.is_change,
        "n": rule.n,
        "differing": rule.differing,
        "pairs": rule.pairs,
        "verdicts": rule.verdicts,
        "fails": rule.fails,
        "rate": rule.fails / rule.pairs,
        "interval": rule.interval,
        "reason": rule.reason,
    }
