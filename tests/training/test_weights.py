"""What of trl's own way is changed for a CPU."""

from pathlib import Path
from typing import Any

import pytest


def test_only_tokens_that_count_go_through_the_head_and_the_loss_is_the_same(
    tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    from transformers import AutoModelForCausalLM
    from trl.trainer import utils as trl_utils

    from pytest_llmeval.training.weights import score_answers_only

    scored: list[int] = []
    project = torch.mm

    def seen(hidden: Any, weight: Any, **more: Any) -> Any:
        scored.append(len(hidden))
        return project(hidden, weight, **more)

    monkeypatch.setattr(torch, "mm", seen)
    monkeypatch.setattr(trl_utils, "_use_triton", lambda device: False)
    model = AutoModelForCausalLM.from_pretrained(tiny_base)
    trl_utils.add_fused_lm_head(model, outputs=("log_probs", "entropy", "is_top1"))
    tokens = torch.arange(40).view(2, 20) % model.config.vocab_size
    labels = tokens.clone()
    labels[0, :17] = labels[1, :15] = -100

    def loss() -> float:
        scored.clear()
        found = model(input_ids=tokens, labels=labels, fused_lm_head=True).loss
        found.backward()
        return float(found.detach())

    every = loss()
    assert set(scored) == {38}
    score_answers_only()
    assert loss() == pytest.approx(every, rel=1e-6)
    assert set(scored) == {8}
