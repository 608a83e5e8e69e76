"""Training items: one for each configuration beside a function marked ``train``, run by the fixture ``training``."""

import contextlib
import importlib.metadata
import importlib.util
import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmeval.bridge.casework.items import function_of, param_of, params_of
from pytest_llmeval.bridge.workers import is_worker, send_facts
from pytest_llmeval.core.errors import UserError
from pytest_llmeval.core.text import printable

if TYPE_CHECKING:
    from pytest_llmeval.bridge.collection.selection import Selection
    from pytest_llmeval.training.config import TrainingConfig

__all__ = ["TrainingItems"]

_PARAM = "llmeval_configuration"
_NEEDED = ("accelerate", "bitsandbytes", "datasets", "filelock", "peft", "torch", "transformers", "trl")
_RANGES = {
    "trl": ((1, 15), (2,)),
    "peft": ((0, 21), (0, 22)),
    "transformers": ((5, 17), (6,)),
    "bitsandbytes": ((0, 50), (0, 51)),
}
"""Versions that are known to work: from the first, below the second."""


class TrainingItems:
    """Makes, checks and runs training items."""

    def __init__(self, config: pytest.Config, selection: "Selection") -> None:
        self.config = config
        self._selection = selection
        self._empty: dict[str, Path] = {}
        """Folders without a configuration, by the node id of the function that names one."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Make an item of each configuration in the folder that the marker names."""
        definition = metafunc.definition
        marker = definition.get_closest_marker("train")
        if marker is None or not marker.args or not self._selection.is_training(definition):
            return
        if self._selection.training_waits(definition):
            return
        folder = definition.path.parent / str(marker.args[0])
        paths = sorted(path for path in folder.glob("*.yaml") if path.is_file())
        if not paths:
            self._empty[definition.nodeid] = folder
            return
        metafunc.fixturenames.append(_PARAM)
        metafunc.parametrize(_PARAM, [pytest.param(path, id=path.stem) for path in paths])

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Look at what is left, before anything is loaded."""
        chosen = [item for item in items if _path_of(item) is not None]
        left = {function_of(item.nodeid) for item in items} if self._empty else ()
        empty = [folder for nodeid, folder in self._empty.items() if nodeid in left]
        if not chosen and not empty:
            return
        configurations, problems = self._read(chosen)
        problems += [*(_told_empty(folder, self.config) for folder in empty), *_wrong_settings(self.config)]
        problems += [] if any(map(param_of, items)) else _wrong_resume(self.config)
        if not self.config.option.collectonly and not problems:
            problems = [*_missing(), *_missing_for(configurations)]
        if is_worker(self.config):
            problems = ["trainings run in one process: leave out -n (and -n auto of the ini file: -n 0)"]
        if problems:
            self._refuse(items, "\n".join(problems))
        if any(map(self.config.pluginmanager.hasplugin, ("timeout", "pytest_timeout"))):
            for item in chosen:  # what the project allows a test is no time for a training
                if item.get_closest_marker("timeout") is None:
                    item.add_marker(pytest.mark.timeout(0))

    @pytest.fixture
    def training(self, request: pytest.FixtureRequest) -> "TrainingRun":
        """The training of this item's configuration; ``training.run()`` carries it out."""
        return _training(request)

    @pytest.fixture
    def llmeval_training(self, request: pytest.FixtureRequest) -> "TrainingRun":
        """The training of this item's configuration, where the project has a fixture ``training`` of its own."""
        return _training(request)

    def _read(self, items: list[pytest.Item]) -> tuple[list["TrainingConfig"], list[str]]:
        """Return the configurations of ``items``, and what is wrong in them."""
        from pytest_llmeval.training.config_file import load_config

        found: list[TrainingConfig] = []
        problems: list[str] = []
        for path in filter(None, map(_path_of, items)):
            try:
                shown = _shown(path, self.config)
                found.append(load_config(path, shown_as=shown, rootdir=self.config.rootpath))
            except UserError as error:
                problems += str(error).splitlines()
        return found, problems

    def _refuse(self, items: list[pytest.Item], told: str) -> None:
        """End the session, from a worker by way of the controller."""
        if not is_worker(self.config):
            raise pytest.UsageError(printable(told))
        from pytest_llmeval.bridge.collection.facts import CollectionFacts

        items.clear()
        send_facts(self.config, CollectionFacts(problems=[told]).to_json())


class TrainingRun:
    """One training, as its item sees it."""

    def __init__(self, config: pytest.Config, item: pytest.Item, path: Path) -> None:
        """Read the configuration."""
        from pytest_llmeval.training.config_file import load_config

        self._config, self._item = config, item
        self.name = path.stem
        """Of the configuration."""
        self._path, self._shown_as = path, _shown(path, config)
        self.configuration: TrainingConfig = load_config(path, shown_as=self._shown_as)

    def run(self) -> None:
        """Train, prove the gain, record both; fail where the adapter is not better by the margin.

        Skips where the machine lacks what the configuration needs, and fails where it was asked for by name.
        """
        from pytest_llmeval.bridge.config.command_line import training_command
        from pytest_llmeval.bridge.config.git_state import git_state
        from pytest_llmeval.bridge.config.settings import resolve
        from pytest_llmeval.bridge.proof_options import proof_environ, proof_options
        from pytest_llmeval.core.errors import LlmevalError
        from pytest_llmeval.training.config_file import place_of
        from pytest_llmeval.training.machine import lacking, look_at
        from pytest_llmeval.training.supervise import Job, run_training
        from pytest_llmeval.training.task import load_task

        settings = resolve(self._config)
        machine = look_at(settings.environ, self.configuration)
        lack = lacking(self.configuration, machine)
        if lack is not None:
            told = f"{self.name} {lack}"
            if settings.train_strict or _is_named(self._config, self._item):
                pytest.fail(told, pytrace=False)
            self._report(told)
            pytest.skip(told)
        git = git_state(settings.rootdir, settings.environ)
        wrong = None
        try:
            gains = run_training(
                Job(
                    name=self.name,
                    config=self.configuration,
                    rootdir=settings.rootdir,
                    place=settings.db.parent / "trainings",
                    db=settings.db,
                    machine=machine,
                    is_resumed=settings.train_resume,
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
            )
        except LlmevalError as error:
            wrong = str(error)
        if wrong is not None:
            pytest.fail(printable(wrong), pytrace=False)
        for gain in gains:
            self._report(f"{self.name}: {gain.line()}")

    def _report(self, line: str) -> None:
        reporter = self._config.pluginmanager.getplugin("terminalreporter")
        capture: Any = self._config.pluginmanager.getplugin("capturemanager")
        if reporter is None:
            return
        with capture.global_and_fixture_disabled() if capture is not None else contextlib.nullcontext():
            reporter.ensure_newline()
            if self._config.get_terminal_writer().width_of_current_line:  # with -q, the letters of what ended before
                reporter.write_line("")
            reporter.write_line(printable(f"llmeval: {line}"))


def _training(request: pytest.FixtureRequest) -> TrainingRun:
    path = _path_of(request.node)
    if path is None:
        where = ""
        if request.node.get_closest_marker("train") is not None:
            where = (
                ", in the folder finetune of the rootdir; this one lies elsewhere, as the rootdir is"
                f" {request.config.rootpath}: it is where pytest.ini lies, or pyproject.toml with"
                " [tool.pytest.ini_options]"
            )
        told = f'fixture training belongs to functions marked @pytest.mark.train("configs"){where}'
        pytest.fail(told, pytrace=False)
    return TrainingRun(request.config, request.node, path)


def _path_of(item: pytest.Item) -> Path | None:
    """Return the configuration of a training item."""
    found = params_of(item).get(_PARAM)
    return found if isinstance(found, Path) else None


def _wrong_resume(config: pytest.Config) -> list[str]:
    """Return what is wrong where a run of evals is to go on and there are trainings alone: they would begin anew."""
    if not config.getoption("llmeval_resume") or config.getoption("llmeval_train_resume"):
        return []
    return ["--llmeval-resume goes on with a run of evals, and only trainings are left: --llmeval-train-resume"]


def _is_named(config: pytest.Config, item: pytest.Item) -> bool:
    """Whether ``-k`` names this configuration, or part of its name, or a node id does."""
    start = config.invocation_params.dir
    for argument in config.args:
        path, _, name = argument.partition("::")
        if "[" in name and (start / path).resolve() == item.path.resolve() and item.nodeid.endswith(f"::{name}"):
            return True
    configuration = _path_of(item)
    if configuration is None:
        return False
    name, words = configuration.stem.casefold(), re.findall(r"[^\s()]+", config.getoption("keyword").casefold())
    wanted = [word for before, word in zip(["", *words], words, strict=False) if before != "not"]
    return any(word in name or name in word for word in wanted if word not in ("and", "or", "not"))


def _told_empty(folder: Path, config: pytest.Config) -> str:
    if not folder.is_dir():
        return f"{_shown(folder, config)}: no such folder; @pytest.mark.train names one beside its file"
    others = ", ".join(sorted(path.name for path in folder.glob("*.yml")))
    hint = f"call {others} .yaml" if others else "write one, docs/training.md has the keys"
    return f"{_shown(folder, config)}: no *.yaml in it, so there is nothing to train; {hint}"


def _wrong_settings(config: pytest.Config) -> list[str]:
    """Return what is wrong in the settings, if anything: the sessions of the proof would end by it, after training."""
    from pytest_llmeval.bridge.config.settings import resolve

    try:
        resolve(config)
    except UserError as error:
        return [str(error)]
    return []


def _missing() -> list[str]:
    """Return what has to be installed, if anything."""
    lacking = [name for name in _NEEDED if not _is_there(name)]
    wrong = [told for name in _RANGES if name not in lacking for told in _wrong_version(name)]
    if not lacking and not wrong:
        return []
    found = [*(f"{name} is missing" for name in lacking), *wrong]
    return [f"training needs an extra: pip install 'pytest-llmeval[train]' ({', '.join(found)})"]


def _missing_for(configurations: list["TrainingConfig"]) -> list[str]:
    """Return what else some of the configurations need that is not installed."""
    found = []
    if any(config.launch.engine == "deepspeed" for config in configurations) and not _is_there("deepspeed"):
        found.append("launch.engine: deepspeed is not installed: pip install deepspeed, or write ddp")
    if any(config.search is not None for config in configurations) and not _is_there("optuna"):
        found.append("search needs an extra: pip install 'pytest-llmeval[search]' (optuna is missing)")
    return found


def _is_there(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def _wrong_version(name: str) -> list[str]:
    version = importlib.metadata.version(name)
    numbers = tuple(int(part) for part in version.split(".")[:3] if part.isdigit())
    least, below = _RANGES[name]
    if least <= numbers < below:
        return []
    first, end = (".".join(map(str, bound)) for bound in (least, below))
    return [f"{name} is {version}, and {first} to below {end} is needed"]


def _shown(path: Path, config: pytest.Config) -> str:
    return path.relative_to(config.rootpath).as_posix() if path.is_relative_to(config.rootpath) else str(path)
