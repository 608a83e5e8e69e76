"""An adapter on its base, beside others and beside the base itself; and what is wrong with it where it is refused."""

import json
import shutil
import weakref
from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.models.hf.host import HfModels
from pytest_llmeval.models.hf.loading import quiet
from pytest_llmeval.models.weights_spec import parse_weights
from tests.support.asking_hf import answers, opened
from tests.support.tiny_llama import make_adapter, make_model
from tests.support.tiny_lora import configure

TEXTS = ["hi", "hello there", "what?"]


def refused(models: HfModels, spec: str) -> str:
    with pytest.raises(ModelError) as caught:
        opened(models, spec)
    return str(caught.value)


@pytest.fixture
def copy(adapter: Path, tmp_path: Path) -> Path:
    return shutil.copytree(adapter, tmp_path / "copy")


def test_base_and_adapters_share_the_base_and_answer_each_for_itself(
    models: HfModels, base: Path, adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one session, asked in turns: the weights of the base are in memory once, and no other device is touched."""

    def other_device() -> None:
        raise AssertionError("PEFT looks for a device")

    monkeypatch.setattr("peft.peft_model.infer_device", other_device)
    monkeypatch.setattr("peft.utils.save_and_load.infer_device", other_device)
    other = make_adapter(base, tmp_path / "other", modules=["q_proj"])
    specs = [f"hf:{base}", f"hf:{base}+{adapter}", f"hf:{base}+{other}"]
    backends = [opened(models, spec) for spec in specs]
    texts = [[each.text for each in answers(backend, TEXTS)] for backend in (*backends, *backends)]
    assert texts[:3] == texts[3:]
    assert len({tuple(each) for each in texts}) == 3
    alone = HfModels({})
    assert [each.text for each in answers(opened(alone, specs[0]), TEXTS)] == texts[0]
    alone.close()
    assert len(models._bases) == 1


def test_an_adapter_is_what_peft_makes_of_it(models: HfModels, base: Path, adapter: Path, tmp_path: Path) -> None:
    """Merged into the base by PEFT, it says the same."""
    from peft import AutoPeftModelForCausalLM

    merged = tmp_path / "merged"
    with quiet():
        AutoPeftModelForCausalLM.from_pretrained(adapter).merge_and_unload().save_pretrained(merged)
    for path in base.glob("*token*"):
        shutil.copy(path, merged)
    shutil.copy(base / "chat_template.jinja", merged)
    by_adapter = answers(opened(models, f"hf:{base}+{adapter}"), TEXTS)
    assert [each.text for each in by_adapter] == [each.text for each in answers(opened(models, f"hf:{merged}"), TEXTS)]


@pytest.mark.parametrize(("dtype", "stored", "held"), [
    ("bfloat16", torch.bfloat16, torch.bfloat16),
    ("bfloat16", torch.float32, torch.float32),
    ("float32", torch.bfloat16, torch.float32),
])  # fmt: skip
def test_an_adapter_of_16_bits_computes_in_them_on_a_base_that_does(
    models: HfModels, base: Path, copy: Path, dtype: str, stored: torch.dtype, held: torch.dtype
) -> None:
    """PEFT has its layers cast to 32 bits and back, and one beside another is no exception."""
    path = copy / "adapter_model.safetensors"
    save_file({name: value.to(stored) for name, value in load_file(path).items()}, path, {"format": "pt"})
    for folder in (copy, shutil.copytree(copy, copy.parent / "another")):
        assert answers(opened(models, f"hf:{base}+{folder}?dtype={dtype}"), TEXTS)
    (loaded,) = models._bases.values()
    parameters = loaded.model.named_parameters()
    assert {value.dtype for name, value in parameters if "lora_" in name} == {held}


def test_an_adapter_that_changes_nothing_is_an_error(models: HfModels, base: Path, untrained: Path) -> None:
    assert "it changes nothing" in refused(models, f"hf:{base}+{untrained}")


def test_as_a_control_an_untrained_adapter_is_taken_by_name(models: HfModels, base: Path, untrained: Path) -> None:
    control = opened(models, f"hf:{base}+{untrained}?untrained=yes")
    assert [e.text for e in answers(control, TEXTS)] == [e.text for e in answers(opened(models, f"hf:{base}"), TEXTS)]


def test_an_adapter_of_another_base_is_refused(models: HfModels, adapter: Path, tmp_path: Path) -> None:
    other = make_model(tmp_path / "other", seed=1)
    assert "it was made for the base" in refused(models, f"hf:{other}+{adapter}")


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`", "no memory for it; try"),
        ("CUDA error: no kernel image is available for execution on the device", "RuntimeError: CUDA error: no kernel"),
    ],
)
def test_a_device_that_fails_at_the_first_sums_is_one_line(
    models: HfModels, base: Path, adapter: Path, monkeypatch: pytest.MonkeyPatch, said: str, told: str
) -> None:
    def fails(*given: object, **named: object) -> None:
        raise RuntimeError(said)

    monkeypatch.setattr(transformers.LlamaForCausalLM, "forward", fails)
    assert f"adapter {adapter}: hf:{base} cannot compute with it: {told}" in refused(models, f"hf:{base}+{adapter}")


@pytest.mark.parametrize("name", ["somewhere/else/base", "org/base", None])
def test_the_name_of_the_base_is_enough(models: HfModels, base: Path, copy: Path, name: str | None) -> None:
    """It may lie elsewhere than where the training found it."""
    configure(copy, base_model_name_or_path=name)
    opened(models, f"hf:{base}+{copy}")


def test_an_adapter_that_does_not_fit_is_refused(models: HfModels, adapter: Path, tmp_path: Path) -> None:
    """The name of the base is right, its shapes are not."""
    larger = make_model(tmp_path / "base", hidden=128)
    assert "it cannot be put on" in refused(models, f"hf:{larger}+{adapter}")


def test_an_adapter_for_modules_that_the_base_lacks_is_refused(models: HfModels, base: Path, copy: Path) -> None:
    configure(copy, target_modules=["c_attn"])
    assert "c_attn" in refused(models, f"hf:{base}+{copy}")


@pytest.mark.parametrize("left_out", [True, False])
def test_missing_and_foreign_weights_are_an_error(models: HfModels, base: Path, copy: Path, left_out: bool) -> None:
    """PEFT itself warns of the former and says nothing of the latter."""
    path = copy / "adapter_model.safetensors"
    tensors = load_file(path)
    key = next(iter(tensors))
    tensor = tensors.pop(key)
    save_file(tensors if left_out else {**tensors, key: tensor, "foreign.lora_A.weight": tensor.clone()}, path)
    expected = f"lacks 1 tensors, such as {key}" if left_out else "has no place in this base for 1 tensors"
    assert expected in refused(models, f"hf:{base}+{copy}")


def test_a_cut_file_is_refused(models: HfModels, base: Path, copy: Path) -> None:
    path = copy / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    assert "it cannot be put on" in refused(models, f"hf:{base}+{copy}")


def test_a_broken_configuration_is_refused(models: HfModels, base: Path, copy: Path) -> None:
    (copy / "adapter_config.json").write_text("{")
    assert "adapter_config.json: not JSON" in refused(models, f"hf:{base}+{copy}")


def test_weights_that_are_no_numbers_are_refused(models: HfModels, base: Path, copy: Path) -> None:
    path = copy / "adapter_model.safetensors"
    save_file({key: tensor * float("nan") for key, tensor in load_file(path).items()}, path)
    assert "its training broke" in refused(models, f"hf:{base}+{copy}")


def test_an_adapter_that_was_trained_with_another_template_is_refused(models: HfModels, base: Path, copy: Path) -> None:
    """Known from the template that lies beside it, or from the record of its training."""
    shutil.copy(base / "chat_template.jinja", copy)
    opened(models, f"hf:{base}+{copy}")
    (copy / "chat_template.jinja").write_text("another")
    assert "trained with another chat template" in refused(HfModels({}), f"hf:{base}+{copy}")
    (copy / "chat_template.jinja").unlink()
    (copy / "run.json").write_text('{"complete": true, "chat_template_sha256": "00"}')
    assert "run.json" in refused(HfModels({}), f"hf:{base}+{copy}")


@pytest.mark.parametrize(
    ("held", "option", "said"),
    [
        ({"load": None, "dtype": "float32"}, "", ""),
        ({"load": None, "dtype": "bfloat16"}, "", "dtype=bfloat16"),
        ({"load": None, "dtype": "bfloat16"}, "?dtype=bfloat16", ""),
        ({"load": "4bit", "dtype": None}, "", "load=4bit"),
    ],
)
def test_a_base_that_is_held_otherwise_than_in_training_is_told(
    models: HfModels, base: Path, copy: Path, held: dict[str, str | None], option: str, said: str
) -> None:
    (copy / "run.json").write_text(json.dumps({"complete": True, "training": "t1", "config": held}))
    told: list[str] = []
    models.load(parse_weights(f"{base}+{copy}{option}", "hf", "hf"), told.append)
    with_it = f"adapter {copy}: trained on a base with {said} (run.json), and this one has dtype=float32: it may answer"
    assert told[1:] == ([f"{with_it} otherwise than in its proof"] if said else [])


def test_of_several_templates_the_default_one_is_the_base_s(models: HfModels, tmp_path: Path) -> None:
    """Prompts are made by that one; some models have others for tools or documents."""
    base = make_model(tmp_path / "base")
    adapter = make_adapter(base, tmp_path / "adapter")
    shutil.copy(base / "chat_template.jinja", adapter)
    (base / "additional_chat_templates").mkdir()
    (base / "additional_chat_templates" / "tool_use.jinja").write_text("with tools")
    backend = opened(models, f"hf:{base}+{adapter}")
    assert len(models.find(backend._weights).chat.tokenizer.chat_template) == 2  # type: ignore[attr-defined]
    assert answers(backend, ["hi"])[0].usage.output_tokens
    (base / "chat_template.jinja").write_text("another")
    assert "trained with another chat template" in refused(HfModels({}), f"hf:{base}+{adapter}")


def test_an_adapter_that_adds_a_prompt_is_refused(models: HfModels, base: Path, copy: Path) -> None:
    configure(copy, peft_type="PROMPT_TUNING")
    assert "PROMPT_TUNING" in refused(models, f"hf:{base}+{copy}")


@pytest.mark.parametrize("bias", ["all", "lora_only"])
def test_an_adapter_with_biases_leaves_the_base_beside_it_as_it_is(models: HfModels, tmp_path: Path, bias: str) -> None:
    """PEFT keeps them in the base's own layers, where disabling the adapter does not take them out."""
    base = make_model(tmp_path / "base", attention_bias=True)
    alone = [each.text for each in answers(opened(models, f"hf:{base}"), TEXTS)]
    adapter = make_adapter(base, tmp_path / "adapter", bias=bias)
    both = HfModels({})
    beside, tuned = opened(both, f"hf:{base}"), opened(both, f"hf:{base}+{adapter}")
    assert [each.text for each in answers(tuned, TEXTS)] != alone
    assert [each.text for each in answers(beside, TEXTS)] == alone
    both.close()


@pytest.mark.parametrize("init", ["pissa", "pissa_niter_16", "olora", "loftq", "corda"])
def test_an_adapter_that_belongs_on_what_is_left_of_the_base_is_refused(
    models: HfModels, base: Path, copy: Path, init: str
) -> None:
    configure(copy, init_lora_weights=init)
    assert "path_initial_model_for_weight_conversion" in refused(models, f"hf:{base}+{copy}")
    configure(copy, init_lora_weights="gaussian")
    opened(models, f"hf:{base}+{copy}")


def test_an_adapter_that_waits_for_a_word_is_refused(models: HfModels, base: Path, copy: Path) -> None:
    configure(copy, alora_invocation_tokens=[5, 6])
    assert "an activated LoRA" in refused(models, f"hf:{base}+{copy}")


def test_the_base_own_embeddings_in_the_file_are_no_part_of_the_adapter(
    models: HfModels, base: Path, tmp_path: Path
) -> None:
    """PEFT writes them beside an adapter of the head; others than the base's would take their place in the base."""
    adapter = make_adapter(base, tmp_path / "adapter", modules=["q_proj", "lm_head"], embeddings="auto")
    path = adapter / "adapter_model.safetensors"
    tensors = load_file(path)
    (key,) = (name for name in tensors if name.endswith("base_layer.weight"))
    alone = [each.text for each in answers(opened(models, f"hf:{base}"), TEXTS)]
    assert [each.text for each in answers(opened(models, f"hf:{base}+{adapter}"), TEXTS)] != alone
    save_file({**tensors, key: tensors[key] + 1}, path)
    assert f"brings a layer that is not the base's, {key}; merge both" in refused(HfModels({}), f"hf:{base}+{adapter}")


def test_a_head_that_was_trained_as_a_whole_is_part_of_the_adapter(
    models: HfModels, base: Path, tmp_path: Path
) -> None:
    adapter = make_adapter(base, tmp_path / "adapter", modules=["q_proj"], modules_to_save=["lm_head"])
    path = adapter / "adapter_model.safetensors"
    tensors = load_file(path)
    save_file({name: value * (2 if name.endswith("lm_head.weight") else 1) for name, value in tensors.items()}, path)
    opened(models, f"hf:{base}+{adapter}")


def test_embeddings_that_are_tied_and_trained_are_part_of_the_adapter(models: HfModels, tmp_path: Path) -> None:
    """PEFT names one of both in its configuration, and writes both."""
    base = make_model(tmp_path / "base", tie_word_embeddings=True)
    adapter = make_adapter(
        base,
        tmp_path / "adapter",
        modules=["q_proj"],
        modules_to_save=["embed_tokens", "lm_head"],
        ensure_weight_tying=True,
    )
    path = adapter / "adapter_model.safetensors"
    tensors = {name: value * 2 if "lora" not in name else value for name, value in load_file(path).items()}
    save_file(tensors, path)
    opened(models, f"hf:{base}+{adapter}")


def test_answers_end_with_what_ended_them_in_the_training_of_the_adapter(
    models: HfModels, base: Path, copy: Path
) -> None:
    """A base model that ends texts otherwise than a chat's turns; its own answers go on as before."""
    plain = opened(models, f"hf:{base}+{copy}")
    tokenizer = models.find(plain._weights).chat.tokenizer  # type: ignore[attr-defined]
    first = tokenizer.convert_ids_to_tokens(tokenizer(answers(plain, ["hi"])[0].text)["input_ids"])[0]
    other = shutil.copytree(copy, copy.parent / "other")
    (other / "tokenizer_config.json").write_text(json.dumps({"eos_token": first}))
    ended = answers(opened(models, f"hf:{base}+{other}"), ["hi"])[0]
    assert (ended.text, ended.finish_reason) == ("", "stop")
    assert answers(plain, ["hi"])[0].text


def test_what_is_closed_takes_no_memory(base: Path, adapter: Path) -> None:
    """Another session, in a process of its own, may be about to load the same."""
    models = HfModels({})
    backend = opened(models, f"hf:{base}+{adapter}")
    model = weakref.ref(models.find(backend._weights)._base.model)  # type: ignore[attr-defined]
    answers(backend, ["hi"])
    assert model() is not None
    models.close()
    assert model() is None
