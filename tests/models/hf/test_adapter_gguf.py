"""A PEFT adapter as a GGUF file: the same change of the weights, under the names and in the order of llama.cpp."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.models.hf.adapter_gguf import Heads, convert_adapter, heads_of
from pytest_llmeval.models.hf.loading import quiet
from tests.support.tiny_gguf import write_gguf
from tests.support.tiny_llama import make_adapter
from tests.support.tiny_lora import write_lora


def stored(path: Path) -> dict[str, Any]:
    return {tensor.name: np.array(tensor.data) for tensor in gguf.GGUFReader(path).tensors}


def field(path: Path, key: str) -> Any:
    found = gguf.GGUFReader(path).fields.get(key)
    return None if found is None else found.contents()


def unpermuted(rows: Any, heads: int) -> Any:
    """Return the rows in the order of transformers."""
    count, columns = rows.shape
    return rows.reshape(heads, count // heads // 2, 2, columns).swapaxes(1, 2).reshape(count, columns)


def change(path: Path, module: str, heads: int | None = None) -> Any:
    """Return what llama.cpp adds to the matrix of a module."""
    tensors = stored(path)
    a, b = tensors[f"{module}.weight.lora_a"], tensors[f"{module}.weight.lora_b"]
    whole = field(path, "adapter.lora.alpha") / a.shape[0] * (b @ a)
    return whole if heads is None else unpermuted(whole, heads)


def refused(folder: Path, heads: Heads, target: Path) -> str:
    with pytest.raises(ModelError) as caught:
        convert_adapter(folder, target, heads, "adapter a")
    assert list(target.parent.glob("*.gguf*")) == []
    return str(caught.value)


@settings(max_examples=40, deadline=None)
@given(
    groups=st.integers(1, 4),
    kv=st.integers(1, 3),
    half=st.integers(1, 4),
    rank=st.integers(1, 5),
    alpha=st.sampled_from([0, 0.5, 8, 16]),
    rslora=st.booleans(),
    pattern=st.sampled_from([{}, {"q_proj": 3}, {r"layers\.0\.self_attn\.k_proj": 7, "down_proj": 1}]),
    seed=st.integers(0, 9),
)
def test_each_matrix_changes_as_peft_would_change_it(
    tmp_path_factory: pytest.TempPathFactory,
    groups: int,
    kv: int,
    half: int,
    rank: int,
    alpha: float,
    rslora: bool,
    pattern: dict[str, float],
    seed: int,
) -> None:
    """Whatever the heads, the rank and the scale; the rows of q and k head by head."""
    heads, size = Heads(q=groups * kv, kv=kv), 2 * half * groups * kv
    shapes = {"self_attn.q_proj": (size, 6), "self_attn.k_proj": (2 * half * kv, 6), "mlp.down_proj": (6, 10)}
    folder = tmp_path_factory.mktemp("lora")
    changes: dict[str, Any] = {"lora_alpha": alpha, "use_rslora": rslora, "alpha_pattern": pattern}
    products = write_lora(folder, shapes, rank=rank, seed=seed, **changes)
    convert_adapter(folder, folder / "a.gguf", heads, "adapter a")
    scales = {name: pattern.get(name.rpartition(".")[2], alpha) for name in shapes}
    scales["self_attn.k_proj"] = pattern.get(r"layers\.0\.self_attn\.k_proj", alpha)
    for name, part, count in (
        ("self_attn.q_proj", "attn_q", heads.q),
        ("self_attn.k_proj", "attn_k", heads.kv),
        ("mlp.down_proj", "ffn_down", None),
    ):
        expected = scales[name] / (rank**0.5 if rslora else rank) * products[name]
        np.testing.assert_allclose(change(folder / "a.gguf", f"blk.0.{part}", count), expected, rtol=1e-4, atol=1e-5)


def test_peft_itself_agrees(base: Path, tmp_path: Path) -> None:
    """Its own product of all modules of an adapter with ranks and scales of their own."""
    from peft import AutoPeftModelForCausalLM

    folder = make_adapter(
        base, tmp_path / "a", rank_pattern={"v_proj": 2}, alpha_pattern={"up_proj": 3}, use_rslora=True
    )
    convert_adapter(folder, tmp_path / "a.gguf", heads_of(base, "base"), "adapter a")
    with quiet():
        model = AutoPeftModelForCausalLM.from_pretrained(folder)
    layer = model.base_model.model.model.layers[1]
    for module, part, heads in (
        (layer.self_attn.q_proj, "attn_q", 4),
        (layer.self_attn.k_proj, "attn_k", 2),
        (layer.self_attn.v_proj, "attn_v", None),
        (layer.mlp.up_proj, "ffn_up", None),
    ):
        expected = module.get_delta_weight("default").detach().numpy()
        np.testing.assert_allclose(change(tmp_path / "a.gguf", f"blk.1.{part}", heads), expected, rtol=1e-4, atol=1e-5)


def test_names_and_numbers_are_kept(base: Path, adapter: Path, tmp_path: Path) -> None:
    """Where PEFT scales by alpha / rank, as most do, no number of a or v changes; what it was made for stands in it."""
    convert_adapter(adapter, tmp_path / "a.gguf", heads_of(base, "base"), "adapter a")
    tensors, original = stored(tmp_path / "a.gguf"), load_file(adapter / "adapter_model.safetensors")
    assert len(tensors) == len(original)
    prefix = "base_model.model.model.layers.0"
    for name, twin in (
        ("attn_q.weight.lora_a", "self_attn.q_proj.lora_A"),
        ("ffn_up.weight.lora_b", "mlp.up_proj.lora_B"),
    ):
        assert np.array_equal(tensors[f"blk.0.{name}"], original[f"{prefix}.{twin}.weight"].numpy())
    assert field(tmp_path / "a.gguf", "llmeval.base_model") == str(base)
    assert field(tmp_path / "a.gguf", "general.architecture") == "llama"


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
def test_numbers_of_other_types_become_float32(base: Path, adapter: Path, tmp_path: Path, dtype: str) -> None:
    import torch

    copy = shutil.copytree(adapter, tmp_path / "copy")
    path = copy / "adapter_model.safetensors"
    rounded = {name: tensor.to(getattr(torch, dtype)) for name, tensor in load_file(path).items()}
    save_file(rounded, path)
    convert_adapter(copy, tmp_path / "a.gguf", heads_of(base, "base"), "adapter a")
    found = stored(tmp_path / "a.gguf")["blk.1.attn_v.weight.lora_b"]
    expected = rounded["base_model.model.model.layers.1.self_attn.v_proj.lora_B.weight"].float().numpy()
    assert found.dtype == np.float32 and np.array_equal(found, expected)


def test_heads_are_read_of_a_folder_and_of_a_gguf_file(base: Path, tmp_path: Path) -> None:
    assert heads_of(base, "base") == heads_of(write_gguf(base, tmp_path / "b.gguf"), "base") == Heads(q=4, kv=2)


@pytest.mark.parametrize("family", ["qwen3", None])
def test_another_family_is_sent_elsewhere(tmp_path: Path, family: str | None) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": family, "num_attention_heads": 4}))
    with pytest.raises(ModelError, match=r"model of type .* convert_lora_to_gguf\.py"):
        heads_of(tmp_path, "adapter a")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("base_model.model.lm_head.lora_A.weight", "no place for base_model.model.lm_head.lora_A.weight"),
        ("base_model.model.model.layers.0.self_attn.q_proj.lora_magnitude_vector", "no place for"),
        ("base_model.model.model.layers.0.mlp.gate_proj.lora_A.weight", "lacks .*gate_proj.lora_B.weight"),
    ],
)
def test_tensors_that_have_no_place_are_an_error(tmp_path: Path, name: str, said: str) -> None:
    """Of a head, of DoRA, half of a pair; nothing is left out of what was trained."""
    write_lora(tmp_path, {"self_attn.q_proj": (8, 6)}, rank=2)
    path = tmp_path / "adapter_model.safetensors"
    with safe_open(path, "pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - it is no mapping
    save_file({**tensors, name: tensors[next(iter(tensors))].clone()}, path)
    assert re.search(said, refused(tmp_path, Heads(q=2, kv=2), tmp_path / "a.gguf"))


def test_heads_that_do_not_fit_are_an_error(tmp_path: Path) -> None:
    write_lora(tmp_path, {"self_attn.q_proj": (10, 6)}, rank=2)
    assert "10 rows of q or k are not those of 3 heads" in refused(tmp_path, Heads(q=3, kv=3), tmp_path / "a.gguf")


def test_a_cut_file_and_another_kind_of_adapter_are_errors(tmp_path: Path) -> None:
    write_lora(tmp_path, {"self_attn.q_proj": (8, 6)}, rank=2)
    path = tmp_path / "adapter_model.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[:-4])
    assert "not a whole safetensors file" in refused(tmp_path, Heads(q=2, kv=2), tmp_path / "a.gguf")
    path.write_bytes(whole)
    (tmp_path / "adapter_config.json").write_text('{"peft_type": "IA3"}')
    assert "'IA3'; llama.cpp takes LORA" in refused(tmp_path, Heads(q=2, kv=2), tmp_path / "a.gguf")
