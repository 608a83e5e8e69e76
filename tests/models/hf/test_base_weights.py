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
    """A training on the embedded model knows that form alone; the 16-bit weights of its base are known by name."""
    gguf = tmp_path / "renamed.gguf"
    write_gguf(base, gguf)
    record(trained, weights_digests(gguf))
    check(trained, gguf)
    check(trained, make_model(tmp_path / "hub" / base.name, seed=99))
    with pytest.raises(ModelError, match="it was made for the base"):
        check(trained, make_model(tmp_path / "hub" / "another", seed=99))
    content = gguf.read_bytes()
    gguf.write_bytes(content[:-40] + bytes(40))
    with pytest.raises(ModelError, match="has other weights here"):
        check(trained, gguf)


@pytest.mark.parametrize("own", [{"complete": True, "training": "t0", "base": {"spec": "base"}}, {}, None])
def test_the_record_of_the_folder_above_is_not_that_of_an_adapter_for_another_base(
    trained: Path, adapter: Path, tmp_path: Path, own: object
) -> None:
    """What has a record of its own is known by that alone; what has none by one for a base of the same name."""
    nested = shutil.copytree(adapter, trained / "nested")
    other = make_model(tmp_path / "other", seed=99)
    config = json.loads((nested / "adapter_config.json").read_text("utf-8"))
    (nested / "adapter_config.json").write_text(json.dumps({**config, "base_model_name_or_path": str(other)}), "utf-8")
    if own is not None:
        (nested / "run.json").write_text(json.dumps(own), "utf-8")
    check(nested, other)


def test_the_record_of_the_folder_above_tells_the_weights_of_the_base_that_both_name(
    base: Path, trained: Path, adapter: Path, tmp_path: Path
) -> None:
    nested = shutil.copytree(adapter, trained / "checkpoint-4")
    check(nested, base)
    with pytest.raises(ModelError, match="has other weights here"):
        check(nested, make_model(tmp_path / base.name, seed=99))


def test_weights_that_were_changed_in_place_are_told_as_such(adapter: Path, tmp_path: Path) -> None:
    changed = make_model(tmp_path / "changed", seed=99)
    copy = record(shutil.copytree(adapter, tmp_path / "copy"), weights_digests(changed))
    config = json.loads((copy / "adapter_config.json").read_text("utf-8"))
    (copy / "adapter_config.json").write_text(json.dumps({**config, "base_model_name_or_path": str(changed)}), "utf-8")
    check(copy, changed)
    shutil.copy(make_model(tmp_path / "new", seed=98) / "model.safetensors", changed)
    with pytest.raises(ModelError) as caught:
        check(copy, changed)
    assert str(caught.value) == (
        f"adapter A: {str(changed)!r} has other weights now than when it was trained on that; name a base that has"
        " those weights, or train it anew"
    )


def test_of_a_large_tensor_blocks_all_over_it_are_read(tmp_path: Path) -> None:
    numbers = torch.zeros(2**18)
    found: set[str] = set()
    for place in (None, 0, 2**18 // 3, 2 * 2**18 // 3, 2**18 - 1):
        changed = numbers.clone()
        if place is not None:
            changed[place] = 1.0
        save_file({"a": changed}, tmp_path / "model.safetensors")
        found.update(weights_digests(tmp_path).values())
    assert len(found) == 5


def test_files_that_cannot_be_read_have_none(tmp_path: Path) -> None:
    """Nor has a file without a tensor."""
    assert weights_digests(tmp_path / "none.gguf") == {}
    save_file({}, tmp_path / "model.safetensors")
    assert weights_digests(tmp_path) == {}
    for content in (b"", b"\xff" * 9, b"\x02\0\0\0\0\0\0\0[]", b"\x0a\0\0\0\0\0\0\0" + b'{"a": "b"}'):
        (tmp_path / "model.safetensors").write_bytes(content)
        assert weights_digests(tmp_path) == {}
