"""`llmeval adapter`: what it says of adapters and places that are no use, before anything is loaded."""

import importlib.util
import json
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Command
from tests.support.tiny_lora import configure


@pytest.fixture
def lora(here: Path) -> Path:
    """An adapter and its base, as far as is looked at before their numbers are."""
    for name, config in (("base", {"model_type": "llama", "num_attention_heads": 4}), ("lora", {"peft_type": "LORA"})):
        (here / name).mkdir()
        (here / name / ("config.json" if name == "base" else "adapter_config.json")).write_text(json.dumps(config))
    (here / "base" / "model.safetensors").touch()
    (here / "lora" / "adapter_model.safetensors").touch()
    configure(here / "lora", base_model_name_or_path="base")
    return here / "lora"


@pytest.mark.parametrize("what", ["merge", "gguf"])
@pytest.mark.parametrize(
    ("changes", "options", "said"),
    [
        ({"base_model_name_or_path": None}, (), "it does not name its base; pass --base"),
        ({"base_model_name_or_path": "./gone"}, (), "its base is not here (hf:./gone: no such folder"),
        ({}, ("--base", "./gone"), "hf:./gone: no such folder"),
        ({"base_model_name_or_path": "org/other"}, ("--base", "base"), "it was made for the base 'org/other'"),
        ({"peft_type": "PROMPT_TUNING"}, (), "a PROMPT_TUNING adapter"),
    ],
)
def test_an_adapter_without_its_base_is_refused(
    llmeval: Command, lora: Path, what: str, changes: dict[str, Any], options: tuple[str, ...], said: str
) -> None:
    configure(lora, **changes)
    done = llmeval("adapter", what, "lora", "--output", "out.gguf", *options)
    assert done.status == 4
    assert said in done.err


def test_a_base_in_a_folder_is_found_whatever_revision_is_written_beside_it(llmeval: Command, lora: Path) -> None:
    """It gets as far as the file of weights, which is empty here, or the package that reads it."""
    configure(lora, revision="main")
    done = llmeval("adapter", "gguf", "lora", "--output", "out.gguf")
    assert done.status == 4
    assert "its base is not here" not in done.err
    assert "adapter_model.safetensors" in done.err or "pip install" in done.err


@pytest.mark.parametrize("what", ["merge", "gguf"])
def test_what_is_no_adapter_is_refused(llmeval: Command, here: Path, what: str) -> None:
    assert "adapter nope: no such folder" in llmeval("adapter", what, "nope", "--output", "out.gguf").err
    (here / "empty").mkdir()
    told = llmeval("adapter", what, "empty", "--output", "out.gguf").err
    assert "no PEFT adapter is there" in told and "did you mean" not in told


@pytest.mark.parametrize("what", ["merge", "gguf"])
def test_the_folder_of_a_training_is_told_where_its_adapter_lies(llmeval: Command, lora: Path, what: str) -> None:
    training = lora.parent / "trainings" / "tiny" / "1"
    training.mkdir(parents=True)
    lora.rename(training / "adapter")
    for named in ("trainings/tiny/1", "trainings/tiny/1/"):
        done = llmeval("adapter", what, named, "--output", "out.gguf")
        assert done.status == 4
        assert done.err.endswith("adapter_config.json is missing; did you mean trainings/tiny/1/adapter?\n")


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("base.gguf", "it already exists"),
        ("no/out.gguf", "the folder to put it in does not exist"),
        ("out.bin", "the name of a GGUF file ends in .gguf"),
    ],
)
def test_a_place_that_is_no_use_is_refused(llmeval: Command, lora: Path, output: str, said: str) -> None:
    lora.with_name("base.gguf").touch()
    done = llmeval("adapter", "gguf", "lora", "--output", output)
    assert done.status == 4
    assert f"--output {output}: {said}" in done.err


@pytest.mark.parametrize(("what", "package"), [("merge", "peft"), ("gguf", "safetensors")])
def test_a_missing_package_is_named(
    llmeval: Command, lora: Path, monkeypatch: pytest.MonkeyPatch, what: str, package: str
) -> None:
    """With what to install; nothing is left at the place of the output."""
    real = importlib.util.find_spec

    def without(name: str) -> ModuleSpec | None:
        return None if name == package else real(name)

    monkeypatch.setattr(importlib.util, "find_spec", without)
    done = llmeval("adapter", what, "lora", "--output", "out.gguf")
    assert done.status == 4
    assert "pip install" in done.err and package in done.err
    assert not (lora.parent / "out.gguf").exists()


def test_doctor_and_models_know_an_adapter_of_the_embedded_model(llmeval: Command, lora: Path) -> None:
    lora.with_name("models.yaml").write_text(
        'models:\n  tuned: {spec: "local:smollm2+lora"}\n  lost: {spec: "local:smollm2+gone"}\n'
    )
    listed = {row["name"]: row["note"] for row in llmeval("models", "--json").json()}
    assert listed["tuned"] == f"in {lora}" and listed["lost"].startswith("not on this machine")
    told = llmeval("doctor").out
    assert "adapter gone: no such folder" in " ".join(told.split())
