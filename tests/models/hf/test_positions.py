"""Rows that together would reach behind the positions that a model has, or change how it sees its neighbours."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import Gemma3TextConfig, GPT2Config, GPT2LMHeadModel, LlamaConfig

from pytest_llmeval.core.likelihood import LOGPROB_OF, Likelihood
from pytest_llmeval.models.hf import answering, host
from pytest_llmeval.models.hf.answering import AnswerJob
from pytest_llmeval.models.hf.host import HfModels
from pytest_llmeval.models.hf.loading import quiet
from pytest_llmeval.models.hf.positions import shared_positions
from tests.support.asking_hf import answers, opened
from tests.support.tiny_llama import make_model

LONG, SHORT = "the capital of France is Paris " * 5, "hi"


def make_gpt2(base: Path, folder: Path) -> Path:
    """Save a model with a table of 64 positions and the tokenizer of ``base``; return ``folder``."""
    torch.manual_seed(0)
    sizes: Any = {"n_positions": 64, "n_embd": 32, "n_layer": 2, "n_head": 2, "vocab_size": 400}
    model = GPT2LMHeadModel(GPT2Config(**sizes, initializer_range=0.3, bos_token_id=None, eos_token_id=2))
    with quiet():
        model.save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copy(base / name, folder)
    return folder


def long_rope(**changes: Any) -> dict[str, Any]:
    """Return positions that turn otherwise behind 64 tokens."""
    factors = {"short_factor": [1.0] * 8, "long_factor": [4.0] * 8, "factor": 8.0}
    own = {"rope_type": "longrope", "rope_theta": 10000.0, "original_max_position_embeddings": 64}
    return {**own, **factors, **changes}


def test_a_short_prompt_with_a_long_answer_fails_no_long_prompt(models: HfModels, base: Path, tmp_path: Path) -> None:
    """A row that has ended goes on with its batch, and there is no position for it behind the table's end."""
    model = opened(models, f"hf:{make_gpt2(base, tmp_path / 'm')}")
    texts, params = [LONG, SHORT], [{"max_tokens": 4}, {"max_tokens": 40}]
    together = answers(model, texts, params)
    assert together[0].usage.input_tokens is not None and 30 < together[0].usage.input_tokens < 64
    alone = [answers(model, [text], [each])[0] for text, each in zip(texts, params, strict=True)]
    assert [each.text for each in together] == [each.text for each in alone]


def test_a_row_beyond_the_bound_changes_no_neighbour(models: HfModels, tmp_path: Path) -> None:
    """One of more than 64 tokens would turn the positions of all."""
    folder = make_model(tmp_path / "m", rope_parameters=long_rope())
    model = opened(models, f"hf:{folder}")
    texts = [SHORT, LONG, "the capital of Japan", LONG * 2]
    together = [each.text for each in answers(model, texts, [{"max_tokens": 12}] * 4)]
    assert together == [answers(model, [text], [{"max_tokens": 12}])[0].text for text in texts]
    targets = [{LOGPROB_OF: "Paris"}] * 4
    for text, found in zip(texts, answers(model, texts, targets), strict=True):
        alone = Likelihood.from_text(answers(model, [text], targets[:1])[0].text)
        assert Likelihood.from_text(found.text).logprob == pytest.approx(alone.logprob, abs=1e-4)


def test_positions_without_an_end_part_no_batch(models: HfModels, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers as long as the context are asked of most models, and must not be given one by one for that."""
    model, whole, sizes = opened(models, f"hf:{base}"), answering.answer, list[int]()

    def noted(model: Any, chat: Any, jobs: Sequence[AnswerJob]) -> None:
        sizes.append(len(jobs))
        whole(model, chat, jobs)

    monkeypatch.setattr(host, "answer", noted)
    monkeypatch.setattr(models._batcher, "_gather_s", 1.0)
    answers(model, [SHORT, LONG], [{"max_tokens": 500, "stop": ["a", "e", "i", "1"]}] * 2)
    assert sizes == [2]


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (GPT2Config(n_positions=64), 64),
        (LlamaConfig(max_position_embeddings=512), 2**31),
        (LlamaConfig(max_position_embeddings=512, rope_parameters=long_rope()), 64),
        (
            LlamaConfig(
                max_position_embeddings=512,
                rope_parameters={"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10000.0},
            ),
            512,
        ),
        (Gemma3TextConfig(), 2**31),
    ],
)
def test_how_long_a_row_may_be_beside_others(config: Any, expected: int) -> None:
    assert shared_positions(config) == expected
