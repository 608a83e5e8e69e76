"""Which cases a page shows in full."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.types import Outcome
from pytest_llmeval.reports.html.chosen_cases import choose_cases, left_out_words
from pytest_llmeval.reports.row_flips import Direction

OUTCOMES: tuple[Outcome, ...] = ("passed", "missed", "error", "skipped")


def cases(outcomes: Sequence[Outcome]) -> list[JudgedCase]:
    return [
        JudgedCase(suite="s", model="m", sample_id=f"{number}", outcome=outcome)
        for number, outcome in enumerate(outcomes)
    ]


def test_errors_come_first_then_misses_then_flips_then_the_rest_in_their_order() -> None:
    outcomes: list[Outcome] = ["passed", "missed", "passed", "error", "skipped", "missed"]
    assert choose_cases(cases(outcomes), [None, None, "better", None, None, "worse"]) == [3, 1, 5, 2, 0, 4]


@given(st.lists(st.sampled_from(OUTCOMES), max_size=1000))
def test_a_run_of_up_to_a_thousand_is_shown_whole(outcomes: list[Outcome]) -> None:
    chosen = choose_cases(cases(outcomes), [None] * len(outcomes))
    assert sorted(chosen) == list(range(len(outcomes)))
    assert left_out_words(len(outcomes), 0, len(chosen)) is None


def test_a_larger_run_keeps_what_is_looked_at_and_a_sample_of_the_rest() -> None:
    outcomes: list[Outcome] = ["passed"] * 5000
    for number in range(0, 5000, 10):
        outcomes[number] = "missed"
    flips: list[Direction | None] = [None] * 5000
    flips[7] = "better"
    chosen = choose_cases(cases(outcomes), flips)
    assert len(chosen) == len({*chosen}) == 701
    assert set(range(0, 5000, 10)) | {7} <= {*chosen}
    others = chosen[501:]
    assert others == sorted(others) and others[0] < 30 and others[-1] > 4900


@pytest.mark.parametrize(("misses", "shown"), [(1500, 1700), (3000, 1700), (10_000, 1500)])
def test_there_is_an_end_to_what_is_kept_and_it_is_told(misses: int, shown: int) -> None:
    outcomes: list[Outcome] = ["missed"] * misses
    outcomes += ["passed"] * (10_000 - misses)
    chosen = choose_cases(cases(outcomes), [None] * 10_000)
    assert len(chosen) == shown
    told = left_out_words(10_000, misses, len(chosen)) or ""
    assert f"Of 10,000 cases {shown:,} are shown" in told
    assert ("every error" in told) == (misses == 1500)
    assert (f"the first 1,500 of {misses:,}" in told) == (misses > 1500)
