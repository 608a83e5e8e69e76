"""Where weights are looked for, what is said where they are not there, and what identifies them."""

import os
import shutil
import struct
from pathlib import Path

import pytest

from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.models.hf.sources import Source, find_source, source_digest, source_stats
from pytest_llmeval.models.weights_spec import WeightsSpec

GGUF_HEAD = b"GGUF" + struct.pack("<IQQ", 3, 0, 0)
"""Of a file without fields and tensors."""


def files(folder: Path, **contents: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in contents.items():
        stem, _, suffix = name.rpartition("_")
        (folder / f"{stem}.{suffix}").write_text(text)
    return folder


def model(folder: Path) -> Path:
    return files(folder, config_json="{}", model_safetensors="weights")


def lora(folder: Path, weights: str = "lora") -> Path:
    return files(folder, adapter_config_json="{}", adapter_model_safetensors=weights)


def refused(environ: dict[str, str], base: str, adapter: str | None = None) -> str:
    with pytest.raises(ModelError) as caught:
        find_source(WeightsSpec(base=base, adapter=adapter), environ)
    return str(caught.value)


def test_a_folder_and_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative paths begin at the current folder, as everywhere on a command line."""
    model(tmp_path / "m")
    (tmp_path / "m.gguf").write_bytes(GGUF_HEAD)
    monkeypatch.chdir(tmp_path)
    assert find_source(WeightsSpec(base="m"), {}) == Source(base=tmp_path / "m", hub_id=None, adapter=None)
    found = find_source(WeightsSpec(base="./m.gguf"), {})
    assert found.base == tmp_path / "m.gguf"
    assert found.is_gguf


@pytest.mark.parametrize("base", ["./smollm", "/no/such", "../x", "a/b/c", "~/nothing-here"])
def test_a_typo_in_a_path_is_no_id(base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert "no such folder; relative paths begin at" in refused({}, base)


def test_an_id_that_is_not_cached_says_how_to_fetch_it(tmp_path: Path) -> None:
    """Nothing is ever fetched during a session; a gated model needs a licence and a login first."""
    message = refused({"HF_HOME": str(tmp_path)}, "org/model")
    assert "hf download org/model" in message
    assert str(tmp_path / "hub") in message
    assert "https://huggingface.co/org/model" in message
    assert "hf auth login" in message


@pytest.mark.parametrize("variable", ["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"])
def test_an_id_is_found_in_the_cache_of_the_hub(tmp_path: Path, variable: str) -> None:
    below = {"HF_HUB_CACHE": "", "HUGGINGFACE_HUB_CACHE": "", "HF_HOME": "hub", "XDG_CACHE_HOME": "huggingface/hub"}[
        variable
    ]
    folder = tmp_path / below / "models--org--m"
    files(folder / "refs").joinpath("main").write_text("abc123\n")
    snapshot = model(folder / "snapshots" / "abc123")
    environ = {variable: str(tmp_path)}
    assert find_source(WeightsSpec(base="org/m"), environ) == Source(base=snapshot, hub_id="org/m", adapter=None)
    assert find_source(WeightsSpec(base="org/m", revision="abc123"), environ).base == snapshot
    with pytest.raises(ModelError, match="hf download org/m --revision v2"):
        find_source(WeightsSpec(base="org/m", revision="v2"), environ)


def test_weights_that_can_run_code_are_refused(tmp_path: Path) -> None:
    files(tmp_path / "m", config_json="{}", pytorch_model_bin="pickle")
    message = refused({}, str(tmp_path / "m"))
    assert "holds no *.safetensors, found pytorch_model.bin" in message


def test_what_is_no_model_is_named(tmp_path: Path) -> None:
    files(tmp_path / "empty")
    (tmp_path / "notes.txt").write_text("")
    assert "no model is there" in refused({}, str(tmp_path / "empty"))
    assert "name a model's folder" in refused({}, str(tmp_path / "notes.txt"))
    assert "no such file" in refused({}, str(tmp_path / "m.gguf"))


def test_what_is_no_adapter_is_named(tmp_path: Path) -> None:
    base = str(model(tmp_path / "m"))
    assert "no such folder" in refused({}, base, str(tmp_path / "typo"))
    half = files(tmp_path / "half", adapter_config_json="{}", adapter_model_bin="pickle")
    assert "safetensors only" in refused({}, base, str(half))
    assert "no PEFT adapter is there" in refused({}, base, base)


@pytest.mark.parametrize("said", ['{"complete": false}', '{"complete": null, "training": "t"}', '{"training": "t"}'])
def test_an_adapter_whose_training_did_not_end_is_refused(tmp_path: Path, said: str) -> None:
    folder = lora(tmp_path / "run" / "adapter")
    files(tmp_path / "run", run_json=said)
    assert "its training did not end" in refused({}, str(model(tmp_path / "m")), str(folder))


def test_an_adapter_among_the_files_of_a_base_is_refused(tmp_path: Path) -> None:
    """transformers puts it on the base without a word, and both would be evaluated under the name of one."""
    both = lora(model(tmp_path / "m"))
    with pytest.raises(ModelError, match="holds an adapter beside the model, .* name BASE\\+ADAPTER_PATH"):
        find_source(WeightsSpec(kind="hf", base=str(both)), {})
    assert find_source(WeightsSpec(kind="vllm", base=str(both)), {}).adapter is None


def test_an_option_about_what_is_not_named_is_refused(tmp_path: Path) -> None:
    """It would decide nothing, and stand in the model's name all the same."""
    base, adapter = str(model(tmp_path / "m")), str(lora(tmp_path / "a"))
    (tmp_path / "m.gguf").write_bytes(GGUF_HEAD)
    for path in (base, str(tmp_path / "m.gguf")):
        with pytest.raises(ModelError, match=r"\?revision=v1: revision= is about a model of the hub, not of a path"):
            find_source(WeightsSpec(base=path, revision="v1"), {})
    with pytest.raises(ModelError, match=r"m\.gguf\?load=4bit: load= is about a folder, and of a GGUF file"):
        find_source(WeightsSpec(base=str(tmp_path / "m.gguf"), load="4bit"), {})
    with pytest.raises(ModelError, match="untrained= is about an adapter, and none is named"):
        find_source(WeightsSpec(base=base, untrained="yes"), {})
    assert find_source(WeightsSpec(base=base, adapter=adapter, untrained="yes"), {}).adapter


def digest_of(base: Path, adapter: Path | None = None, load: str | None = None) -> str:
    weights = WeightsSpec(base=str(base), adapter=str(adapter) if adapter else None, load=load)
    return source_digest(weights, find_source(weights, {}))


def test_a_digest_is_of_what_the_files_hold(tmp_path: Path) -> None:
    """The same on every machine, whatever the place and the times; another adapter or quantisation is another model."""
    base, adapter = model(tmp_path / "m"), lora(tmp_path / "a")
    copy = shutil.copytree(base, tmp_path / "copy")
    found = digest_of(base, adapter)
    assert found == digest_of(copy, adapter)
    (adapter / "README.md").write_text("about it")
    assert found == digest_of(base, adapter)
    lora(tmp_path / "a", weights="lorb")
    assert len({found, digest_of(base, adapter), digest_of(base), digest_of(base, load="4bit")}) == 4


def test_any_training_of_a_large_file_changes_its_digest(tmp_path: Path) -> None:
    """Of a large file blocks all over it are read."""
    base = model(tmp_path / "m")
    weights = base / "model.safetensors"
    size = 20 * 2**20
    weights.write_bytes(bytes(size))
    before = digest_of(base)
    weights.write_bytes(bytes(size // 3) + b"\x01" * 2**20 + bytes(size - size // 3 - 2**20))
    assert digest_of(base) != before


def test_any_edit_here_changes_the_stats(tmp_path: Path) -> None:
    """They are part of what a cached answer is found by."""
    source = find_source(WeightsSpec(base=str(model(tmp_path / "m"))), {})
    before = source_stats(source)
    assert source_stats(source) == before
    os.utime(source.base / "model.safetensors", ns=(1, 1))
    assert source_stats(source) != before


def test_a_model_of_the_hub_is_its_commit_wherever_its_cache_lies(tmp_path: Path) -> None:
    """An answer is found again on another machine, and after the same commit was fetched once more."""
    folder = tmp_path / "a" / "models--org--m"
    files(folder / "refs").joinpath("main").write_text("abc123")
    model(folder / "snapshots" / "abc123")
    shutil.copytree(tmp_path / "a", tmp_path / "b", copy_function=shutil.copyfile)
    weights = WeightsSpec(base="org/m")
    here, there = (find_source(weights, {"HF_HUB_CACHE": str(tmp_path / name)}) for name in "ab")
    assert here.base != there.base
    assert source_stats(here) == source_stats(there)
    assert source_digest(weights, here) == source_digest(weights, there)
    files(folder / "refs").joinpath("main").write_text("def456")
    model(folder / "snapshots" / "def456")
    later = find_source(weights, {"HF_HUB_CACHE": str(tmp_path / "a")})
    assert source_digest(weights, later) != source_digest(weights, here)
