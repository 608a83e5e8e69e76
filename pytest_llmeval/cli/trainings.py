"""The command ``llmeval trainings``: listing the stored trainings, and showing one."""

import contextlib
import fcntl
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from pytest_llmeval.cli.output import (
    database_option,
    echo_lines,
    emit_json,
    json_option,
    open_reader,
    table_room,
    terminal_width,
)
from pytest_llmeval.cli.project import Project, find_project
from pytest_llmeval.reports.trainings_text import training_lines, trainings_table
from pytest_llmeval.store.trainings import Training, pick_training

__all__ = ["trainings"]

_NONE = "no trainings yet; pytest -m train carries out those of finetune"


@click.command()
@click.argument("training", required=False)
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many, the newest first.")
@json_option
@database_option
def trainings(training: str | None, limit: int, as_json: bool, database: Path | None) -> None:
    """List the recorded trainings, and show the newest one: its adapter, its speed, and the runs that prove its gain.

    With TRAINING, show that one instead: an id, a unique prefix of one, the name of a configuration, or 'last'.
    """
    project = find_project()
    with contextlib.closing(open_reader(project, database)) as store:
        place = store.path.parent / "trainings"
        found = [_as_it_is(each, place / each.name / each.id) for each in store.trainings()]
        chosen = pick_training(found, training, where=str(store.path)) if training else next(iter(found), None)
    if as_json:
        emit_json(_facts(chosen) if training and chosen is not None else [_facts(each) for each in found[:limit]])
    elif chosen is None:
        echo_lines([_NONE])
    else:
        shown = training_lines(chosen, width=terminal_width(), adapter=_place(chosen, project))
        echo_lines([*trainings_table(found[:limit], width=table_room()), "", *shown])


def _as_it_is(training: Training, folder: Path) -> Training:
    """Return a training; as crashed if it is recorded as running but no session holds its folder."""
    if training.status != "running" or _is_held(folder / ".session.lock"):
        return training
    return replace(training, status="crashed")


def _is_held(lock: Path) -> bool:
    """Whether a process holds a lock file."""
    try:
        with open(lock, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # missing, or not readable for us
        return False
    return False


def _place(training: Training, project: Project) -> str | None:
    """Return the folder of the adapter, relative to the root of the project if it is inside."""
    return project.shown(Path(training.adapter)) if training.adapter else None


def _facts(training: Training) -> dict[str, Any]:
    """Return what ``--json`` prints of a training: everything but the curves and the content of run.json."""
    names = (
        *("id", "name", "status", "verdict", "reason", "started_at", "finished_at", "base", "adapter", "steps"),
        *("best_step", "tokens_per_s", "peak_memory_bytes", "proof", "config", "seed", "git_commit", "git_dirty"),
        "version",
    )
    return {name: getattr(training, name) for name in names}
