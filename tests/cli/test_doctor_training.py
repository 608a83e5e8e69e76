"""What the doctor says of trainings: their extras, and the machine as they find it."""

import importlib.util
import os
from pathlib import Path

import pytest

from tests.cli.conftest import Command

CARDS = """
import os, sys

if "pytest_llmeval.training.gpus" in sys.orig_argv:
    print('[["Card", 17179869184], ["Other Card", 85899345920]]', flush=True)
    os._exit(0)
"""
"""Stands in for the process that asks CUDA's driver."""
needs_extra = pytest.mark.skipif(importlib.util.find_spec("trl") is None, reason="needs the extra train")


def without(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Have these packages be missing."""
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name in names else found(name, *rest))


def told(llmeval: Command) -> tuple[str, str]:
    """Return what is said of trainings."""
    (found,) = [each for each in llmeval("doctor", "--json").json() if each["what"] == "training"]
    return found["state"], found["found"]


@needs_extra
@pytest.mark.parametrize("has_search", [True, False])
def test_the_extras_of_trainings_and_the_memory_are_told(
    here: Path, llmeval: Command, monkeypatch: pytest.MonkeyPatch, has_search: bool
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    if not has_search:
        without(monkeypatch, "optuna")
    elif importlib.util.find_spec("optuna") is None:
        pytest.skip("needs the extra search")
    state, found = told(llmeval)
    assert state == "ok"
    assert found.startswith("trl ") and ", peft " in found
    assert ("search: optuna " if has_search else "search: pip install 'pytest-llmeval[search]'") in found
    assert "; no usable CUDA GPU, " in found and found.endswith(" GiB of memory free")


def test_a_missing_part_of_the_extra_is_a_note_that_tells_of_the_gpus_too(
    here: Path, llmeval: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "sitecustomize.py").write_text(CARDS, "utf-8")
    monkeypatch.setenv("PYTHONPATH", str(here), prepend=os.pathsep)
    without(monkeypatch, "trl", "peft")
    state, found = told(llmeval)
    assert state == "note"
    assert "not installed: pip install 'pytest-llmeval[train]' (missing: " in found and "trl, peft)" in found
    assert "; Card with 16.0 GiB, Other Card with 80.0 GiB, " in found
