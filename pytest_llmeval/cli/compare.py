"""Two recorded runs compared: what changed, which rows flipped, and whether chance explains it."""

import sys
from pathlib import Path

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
    write_lines,
)
from pytest_llmeval.cli.project import find_project
from pytest_llmeval.cli.rules import check_rules, rules_for
from pytest_llmeval.core.transport import plain
from pytest_llmeval.reports.comparing import compare_found
from pytest_llmeval.reports.comparison_markdown import comparison_markdown
from pytest_llmeval.reports.comparison_text import comparison_lines
from pytest_llmeval.store.sides import find_sides

__all__ = ["compare_runs"]

_SHOWN = 20
"""Rows that flipped, shown with their texts; JSON has all."""


@click.command("compare")
@click.argument("base")
@click.argument("current")
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
    base: str,
    current: str,
    output: Path | None,
    fail_on_regression: bool,
    thresholds: Path | None,
    verbose: bool,
    as_json: bool,
    database: Path | None,
) -> int:
    """Compare the run CURRENT with the run BASE.

    Each is a baseline's name, a RUN or an exported file; ::SUITE behind it takes one suite of it, @MODEL at the end one
    model. So two models of one run compare, too, and two suites, whatever their names: two prompts of an eval, say.
    """
    is_printed = output is not None and str(output) == "-"
    project = find_project()
    with opened_store(project, database) as store:
        before, now = find_sides(base, current, reader=store, root=project.root)
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
