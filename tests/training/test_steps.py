"""What a step has the host do; the numbers that come out are held to elsewhere."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch

from pytest_llmeval.training.watching import Clock
from tests.training.conftest import Train


@contextmanager
def counted(owner: Any, *names: str) -> Iterator[Counter[str]]:
    """Count the calls of functions by name, in steps after the first one, which compares and prepares."""
    found: Counter[str] = Counter()
    steps = 0
    is_within = False

    def counting(name: str) -> Callable[..., Any]:
        function = getattr(owner, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            if is_within:
                found[name] += 1
            return function(*args, **kwargs)

        return call

    def begin(clock: Clock, *args: Any, **kwargs: Any) -> None:
        nonlocal steps, is_within
        steps, is_within = steps + 1, steps > 0

    def end(clock: Clock, *args: Any, **kwargs: Any) -> None:
        nonlocal is_within
        is_within = False

    with pytest.MonkeyPatch.context() as patched:
        for name in names:
            patched.setattr(owner, name, counting(name))
        patched.setattr(Clock, "on_step_begin", begin)
        patched.setattr(Clock, "on_step_end", end)
        yield found


def test_a_step_goes_through_no_modules_to_switch_them_or_to_find_what_is_trained(train: Train) -> None:
    """Two micro-batches a step: transformers went through all of them four times."""
    with counted(torch.nn.Module, "train", "named_modules") as calls:
        _, outcome = train(most_rows=2, optim__max_steps=3)
    assert outcome.state == "trained"
    assert calls == {}
