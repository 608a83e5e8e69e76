"""The command ``llmeval merge``: joining the shards of a run, recorded on several machines, and judging the whole."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import click

from pytest_llmeval.cli.gate import Gated
from pytest_llmeval.cli.output import json_option, thresholds_option
from pytest_llmeval.cli.project import Project, find_project
from pytest_llmeval.cli.rules import check_rules, rules_for
from pytest_llmeval.core.errors import SettingsError, ThresholdsError
from pytest_llmeval.core.gate.case import MONEY_KINDS
from pytest_llmeval.core.rules import Thresholds
from pytest_llmeval.core.status import FAILED, PASSED, UNMEASURABLE, worse_status
from pytest_llmeval.core.text import counted, one_line
from pytest_llmeval.store.baseline_choice import BaselineChoice, choose_again, choose_baseline
from pytest_llmeval.store.merging import import_shards, joined_run, judged_in, runs_in
from pytest_llmeval.store.processes import process_started
from pytest_llmeval.store.records import Run, RunEnd, utc_now
from pytest_llmeval.store.shards import ShardRun, going_on, has_gone_on, matching_shards
from pytest_llmeval.store.sqlite import SqliteStore

__all__ = ["merge"]

_NOTHING_COLLECTED = 5
"""Exit status if nothing was collected, as pytest has it."""


@click.command()
@click.argument("databases", metavar="DB...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--into", "--llmeval-db", "--db", "database", type=click.Path(path_type=Path), help="Target database.")
@thresholds_option("the shards")
@click.option("--baseline", metavar="NAME|RUN|FILE|none", help="What to compare with; default: what the shards used.")
@json_option
def merge(
    databases: tuple[Path, ...], database: Path | None, thresholds: Path | None, baseline: str | None, as_json: bool
) -> int:
    """Join the shards of a run, recorded in the files DB, into one run of the project's database, and judge it.

    Of each shard the newest run counts, if it agrees with the others in name, commit, settings and number of shards.
    The exit status is that of the gate, or of a shard in which an ordinary test failed. Joining the same shards again
    finds the joined run and judges it again.
    """
    project = find_project()
    files = [project.located(str(path)) for path in databases]
    shards = matching_shards([(path, runs_in(path)) for path in files])
    if not any(each.run.expected for each in shards):
        click.echo("llmeval: no shard has a case: nothing was collected", err=True)
        return _NOTHING_COLLECTED
    target = project.database_at(database)
    if database is not None and target.exists() and any(map(target.samefile, files)):
        shown = one_line(str(database))
        raise SettingsError(f"--into {shown}: one of the shards' files, which are never changed; name another")
    with contextlib.closing(SqliteStore(target, db_option=project.db_option(target))) as store:
        gated, is_new = _merged(store, project, shards, thresholds, baseline)
    ids = {str(each.shard): each.run.id for each in shards}
    ends = [f"shard {each.shard} ended with status {code}" for each, code in _bad_ends(shards, gated.run)]
    message = f"{counted(len(shards), 'shard')} {'joined' if is_new else 'had been joined'}"
    notes = [*ends, f"{message} as run {gated.run.id} in {project.shown(target)}"]
    gated.show(as_json=as_json, notes=notes, shards=ids)
    return gated.exit_code


def _merged(
    store: SqliteStore, project: Project, shards: Sequence[ShardRun], thresholds: Path | None, baseline: str | None
) -> tuple[Gated, bool]:
    """Return the verdict on the joined run, and whether the shards were joined just now."""
    runs = store.runs()
    run = joined_run(shards, runs)
    run = replace(run, process_started=process_started(run.pid))
    rules = _rules(project, run, thresholds)
    check_rules(rules, run, judged_in(shards))
    known = next((each for each in runs if each.id == run.id), None)
    open_still = known and going_on(known, db_option=store.db_option)
    if open_still:
        raise SettingsError(open_still)
    if known is not None and known.end is not None:
        choice = choose_again(known, baseline, rules, reader=store, root=project.root)
        return _judged(store, known, rules, choice, shards), False
    options = run.settings["options"]
    told = baseline or options.get("baseline")
    choice = choose_baseline(told, rules, reader=store, root=project.root).for_run(run, store.runs)
    run = choice.noted_in(replace(run, settings={**run.settings, "options": {**options, "baseline": told}}))
    if not import_shards(store, run, shards):
        store.resume_run(run)  # an earlier merge was killed before the verdict
    ended = replace(run, end=RunEnd(finished_at=utc_now(), status="finished", exit_code=0, verdict="none"))
    gated = _judged(store, ended, rules, choice, shards)
    end = _end(gated)
    store.set_verdicts(run.id, gated.result.verdicts)
    store.finish_run(run.id, end)
    return replace(gated, run=replace(run, end=end)), True


def _rules(project: Project, run: Run, thresholds: Path | None) -> Thresholds:
    """Return the rules; raise ThresholdsError if the shards had rules and there are none here."""
    rules = rules_for(project, run, thresholds, to_judge=True)
    if run.settings["has_rules"] and not rules.suites:
        raise ThresholdsError(
            f"the shards had rules, and there are none in {project.root}; run this in the project's folder, or name the"
            " file with --thresholds"
        )
    return rules


def _judged(
    store: SqliteStore, run: Run, rules: Thresholds, choice: BaselineChoice, shards: Sequence[ShardRun]
) -> Gated:
    """Return the verdict, with an exit status that also reflects ordinary tests that failed in a shard."""
    gated = Gated.of(store, run, rules, choice)
    ends = [code for _, code in _bad_ends(shards, run)]
    status = gated.exit_code
    for code in ends:
        status = worse_status(status, code if code in (FAILED, UNMEASURABLE) else PASSED)
    status = status or next(iter(ends), PASSED)  # another plugin's status, used if ours is 0
    return replace(gated, exit_code=status, warnings=[*gated.warnings, *_without_baseline(gated)])


def _without_baseline(gated: Gated) -> Iterator[str]:
    """Yield a warning if the baseline that the rules name is not on this machine, which recorded none of the shards."""
    why = gated.choice.why_none
    count = sum(each.verdict == "not_judged" and each.reason == why for each in gated.result.verdicts)
    if gated.choice.is_missing and count:
        yield (
            f"{counted(count, 'rule')} on a change not judged: the baseline is not on this machine; bring it before the"
            " merge (llmeval baseline import FILE), or let thresholds.yaml name a file of the repository"
        )


def _bad_ends(shards: Sequence[ShardRun], joined: Run) -> Iterator[tuple[ShardRun, int]]:
    """Yield the shards whose sessions failed, with their exit statuses.

    An unmeasurable shard does not count if the joined run was resumed since: it is judged by what came of that.
    """
    mild = {PASSED, _NOTHING_COLLECTED, *([UNMEASURABLE] if has_gone_on(joined) else [])}
    for each in shards:
        if each.run.end is not None and each.run.end.exit_code not in mild:
            yield each, each.run.end.exit_code


def _end(gated: Gated) -> RunEnd:
    """Return the end of the joined run, the same as for one session with these cases."""
    lacks_answers = any(case.error_kind in MONEY_KINDS for case in gated.cases.judged)
    is_open = gated.result.verdict == "unmeasurable" or gated.exit_code == UNMEASURABLE or lacks_answers
    return RunEnd(
        finished_at=utc_now(),
        status="unmeasurable" if is_open else "finished",
        exit_code=gated.exit_code,
        verdict=gated.result.verdict,
    )
