"""The command ``llmeval compare``: changes between two runs, flipped rows, and whether chance explains them."""

import contextlib
import sys
from pathlib import Path

import click

from pytest_llmeval.cli.output import (
    database_option,
    echo_lines,
    emit_json,
    json_option,
    open_reader,
    opened_store,
    table_room,
    terminal_width,
    thresholds_option,
    write_lines,
)
from pytest_llmeval.cli.project import Project, find_project
from pytest_llmeval.cli.rules import check_rules, rules_for
from pytest_llmeval.core.errors import StoreError
from pytest_llmeval.core.transport import plain
from pytest_llmeval.reports.comparing import compare_found
from pytest_llmeval.reports.comparison_markdown import comparison_markdown
from pytest_llmeval.reports.comparison_text import comparison_lines
from pytest_llmeval.store.baseline_choice import choose_again
from pytest_llmeval.store.sides import find_sides

__all__ = ["compare_runs"]

_SHOWN = 20
"""Number of flipped rows that are shown with their texts; JSON has all."""


@click.command("compare")
@click.argument("base", required=False)
@click.argument("current", default="last")
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="Write Markdown for a pull request to this file, too; - prints it instead of the tables.",
)
@click.option("--fail-on-regression", is_flag=True, help="Exit with 1 on a regression, 10 if none can be measured.")
@thresholds_option("CURRENT")
@click.option("-v", "--verbose", is_flag=True, help="Prompts and answers in full.")
@json_option
@database_option
def compare_runs(
    base: str | None,
    current: str,
    output: Path | None,
    fail_on_regression: bool,
    thresholds: Path | None,
    verbose: bool,
    as_json: bool,
    database: Path | None,
) -> int:
    """Compare the run CURRENT (default: the newest) with the run BASE (default: the baseline of CURRENT).

    Each is a baseline's name, a RUN or an exported file. Append ::SUITE to take one suite of it, and @MODEL, at the
    end, to take one model. So you can also compare two models of one run, or two suites whatever their names: two
    prompts of an eval, say.
    """
    is_printed = output is not None and str(output) == "-"
    project = find_project()
    ref = base if base is not None else _baseline_of(current, project, database, thresholds)
    with opened_store(project, database) as store:
        before, now = find_sides(ref, current, reader=store, root=project.root)
        rules = rules_for(project, now.run, thresholds)
        check_rules(rules, now.run, now.judged())
        most = sys.maxsize if as_json else _SHOWN
        found = compare_found(before, now, rules, reader=store, most_flips=most)
    report = comparison_markdown(found) if output is not None else ""
    if output is not None and not is_printed:
        write_lines(output, report.splitlines())
    if as_json:
        emit_json({**plain(found), "text": report} if is_printed else found)
    elif is_printed:
        echo_lines(report.splitlines())
    else:
        shown = comparison_lines(found, width=terminal_width(), tables=table_room(), verbosity=int(verbose))
        echo_lines(shown)
    return found.exit_code if fail_on_regression else 0


def _baseline_of(ref: str, project: Project, database: Path | None, thresholds: Path | None) -> str:
    """Return the reference of the baseline that ``llmeval gate`` judges a run against."""
    with contextlib.closing(open_reader(project, database)) as store:
        run = store.find_run(ref)
        rules = rules_for(project, run, thresholds)
        choice = choose_again(run, None, rules, reader=store, root=project.root)
    if choice.found is None:
        why = f": {choice.why_none}" if rules.baseline is not None or choice.is_given else ", and no rules name one"
        raise StoreError(f"run {run.id} has no baseline{why}; name one: llmeval compare BASE")
    return choice.found.ref
