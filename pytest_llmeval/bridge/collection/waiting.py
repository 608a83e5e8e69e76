"""Evals and trainings that nobody asked for: the lines that say how many there are, and how to run them."""

import os
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest

from pytest_llmeval.bridge.collection.eval_modules import absolute, lies_in, modules
from pytest_llmeval.bridge.collection.selection import Selection
from pytest_llmeval.bridge.collection.written_evals import written_evals
from pytest_llmeval.bridge.config.command_line import asking_command

__all__ = ["count_trainings", "waiting_lines"]

_TRAININGS = "train"
"""Key that counts trainings in place of a folder: none has to be named to run them."""


def count_trainings(functions: Iterable[pytest.Item]) -> Counter[str]:
    """Return the number of trainings that these functions make, for ``waiting_lines``.

    That is one for each configuration in the folder that the marker names, or one if there is none.
    """
    count = sum(max(1, _configurations(item)) for item in functions)
    return Counter({_TRAININGS: count} if count else {})


def _configurations(item: pytest.Item) -> int:
    marker = item.get_closest_marker("train")
    folders = [item.path.parent / str(name) for name in (marker.args[:1] if marker is not None else ())]
    return sum(path.is_file() for folder in folders for path in folder.glob("*.yaml"))


def waiting_lines(
    config: pytest.Config, selection: Selection, met: Mapping[str, int], *, attacks: bool
) -> Iterator[str]:
    """Yield lines on how many evals and how many trainings wait, each with how to run them, as far as any do.

    ``met`` is ``CollectionFacts.waiting``; ``attacks`` says whether to include evals that attack the judge.
    """
    waiting = Counter(met)
    trainings = waiting.pop(_TRAININGS, 0)
    if line := _evals_line(config, selection, waiting, attacks=attacks):
        yield line
    if trainings:
        waits = "1 training waits; run it" if trainings == 1 else f"{trainings:,} trainings wait; run them"
        yield f"{waits} with: pytest -m train"


def _evals_line(config: pytest.Config, selection: Selection, waiting: Counter[str], *, attacks: bool) -> str:
    uncollected = _uncollected(config, selection)
    for folder, count in uncollected:
        waiting[folder] += count
    if not attacks or len(waiting) > 1:  # other evals go first
        del waiting[""]
    if not waiting:
        return ""
    start = config.invocation_params.dir
    folders = [Path(os.path.relpath(each, start)).as_posix() for each in selection.folders if str(each) in waiting]
    total = waiting.total() if all(count for _, count in uncollected) else 0
    functions = f"{total} eval functions wait; run them" if total else "evals wait; run them"
    if total == 1:
        functions = "1 eval function waits; run it"
    return f"{functions} with: {asking_command(config, shlex.join(folders) or '-m judge_attack')}"


def _uncollected(config: pytest.Config, selection: Selection) -> list[tuple[str, int]]:
    """Return each module of evals that the testpaths leave out.

    Returns:
        Its folder, and the number of its eval functions: 0 if that cannot be known.
    """
    if selection.by_mark or config.args_source is not pytest.Config.ArgsSource.TESTPATHS:
        return []
    covered = [absolute(config.invocation_params.dir, arg) for arg in config.args]
    found = {path: folder for folder in reversed(selection.folders) if folder.is_dir() for path in modules(folder)}
    left_out = [path for path in found if not any(lies_in(path, other) for other in covered)]
    classes = config.getini("python_classes")
    counts = [(str(found[path]), written_evals(path, classes)) for path in left_out]
    return [(folder, count) for folder, count in counts if count is not None]
