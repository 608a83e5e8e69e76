"""What is done between steps, without a training around it."""

from types import SimpleNamespace

import pytest

pytest.importorskip("transformers", reason="needs the extra train")


def look(watch: object, *, fp16: bool, **logged: float) -> None:
    state = SimpleNamespace(global_step=7)
    watch.on_log(SimpleNamespace(fp16=fp16), state, SimpleNamespace(), logs=logged)  # type: ignore[attr-defined]


@pytest.mark.parametrize(("name", "fp16"), [("loss", False), ("grad_norm", False), ("eval_loss", True), ("loss", True)])
def test_a_number_that_is_none_ends_the_training(name: str, fp16: bool) -> None:
    from pytest_llmeval.training.watching import Finite, NotFiniteError

    with pytest.raises(NotFiniteError, match=f"{name} is nan at step 7; nothing of this step was kept"):
        look(Finite(), fp16=fp16, **{name: float("nan")})


def test_in_16_bits_steps_are_left_out_while_the_scale_falls_but_not_for_ever() -> None:
    from pytest_llmeval.training.watching import Finite, NotFiniteError

    watch = Finite()
    for _ in range(3):
        for _ in range(20):
            look(watch, fp16=True, loss=1.0, grad_norm=float("inf"))
        look(watch, fp16=True, loss=1.0, grad_norm=0.5)
    for _ in range(20):
        look(watch, fp16=True, grad_norm=float("inf"))
    with pytest.raises(NotFiniteError, match="grad_norm is inf"):
        look(watch, fp16=True, grad_norm=float("inf"))
