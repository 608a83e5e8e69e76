"""The object behind the fixture ``training``: one training, run and proved."""

import contextlib
import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from pytest_llmeval.bridge.config.command_line import training_command
from pytest_llmeval.bridge.config.git_state import git_state
from pytest_llmeval.bridge.config.settings import Settings, resolve
from pytest_llmeval.bridge.training.items import path_of, shown
from pytest_llmeval.bridge.training.proof_options import proof_environ, proof_options
from pytest_llmeval.core.errors import LlmevalError
from pytest_llmeval.core.text import printable
from pytest_llmeval.training.config import TrainingConfig
from pytest_llmeval.training.config_file import load_config, place_of

if TYPE_CHECKING:
    from pytest_llmeval.training.machine import Machine
    from pytest_llmeval.training.supervise import Job

__all__ = ["TrainingRun"]


class TrainingRun:
    """One training, as its test function sees it."""

    def __init__(self, config: pytest.Config, item: pytest.Item, path: Path) -> None:
        """Read the configuration at ``path``."""
        self._config, self._item = config, item
        self.name = path.stem
        """Name of the configuration."""
        self._path, self._shown_as = path, shown(path, config)
        self.configuration: TrainingConfig = load_config(path, shown_as=self._shown_as)

    def run(self) -> None:
        """Train, prove the gain and record both; fail if the adapter is not better by the margin.

        If the machine lacks what the configuration needs, the item is skipped; it fails instead if it was asked for by
        name, or with ``--llmeval-train-strict``. When several trainings are resumed, those that have ended are skipped.
        """
        from pytest_llmeval.training.supervise import ProvedError, run_training

        settings = resolve(self._config)
        machine = self._machine(settings)
        wrong = ended = None
        try:
            gains = run_training(self._job(settings, machine))
        except ProvedError as error:
            ended = str(error)
        except LlmevalError as error:
            wrong = str(error)
        if ended is not None:
            self._skip(ended)
        if wrong is not None:
            pytest.fail(printable(wrong), pytrace=False)
        for gain in gains:
            self._report(f"{self.name}: {gain.line()}")

    def _machine(self, settings: Settings) -> "Machine":
        """Return what this machine has; skip or fail the item if the configuration needs more."""
        from pytest_llmeval.training.machine import lacking, look_at

        machine = look_at(settings.environ, self.configuration)
        lack = lacking(self.configuration, machine)
        if lack is not None:
            if settings.train_strict or _is_named(self._config, self._item):
                pytest.fail(f"{self.name} {lack}", pytrace=False)
            self._skip(f"{self.name} {lack}")
        return machine

    def _job(self, settings: Settings, machine: "Machine") -> "Job":
        from pytest_llmeval.training.supervise import Job
        from pytest_llmeval.training.task import load_task

        git = git_state(settings.rootdir, settings.environ)
        return Job(
            name=self.name,
            config=self.configuration,
            rootdir=settings.rootdir,
            place=settings.db.parent / "trainings",
            db=settings.db,
            machine=machine,
            is_resumed=settings.train_resume,
            is_one_of_several=len(list(filter(None, map(path_of, self._item.session.items)))) > 1,
            git={"git_commit": git.commit, "git_dirty": git.dirty},
            environ=proof_environ(settings),
            pythonpath=tuple(map(str, self._config.getini("pythonpath"))),
            report=self._report,
            place_of=partial(place_of, path=self._path, shown_as=self._shown_as),
            suite=load_task(self.configuration.eval, settings.rootdir).suite,
            arguments=proof_options(self._config, settings),
            max_cost_usd=settings.max_cost_usd,
            again=training_command(self._config, self._item),
        )

    def _skip(self, told: str) -> NoReturn:
        self._report(told)
        pytest.skip(printable(told))

    def _report(self, line: str) -> None:
        reporter = self._config.pluginmanager.getplugin("terminalreporter")
        capture: Any = self._config.pluginmanager.getplugin("capturemanager")
        if reporter is None:
            return
        with capture.global_and_fixture_disabled() if capture is not None else contextlib.nullcontext():
            reporter.ensure_newline()
            if self._config.get_terminal_writer().width_of_current_line:  # with -q, the letters of finished tests
                reporter.write_line("")
            reporter.write_line(printable(f"llmeval: {line}"))


def _is_named(config: pytest.Config, item: pytest.Item) -> bool:
    """Whether ``-k`` names this configuration or part of its name, or a node id names it."""
    start = config.invocation_params.dir
    for argument in config.args:
        path, _, name = argument.partition("::")
        if "[" in name and (start / path).resolve() == item.path.resolve() and item.nodeid.endswith(f"::{name}"):
            return True
    configuration = path_of(item)
    if configuration is None:
        return False
    name, words = configuration.stem.casefold(), re.findall(r"[^\s()]+", config.getoption("keyword").casefold())
    wanted = [word for before, word in zip(["", *words], words, strict=False) if before != "not"]
    return any(word in name or name in word for word in wanted if word not in ("and", "or", "not"))
