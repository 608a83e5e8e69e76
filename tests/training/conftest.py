"""A tiny base and trainings of it, in this process: torch is imported once."""

import gc
import importlib
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_llmeval.training import supervise
from pytest_llmeval.training.config_file import load_config
from pytest_llmeval.training.machine import Machine
from pytest_llmeval.training.plan import Outcome, Plan
from pytest_llmeval.training.proof import Gain, Measurement
from pytest_llmeval.training.supervise import Job
from tests.support.in_process import train_here
from tests.support.tiny_base import save_tiny_base, write_project

Train = Callable[..., tuple[Plan, Outcome]]


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_base(tmp_path_factory.mktemp("tiny") / "base")


@pytest.fixture(scope="session")
def train(tmp_path_factory: pytest.TempPathFactory, tiny_base: Path) -> Train:
    """Return a function that trains in a folder and says how it ended.

    ``root``: of an earlier training, which goes on then; ``edit``: changes the project before.
    """
    importlib.import_module("pytest_llmeval.training.sft.trainer")
    gc.collect()
    gc.freeze()  # what was imported stays to the end, and accelerate looks for garbage at each training's end

    def run(
        root: Path | None = None,
        *,
        edit: Callable[[Path], object] = lambda root: None,
        most_rows: int | None = None,
        free: int = 8 << 30,
        **changes: Any,
    ) -> tuple[Plan, Outcome]:
        is_resumed = root is not None
        root = root or tmp_path_factory.mktemp("project")
        path = write_project(root, changes.pop("base", tiny_base), **changes)
        edit(root)
        folder = root / "run"
        folder.mkdir(exist_ok=True)
        plan = Plan(
            name="tiny",
            id="t1",
            config=load_config(path, shown_as="tiny.yaml"),
            rootdir=root,
            folder=folder,
            is_resumed=is_resumed,
            most_rows=most_rows,
            free=free,
        )
        with warnings.catch_warnings():  # of the libraries among themselves
            warnings.simplefilter("ignore")
            return plan, train_here(plan)

    return run


@pytest.fixture(scope="session")
def trained(train: Train) -> Plan:
    """A training that came to its end."""
    plan, outcome = train()
    assert outcome == Outcome(state="trained")
    return plan


@pytest.fixture
def killed(trained: Plan, tmp_path: Path) -> Path:
    """The project of the same training as a kill after its first checkpoint leaves it."""
    root = tmp_path / "killed"
    shutil.copytree(trained.rootdir, root)
    shutil.rmtree(root / "run" / "adapter")
    shutil.rmtree(root / "run" / "checkpoint-8")
    (root / "run" / "outcome.json").unlink()
    return root


@pytest.fixture
def job(tmp_path: Path) -> Job:
    path = write_project(tmp_path, "base")
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "config.json").write_text("{}", "utf-8")
    (tmp_path / "base" / "model.safetensors").write_bytes(b"weights")
    return Job(
        name="tiny",
        config=load_config(path, shown_as="tiny.yaml"),
        rootdir=tmp_path,
        place=tmp_path / "trainings",
        db=tmp_path / "llmeval.db",
        machine=Machine(gpu=None, gpu_total=0, gpus=0, ram_free=8 << 30),
        is_resumed=False,
        git={"git_commit": "abc", "git_dirty": False},
        environ={},
        report=print,
        suite="colour",
        again="pytest NODEID --llmeval-train-resume",
    )


@pytest.fixture
def proved(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Measurement]]:
    """Have base and adapter measured as it is said."""

    def place(*gains: Gain) -> list[Measurement]:
        asked: list[Measurement] = []

        def measure(measurement: Measurement) -> list[Gain]:
            asked.append(measurement)
            return list(gains)

        monkeypatch.setattr(supervise, "measure", measure)
        return asked

    return place
