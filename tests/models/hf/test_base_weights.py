"""Whether a base has the weights that an adapter was trained on, in whatever files they lie."""

import json
import shutil
from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.models.hf.adapter_files import check_adapter_base, read_adapter_config
from pytest_llmeval.models.hf.base_weights import weights_digests
from pytest_llmeval.models.hf.loading import quiet
from pytest_llmeval.models.hf.sources import find_source
from pytest_llmeval.models.weights_spec import WeightsSpec
from tests.support.tiny_gguf import write_gguf
from tests.support.tiny_llama import make_model


@pytest.fixture
def trained(base: Path, adapter: Path, tmp_path: Path) -> Path:
    """An adapter with what a training records of its base."""
    copy = shutil.copytree(adapter, tmp_path / "trained")
    return record(copy, weights_digests(base))


def record(adapter: Path, weights: object) -> Path:
    told = {"complete": True, "training": "t1", "base": {"spec": "base", "revision": None, "weights": weights}}
    (adapter / "run.json").write_text(json.dumps(told), "utf-8")
    return adapter


def check(adapter: Path, base: Path) -> None:
    weights = WeightsSpec(base=str(base), adapter=str(adapter))
    check_adapter_base(read_adapter_config(adapter, ""), weights, find_source(weights, {}), "adapter A")


def saved_again(base: Path, target: Path, **how: object) -> Path:
    with quiet():
        transformers.AutoModelForCausalLM.from_pretrained(base).save_pretrained(target, **how)
    return target


def test_other_weights_in_a_folder_of_the_same_name_are_refused(base: Path, trained: Path, tmp_path: Path) -> None:
    other = make_model(tmp_path / base.name, seed=99)
    check(trained, base)
    with pytest.raises(ModelError) as caught:
        check(trained, other)
    assert str(caught.value) == (
        f"adapter A: it was trained on the base '{base}', and '{other}' has other weights here; name the base that it"
        " was trained on"
    )


def test_an_adapter_without_a_record_is_known_by_the_name_of_its_base(
    base: Path, adapter: Path, tmp_path: Path
) -> None:
    check(adapter, make_model(tmp_path / base.name, seed=99))


@pytest.mark.parametrize("said", [None, [], "x", {"safetensors": 7}, {"gguf 7": "00"}])
def test_a_record_of_another_form_leaves_it_to_the_name(
    base: Path, trained: Path, tmp_path: Path, said: object
) -> None:
    check(record(trained, said), shutil.copytree(base, tmp_path / base.name))
    with pytest.raises(ModelError, match="it was made for the base"):
        check(trained, shutil.copytree(base, tmp_path / "renamed"))


def test_a_renamed_copy_is_the_same_base_also_in_other_files_and_with_another_tokenizer(
    base: Path, trained: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(base, tmp_path / "renamed")
    (copy / "tokenizer_config.json").write_text("{}", "utf-8")
    check(trained, copy)
    check(trained, saved_again(base, tmp_path / "once"))
    parts = saved_again(base, tmp_path / "parts", max_shard_size="200KB")
    assert len(list(parts.glob("*.safetensors"))) > 1
    check(trained, parts)
    (parts / "consolidated.safetensors").write_bytes((base / "model.safetensors").read_bytes())
    check(trained, parts)


@pytest.mark.parametrize("name", ["model.layers.1.mlp.down_proj.weight", "model.embed_tokens.weight"])
def test_one_matrix_that_was_trained_is_seen(base: Path, trained: Path, tmp_path: Path, name: str) -> None:
    copy = shutil.copytree(base, tmp_path / base.name)
    tensors = load_file(copy / "model.safetensors")
    tensors[name] += 1e-4
    save_file(tensors, copy / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match="has other weights here"):
        check(trained, copy)


def test_numbers_of_another_type_and_a_gguf_file_are_known_by_name(base: Path, trained: Path, tmp_path: Path) -> None:
    """What was trained on the folder may answer on either."""
    half = shutil.copytree(base, tmp_path / base.name)
    tensors = {name: value.to(torch.bfloat16) for name, value in load_file(half / "model.safetensors").items()}
    save_file(tensors, half / "model.safetensors", {"format": "pt"})
    check(trained, half)
    gguf = tmp_path / f"{base.name}.gguf"
    write_gguf(base, gguf)
    with pytest.raises(ModelError, match="it was made for the base"):
        check(trained, gguf)


def test_a_gguf_file_is_compared_with_one(base: Path, trained: Path, tmp_path: Path) -> None:
    """A training on the embedded model knows both of its forms."""
    gguf = tmp_path / "renamed.gguf"
    write_gguf(base, gguf)
    record(trained, {**weights_digests(base), **weights_digests(gguf)})
    check(trained, gguf)
    content = gguf.read_bytes()
    gguf.write_bytes(content[:-40] + bytes(40))
    with pytest.raises(ModelError, match="has other weights here"):
        check(trained, gguf)


def test_files_that_cannot_be_read_have_none(tmp_path: Path) -> None:
    assert weights_digests(tmp_path / "none.gguf") == {}
    for content in (b"", b"\xff" * 9, b"\x02\0\0\0\0\0\0\0[]", b"\x0a\0\0\0\0\0\0\0" + b'{"a": "b"}'):
        (tmp_path / "model.safetensors").write_bytes(content)
        assert weights_digests(tmp_path) == {}
