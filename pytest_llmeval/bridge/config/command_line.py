"""The command line as a person typed it: the options on it, and the commands that repeat it."""

import argparse
import os
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_llmeval.bridge.config.options import widen_short_names, with_those_of_files
from pytest_llmeval.core.text import shell_words

if TYPE_CHECKING:
    from pytest_llmeval.store.records import Run

__all__ = ["asking_command", "collected_paths", "on_command_line", "resume_command", "training_command"]

_MOST_KEPT = 10_000
"""Largest total length, in characters, of a run's paths that are stored; longer ones are not."""
_CHOOSING = ("-m", "-k")
_NAMED = ("resume", "run-name", "model", "judge-model", "judge-panel", "judge-probe", "dataset", "limit", "slice")
_TAKEN = (*_CHOOSING, *(f"--llmeval-{name}" for name in (*_NAMED, "shard", "epochs", "baseline")))
"""Options with a value that a run stores and takes over when it is resumed."""
_OWN = "--llmeval-"
_TRAIN_RESUME = "--llmeval-train-resume"


def on_command_line(config: pytest.Config) -> argparse.Namespace:
    """Return the options of the command line, without those of ``addopts`` and ``PYTEST_ADDOPTS``."""
    arguments = list(map(str, config.invocation_params.args))
    widen_short_names(arguments, config._parser)
    return config._parser.parse_known_args(arguments)


def collected_paths(config: pytest.Config) -> list[str]:
    """Return the paths and node ids that a session collects, relative to the rootdir; empty if they are too long."""
    if config.option.pyargs:
        return []
    moved = [_moved(each, config.invocation_params.dir, config.rootpath) for each in config.args]
    return moved if sum(map(len, moved)) <= _MOST_KEPT else []


def resume_command(config: pytest.Config, run: "Run") -> str:
    """Return the command that resumes ``run``, called from where this session was started.

    The run comes first: if the line is broken, no part of it starts a new run. Then come the paths of the run, if they
    are known and short, and the arguments of this session that the run does not store. If those are long, or contain a
    secret, words say that they are missing.
    """
    paths = [_moved(each, config.rootpath, config.invocation_params.dir) for each in run.settings.get("paths", [])]
    shown = shell_words(paths)
    begun = f"pytest --resume {run.id}{shown and ' '}{shown}"
    is_cut = bool(run.settings.get("options", {}).get("cut"))
    return _with_others(begun, _given(config, _TAKEN, paths=not shown), is_cut=is_cut)


def asking_command(config: pytest.Config, selection: str) -> str:
    """Return the command that asks for the evals of ``selection``: folders, or an expression.

    It repeats this plugin's options of this session: they were meant for evals that nothing asked for.
    """
    given = list(_given(config, (), paths=False))
    long = list(given)
    widen_short_names(long, config._parser)
    own = list[str]()
    is_own = False
    for name, each in zip(long, given, strict=True):
        is_own = name.startswith(_OWN) or (is_own and not name.startswith("-"))  # or its value: no path is here
        own += [each] * is_own
    return _with_others(f"pytest {selection}", own) if own else f"pytest {selection}"


def training_command(config: pytest.Config, item: pytest.Item) -> str:
    """Return the command that resumes the training of ``item`` alone, called from where this session was started.

    It repeats the other arguments of this session, as ``resume_command`` does, except those that select items.
    """
    named = shlex.quote(_moved(item.nodeid, config.rootpath, config.invocation_params.dir))
    given = (each for each in _given(config, _CHOOSING, paths=False) if each != _TRAIN_RESUME)
    return _with_others(f"pytest {named} {_TRAIN_RESUME}", given)


def _with_others(begun: str, given: Iterable[str], *, is_cut: bool = False) -> str:
    """Return the command ``begun`` followed by the arguments ``given``, or by words that say that they are missing.

    ``is_cut`` says that an option is missing in any case.
    """
    from pytest_llmeval.models.redaction import Redactor, secrets_in

    missing = list(given)
    others = shell_words(missing)
    is_told = bool(others or not missing) and others == Redactor(secrets_in(os.environ))(others) and not is_cut
    return f"{begun}{others and ' '}{others}" if is_told else f"{begun} (with the other arguments of this session)"


def _given(config: pytest.Config, taken: tuple[str, ...], *, paths: bool) -> Iterator[str]:
    """Yield the arguments of this session without the options ``taken`` and their values, with or without its paths."""
    arguments = list(with_those_of_files(list(map(str, config.invocation_params.args))))
    long = list(arguments)
    widen_short_names(long, config._parser)
    left_out = set() if paths else _places_of_paths(config, long)
    begun = tuple(f"{each}=" if each.startswith("--") else each for each in taken)
    told = iter(enumerate(zip(arguments, long, strict=True)))
    for place, (given, flag) in told:
        if flag in taken:
            next(told, None)
        elif place not in left_out and not flag.startswith(begun):
            yield given


def _places_of_paths(config: pytest.Config, arguments: list[str]) -> set[int]:
    """Return the positions of this session's paths and node ids among its arguments."""
    names = set(config.args)
    marks = {place: f"\0{place}" for place, each in enumerate(arguments) if each in names}  # no path is named so
    marked = [marks.get(place, each) for place, each in enumerate(arguments)]
    try:
        paths = set(config._parser.parse_known_args(marked).file_or_dir)
    except pytest.UsageError:  # the option of such a value accepts no other value
        return set()
    return {place for place, mark in marks.items() if mark in paths}


def _moved(argument: str, start: Path, to: Path) -> str:
    """Return a path or node id below ``start``, relative to another folder."""
    path, colons, rest = argument.partition("::")
    return Path(os.path.relpath(start / path, to)).as_posix() + colons + rest
