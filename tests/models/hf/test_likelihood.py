"""How likely a model finds a text."""

import math
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmeval.core.errors import ErrorKind
from pytest_llmeval.core.likelihood import LOGPROB_OF, Likelihood
from pytest_llmeval.models.hf.host import HfModels
from tests.support.asking_hf import answers, opened, refusal
from tests.support.fault_server import FaultServer

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
    together = answers(model, ["hi", "hello " * 20, "x"], [{LOGPROB_OF: text} for text in TARGETS])
    for text, target, found in zip(["hi", "hello " * 20, "x"], TARGETS, together, strict=True):
        alone = Likelihood.from_text(answers(model, [text], [{LOGPROB_OF: target}])[0].text)
        assert Likelihood.from_text(found.text).logprob == pytest.approx(alone.logprob, abs=1e-4)
        assert (found.usage.output_tokens, found.cost_usd, found.finish_reason) == (0, 0.0, "stop")


def test_a_text_of_no_token_has_none(models: HfModels, base: Path) -> None:
    error = refusal(opened(models, f"hf:{base}"), **{LOGPROB_OF: ""})
    assert error.kind == ErrorKind.BAD_REQUEST
    assert "empty text" in str(error)


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
