"""Weights in other forms: numbers of fewer bits, GGUF files; and files that are refused."""

import json
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.core.likelihood import LOGPROB_OF, Likelihood
from pytest_llmeval.models.hf.host import HfModels
from pytest_llmeval.models.hf.loading import chosen_dtype, quiet
from pytest_llmeval.models.weights_spec import WeightsSpec
from tests.support.asking_hf import answers, opened
from tests.support.tiny_gguf import write_gguf
from tests.support.tiny_llama import make_adapter, make_model

TEXTS = ["hi", "hello there"]


def likelihood(models: HfModels, spec: str) -> float:
    found = answers(opened(models, spec), ["hi"], [{LOGPROB_OF: "Paris"}])[0]
    return Likelihood.from_text(found.text).logprob


def test_the_import_of_torch_leaves_the_environment_as_it_was() -> None:
    """Though its threads wait asleep: what the session starts later does as it likes."""
    code = "import os, pytest_llmeval.models.hf.host; print(os.environ.get('OMP_WAIT_POLICY'))"
    environ = {**os.environ, "OMP_DISPLAY_ENV": "verbose"}
    environ.pop("OMP_WAIT_POLICY", None)
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
    assert done.stdout == "None\n"
    assert "GOMP_SPINCOUNT = '0'" in done.stderr  # 'PASSIVE' is printed of what was not said, too


@pytest.mark.parametrize(("option", "near"), [("load=4bit", 6.0), ("load=8bit", 2.0), ("dtype=bfloat16", 1.0)])
def test_fewer_bits_say_nearly_the_same(models: HfModels, base: Path, option: str, near: float) -> None:
    """The code that runs on a GPU runs on a CPU too; each has a name and a key of its own."""
    rounded = f"hf:{base}?{option}"
    difference = abs(likelihood(models, rounded) - likelihood(models, f"hf:{base}"))
    assert 0 < difference < near
    assert answers(opened(models, rounded), TEXTS)[0].usage.output_tokens
    assert len({str(loaded.identity) for loaded in models._models.values()}) == 2


def test_numbers_are_those_that_the_chosen_gpu_has_units_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever is the current one: here an old one."""
    of = {"cuda:0": (7, 5), "cuda:1": (8, 0), "cuda:2": (12, 0)}
    monkeypatch.setattr(torch.cuda, "get_device_capability", of.__getitem__)
    chosen = [chosen_dtype(WeightsSpec(base="any"), device) for device in (*of, "cpu")]
    assert chosen == [torch.float16, torch.bfloat16, torch.bfloat16, torch.float32]


def test_bitsandbytes_that_has_no_library_for_the_device_is_one_line(
    models: HfModels, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own word for it advises for a page to build it from source before it says why."""
    import bitsandbytes

    def advises(numbers: object, **how: object) -> None:
        raise RuntimeError("This typically happens when you checked the code out from source. " * 9)

    monkeypatch.setattr(bitsandbytes.functional, "quantize_4bit", advises)
    reason = "No compatible CUDA binary found at libbitsandbytes_cuda140.so"
    monkeypatch.setattr(bitsandbytes.cextension, "lib", SimpleNamespace(error_msg=reason))
    with pytest.raises(ModelError) as caught:
        opened(models, f"hf:{base}?load=4bit")
    told = str(caught.value)
    assert f"does not work on cpu: {reason}; torch {torch.__version__} is for CUDA {torch.version.cuda}, and" in told
    assert "it has libbitsandbytes_cuda118, " in told
    assert "pip install --force-reinstall --no-deps 'bitsandbytes>=0.50,<0.51'" in told
    assert "from source" not in told
    assert "\n" not in told


def test_what_was_quiet_stays_so_and_a_level_comes_back() -> None:
    """These are settings of the user's process: a test's own, say."""
    log, other = transformers.utils.logging, logging.getLogger("bitsandbytes")
    level, shows_bars = other.level, log.is_progress_bar_enabled()
    log.disable_progress_bar()
    other.setLevel(logging.INFO)
    try:
        with quiet():
            assert other.level == logging.ERROR
        assert (other.level, log.is_progress_bar_enabled()) == (logging.INFO, False)
    finally:
        other.setLevel(level)
        if shows_bars:
            log.enable_progress_bar()


@pytest.mark.parametrize(("stored", "other"), [("4bit", "8bit"), ("8bit", "4bit")])
def test_files_of_fewer_bits_are_loaded_as_what_they_are(
    models: HfModels, base: Path, tmp_path: Path, stored: str, other: str
) -> None:
    """transformers would take them as they are, too, where the spec says otherwise."""
    folder = shutil.copytree(base, tmp_path / "m")
    (folder / "model.safetensors").unlink()
    settings = transformers.BitsAndBytesConfig(**{f"load_in_{stored}": True})
    with quiet():
        model = transformers.AutoModelForCausalLM.from_pretrained(base, quantization_config=settings, device_map="cpu")
        model.save_pretrained(folder)
    assert likelihood(models, f"hf:{folder}") == likelihood(models, f"hf:{folder}?load={stored}")
    with pytest.raises(ModelError, match=rf"quantised weights \({stored}\), which cannot be loaded as {other}"):
        opened(models, f"hf:{folder}?load={other}")


def test_weights_that_are_quantised_otherwise_are_named(models: HfModels, tmp_path: Path) -> None:
    folder = make_model(tmp_path / "m")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "quantization_config": {"quant_method": "gptq"}}))
    with pytest.raises(ModelError, match=r"quantised weights \(gptq\), which cannot be loaded as 4bit"):
        opened(models, f"hf:{folder}?load=4bit")


def test_an_adapter_on_a_base_of_4_bits(models: HfModels, base: Path, adapter: Path) -> None:
    assert likelihood(models, f"hf:{base}+{adapter}?load=4bit") != likelihood(models, f"hf:{base}?load=4bit")
    assert len(models._bases) == 1


def test_a_gguf_file_is_the_model_that_it_was_made_of(models: HfModels, base: Path, tmp_path: Path) -> None:
    """Tokens, template, end of the turn and weights."""
    file = write_gguf(base, tmp_path / "tiny.gguf")
    assert likelihood(models, f"hf:{file}") == pytest.approx(likelihood(models, f"hf:{base}"), abs=0.01)
    chats = [loaded.chat for loaded in models._models.values()]
    assert len({chat.stop_tokens for chat in chats}) == 1
    assert len({str(chat.prompt([{"role": "user", "content": "hi"}])) for chat in chats}) == 1


def test_what_lies_beside_a_gguf_file_is_no_part_of_it(models: HfModels, base: Path, tmp_path: Path) -> None:
    """Another model's tokenizer and an adapter, as in a folder of downloads: no key of an answer knows of them."""
    (tmp_path / "downloads").mkdir()
    file = write_gguf(base, tmp_path / "downloads" / "tiny.gguf")
    alone = answers(opened(models, f"hf:{file}"), TEXTS)
    beside = shutil.copytree(make_adapter(base, tmp_path / "adapter"), tmp_path / "downloads", dirs_exist_ok=True)
    tokenizer = json.loads((base / "tokenizer.json").read_text())
    (beside / "tokenizer.json").write_text(json.dumps({**tokenizer, "pre_tokenizer": {"type": "Whitespace"}}))
    again = HfModels({})
    found = answers(opened(again, f"hf:{file}"), TEXTS)
    assert again.find(WeightsSpec(base=str(file))).chat.has_template
    assert [each.text for each in found] == [each.text for each in alone]
    assert [each.usage for each in found] == [each.usage for each in alone]
    again.close()


def test_code_that_comes_with_weights_is_not_run(models: HfModels, tmp_path: Path) -> None:
    folder = make_model(tmp_path / "m")
    config = json.loads((folder / "config.json").read_text())
    code = {"AutoConfig": "code.Config", "AutoModelForCausalLM": "code.Model"}
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "own", "auto_map": code}))
    (folder / "code.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(ModelError, match="it needs code that comes with its weights, and none of that is run"):
        opened(models, f"hf:{folder}")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("damage", ["cut", "config", "tokenizer"])
def test_damaged_files_are_refused_on_one_line(models: HfModels, tmp_path: Path, damage: str) -> None:
    folder = make_model(tmp_path / "m")
    name = {"cut": "model.safetensors", "config": "config.json", "tokenizer": "tokenizer.json"}[damage]
    (folder / name).write_bytes((folder / name).read_bytes()[:-50])
    with pytest.raises(ModelError, match="cannot be loaded") as caught:
        opened(models, f"hf:{folder}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("form", ["folder", "4bit", "gguf"])
def test_weights_that_no_file_holds_are_refused(models: HfModels, tmp_path: Path, form: str) -> None:
    """transformers would fill them with random numbers, other ones in each session."""
    folder = make_model(tmp_path / "m")
    leave_out(folder, "model.layers.1.mlp.up_proj.weight", "model.norm.weight")
    expected = r"2 weights of the model .* such as model\.layers\.1\.mlp\.up_proj\.weight, model\.norm\.weight;"
    with pytest.raises(ModelError, match=expected):
        opened(models, spec_of(folder, form))


@pytest.mark.parametrize("form", ["folder", "4bit", "gguf"])
def test_a_head_that_is_the_embeddings_lacks_nothing(models: HfModels, tmp_path: Path, form: str) -> None:
    """Its files hold one of both."""
    folder = make_model(tmp_path / "m", tie_word_embeddings=True)
    assert "lm_head.weight" not in load_file(folder / "model.safetensors")
    assert answers(opened(models, spec_of(folder, form)), TEXTS)[0].usage.output_tokens


def spec_of(folder: Path, form: str) -> str:
    """Return what names a model as it is, in 4 bits or as a GGUF file that is made of it."""
    if form == "gguf":
        return f"hf:{write_gguf(folder, folder.with_suffix('.gguf'))}"
    return f"hf:{folder}?load=4bit" if form == "4bit" else f"hf:{folder}"


def leave_out(folder: Path, *names: str) -> None:
    """Take weights out of a model's file."""
    path = folder / "model.safetensors"
    kept = {name: tensor for name, tensor in load_file(path).items() if name not in names}
    assert len(kept) == len(load_file(path)) - len(names)
    save_file(kept, path, {"format": "pt"})


def test_a_device_that_is_not_there_is_refused(models: HfModels, base: Path) -> None:
    if not torch.cuda.is_available():
        with pytest.raises(ModelError, match="0 CUDA devices are here"):
            opened(models, f"hf:{base}?device=cuda")
    with pytest.raises(ModelError, match="CUDA devices are here"):
        opened(models, f"hf:{base}?device=cuda:99")
