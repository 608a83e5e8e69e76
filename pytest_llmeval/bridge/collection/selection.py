"""Selects the evals that were asked for. The others wait, with their datasets unread."""

import functools
from collections.abc import Iterable
from pathlib import Path

import pytest

from pytest_llmeval.bridge.casework.items import function_of
from pytest_llmeval.bridge.collection.eval_modules import absolute, lies_in, mentions_us, module_path, modules, real
from pytest_llmeval.bridge.collection.ignored_folders import is_ignored
from pytest_llmeval.bridge.collection.last_failed import last_failed
from pytest_llmeval.bridge.collection.mark_expressions import (
    CASE_MARKS,
    OWN_MARKS,
    TRAINING_MARKS,
    asks_for,
    asks_for_marks,
)
from pytest_llmeval.bridge.config.options import PATHS_KEY, ini_value
from pytest_llmeval.core.ini_values import many_texts

__all__ = ["UNCOLLECTED_KEY", "Selection"]

UNCOLLECTED_KEY = pytest.StashKey[dict[str, None]]()
"""Node ids of what failed during collection, in their order."""
_TRAIN_FOLDER = "finetune"


class Selection:
    """The part of the command line that selects evals and trainings.

    An eval below a folder of the ini key ``llmeval_paths`` runs only if (a) a path or node id on the command line, or
    the folder that pytest was started in, lies in that folder, or (b) the ``-m`` expression would not hold for an item
    without any mark. Training items and ``judge_attack`` need (b) or their own node id.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        root = config.rootpath
        self.folders = tuple(root / name for name in _folder_names(config))
        self._train_folder = root / _TRAIN_FOLDER
        self.by_mark = self._attacks_by_mark = asks_for_marks(config.getoption("markexpr", ""))
        self.added: tuple[Path, ...] = ()
        """Folders that are collected only because ``-m`` may ask for items in them."""
        self.ignored: list[Path] = []
        """Files and folders that pytest ignores, or failed to collect."""

    def note_uncollected(self, report: pytest.CollectReport) -> None:
        """Note what was skipped or failed during collection."""
        self.ignored.append(self._config.rootpath / str(report.nodeid).partition("::")[0])
        if report.failed:
            self._config.stash.setdefault(UNCOLLECTED_KEY, {})[str(report.nodeid)] = None

    def ask_by_mark(self, expression: str, *, attacks: str) -> None:
        """Let ``-m`` expressions other than the session's ask for waiting evals, and for attacks on the judge."""
        self.by_mark = asks_for_marks(expression)
        self._attacks_by_mark = asks_for_marks(attacks)

    def widen_testpaths(self) -> None:
        """Also collect the folders of evals and training that are not ignored, if ``-m`` may ask for their items.

        Called once every plugin is configured, because plugins are asked what to ignore.
        """
        config = self._config
        if not self.by_mark or config.args_source is not pytest.Config.ArgsSource.TESTPATHS:
            return
        covered = [absolute(config.invocation_params.dir, arg) for arg in config.args]
        wanted = [*self.folders, self._train_folder]
        self.added = tuple(
            folder
            for folder in wanted
            if folder.is_dir()
            and not any(lies_in(folder, other) or lies_in(other, folder) for other in covered)
            and any(mentions_us(path) for path in modules(folder))
            and not is_ignored(folder, config)
        )
        config.args.extend(str(folder) for folder in self.added)

    def waits(self, item: pytest.Item) -> bool:
        """Whether nobody asked for a marked function (or its placeholder)."""
        return self.waits_in(item) is not None or self.attack_waits(item)

    def waits_in(self, item: pytest.Item) -> Path | None:
        """Return the folder that must be named before a marked function runs; None if it runs anyway."""
        if self.by_mark or self._named(item):
            return None
        homes = [folder for folder in self.folders if lies_in(item.path, folder)]
        is_asked = any(lies_in(path, home) for path in self._asked for home in homes)
        return homes[0] if homes and not is_asked else None

    def attack_waits(self, item: pytest.Item) -> bool:
        """Whether ``item`` attacks the judge, by a mark of its function or its row, and was not asked for."""
        is_attack = item.get_closest_marker("judge_attack") is not None
        return is_attack and not self._attacks_by_mark and not self._named(item)

    def row_attack_waits(self, item: pytest.Item) -> bool:
        """Whether a case attacks the judge by a mark of its row and was not asked for; for cases only."""
        marks = item.callspec.marks  # type: ignore[attr-defined]  # a case has a callspec
        return bool(marks) and any(mark.name == "judge_attack" for mark in marks) and self.attack_waits(item)

    @property
    def has_more_to_drop(self) -> bool:
        """Whether there can be training items, or tests that were collected only because of ``widen_testpaths``."""
        return bool(self.added) or self._train_folder.is_dir()

    def is_training(self, item: pytest.Item) -> bool:
        """Whether ``item`` is a training item; marks called train elsewhere are the project's own."""
        return item.get_closest_marker("train") is not None and lies_in(item.path, self._train_folder)

    def only_trains(self, items: Iterable[pytest.Item]) -> bool:
        """Whether trainings are left and no eval; if nothing is left, whether ``-m`` selects trainings and no eval."""
        found = list(items)
        if not found:
            return self._asks_for(TRAINING_MARKS) and not self._asks_for(CASE_MARKS)
        is_left = any(item.get_closest_marker("llmeval") is not None for item in found)
        return not is_left and any(map(self.is_training, found))

    def training_waits(self, item: pytest.Item) -> bool:
        """Whether ``item`` is a training item that was not asked for."""
        return self.is_training(item) and not self.by_mark and not self._named(item)

    def brought_in(self, path: Path) -> bool:
        """Whether ``path`` was collected only because of ``widen_testpaths``."""
        return any(lies_in(path, folder) for folder in self.added)

    def is_foreign(self, item: pytest.Item) -> bool:
        """Whether ``item`` is an ordinary test that was collected only because of ``widen_testpaths``."""
        marks = ("llmeval", "train")
        return self.brought_in(item.path) and not any(item.get_closest_marker(mark) for mark in marks)

    def is_own(self, item: pytest.Item) -> bool:
        """Whether ``item`` is an eval or a training item."""
        return item.get_closest_marker("llmeval") is not None or self.is_training(item)

    @property
    def asks_for_own_marks(self) -> bool:
        """Whether the ``-m`` expression asks for a mark of this plugin."""
        return self._asks_for(OWN_MARKS)

    @property
    def asks_by_marks_alone(self) -> bool:
        """Whether ``-m`` asks for a mark that cases may have, without a ``-k``, ``--deselect`` or node id beside it."""
        option, args = self._config.option, self._config.args
        has_names = bool(option.keyword or option.deselect) or any("::" in each for each in args)
        return not has_names and self._asks_for(CASE_MARKS)

    def _asks_for(self, own: Iterable[frozenset[str]]) -> bool:
        return asks_for(self._config.getoption("markexpr", ""), own)

    @property
    def asks_for_trainings(self) -> bool:
        """Whether the folder of trainings, or a path in it, was asked for, also by starting pytest in it."""
        return any(lies_in(path, self._train_folder) for path in self._asked)

    @property
    def asks_for_evals(self) -> bool:
        """Whether evals in the folders that wait were asked for, by path or by ``-m``."""
        return self.by_mark or any(lies_in(path, folder) for path in self._asked for folder in self.folders)

    @property
    def may_meet_evals(self) -> bool:
        """Whether evals in folders were asked for, and the text of a module suggests that there are some."""
        folders = [folder for folder in self.folders if folder.is_dir()]
        asked = [each for each in folders if self.by_mark or any(lies_in(path, each) for path in self._asked)]
        return any(mentions_us(module) for folder in asked for module in modules(folder))

    def covers_all(self) -> bool:
        """Whether there are folders of evals and everything below them was collected, judging by paths."""
        paths = [self._path_of(argument) for argument in self._config.args if "::" not in argument]
        folders = [folder for folder in self.folders if folder.is_dir()]
        are_named = all(any(lies_in(folder, path) for path in paths) for folder in folders)
        left_out = any(self._holds_evals(path) for path in self.ignored) or bool(last_failed(self._config))
        return bool(folders) and are_named and not left_out

    def _holds_evals(self, ignored: Path) -> bool:
        """Whether a file or folder that was left out may contain evals of the folders."""
        if any(lies_in(folder, ignored) for folder in self.folders):
            return True
        if not any(lies_in(ignored, folder) for folder in self.folders):
            return False
        found = modules(ignored) if ignored.is_dir() else [ignored] if ignored.suffix == ".py" else []
        return any(map(mentions_us, found))

    @functools.cached_property
    def _asked(self) -> tuple[Path, ...]:
        """The folder that pytest was started in, and the paths that the command line names."""
        config = self._config
        is_named = config.args_source is pytest.Config.ArgsSource.ARGS
        return (config.invocation_params.dir, *(map(self._path_of, config.args) if is_named else ()))

    def _path_of(self, argument: str) -> Path:
        """Return the path of an argument: a path, a node id or, with ``--pyargs``, a module or package."""
        path = argument.partition("::")[0]
        found = module_path(path, self._config) if self._config.getoption("pyargs", False) else ""
        return absolute(self._config.invocation_params.dir, found or path)

    def _named(self, item: pytest.Item) -> bool:
        """Whether the command line names this function by its node id."""
        for argument in self._config.args:
            name = argument.partition("::")[2]
            if name and real(self._path_of(argument)) == real(item.path):
                own, asked = (function_of(each).partition("::")[2] for each in (item.nodeid, argument))
                if own == asked or own.startswith(f"{asked}::"):
                    return True
        return False


def _folder_names(config: pytest.Config) -> list[str]:
    try:
        return many_texts(ini_value(PATHS_KEY, config))
    except ValueError:
        return []  # no eval runs then: the settings are reported as wrong
