"""A base out of the hub's cache, which is known by its commit. The trainings are real, the answers stand-ins."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_llmeval.core.errors import SettingsError
from pytest_llmeval.training import supervise
from pytest_llmeval.training.config_file import load_config
from pytest_llmeval.training.proof import Gain, Measurement
from pytest_llmeval.training.supervise import Job, run_training
from tests.support.in_process import train_here
from tests.support.tiny_base import write_project
from tests.training.stand_ins import GAIN, Proved, Trainer, stored

pytest.importorskip("trl", reason="needs the extra train")

SHORT: dict[str, Any] = {"optim__max_steps": 1, "check__every": 1, "check__rows": 1}
SEARCH: dict[str, Any] = {"trials": 1, "space": {"lora.r": {"choices": [4, 8]}}}


@pytest.fixture
def hub(tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of ``org/m`` in a cache, whose ``main`` is ``abc123``."""
    folder = tmp_path / "hub" / "models--org--m"
    shutil.copytree(tiny_base, folder / "snapshots" / "abc123")
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("abc123", "utf-8")
    monkeypatch.setenv("HF_HUB_CACHE", str(folder.parent))
    return folder


def interrupted(measurement: Measurement) -> list[Gain]:
    raise KeyboardInterrupt


@pytest.mark.filterwarnings("ignore")  # of the libraries among themselves
@pytest.mark.parametrize(
    ("base", "changes"),
    [("org/m", {}), ("org/m@abc123", {}), ("org/m", {"optim__soup": 2}), ("org/m", {"search": SEARCH})],
)
def test_a_proof_that_was_broken_off_is_of_the_commit_that_was_trained_on(
    job: Job, hub: Path, proved: Proved, monkeypatch: pytest.MonkeyPatch, base: str, changes: dict[str, Any]
) -> None:
    """Also where the hub has a newer one since."""
    if "search" in changes:
        pytest.importorskip("optuna", reason="needs the extra search")
    path = write_project(job.rootdir, base, **SHORT, **changes)
    job = replace(job, config=load_config(path, shown_as="tiny.yaml"))
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(supervise, "measure", interrupted)
        run_training(job, train=train_here)
    shutil.copytree(hub / "snapshots" / "abc123", hub / "snapshots" / "def456")
    (hub / "refs" / "main").write_text("def456", "utf-8")
    asked = proved(GAIN)
    again = replace(job, is_resumed=True)
    run_training(again, train=Trainer())
    assert stored(job).status == "finished"
    assert asked[0].specs["base"].startswith(f"hf:{hub / 'snapshots' / 'abc123'}?")
    (asked[0].folder / "proof.json").unlink()
    data = job.rootdir / "data" / "val.jsonl"
    data.write_text(data.read_text("utf-8").replace('"red"', '"RED"'), "utf-8")
    with pytest.raises(SettingsError, match=r"cannot go on, as these changed since: val .data/val\.jsonl.; take"):
        run_training(again, train=Trainer())
