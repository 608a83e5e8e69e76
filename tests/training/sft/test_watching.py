"""What is done between steps, without a training around it."""

import re
from contextlib import nullcontext
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("transformers", reason="needs the extra train")


def look(watch: object, *, fp16: bool, **logged: float) -> None:
    state = SimpleNamespace(global_step=7)
    watch.on_log(SimpleNamespace(fp16=fp16), state, SimpleNamespace(), logs=logged)  # type: ignore[attr-defined]


@pytest.mark.parametrize(("name", "fp16"), [("loss", False), ("grad_norm", False), ("eval_loss", True), ("loss", True)])
def test_a_number_that_is_none_ends_the_training(name: str, fp16: bool) -> None:
    from pytest_llmeval.training.sft.watching import Finite, NotFiniteError

    with pytest.raises(NotFiniteError, match=f"{name} is nan at step 7; nothing of this step was kept"):
        look(Finite(), fp16=fp16, **{name: float("nan")})


def test_in_16_bits_steps_are_left_out_while_the_scale_falls_but_not_for_ever() -> None:
    from pytest_llmeval.training.sft.watching import Finite, NotFiniteError

    watch = Finite()
    for _ in range(3):
        for _ in range(20):
            look(watch, fp16=True, loss=1.0, grad_norm=float("inf"))
        look(watch, fp16=True, loss=1.0, grad_norm=0.5)
    for _ in range(20):
        look(watch, fp16=True, grad_norm=float("inf"))
    with pytest.raises(NotFiniteError, match="grad_norm is inf"):
        look(watch, fp16=True, grad_norm=float("inf"))


@pytest.mark.parametrize("told", ["", "Triton Error [CUDA]: out of memory"])
@pytest.mark.parametrize(("rooms", "halves", "sizes"), [(2, True, [5, 2, 2, 1]), (0, True, [5, 2, 1]), (2, False, [5])])
def test_a_look_with_too_little_memory_answers_half_the_rows_at_once(
    monkeypatch: pytest.MonkeyPatch, rooms: int, halves: bool, sizes: list[int], told: str
) -> None:
    import torch

    from pytest_llmeval.training.sft import watching

    asked: list[int] = []

    def generate(model: object, chat: object, prompts: list[list[int]], *rest: object) -> list[list[int]]:
        asked.append(len(prompts))
        if len(prompts) > rooms:
            raise RuntimeError(told) if told else torch.OutOfMemoryError
        return [[len(prompt)] for prompt in prompts]

    monkeypatch.setattr(watching, "_generate", generate)
    rows: Any = [SimpleNamespace(prompt=[0] * length) for length in (3, 1, 5, 2, 4)]
    chat: Any = SimpleNamespace(text=str, stop_tokens=frozenset({5}))
    with nullcontext() if rooms and halves else pytest.raises(RuntimeError, match=f"^{re.escape(told)}$"):
        said = watching.answer(
            torch.nn.Linear(1, 1),
            chat,
            rows,
            new_tokens=1,
            batch=5,
            halves=halves,
        )
        assert said == [("[3]", False), ("[1]", False), ("[5]", True), ("[2]", False), ("[4]", False)]
    assert asked == sizes


def test_an_error_that_is_none_of_memory_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from pytest_llmeval.training.sft import watching

    asked: list[int] = []

    def generate(model: object, chat: object, prompts: list[list[int]], *rest: object) -> list[str]:
        asked.append(len(prompts))
        raise RuntimeError("CUDA error: device-side assert triggered")

    monkeypatch.setattr(watching, "_generate", generate)
    rows: Any = [SimpleNamespace(prompt=[0])] * 4
    with pytest.raises(RuntimeError, match="device-side assert"):
        watching.answer(torch.nn.Linear(1, 1), SimpleNamespace(), rows, new_tokens=1, batch=4, halves=True)  # type: ignore[arg-type]
    assert asked == [4]


def test_of_processes_that_answer_the_same_rows_the_first_one_says_how_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sums of unlike GPUs differ, so words may: who stopped at another look than the others would hang them."""
    from pytest_llmeval.training.sft import watching

    monkeypatch.setattr(watching, "answer", lambda model, chat, rows, **rest: [("red", False) for _ in rows])
    said_by_first: Any = iter([[1.0, 1.0, 0.25], [True, True, False]])
    ranks: Any = SimpleNamespace(number=1, count=2, each=lambda sent: [next(said_by_first), *sent])
    rows: Any = [SimpleNamespace(completion=[1], row=SimpleNamespace(target="blue"))] * 3
    task = watching.TaskMetric(rows, "exact", Any, new_tokens=2, batch=3, ranks=ranks, is_split=True)  # type: ignore[arg-type]
    metrics = {"eval_loss": 2.0}
    task.on_evaluate(None, None, None, metrics=metrics, model=None)
    assert metrics["eval_exact"] == 0.75
    assert metrics[watching.STOPPED] == pytest.approx(2 / 3)
    assert metrics[watching.CHOSEN_BY] > 0.5


def test_processes_wait_longer_for_each_other_than_a_base_takes_to_fetch(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one does so alone; 10 minutes later NCCL would end the others."""
    from pytest_llmeval.training.config import LaunchModel
    from pytest_llmeval.training.sft import ranks

    asked: list[dict[str, Any]] = []
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setattr(ranks, "PartialState", lambda **given: asked.append(given))
    ranks.Ranks(LaunchModel(processes=2)).meet("cuda")
    assert asked == [{"cpu": False, "timeout": timedelta(hours=2)}]


@pytest.mark.parametrize(("device", "waits"), [("cuda", 1), ("cpu", 0)])
def test_a_step_ends_once_the_gpu_is_done_with_it(monkeypatch: pytest.MonkeyPatch, device: str, waits: int) -> None:
    """Else it is timed as what Python took to ask for it, where no optimizer waits."""
    import torch

    from pytest_llmeval.training.sft.watching import Clock

    waited: list[int] = []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: waited.append(1))
    clock, args = Clock(), SimpleNamespace(device=torch.device(device))
    clock.on_step_begin(args, None, None)
    clock.on_step_end(args, None, None)
    assert (clock.seconds > 0, len(waited)) == (True, waits)
