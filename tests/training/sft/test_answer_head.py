"""What of trl's own way is changed on a CPU."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_llmeval.core.errors import SettingsError
from pytest_llmeval.training.plan import Outcome
from tests.training.conftest import Train

WANTED = ("log_probs",)


@pytest.fixture
def trl_utils(monkeypatch: pytest.MonkeyPatch) -> Any:
    """trl's module as it was, whatever another test made of it."""
    from trl.kernels import ChunkedLogProbFunction
    from trl.trainer import utils

    monkeypatch.setattr(utils, "_ChunkedLogProbFunction", ChunkedLogProbFunction)
    monkeypatch.setattr(utils, "_use_triton", lambda device: False)
    return utils


@pytest.fixture
def change(trl_utils: Any) -> Callable[[], None]:
    from pytest_llmeval.training.sft.answer_head import score_answers_only

    return score_answers_only


@pytest.fixture
def model(tiny_base: Path, trl_utils: Any) -> Any:
    """A model with trl's head, whose own is frozen, as under an adapter."""
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tiny_base)
    trl_utils.add_fused_lm_head(model, outputs=WANTED)
    model.requires_grad_(False)
    for name, parameter in model.named_parameters():
        if "q_proj" in name:
            parameter.requires_grad_(True)
    return model


def passed(model: Any, *, counting: int = 8) -> tuple[Any, list[Any]]:
    """Return what trl's forward says of two rows, and the gradients."""
    import torch

    model.zero_grad()
    tokens = torch.arange(40).view(2, 20) % model.config.vocab_size
    labels = tokens.clone()
    labels.view(-1)[: 40 - counting] = -100
    found = model(input_ids=tokens, labels=labels, fused_lm_head=True)
    found.loss.backward()
    return found, [each.grad.clone() for each in model.parameters() if each.grad is not None]


@pytest.mark.parametrize("block_bytes", [1, 24_000_000])
def test_loss_and_gradients_are_those_of_trl(
    model: Any, change: Callable[[], None], monkeypatch: pytest.MonkeyPatch, block_bytes: int
) -> None:
    import torch

    theirs, slopes = passed(model)
    change()
    monkeypatch.setattr("pytest_llmeval.training.sft.answer_head.HEAD_BLOCK_BYTES", block_bytes)
    ours, our_slopes = passed(model)
    assert len(slopes) == len(our_slopes) > 0
    torch.testing.assert_close(ours.loss, theirs.loss)
    torch.testing.assert_close(ours.log_probs, theirs.log_probs)
    for one, other in zip(our_slopes, slopes, strict=True):
        torch.testing.assert_close(one, other)


def test_only_tokens_that_count_go_through_the_head(
    model: Any, change: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    scored: list[int] = []
    project = torch.mm

    def seen(left: Any, right: Any, **more: Any) -> Any:
        if model.config.vocab_size in right.shape:
            scored.append(len(left))
        return project(left, right, **more)

    monkeypatch.setattr(torch, "mm", seen)
    passed(model)
    assert set(scored) == {38}
    change()
    scored.clear()
    passed(model)
    assert set(scored) == {8}


def test_rows_in_which_nothing_counts_have_no_loss_and_no_gradient(model: Any, change: Callable[[], None]) -> None:
    change()
    found, slopes = passed(model, counting=0)
    assert found.loss.item() == 0
    assert all(not each.any() for each in slopes)


def test_a_head_that_is_trained_itself_is_left_to_trl(model: Any, change: Callable[[], None]) -> None:
    import torch

    head = model.get_output_embeddings().weight
    head.requires_grad_(True)
    passed(model)
    theirs = head.grad.clone()
    change()
    passed(model)
    torch.testing.assert_close(head.grad, theirs)
    assert theirs.any()


def test_a_change_made_twice_is_made_once(trl_utils: Any, change: Callable[[], None]) -> None:
    change()
    once = trl_utils._ChunkedLogProbFunction
    change()
    assert trl_utils._ChunkedLogProbFunction is once


def test_trl_that_has_no_function_for_cpus_is_given_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """As 1.15: without Triton there is none, and with it one for GPUs."""
    import torch

    from pytest_llmeval.training.sft import answer_head

    theirs = SimpleNamespace(_ChunkedLogProbFunction=None)
    monkeypatch.setattr(answer_head, "trl_utils", theirs)
    answer_head.score_answers_only()
    hidden, weight, targets = torch.randn(5, 4, requires_grad=True), torch.randn(9, 4), torch.arange(5)
    found = theirs._ChunkedLogProbFunction.apply(hidden, weight, None, targets, 1.0, 8, None, 1.0, WANTED)
    expected = torch.log_softmax(hidden @ weight.t(), dim=1).gather(1, targets[:, None])[:, 0]
    torch.testing.assert_close(found[0], expected)
    with pytest.raises(SettingsError, match="needs trl 1.16 on a CPU"):
        theirs._ChunkedLogProbFunction.apply(hidden, weight, None, targets, 1.0, 8, None, 0.5, WANTED)
    assert vars(theirs).keys() == {"_ChunkedLogProbFunction"}


def test_a_call_that_is_not_known_is_left_to_trl(trl_utils: Any, change: Callable[[], None]) -> None:
    import torch

    change()
    trl_utils._ChunkedLogProbFunction.otherwise = SimpleNamespace(apply=lambda *given: given[4:])
    how = (1.0, 8, None, 1.0, WANTED, "more")
    assert trl_utils._ChunkedLogProbFunction.apply(torch.ones(1, 2), torch.ones(3, 2), None, torch.ones(1), *how) == how


def test_on_a_gpu_trl_is_left_as_it_is(train: Train, trl_utils: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from pytest_llmeval.training.sft import trainer

    def loads(*given: object) -> None:
        raise SettingsError("so far")

    monkeypatch.setattr(trainer, "require_device", lambda config: None)
    monkeypatch.setattr(trainer, "load_base", loads)
    before = trl_utils._ChunkedLogProbFunction
    _, outcome = train(device="cuda")
    assert outcome == Outcome(state="refused", message="so far")
    assert trl_utils._ChunkedLogProbFunction is before
