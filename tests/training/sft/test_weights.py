"""Which layers of a base an adapter may have."""

import pytest
from torch import nn

from pytest_llmeval.core.errors import SettingsError
from pytest_llmeval.training.sft.weights import require_layers


class Base(nn.Module):  # type: ignore[misc]  # torch is not typed here
    """Query, key and value in one, as Phi-3 has them."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.ModuleDict({"qkv_proj": nn.Linear(2, 6), "o_proj": nn.Linear(2, 2)})
        self.experts_up_proj = nn.Parameter()
        self.lm_head = nn.Linear(2, 8)


def test_layers_that_are_there_may_be_adapted() -> None:
    require_layers(Base(), ["o_proj", "attention.qkv_proj"])


def test_one_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(SettingsError) as caught:
        require_layers(Base(), ["q_proj", "o_proj", "up_proj"])
    assert str(caught.value) == "lora.targets: the base has no layer q_proj, up_proj; it has qkv_proj, o_proj"
