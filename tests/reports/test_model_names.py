"""What models are called where several stand in one report."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmeval.reports.model_names import distinct_names, model_words

BASE = "/data/models/safetensors/SmolLM2-135M-Instruct"
ADAPTER = "/srv/project/.llmeval/trainings/small/20261130-121953-28eb6c/adapter"
OPTIONS = "?gpu_memory_utilization=0.2&max_model_len=2048"


@pytest.mark.parametrize(
    ("models", "told"),
    [
        ([f"{BASE}{OPTIONS}"], []),
        (["gpt-4o", "gpt-4o-mini?a=1"], ["gpt-4o", "gpt-4o-mini?a=1"]),
        (
            [f"{BASE}{OPTIONS}", f"{BASE}+{ADAPTER}{OPTIONS}"],
            ["SmolLM2-135M-Instruct", f"SmolLM2-135M-Instruct+{ADAPTER}"],
        ),
        (
            [f"{BASE}?max_model_len=2048", f"{BASE}?max_model_len=4096"],
            ["SmolLM2-135M-Instruct?max_model_len=2048", "SmolLM2-135M-Instruct?max_model_len=4096"],
        ),
        ([f"{BASE}+{ADAPTER}", "gpt-4o"], [f"{BASE}+{ADAPTER}", "gpt-4o"]),
        (
            ["m@https://models.internal.example/v1/blue", "m@https://models.internal.example/v1/green"],
            ["m@https://models.internal.example/v1/blue", "m@https://models.internal.example/v1/green"],
        ),
    ],
)
def test_long_names_go_without_what_all_have_in_common(models: list[str], told: list[str]) -> None:
    assert distinct_names(models) == dict(zip(models, told, strict=False))


@given(st.sets(st.text("ab/?+=", max_size=60), min_size=2))
def test_no_two_are_called_the_same(models: set[str]) -> None:
    assert len(set(distinct_names(models).values())) == len(models)


def test_both_ends_of_a_name_are_shown_where_it_is_cut() -> None:
    names = distinct_names([BASE, f"{BASE}+{ADAPTER}"])
    assert model_words(f"{BASE}+{ADAPTER}", names) == " on SmolLM2-135M-Instru...953-28eb6c/adapter"
    assert model_words(BASE, {}) == ""
