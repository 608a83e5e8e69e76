"""`llmeval adapter merge` and `gguf` on a tiny Llama: what is written says what base and adapter say."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from pytest_llmeval.cli import main
from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.models.gguf_header import read_gguf_header
from pytest_llmeval.models.hf import merging
from pytest_llmeval.models.hf.host import HfModels
from pytest_llmeval.models.hf.loading import quiet
from pytest_llmeval.models.hf.merging import merge_adapter
from pytest_llmeval.models.hf.sources import find_source
from pytest_llmeval.models.weights_spec import WeightsSpec
from tests.support.asking_hf import answers, opened
from tests.support.file_mode import mode
from tests.support.full_disk import largest_file
from tests.support.tiny_gguf import write_gguf

TEXTS = ["hi", "hello there", "what?", "1 + 1"]


def command(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["adapter", *arguments])
    out, err = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return ended.value.code, out, err


def configure(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.fixture
def own_base(base: Path, tmp_path: Path) -> Path:
    """A base that a test may change, by the name that the adapter knows."""
    return shutil.copytree(base, tmp_path / "own" / "base")


def test_the_merged_model_answers_as_base_and_adapter_do(
    models: HfModels, own_base: Path, adapter: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Greedily, in a folder that needs no PEFT, with all that belongs to a model; the base's own settings are kept."""
    (own_base / "generation_config.json").write_text('{"eos_token_id": 2, "temperature": 0.6, "do_sample": true}')
    configure(own_base, dtype="float16")
    own, target = shutil.copytree(adapter, tmp_path / "adapter"), tmp_path / "merged"
    (own / "run.json").write_text('{"complete": true, "training": "t1", "config": {"load": "4bit"}}')
    status, out, err = command(capsys, "merge", str(own), "--output", str(target), "--base", str(own_base), "--json")
    told = json.loads(out)
    assert status == 0
    assert (told["dtype"], told["folder"]) == ("float16", str(target))
    assert 0 <= told["lost_share"] < 0.01 < told["change_nats"]
    assert "merging" in err
    assert "trained on a base with load=4bit (run.json), and this one has dtype=float16" in err
    names = {path.name for path in target.iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "chat_template.jinja"} <= names
    (like := tmp_path / "new").touch()
    assert {name: mode(target / name) for name in names} == dict.fromkeys(names, mode(like))
    assert json.loads((target / "generation_config.json").read_text())["temperature"] == 0.6
    assert list(tmp_path.glob(".tmp*")) == []
    on_top = answers(opened(models, f"hf:{own_base}+{adapter}"), TEXTS)
    merged = answers(opened(models, f"hf:{target}"), TEXTS)
    assert [each.text for each in merged] == [each.text for each in on_top]
    assert [each.text for each in merged] != [each.text for each in answers(opened(models, f"hf:{own_base}"), TEXTS)]


def test_a_base_of_a_gguf_file(base: Path, adapter: Path, tmp_path: Path) -> None:
    """It is turned back into plain numbers; where an answer ends is what the file says."""
    path = write_gguf(base, tmp_path / "base")
    path = path.rename(tmp_path / "base.gguf")
    own = shutil.copytree(adapter, tmp_path / "adapter")
    config = json.loads((own / "adapter_config.json").read_text())
    (own / "adapter_config.json").write_text(json.dumps({**config, "base_model_name_or_path": str(path)}))
    merged_into(path, own, tmp_path / "merged")
    assert json.loads((tmp_path / "merged" / "generation_config.json").read_text())["eos_token_id"] == [2]
    merged_into(base, adapter, tmp_path / "plain")
    found, expected = (load_file(tmp_path / name / "model.safetensors") for name in ("merged", "plain"))
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize("has_own", [True, False])
def test_answers_of_the_merged_model_end_as_those_of_base_and_adapter(
    own_base: Path, adapter: Path, tmp_path: Path, has_own: bool
) -> None:
    settings = own_base / "generation_config.json"
    settings.write_text('{"eos_token_id": 2, "top_p": 0.9}') if has_own else settings.unlink()
    own = shutil.copytree(adapter, tmp_path / "adapter")
    (own / "tokenizer_config.json").write_text('{"eos_token": {"content": "<|pad|>"}}')
    merged_into(own_base, own, tmp_path / "merged")
    found = json.loads((tmp_path / "merged" / "generation_config.json").read_text())
    assert (found["eos_token_id"], found.get("top_p")) == ([0, 2], 0.9 if has_own else None)


def merged_into(base: Path, adapter: Path, target: Path) -> merging.Merged:
    weights = WeightsSpec(base=str(base), adapter=str(adapter))
    target.mkdir()
    return merge_adapter(weights, find_source(weights, {}), target, lambda line: None)


def test_quantised_weights_are_merged_with_nothing(own_base: Path, adapter: Path, tmp_path: Path) -> None:
    configure(own_base, quantization_config={"quant_method": "bitsandbytes", "load_in_4bit": True})
    with pytest.raises(ModelError, match=r"its weights are quantised.*name those with --base"):
        merged_into(own_base, adapter, tmp_path / "merged")


def test_a_base_that_does_not_fit_is_said_before_it_is_loaded(
    base: Path, adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merging, "free_bytes", lambda device: 1000)
    with pytest.raises(ModelError, match=r"a merge takes about 0\.0 GB of memory"):
        merged_into(base, adapter, tmp_path / "merged")


def test_a_merge_that_changes_what_is_said_is_refused(
    base: Path, adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever broke it; and nothing is left."""
    from peft import PeftModel

    def unmerged(self: Any, **options: Any) -> Any:
        return self.unload()

    monkeypatch.setattr(PeftModel, "merge_and_unload", unmerged, raising=False)
    target = tmp_path / "merged"
    status, _, err = command(capsys, "merge", str(adapter), "--output", str(target), "--base", str(base))
    assert status == 4
    assert "does not say what its base says with it on top: 100% of its change is lost" in err
    assert not target.exists() and list(tmp_path.glob(".tmp*")) == []


@pytest.mark.parametrize("what", ["merge", "gguf"])
def test_a_full_disk_is_one_line_and_nothing_is_left(
    base: Path, adapter: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    target = tmp_path / "out.gguf"
    with largest_file(1_000):
        status, _, err = command(capsys, what, str(adapter), "--output", str(target), "--base", str(base))
    assert status == 4
    assert re.fullmatch(rf"llmeval: --output {target}: cannot be written: .*; \d+ MB are free", err.splitlines()[-1])
    assert "Traceback" not in err
    assert list(tmp_path.glob("*out.gguf*")) == []


def test_an_untrained_adapter_is_refused(base: Path, untrained: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="it changes nothing"):
        merged_into(base, untrained, tmp_path / "merged")


def test_the_sums_are_made_in_32_bits(base: Path, adapter: Path, tmp_path: Path) -> None:
    """And rounded once: each number is the nearest to the true one."""
    from peft import AutoPeftModelForCausalLM

    merged = merged_into(base, adapter, tmp_path / "merged")
    assert merged.dtype == json.loads((tmp_path / "merged" / "config.json").read_text())["dtype"] == "bfloat16"
    with quiet():
        whole = AutoPeftModelForCausalLM.from_pretrained(adapter).merge_and_unload().state_dict()
    for name, tensor in load_file(tmp_path / "merged" / "model.safetensors").items():
        assert torch.equal(tensor, whole[name].to(torch.bfloat16))


def test_a_gguf_file_of_an_adapter(
    base: Path, adapter: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It knows what it was made for."""
    target = tmp_path / "a.gguf"
    status, out, _ = command(capsys, "gguf", str(adapter), "--output", str(target), "--json")
    assert status == 0
    header = read_gguf_header(target, "a")
    assert json.loads(out) == {"file": str(target), "tensors": 28, "bytes": target.stat().st_size}
    assert len(header.tensors) == 28
    assert header.text("llmeval.base_model") == str(base)
