"""Adapters on the embedded server: what it answers with each, and that its numbers are those of transformers."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
import torch

from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.core.types import Request
from pytest_llmeval.models.hf.adapter_gguf import convert_adapter, heads_of
from pytest_llmeval.models.hf.host import HfModels
from pytest_llmeval.models.hf.loading import load_chat
from pytest_llmeval.models.hf.sources import find_source
from pytest_llmeval.models.http.exchange import exchange
from pytest_llmeval.models.local.host import EmbeddedModel
from pytest_llmeval.models.local.server import LocalServer, slot_of
from pytest_llmeval.models.local.weights import SMOLLM2
from pytest_llmeval.models.named import resolve_model
from pytest_llmeval.models.registry import Hosts, open_model
from pytest_llmeval.models.weights_spec import WeightsSpec
from tests.support.asking import ask_model, embedded_at
from tests.support.asking_hf import opened
from tests.support.tiny_gguf import write_gguf
from tests.support.tiny_lora import SMOLLM2_SHAPES, write_lora

QUESTIONS = ["What is the capital of France?", "What is the capital of Japan?"]


@pytest.fixture(scope="module")
def loras(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two adapters of random numbers that change what the model says, and one that changes nothing."""
    folder = tmp_path_factory.mktemp("loras")
    for number, strength in enumerate((0.2, 0.5, 0.0)):
        write_lora(folder / str(number), SMOLLM2_SHAPES, rank=4, layers=30, seed=number, strength=strength)
    return [folder / str(number) for number in range(3)]


@pytest.fixture
def embedded(smollm2: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddedModel]:
    """The embedded model with a cache folder of its own, in which its weights are; ended with the test."""
    (tmp_path / "cache" / "llmeval").mkdir(parents=True)
    (tmp_path / "cache" / "llmeval" / SMOLLM2.file_name).symlink_to(smollm2)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    model = EmbeddedModel()
    yield model
    model.stop()


def spec(adapter: Path, *, untrained: str | None = None) -> WeightsSpec:
    return WeightsSpec(kind="local", base="smollm2", adapter=str(adapter), untrained=untrained)


def start(embedded: EmbeddedModel, *adapters: WeightsSpec) -> list[str]:
    told: list[str] = []
    embedded.start(adapters, told.append, os.environ)
    return told


def asked(embedded: EmbeddedModel, text: str, question: str) -> str:
    params = {"max_tokens": 12, "lora": [], "id_slot": 7}
    return ask_model(text, question, params=params, hosts=Hosts(local=embedded)).text


def refused(embedded: EmbeddedModel, adapter: Path) -> str:
    with pytest.raises(ModelError) as caught:
        start(embedded, spec(adapter))
    return str(caught.value)


def test_base_and_adapters_answer_each_for_itself(embedded: EmbeddedModel, smollm2: Path, loras: list[Path]) -> None:
    """One server, asked in turns, and whatever a request says of slots; each as it answers where it is alone."""
    start(embedded, spec(loras[0]), spec(loras[1]), spec(loras[0]))
    assert len(embedded.adapters) == 2
    specs = ["local:smollm2", *(f"local:smollm2+{path}" for path in loras[:2])]
    in_turns = [[asked(embedded, text, question) for text in specs] for question in QUESTIONS]
    assert all(len(set(answers)) == 3 for answers in in_turns)
    alone = LocalServer.start(smollm2)
    hosts = Hosts(local=EmbeddedModel(alone))
    for question, answers in zip(QUESTIONS, in_turns, strict=True):
        params = {"max_tokens": 12}
        assert ask_model(specs[0], question, params=params, hosts=hosts).text == answers[0]
    alone.stop()
    second = EmbeddedModel()
    start(second, spec(loras[1]))
    assert [asked(second, specs[2], question) for question in QUESTIONS] == [answers[2] for answers in in_turns]
    second.stop()


def test_what_identifies_an_answer_is_the_adapter_and_not_its_place(embedded: EmbeddedModel, loras: list[Path]) -> None:
    start(embedded, spec(loras[0]), spec(loras[1]))
    request = Request(messages=({"role": "user", "content": "hi"},), params={})

    def identity(text: str, adapters: Sequence[WeightsSpec]) -> object:
        model = resolve_model(text, {})
        return open_model(model, environ={}, hosts=embedded_at("http://127.0.0.1:1/v1", "", adapters)).identity(request)

    first, turned = embedded.adapters, embedded.adapters[::-1]
    texts = ["local:smollm2", *(f"local:smollm2+{path}" for path in loras[:2])]
    assert [identity(text, first) for text in texts] == [identity(text, turned) for text in texts]
    revisions = {str(identity(text, first)["revision"]) for text in texts}  # type: ignore[index]
    assert len(revisions) == 3


def test_an_adapter_that_changes_nothing_is_an_error(embedded: EmbeddedModel, loras: list[Path]) -> None:
    """As a control it is taken by name, and then answers as the base does."""
    assert "it changes nothing" in refused(embedded, loras[2])
    embedded.stop()
    start(embedded, spec(loras[2], untrained="yes"))
    text = f"local:smollm2+{loras[2]}?untrained=yes"
    assert asked(embedded, text, QUESTIONS[0]) == asked(embedded, "local:smollm2", QUESTIONS[0])


def test_the_least_change_is_one(embedded: EmbeddedModel, tmp_path: Path) -> None:
    """Of one matrix, far below what changes an answer."""
    write_lora(tmp_path / "weak", {"self_attn.v_proj": (192, 576)}, rank=1, strength=1e-4)
    start(embedded, spec(tmp_path / "weak"))


def test_weights_that_are_no_numbers_are_an_error(embedded: EmbeddedModel, tmp_path: Path) -> None:
    write_lora(tmp_path / "nan", {"self_attn.v_proj": (192, 576)}, rank=1, strength=float("nan"))
    assert "not finite; its training broke" in refused(embedded, tmp_path / "nan")


def test_its_numbers_are_those_of_transformers(base: Path, adapter: Path, models: HfModels, tmp_path: Path) -> None:
    """Of the same weights in 32 bits, with the adapter and without it: nothing is lost on the way."""
    convert_adapter(adapter, tmp_path / "a.gguf", heads_of(base, "base"), "adapter a")
    opened(models, f"hf:{base}+{adapter}")
    loaded = models.load(resolve_model(f"hf:{base}+{adapter}", {}).spec.weights, print)  # type: ignore[arg-type]
    tokens = loaded.chat.tokens("The capital of France is Paris, that of Japan")
    server = LocalServer.start(write_gguf(base, tmp_path / "base.gguf"), adapters=[tmp_path / "a.gguf"])
    port = urlsplit(server.base_url).port
    assert port is not None
    seen = []
    for number, name in ((0, loaded.adapter), (None, None)):
        body = {"prompt": tokens, "n_predict": 1, "n_probs": 50, "temperature": 0, **slot_of(number, 1)}
        reply = exchange(port, "/completion", key=server.api_key, body=body, timeout_s=60)
        assert reply is not None
        found = {each["id"]: each["logprob"] for each in reply[1]["completion_probabilities"][0]["top_logprobs"]}
        assert loaded.base is not None
        with torch.inference_mode(), loaded.base.using(name) as model:
            logprobs = model(input_ids=torch.tensor([tokens])).logits[0, -1].log_softmax(-1)
        for token, logprob in found.items():
            assert logprobs[token].item() == pytest.approx(logprob, abs=0.01)
        seen.append(found)
    server.stop()
    assert seen[0].keys() != seen[1].keys()


def test_the_prompts_of_both_are_the_same_tokens(smollm2: Path) -> None:
    """Blanks before digits above all, which transformers by itself splits in another way."""
    weights, unsaid = WeightsSpec(base=str(smollm2)), SimpleNamespace(eos_token_id=None)
    model = SimpleNamespace(generation_config=unsaid, config=unsaid)
    tokenizer = load_chat(weights, find_source(weights, {}), model).tokenizer
    texts = ["on  18/09/2025 at\n  11:00", " 7\t8\n\n9", "12.50 EUR,  3 x", "  a  b\n\n c", "Ünïcode 4²  ５"]
    server = LocalServer.start(smollm2)
    port = urlsplit(server.base_url).port
    assert port is not None
    for text in texts:
        reply = exchange(port, "/tokenize", key=server.api_key, body={"content": text})
        assert reply is not None
        assert tokenizer(text, add_special_tokens=False)["input_ids"] == reply[1]["tokens"]
    server.stop()
