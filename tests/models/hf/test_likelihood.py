"""How likely a model finds a text."""

import asyncio
import math
from pathlib import Path

import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmeval.core.errors import CallError, ErrorKind
from pytest_llmeval.core.likelihood import LOGPROB_OF, Likelihood
from pytest_llmeval.core.types import Request, Response
from pytest_llmeval.models.hf import host
from pytest_llmeval.models.hf.host import HfModels
from pytest_llmeval.models.hf.likelihood import LikelihoodJob
from pytest_llmeval.models.hf.memory import bytes_per_token, logits_bytes
from tests.support.asking_hf import answers, opened, refusal
from tests.support.fault_server import FaultServer
from tests.support.tiny_llama import make_model

TARGETS = ["Paris", "Tokyo, that of Japan", "x" * 40]


def test_it_is_that_of_the_tokens_one_after_the_other(models: HfModels, base: Path) -> None:
    """Against the plain definition: the sum of the log-probability of each token given all before it."""
    from transformers import AutoModelForCausalLM

    model = opened(models, f"hf:{base}")
    found = [Likelihood.from_text(each.text) for each in answers(model, ["hi"] * 3, [{LOGPROB_OF: t} for t in TARGETS])]
    chat = next(iter(models._models.values())).chat
    plain = AutoModelForCausalLM.from_pretrained(base)
    prompt = chat.prompt([{"role": "user", "content": "hi"}])
    for text, likelihood in zip(TARGETS, found, strict=True):
        target = chat.tokens(text)
        expected = 0.0
        for place, token in enumerate(target):
            with torch.inference_mode():
                logits = plain(torch.tensor([prompt + target[:place]])).logits[0, -1]
            expected += float(torch.log_softmax(logits, dim=-1)[token])
        assert likelihood.tokens == len(target)
        assert likelihood.logprob == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("has_adapter", [False, True])
def test_neighbours_change_nothing(models: HfModels, base: Path, adapter: Path, has_adapter: bool) -> None:
    model = opened(models, f"hf:{base}+{adapter}" if has_adapter else f"hf:{base}")
    together = answers(model, ["hi", "hello " * 60, "x"], [{LOGPROB_OF: text} for text in TARGETS])
    for text, target, found in zip(["hi", "hello " * 60, "x"], TARGETS, together, strict=True):
        alone = Likelihood.from_text(answers(model, [text], [{LOGPROB_OF: target}])[0].text)
        assert Likelihood.from_text(found.text).logprob == pytest.approx(alone.logprob, abs=1e-4)
        assert (found.usage.output_tokens, found.cost_usd, found.finish_reason) == (0, 0.0, "stop")


def test_a_text_of_no_token_has_none(models: HfModels, base: Path) -> None:
    error = refusal(opened(models, f"hf:{base}"), **{LOGPROB_OF: ""})
    assert error.kind == ErrorKind.BAD_REQUEST
    assert "an empty string has no likelihood" in str(error)


def test_a_text_behind_nothing_begins_behind_the_token_of_the_end(models: HfModels, tmp_path: Path) -> None:
    """The perplexity of plain text under a base model, whose tokenizer puts nothing before it; beside other rows."""
    from transformers import AutoModelForCausalLM

    base = make_model(tmp_path / "plain", template="")
    model = opened(models, f"hf:{base}")
    found = answers(model, ["", "hello " * 9, ""], [{LOGPROB_OF: text} for text in TARGETS])
    chat = models.find(model._weights).chat  # type: ignore[attr-defined]
    plain = AutoModelForCausalLM.from_pretrained(base)
    for place in (0, 2):
        target = chat.tokens(TARGETS[place])
        with torch.inference_mode():
            logits = plain(torch.tensor([[chat.tokenizer.eos_token_id, *target]])).logits[0, :-1]
        chosen = torch.log_softmax(logits, dim=-1).gather(-1, torch.tensor(target)[:, None])
        assert Likelihood.from_text(found[place].text).logprob == pytest.approx(float(chosen.sum()), abs=1e-3)


def test_a_text_behind_nothing_is_refused_where_nothing_begins_one(models: HfModels, tmp_path: Path) -> None:
    model = opened(models, f"hf:{make_model(tmp_path / 'plain', template='')}")
    models.find(model._weights).chat.tokenizer.eos_token = None  # type: ignore[attr-defined]
    error = refusal(model, "", **{LOGPROB_OF: "Paris"})
    assert error.kind == ErrorKind.BAD_REQUEST
    assert "the prompt is empty" in str(error)


def test_rows_whose_numbers_are_none_are_errors_and_others_answers(models: HfModels, base: Path) -> None:
    """As in 16 bits, of which a model may need more."""
    model = opened(models, f"hf:{base}")
    loaded = models.find(model._weights)  # type: ignore[attr-defined]
    token = loaded.chat.tokens("Tokyo")[0]
    with torch.no_grad():
        loaded._base.model.get_input_embeddings().weight[token] = math.nan
    params: list[dict[str, object]] = [{LOGPROB_OF: "Paris"}, {LOGPROB_OF: "x"}, {"max_tokens": 4}, {"max_tokens": 4}]

    async def ask() -> list[object]:
        texts = ["Tokyo", "hi", "Tokyo", "hi"]
        asked = [
            model.complete(Request(messages=({"role": "user", "content": text},), params=each))
            for text, each in zip(texts, params, strict=True)
        ]
        return list(await asyncio.gather(*asked, return_exceptions=True))

    found = asyncio.run(ask())
    assert [type(each) for each in found] == [CallError, Response, CallError, Response]
    assert "try ?dtype=float32" in str(found[0])
    assert "its logits are not numbers" in str(found[2])


@pytest.mark.parametrize("chooses", [True, False])
def test_a_batch_has_room_for_the_logits_of_its_texts(
    models: HfModels, base: Path, monkeypatch: pytest.MonkeyPatch, chooses: bool
) -> None:
    """On a CPU nothing says that they do not fit: the process is ended."""
    model = opened(models, f"hf:{base}")
    loaded = models.find(model._weights)  # type: ignore[attr-defined]
    monkeypatch.setattr(host, "takes", lambda model, name: chooses)
    asked: list[LikelihoodJob] = []

    def submit(job: LikelihoodJob) -> None:
        asked.append(job)
        job.answer(Response(text="1 1"))

    monkeypatch.setattr(models, "submit", submit)
    answers(model, ["hi"], [{LOGPROB_OF: "Tokyo, that of Japan"}])
    config, made = loaded._base.model.config, len(asked[0].target) + (1 if chooses else len(asked[0].prompt))
    wanted, token = made * config.vocab_size * 8, bytes_per_token(config, 4)
    assert wanted <= asked[0].room * token < wanted + token


@pytest.mark.parametrize("family", ["gemma3n", "mamba", "mamba2", "rwkv", "gpt2", "qwen3_moe", "mpt"])
def test_the_memory_of_a_token_is_known_of_models_laid_out_otherwise(family: str) -> None:
    config = transformers.CONFIG_MAPPING[family]()
    assert bytes_per_token(config, 2) > 1000
    assert logits_bytes(config, 2) > 10_000


def test_a_target_that_does_not_fit_is_refused(models: HfModels, base: Path) -> None:
    error = refusal(opened(models, f"hf:{base}"), **{LOGPROB_OF: "hi " * 600})
    assert "the model reads 512 at most" in str(error)


def test_a_server_cannot_tell(server: FaultServer) -> None:
    """It is refused before anything is sent."""
    from tests.support.asking import failure

    error = failure(server.spec("echo"), params={LOGPROB_OF: "Paris"})
    assert (error.kind, error.attempts) == (ErrorKind.BAD_REQUEST, 0)
    assert "only hf: models" in str(error)


@given(st.floats(-1e4, 0), st.integers(1, 100))
def test_it_travels_as_text(logprob: float, tokens: int) -> None:
    likelihood = Likelihood(logprob=logprob, tokens=tokens)
    assert Likelihood.from_text(likelihood.as_text()) == likelihood


def test_perplexity_is_per_token() -> None:
    assert Likelihood(logprob=4 * math.log(0.25), tokens=4).perplexity == pytest.approx(4)
