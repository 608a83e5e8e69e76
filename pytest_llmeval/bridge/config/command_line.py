"""What a person said on the command line itself, which counts where a session goes on with a run."""

import argparse
import os
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_llmeval.bridge.config.options import widen_short_names
from pytest_llmeval.core.text import one_line
from pytest_llmeval.store.records import Run

__all__ = ["collected_paths", "on_command_line", "resume_command", "training_command"]

_MOST_KEPT = 10_000
"""Characters of all paths of a run together; more are not kept."""
_MOST_SHOWN = 200
_RESUME = ("--resume", "--llmeval-resume")
_CHOOSING = ("-m", "-k")
_TRAIN_RESUME = "--llmeval-train-resume"


def on_command_line(config: pytest.Config) -> argparse.Namespace:
    """Return the options as they stand there, those of ``addopts`` and ``PYTEST_ADDOPTS`` left out."""
    arguments = list(map(str, config.invocation_params.args))
    widen_short_names(arguments, config._parser)
    return config._parser.parse_known_args(arguments)


def collected_paths(config: pytest.Config) -> list[str]:
    """Return the paths and node ids that a session collects, relative to the rootdir; none where they are too many."""
    if config.option.pyargs:
        return []
    told = [_moved(each, config.invocation_params.dir, config.rootpath) for each in config.args]
    return told if sum(map(len, told)) <= _MOST_KEPT else []


def resume_command(config: pytest.Config, run: Run) -> str:
    """Return the command that goes on with ``run`` from where this session was started.

    The run stands first: where its line is broken, no part of it begins a new run. It names the paths of the run, where
    they are known and short; ``...`` stands for other arguments of this session.
    """
    paths = [_moved(each, config.rootpath, config.invocation_params.dir) for each in run.settings.get("paths", [])]
    shown = shlex.join(paths)
    is_short = bool(paths) and one_line(shown, _MOST_SHOWN) == shown
    is_all = is_short and all(each in config.args for each in _given(config))
    return " ".join(["pytest --resume", run.id, *([shown] if is_short else ()), *(() if is_all else ("...",))])


def training_command(config: pytest.Config, item: pytest.Item) -> str:
    """Return the command that goes on with the training of ``item`` alone, from where this session was started.

    ``...`` stands for other arguments of this session, but for those that choose items.
    """
    named = shlex.quote(_moved(item.nodeid, config.rootpath, config.invocation_params.dir))
    is_all = all(each in (*config.args, _TRAIN_RESUME) for each in _given(config, _CHOOSING))
    return " ".join(["pytest", named, _TRAIN_RESUME, *(() if is_all else ("...",))])


def _given(config: pytest.Config, but: tuple[str, ...] = _RESUME) -> Iterator[str]:
    """Yield the arguments of this session, without the flags ``but`` and their values."""
    arguments = map(str, config.invocation_params.args)
    for each in arguments:
        if each in but:
            next(arguments, None)
        elif not each.startswith(tuple(f"{flag}=" for flag in but)):
            yield each


def _moved(argument: str, start: Path, to: Path) -> str:
    """Return a path or node id below ``start`` as it is called from another folder."""
    path, colons, rest = argument.partition("::")
    return Path(os.path.relpath(start / path, to)).as_posix() + colons + rest
