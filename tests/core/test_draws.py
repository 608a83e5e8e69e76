"""The seed of one draw of several."""

import pytest

from pytest_llmeval.core.draws import DRAW, with_own_seed


def test_each_draw_has_a_seed_of_its_own_that_is_the_same_again() -> None:
    found = []
    for draw in ("1-1", "1-2", "2-1", "1-1"):
        token = DRAW.set(draw)
        found.append(with_own_seed({"temperature": 1, "seed": 0, "max_tokens": 9}, "hi"))
        DRAW.reset(token)
    seeds = [each["seed"] for each in found]
    assert seeds[0] == seeds[3]
    assert len(set(seeds)) == 3
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert all({**each, "seed": 0} == {"temperature": 1, "seed": 0, "max_tokens": 9} for each in found)
    for params, asked in (({"temperature": 1, "seed": 1}, "hi"), ({"temperature": 1, "seed": 0}, "another row")):
        assert with_own_seed(params, asked)["seed"] not in seeds


@pytest.mark.parametrize(
    "params", [{}, {"temperature": 0, "seed": 3}, {"seed": 3}, {"temperature": 1}, {"temperature": 1, "seed": -1}]
)
def test_what_is_not_drawn_by_a_seed_is_left_as_it_is(params: dict[str, object]) -> None:
    assert with_own_seed(params, "hi") is params
