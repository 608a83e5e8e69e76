"""Training items, one for each configuration that a function marked ``train`` names, and the fixture ``training``."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_llmeval.bridge.casework.items import function_of, param_of, params_of
from pytest_llmeval.bridge.workers import is_worker, send_facts
from pytest_llmeval.core.errors import UserError
from pytest_llmeval.core.text import printable

if TYPE_CHECKING:
    from pytest_llmeval.bridge.collection.selection import Selection
    from pytest_llmeval.bridge.training.run import TrainingRun
    from pytest_llmeval.training.config import TrainingConfig

__all__ = ["TrainingItems", "path_of", "shown"]

_PARAM = "llmeval_configuration"


class TrainingItems:
    """The plugin object that creates and checks training items, and provides the fixture that runs them."""

    def __init__(self, config: pytest.Config, selection: "Selection") -> None:
        self.config = config
        self._selection = selection
        self._empty: dict[str, Path] = {}
        """Folders without a configuration, by the node id of the function that names them."""
        self._has_made = False
        """Whether any training item was created."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Create an item for each configuration in the folder that the marker names."""
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
        self._has_made = True
        metafunc.fixturenames.append(_PARAM)
        metafunc.parametrize(_PARAM, [pytest.param(path, id=path.stem) for path in paths])

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Check the training items that are left after deselection, before anything is loaded."""
        chosen = [item for item in items if path_of(item) is not None] if self._has_made else []
        left = {function_of(item.nodeid) for item in items} if self._empty else ()
        empty = [folder for nodeid, folder in self._empty.items() if nodeid in left]
        if not chosen and not empty:
            return
        configurations, problems = self._read(chosen)
        problems += [*(_told_empty(folder, self.config) for folder in empty), *_wrong_settings(self.config)]
        problems += [] if any(map(param_of, items)) else _wrong_resume(self.config)
        if not self.config.option.collectonly and not problems:
            from pytest_llmeval.bridge.training.needs import missing, missing_for

            problems = [*missing(), *missing_for(configurations)]
        if is_worker(self.config):
            problems = ["trainings run in one process: leave out -n (and -n auto of the ini file: -n 0)"]
        if problems:
            self._refuse(items, "\n".join(problems))
        if any(map(self.config.pluginmanager.hasplugin, ("timeout", "pytest_timeout"))):
            for item in chosen:  # a training may take longer than the project allows a test
                if item.get_closest_marker("timeout") is None:
                    item.add_marker(pytest.mark.timeout(0))

    @pytest.fixture
    def training(self, request: pytest.FixtureRequest) -> "TrainingRun":
        """The training of this item's configuration; ``training.run()`` carries it out."""
        return _run_of(request)

    @pytest.fixture
    def llmeval_training(self, request: pytest.FixtureRequest) -> "TrainingRun":
        """The training of this item's configuration, where the project has a fixture ``training`` of its own."""
        return _run_of(request)

    def _read(self, items: list[pytest.Item]) -> tuple[list["TrainingConfig"], list[str]]:
        """Return the configurations of ``items``, and the mistakes in them."""
        from pytest_llmeval.training.config_file import load_config

        found: list[TrainingConfig] = []
        problems: list[str] = []
        for path in filter(None, map(path_of, items)):
            try:
                found.append(load_config(path, shown_as=shown(path, self.config), rootdir=self.config.rootpath))
            except UserError as error:
                problems += str(error).splitlines()
        return found, problems

    def _refuse(self, items: list[pytest.Item], told: str) -> None:
        """End the session with a usage error; a worker does so through the controller."""
        if not is_worker(self.config):
            raise pytest.UsageError(printable(told))
        from pytest_llmeval.bridge.collection.facts import CollectionFacts

        items.clear()
        send_facts(self.config, CollectionFacts(problems=[told]).to_json())


def _run_of(request: pytest.FixtureRequest) -> "TrainingRun":
    path = path_of(request.node)
    if path is None:
        where = ""
        if request.node.get_closest_marker("train") is not None:
            where = (
                ", in the folder finetune of the rootdir; this one lies elsewhere, as the rootdir is"
                f" {request.config.rootpath}: it is where pytest.ini lies, or pyproject.toml with"
                " [tool.pytest.ini_options]"
            )
        message = f'fixture training belongs to functions marked @pytest.mark.train("configs"){where}'
        pytest.fail(message, pytrace=False)
    from pytest_llmeval.bridge.training.run import TrainingRun

    return TrainingRun(request.config, request.node, path)


def path_of(item: pytest.Item) -> Path | None:
    """Return the path of a training item's configuration; None for any other item."""
    found = params_of(item).get(_PARAM)
    return found if isinstance(found, Path) else None


def _wrong_resume(config: pytest.Config) -> list[str]:
    """Return a problem if ``--llmeval-resume`` is given and only trainings are left, as they would begin anew."""
    if not config.getoption("llmeval_resume") or config.getoption("llmeval_train_resume"):
        return []
    return ["--llmeval-resume goes on with a run of evals, and only trainings are left: --llmeval-train-resume"]


def _told_empty(folder: Path, config: pytest.Config) -> str:
    if not folder.is_dir():
        return f"{shown(folder, config)}: no such folder; @pytest.mark.train names one beside its file"
    others = ", ".join(sorted(path.name for path in folder.glob("*.yml")))
    hint = f"call {others} .yaml" if others else "write one, docs/training.md has the keys"
    return f"{shown(folder, config)}: no *.yaml in it, so there is nothing to train; {hint}"


def _wrong_settings(config: pytest.Config) -> list[str]:
    """Return problems of the settings, which would otherwise end the proof's sessions after the training."""
    from pytest_llmeval.bridge.config.settings import resolve

    try:
        resolve(config)
    except UserError as error:
        return [str(error)]
    return []


def shown(path: Path, config: pytest.Config) -> str:
    """Return a path as messages show it: relative to the rootdir if it is inside."""
    return path.relative_to(config.rootpath).as_posix() if path.is_relative_to(config.rootpath) else str(path)
