"""The mean of weights over steps."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from pytest_llmeval.training.sft.averaging import Average

VALUES = st.lists(st.floats(-10, 10, width=32), min_size=1, max_size=40)


@given(VALUES)
def test_the_weight_of_a_step_grows_with_its_number(values: list[float]) -> None:
    """2 t / (n (n + 1)) of step t of n: so eta = 1 of Shamir and Zhang unrolls."""
    weights = {"w": torch.zeros(1)}
    average = Average(weights)
    for step, value in enumerate(values, 1):
        weights["w"].fill_(value)
        average.add(step)
    count = len(values)
    expected = sum(2 * step * value / (count * (count + 1)) for step, value in enumerate(values, 1))
    with average.in_place():
        assert float(weights["w"]) == pytest.approx(expected, abs=1e-4)
    assert float(weights["w"]) == values[-1]


def test_all_weights_are_taken_in_at_once() -> None:
    """An adapter has hundreds; the mean of each is the same to the bit as if it were taken by itself."""
    torch.manual_seed(0)
    weights = {f"w{size}": torch.nn.Parameter(torch.randn(size)) for size in (1, 7, 300, 5000)}
    means = {name: value.detach().clone() for name, value in weights.items()}
    average, called = Average(weights), list[str]()

    class Names(TorchDispatchMode):  # type: ignore[misc]  # torch is not typed here
        def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            called.append(function.__name__.partition(".")[0])
            return function(*args, **kwargs or {})

    for step in range(1, 5):
        for name, value in weights.items():
            value.data.add_(torch.randn_like(value))
            means[name].lerp_(value.detach(), 2 / (step + 1))
        with Names():
            average.add(step)
    assert [name for name in called if name != "detach"] == ["_foreach_lerp_"] * 4
    with average.in_place():
        assert all(torch.equal(weights[name], mean) for name, mean in means.items())


def test_the_newest_weights_are_back_where_a_look_breaks_off() -> None:
    weights = {"w": torch.tensor([1.0])}
    average = Average(weights)
    average.add(1)
    weights["w"].fill_(5.0)
    with pytest.raises(KeyboardInterrupt), average.in_place():
        assert float(weights["w"]) == 1.0
        raise KeyboardInterrupt
    assert float(weights["w"]) == 5.0


def test_steps_that_go_to_and_fro_have_a_mean_between() -> None:
    """What it is for: the newest weights are a whole step away from where they hover."""
    weights = {"w": torch.zeros(1)}
    average = Average(weights)
    for step in range(1, 201):
        weights["w"].fill_(3.0 + (1.0 if step % 2 else -1.0))
        average.add(step)
    with average.in_place():
        assert float(weights["w"]) == pytest.approx(3.0, abs=0.02)
