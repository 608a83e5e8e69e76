"""Adapters that are not what they are named as are refused before any case."""

import json
from pathlib import Path

import pytest

from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.models.check import check_model
from pytest_llmeval.models.named import resolve_model
from pytest_llmeval.models.vllm.host import VllmModels
from tests.models.vllm.test_command import start, weights_of
from tests.support.fake_vllm import FakeVllm, write_adapter


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"base_model_name_or_path": "org/llama"}, "made for the base 'org/llama', not for"),
        ({"peft_type": "LOHA"}, "peft_type in adapter_config.json is 'LOHA'; vLLM serves LORA only"),
        ({"peft_type": "PROMPT_TUNING"}, "a PROMPT_TUNING adapter"),
        ({"r": None}, r"the ranks \(r, rank_pattern\) in adapter_config.json are \[None\]; vLLM serves 1 to 512"),
        ({"r": 0}, r"the ranks .* are \[0\]; vLLM serves"),
        ({"rank_pattern": {"q_proj": 1024}}, r"the ranks .* are \[16, 1024\]; vLLM serves"),
        ({"use_dora": True}, r"in adapter_config.json use_dora is True, which vLLM does not serve; merge it"),
        ({"bias": "lora_only", "use_qalora": True}, "use_qalora is True, bias is 'lora_only', which vLLM does not"),
        ({"modules_to_save": ["lm_head"]}, r"modules_to_save is \['lm_head'\], which vLLM does not serve"),
    ],
)
def test_what_vllm_cannot_put_on_the_base_is_refused_without_a_start(
    fake: FakeVllm, base: Path, config: dict[str, object], message: str
) -> None:
    """By what its files say, at collection."""
    adapter = write_adapter(base.parent / "odd", base, **config)
    with pytest.raises(ModelError, match=message):
        check_model(resolve_model(f"vllm:{base}+{adapter}", {}), {"PATH": str(fake.path.parent)})
    assert fake.starts == []


@pytest.mark.parametrize(
    "config",
    [
        {"rank_pattern": {"q_proj": 32}, "alpha_pattern": {"k_proj": 24}},
        {"rank_pattern": {"q_proj": 64}, "alpha_pattern": {"q_proj": 64}, "use_rslora": True},
        {"modules_to_save": ["score"], "use_dora": False, "layer_replication": None},
    ],
)
def test_what_vllm_serves_is_taken(fake: FakeVllm, base: Path, config: dict[str, object]) -> None:
    """It scales each module by its own rank and alpha, by the rule of PEFT."""
    adapter = write_adapter(base.parent / "scaled", base, **{"lora_alpha": 16, **config})
    check_model(resolve_model(f"vllm:{base}+{adapter}", {}), {"PATH": str(fake.path.parent)})


@pytest.mark.parametrize("place", ["tokenizer_config.json", "chat_template.jinja"])
def test_another_chat_template_is_refused(fake: FakeVllm, base: Path, adapter: Path, place: str) -> None:
    """Wherever the base keeps its own; one that is the same is not."""
    model, environ = resolve_model(f"vllm:{base}+{adapter}", {}), {"PATH": str(fake.path.parent)}
    text = "{{ other }}"
    (adapter / "chat_template.jinja").write_text(text, "utf-8")
    with pytest.raises(ModelError, match="trained with another chat template"):
        check_model(model, environ)
    (base / place).write_text(text if place.endswith("jinja") else json.dumps({"chat_template": text}), "utf-8")
    check_model(model, environ)


def test_a_base_whose_template_only_a_tokenizer_knows_is_taken(fake: FakeVllm, base: Path, adapter: Path) -> None:
    (adapter / "chat_template.jinja").write_text("{{ messages }}", "utf-8")
    (base / "tokenizer_config.json").unlink()
    check_model(resolve_model(f"vllm:{base}+{adapter}", {}), {"PATH": str(fake.path.parent)})


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("tokenizer_config.json", '{"chat_template": [{"name": "default", "template": "{{ messages }}"}]}'),
        ("tekken.json", "{}"),
        ("config.json", '{"model_type": "deepseek_v32"}'),
    ],
)
def test_a_base_without_a_chat_template_is_refused_where_vllm_has_none(
    fake: FakeVllm, base: Path, name: str, content: str
) -> None:
    """Else each call would be."""
    model, environ = resolve_model(f"vllm:{base}", {}), {"PATH": str(fake.path.parent)}
    (base / "tokenizer_config.json").write_text("{}", "utf-8")
    with pytest.raises(ModelError, match=f"^vllm:{base}: {base} has no chat template, and vLLM answers no chat"):
        check_model(model, environ)
    (base / name).write_text(content, "utf-8")
    check_model(model, environ)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("no-effect", r"it changes nothing, .* taken with \?untrained=yes"),
        ("nan", "logits are not finite; its training broke"),
        ("no-logprobs", "vLLM does not report likelihoods for .*: status 400, .*logprobs are not known.*; its log is"),
    ],
)
def test_an_adapter_that_is_served_without_effect_is_refused(
    fake: FakeVllm, models: VllmModels, base: Path, adapter: Path, how: str, message: str
) -> None:
    """vLLM has served some as the base alone."""
    fake.fails(how)
    with pytest.raises(ModelError, match=f"^adapter {adapter}: .*{message}"):
        start(models, str(base), f"{base}+{adapter}")
    fake.assert_none_is_left()


def test_a_control_may_be_without_effect(fake: FakeVllm, models: VllmModels, base: Path, adapter: Path) -> None:
    fake.fails("no-effect")
    start(models, f"{base}+{adapter}?untrained=yes")
    assert fake.starts[0]["lora_modules"][0]["name"] == f"{base}+{adapter}?untrained=yes"


def test_what_identifies_a_model(
    fake: FakeVllm, models: VllmModels, base: Path, adapter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its files and the version of vLLM; no server has to run for it."""
    weights = weights_of(f"{base}+{adapter}")
    first = models.served(weights).revision
    assert models.served(weights).revision == first != models.served(weights_of(str(base))).revision
    (adapter / "adapter_model.safetensors").write_bytes(b"trained again")
    second = models.served(weights).revision
    assert second != first and fake.starts == []
    monkeypatch.setattr("pytest_llmeval.models.vllm.host.vllm_version", lambda executable: "0.34.0")
    assert models.served(weights).revision not in (first, second)
