"""Adapters for the embedded model: what is made of their files, and what is wrong with those that are refused."""

import importlib.util
import json
import multiprocessing
import os
import shutil
import struct
from collections.abc import Mapping
from importlib.machinery import ModuleSpec
from pathlib import Path

import gguf
import numpy as np
import pytest

from pytest_llmeval.bridge.config.model_facts import model_digest
from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.core.types import Request
from pytest_llmeval.models.check import check_model
from pytest_llmeval.models.gguf_header import read_gguf_header
from pytest_llmeval.models.hf.adapter_gguf import Heads, convert_adapter
from pytest_llmeval.models.hf.base_weights import weights_digests
from pytest_llmeval.models.local import host
from pytest_llmeval.models.local.adapters import adapter_file, local_revision
from pytest_llmeval.models.named import resolve_model
from pytest_llmeval.models.registry import open_model
from pytest_llmeval.models.weights_spec import WeightsSpec
from tests.support.asking import embedded_at
from tests.support.tiny_lora import SMOLLM2_SHAPES, configure, write_lora


@pytest.fixture
def lora(tmp_path: Path) -> Path:
    write_lora(tmp_path / "lora", SMOLLM2_SHAPES, rank=2)
    return tmp_path / "lora"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "llmeval"


def spec(adapter: Path) -> WeightsSpec:
    return WeightsSpec(kind="local", base="smollm2", adapter=str(adapter))


def made(adapter: Path, base: Path, cache: Path, told: list[str] | None = None) -> Path:
    return adapter_file(spec(adapter), base, cache, list[str]().append if told is None else told.append)


def refused(adapter: Path, base: Path, cache: Path) -> str:
    with pytest.raises(ModelError) as caught:
        made(adapter, base, cache)
    return str(caught.value)


def write_gguf(path: Path, tensors: Mapping[str, tuple[int, ...]], **fields: str) -> Path:
    """Write an adapter's GGUF file; the shapes are those of numpy, rows first."""
    writer = gguf.GGUFWriter(path, fields.pop("architecture", "llama"))
    writer.add_type(fields.pop("type", "adapter"))
    writer.add_string("adapter.type", "lora")
    for key, value in fields.items():
        writer.add_string(f"llmeval.{key}", value)
    for name, shape in tensors.items():
        writer.add_tensor(name, np.zeros(shape, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


PAIR = {"blk.0.attn_v.weight.lora_a": (2, 576), "blk.0.attn_v.weight.lora_b": (192, 2)}


def test_a_folder_is_made_into_a_file_once(smollm2: Path, lora: Path, cache: Path) -> None:
    """Its numbers in the cache folder, none in the adapter's; a trained one anew has a file of its own."""
    before = {path: path.stat().st_mtime_ns for path in lora.iterdir()}
    told: list[str] = []
    first = made(lora, smollm2, cache, told)
    assert first.parent.parent == cache
    assert made(lora, smollm2, cache, told) == first
    assert len(told) == 1 and str(first) in told[0]
    assert {path: path.stat().st_mtime_ns for path in lora.iterdir()} == before
    write_lora(lora, SMOLLM2_SHAPES, rank=2, seed=1)
    assert made(lora, smollm2, cache, told) != first and len(told) == 2


def test_a_copy_is_the_same_adapter(smollm2: Path, lora: Path, cache: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(lora, tmp_path / "copy")
    assert made(copy, smollm2, cache) == made(lora, smollm2, cache)
    assert local_revision(spec(copy)) == local_revision(spec(lora)) != local_revision(None)
    write_lora(copy, SMOLLM2_SHAPES, rank=2, seed=1)
    assert local_revision(spec(copy)) != local_revision(spec(lora))


@pytest.mark.parametrize("has_adapter", [False, True])
def test_another_version_of_the_engine_gives_other_answers_of_the_same_model(
    lora: Path, monkeypatch: pytest.MonkeyPatch, has_adapter: bool
) -> None:
    """It sums in another order, so that answers of before are not taken for its own; a run may go on with it."""
    named = resolve_model(f"local:smollm2+{lora}" if has_adapter else "local:smollm2", {})

    def known() -> tuple[str, str]:
        adapters = [named.spec.weights] if named.spec.weights is not None else []
        backend = open_model(named, environ={}, hosts=embedded_at("http://127.0.0.1:1/v1", "key", adapters))
        return str(backend.identity(Request(messages=()))["revision"]), model_digest(named, {})

    today = known()
    monkeypatch.setattr(host, "local_engine", lambda: "xllamacpp 2031.1.1")
    later = known()
    assert today[0] != later[0]
    assert today[1] == later[1]


def test_several_processes_make_it_at_once(smollm2: Path, lora: Path, cache: Path) -> None:
    """Each finds a whole file, and no part of one is left."""
    with multiprocessing.get_context("fork").Pool(4) as pool:
        found = pool.starmap(made, [(lora, smollm2, cache)] * 8)
    assert len(set(found)) == 1
    assert [path.name for path in found[0].parent.iterdir()] == [found[0].name]


def test_a_place_that_cannot_be_written_is_said(smollm2: Path, lora: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "cannot be written: " in refused(lora, smollm2, tmp_path / "file")


def test_the_name_of_the_base_is_compared(smollm2: Path, lora: Path, cache: Path) -> None:
    """The hub's, that of the folder which a training makes, none at all; of another model it is refused."""
    for name in ("HuggingFaceTB/SmolLM2-135M-Instruct", str(cache / "SmolLM2-135M-Instruct"), None):
        configure(lora, base_model_name_or_path=name)
        made(lora, smollm2, cache)
    configure(lora, base_model_name_or_path="HuggingFaceTB/SmolLM2-360M-Instruct")
    assert "it was made for the base 'HuggingFaceTB/SmolLM2-360M-Instruct'" in refused(lora, smollm2, cache)


def test_the_weights_of_the_base_are_compared(smollm2: Path, lora: Path, cache: Path, tmp_path: Path) -> None:
    """Those of another file are refused, and of its own the name is of no matter; so it is in a file made of both."""
    for name, weights in (("org/any", weights_digests(smollm2)), ("SmolLM2-135M-Instruct", other_weights(smollm2))):
        configure(lora, base_model_name_or_path=name)
        (lora / "run.json").write_text(json.dumps({"complete": True, "base": {"weights": weights}}))
        ready = tmp_path / f"{Path(name).name}.gguf"
        convert_adapter(lora, ready, Heads(q=9, kv=3), "adapter")
        if name == "org/any":
            made(lora, smollm2, cache)
            made(ready, smollm2, cache)
        else:
            told = f"it was trained on the base {name!r}, and 'smollm2' has other weights here"
            assert told in refused(lora, smollm2, cache)
            assert told in refused(ready, smollm2, cache)


def other_weights(base: Path) -> dict[str, str]:
    return dict.fromkeys(weights_digests(base), "00")


def test_the_chat_template_is_compared(smollm2: Path, lora: Path, cache: Path) -> None:
    template = read_gguf_header(smollm2, "smollm2").text("tokenizer.chat_template")
    (lora / "chat_template.jinja").write_text(template)
    made(lora, smollm2, cache)
    (lora / "chat_template.jinja").write_text(template + " ")
    assert "trained with another chat template" in refused(lora, smollm2, cache)


@pytest.mark.parametrize("shape", [(576, 578), (578, 576)])
def test_a_matrix_of_another_shape_is_refused(smollm2: Path, lora: Path, cache: Path, shape: tuple[int, int]) -> None:
    write_lora(lora, {"self_attn.o_proj": shape}, rank=2)
    assert "SmolLM2-135M-Instruct has no place for blk.0.attn_output.weight.lora_" in refused(lora, smollm2, cache)


def test_a_layer_too_many_is_refused(smollm2: Path, lora: Path, cache: Path) -> None:
    write_lora(lora, {"mlp.up_proj": (1536, 576)}, rank=2, layers=31)
    assert "no place for blk.30.ffn_up.weight.lora_a" in refused(lora, smollm2, cache)


def test_a_training_that_did_not_end_is_refused(smollm2: Path, lora: Path, cache: Path) -> None:
    (lora / "run.json").write_text('{"complete": false}')
    assert "its training did not end" in refused(lora, smollm2, cache)


def test_a_ready_file_is_taken_as_it_is(smollm2: Path, cache: Path, tmp_path: Path) -> None:
    """Of any origin that names no other base; adapters of the table of tokens, too, as llama.cpp has them."""
    path = write_gguf(tmp_path / "a.gguf", PAIR)
    assert made(path, smollm2, cache) == path
    tokens = {"token_embd.weight.lora_a": (49152, 2), "token_embd.weight.lora_b": (576, 2)}
    made(write_gguf(tmp_path / "tokens.gguf", tokens), smollm2, cache)
    made(write_gguf(tmp_path / "own.gguf", PAIR, base_model="any/SmolLM2-135M-Instruct"), smollm2, cache)
    assert not (cache / "adapters").exists()


@pytest.mark.parametrize(
    ("tensors", "fields", "said"),
    [
        (PAIR, {"base_model": "org/other"}, "it was made for the base 'org/other'"),
        (PAIR, {"chat_template_sha256": "00"}, "another chat template (its own fields)"),
        (PAIR, {"type": "model"}, "not of a LoRA adapter"),
        (PAIR, {"architecture": "qwen3"}, "for a model of type 'qwen3', and SmolLM2-135M-Instruct is a 'llama'"),
        ({}, {}, "it holds no tensors"),
        ({"blk.0.attn_norm.weight": (576,)}, {}, "blk.0.attn_norm.weight is half of no pair"),
        ({"blk.0.attn_v.weight.lora_a": (2, 576)}, {}, "no place for blk.0.attn_v.weight.lora_a"),
        ({**PAIR, "blk.0.attn_v.weight.lora_b": (192, 3)}, {}, "no place for blk.0.attn_v.weight.lora_a"),
        ({"token_embd.weight.lora_a": (2, 49152), "token_embd.weight.lora_b": (576, 2)}, {}, "no place for token_embd"),
    ],
)
def test_a_ready_file_that_does_not_fit_is_refused(
    smollm2: Path,
    cache: Path,
    tmp_path: Path,
    tensors: Mapping[str, tuple[int, ...]],
    fields: dict[str, str],
    said: str,
) -> None:
    assert said in refused(write_gguf(tmp_path / "a.gguf", tensors, **fields), smollm2, cache)


def test_a_cut_file_is_refused(smollm2: Path, cache: Path, tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "a.gguf", PAIR)
    path.write_bytes(path.read_bytes()[: -struct.calcsize("f") * 32])
    assert "the file is cut off" in refused(path, smollm2, cache)


@pytest.mark.parametrize(
    ("name", "said"),
    [("none", "no such folder"), ("none.gguf", "no such file"), ("empty", "no PEFT adapter is there")],
)
def test_what_is_not_there_is_said_before_anything_is_started(
    tmp_path: Path, cache: Path, name: str, said: str
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match=said):
        check_model(resolve_model(f"local:smollm2+{tmp_path / name}", {}), os.environ)


def test_packages_are_asked_for_only_where_a_file_is_to_be_made(
    smollm2: Path, lora: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The extra of local models does not hold them."""
    real = importlib.util.find_spec

    def without(name: str) -> ModuleSpec | None:
        return None if name in ("gguf", "safetensors") else real(name)

    model = resolve_model(f"local:smollm2+{lora}", {})
    monkeypatch.setattr(importlib.util, "find_spec", without)
    with pytest.raises(ModelError, match="pip install gguf safetensors; a ready one is taken"):
        check_model(model, os.environ)
    check_model(resolve_model(f"local:smollm2+{write_gguf(tmp_path / 'a.gguf', PAIR)}", {}), os.environ)
    monkeypatch.undo()
    made(lora, smollm2, cache)
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache.parent))
    monkeypatch.setattr(importlib.util, "find_spec", without)
    check_model(model, os.environ)
