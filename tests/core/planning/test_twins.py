"""Two runs of the same rows, swapped."""

import random
from collections.abc import Sequence
from typing import Any

from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.planning.twins import split_epochs, twins
from pytest_llmeval.core.rules import SuiteRules, Thresholds

RULES = Thresholds(suites={"qa": SuiteRules(name="qa"), "other": SuiteRules(name="other")})


def case(sample_id: str, value: float, **fields: Any) -> JudgedCase:
    made: dict[str, Any] = {"suite": "qa", "model": "m", "sample_id": sample_id, "outcome": "passed"}
    return JudgedCase(**{**made, "input_digest": "d", "scores": {"f1": value}, **fields})


def values(cases: Sequence[JudgedCase]) -> dict[tuple[str, str, str], list[float | None]]:
    found: dict[tuple[str, str, str], list[float | None]] = {}
    for each in cases:
        found.setdefault((each.suite, each.model, each.sample_id), []).append(each.scores["f1"])
    return found


def test_each_row_is_in_both_runs_whichever_way_round() -> None:
    """Over many draws each row is swapped half the time, on its own."""
    before, current = ([case(f"s{n}", value) for n in range(4)] for value in (0.0, 1.0))
    rows = twins(RULES, before, current)
    assert (rows.rows, len(rows.units), rows.cases) == (4, 4, 8)
    draw, seen = random.Random(0), []
    for _ in range(400):
        was, now = (values(side) for side in rows.mixed(draw))
        assert all(sorted([*was[key], *now[key]]) == [0, 1] for key in was.keys() | now.keys())  # type: ignore[type-var]
        seen.append(tuple(now["qa", "m", f"s{n}"] == [0.0] for n in range(4)))
    assert len(set(seen)) == 16
    assert all(150 < sum(swaps[n] for swaps in seen) < 250 for n in range(4))


def test_the_same_seed_swaps_the_same_rows() -> None:
    rows = twins(RULES, [case(f"s{n}", 0) for n in range(9)], [case(f"s{n}", 1) for n in range(9)])
    assert rows.mixed(random.Random(3)) == rows.mixed(random.Random(3))
    assert rows.mixed(random.Random(3)) != rows.mixed(random.Random(4))


def test_rows_of_one_cluster_and_all_models_of_a_row_are_swapped_together() -> None:
    def run(value: float) -> list[JudgedCase]:
        alone = [case("s0", value, model=model) for model in ("m", "n")]
        return [*alone, *(case(f"s{n}", value, cluster="c") for n in (1, 2, 3)), case("s1", value, suite="other")]

    rows = twins(RULES, run(0), run(1))
    assert (rows.rows, len(rows.units)) == (5, 3)
    draw = random.Random(0)
    for _ in range(50):
        now = values(rows.mixed(draw)[1])
        assert now["qa", "m", "s0"] == now["qa", "n", "s0"]
        assert now["qa", "m", "s1"] == now["qa", "m", "s2"] == now["qa", "m", "s3"]


def test_rows_that_are_not_the_same_in_both_runs_are_left_out() -> None:
    before = [
        case("same", 0),
        case("changed", 0),
        case("gone", 0),
        case("model", 0, model="x"),
        case("free", 0, suite="f"),
    ]
    current = [
        case("same", 1),
        case("changed", 1, input_digest="another"),
        case("new", 1),
        case("model", 1, model="y"),
        case("free", 1, suite="f"),
    ]
    assert values(twins(RULES, before, current).straight()[1]) == {("qa", "m", "same"): [1]}


def test_the_only_models_of_a_suite_take_each_others_place() -> None:
    """A row takes the current run's model, slices and cluster, whichever answer it has."""
    before = [case("s0", 0, model="old", slices=("easy",), cluster="a")]
    current = [case("s0", 1, model="new", slices=("hard",), cluster="b")]
    was, now = twins(RULES, before, current).straight()
    assert [(each.model, each.slices, each.cluster) for each in (*was, *now)] == [("new", ("hard",), "b")] * 2
    assert (was[0].scores, now[0].scores) == ({"f1": 0}, {"f1": 1})


def test_epochs_of_one_run_are_split_in_two_halves() -> None:
    cases = [case("s0", epoch, epoch=epoch) for epoch in (3, 1, 2, 5, 4)] + [case("s1", 7)]
    first, second = split_epochs(cases)
    assert [(each.sample_id, each.epoch, each.scores["f1"]) for each in first] == [("s0", 1, 1), ("s0", 2, 2)]
    assert [(each.sample_id, each.epoch, each.scores["f1"]) for each in second] == [("s0", 1, 3), ("s0", 2, 4)]
