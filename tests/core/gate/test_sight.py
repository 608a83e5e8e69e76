"""What a rule can see: against statsmodels, by enumeration of the gate's test, by simulation of the gate, by laws."""

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom  # type: ignore[import-untyped]  # it carries no types
from statsmodels.stats.power import TTestPower  # type: ignore[import-untyped]  # it carries no types

from pytest_llmeval.core.gate.baseline import Baseline
from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.gate.judging import apply_gate
from pytest_llmeval.core.gate.power import least_groups
from pytest_llmeval.core.gate.sight import MOST_EPOCHS, Sight, margin_needed, rows_for_margin
from pytest_llmeval.core.gate.spread import Spread
from pytest_llmeval.core.rules import GateSettings, Rule, SuiteRules, Thresholds
from pytest_llmeval.core.stats.paired import least_flips
from pytest_llmeval.core.stats.power import margin_power, mcnemar_power
from tests.support.gate_runs import rule as gate_rule
from tests.support.gate_runs import verdict_of


def spread(**fields: Any) -> Spread:
    """Return the spread of 100 yes-or-no rows that are right with chance Beta(1.7, 0.3)."""
    made: dict[str, Any] = {"n": 100, "mean": 0.85, "sd": 0.36, "epochs": 1, "between": 0.0425, "within": 0.085}
    made |= {"is_unit": True, "is_binary": True, "groups": None, "worth": fields.get("groups")}
    made |= {"design": 1, "source": "two runs"}
    return Spread(**{**made, **fields})


def sight(alpha: float = 0.05, *, power: float = 0.8, allowed: float = 0.0, falls: bool = True, **fields: Any) -> Sight:
    """Return what a rule can see of them."""
    return Sight(spread=spread(**fields), alpha=alpha, power=power, allowed=allowed, falls=falls)


PLAIN: dict[str, Any] = {"is_unit": False, "is_binary": False}
"""Numbers of which nothing is known but how much they vary."""


@pytest.mark.parametrize("alpha", [0.05, 0.025, 0.05 / 24])
@pytest.mark.parametrize("loss", [0.05, 0.1, 0.3, 0.45])
@pytest.mark.parametrize("epochs", [1, 3])
def test_plain_numbers_take_as_many_rows_as_students_t(alpha: float, loss: float, epochs: int) -> None:
    deviation = math.sqrt(2 * 0.085 / epochs)
    oracle = TTestPower().solve_power(effect_size=loss / deviation, alpha=alpha, power=0.8, alternative="larger")
    rows = sight(alpha, **PLAIN).rows(loss, epochs=epochs)
    assert rows is not None
    least = least_flips(alpha, mid_p=False)
    assert abs(rows - oracle) <= 1.5 or rows in (least, least + 1)  # with the least of them, all must get worse


def exact_power(rows: int, worse: float, better: float, alpha: float) -> float:
    """Return how often McNemar's mid-p test finds a change with these chances of a flip each way, enumerated."""
    flips = worse + better
    power = 0.0
    for count in range(rows + 1):
        down = np.arange(count + 1)
        mid_p = binom.sf(down - 1, count, 0.5) - binom.pmf(down, count, 0.5) / 2
        found = mid_p < alpha if count else np.array([False])
        power += binom.pmf(count, rows, flips) * binom.pmf(down, count, worse / flips)[found].sum()
    return float(power)


@pytest.mark.parametrize(
    ("rows", "worse", "better"), [(1, 0.5, 0.1), (20, 0.5, 0.05), (20, 1.0, 0.0), (300, 0.1, 0.02)]
)
@pytest.mark.parametrize("alpha", [0.05, 0.05 / 24])
def test_the_power_of_mcnemars_test_is_exact(rows: int, worse: float, better: float, alpha: float) -> None:
    assert mcnemar_power(rows, worse, better, alpha=alpha) == pytest.approx(
        exact_power(rows, worse, better, alpha), abs=1e-9
    )


@pytest.mark.parametrize("alpha", [0.05, 0.025, 0.05 / 24])
@pytest.mark.parametrize("loss", [0.05, 0.1, 0.3])
@pytest.mark.parametrize(("mean", "within"), [(0.85, 0.085), (0.95, 0.001), (0.9, 0.0)])
def test_yes_or_no_rows_are_as_many_as_the_gates_test_needs(
    alpha: float, loss: float, mean: float, within: float
) -> None:
    """A row that was right goes wrong with chance loss/mean, on top of what flips by chance alone."""
    spoilt = loss / mean
    flips = (1 - spoilt) * 2 * within + loss
    rows = sight(alpha, mean=mean, within=within, between=mean * (1 - mean) - within).rows(loss)
    assert rows is not None
    assert 0.795 <= exact_power(rows, (flips + loss) / 2, (flips - loss) / 2, alpha) <= 0.845


def test_the_usual_formula_promises_too_much() -> None:
    """2.49²·ψ/δ² with the flips of unchanged runs, ψ, is 105 rows for 10 points: its power is far below 80 %."""
    usual = round(2.486**2 * 0.17 / 0.1**2)
    flips = (1 - 0.1 / 0.85) * 0.17 + 0.1
    assert exact_power(usual, (flips + 0.1) / 2, (flips - 0.1) / 2, 0.05) < 0.7
    assert (sight().rows(0.1) or 0) > 1.4 * usual


Answers = Callable[[random.Random, float], float]


def yes_or_no(draw: random.Random, chance: float) -> float:
    return float(draw.random() < chance)


def parts(draw: random.Random, chance: float) -> float:
    return sum(draw.random() < chance for _ in range(4)) / 4


def power_of(answer: Answers, rows: int, loss: float, *, epochs: int, alpha: float, bound: float) -> float:
    """Return the share of pairs of runs that fail by the gate; the drop spoils some rows wholly."""
    rule = Rule(suite="qa", metric="f1", kind="max_drop", bound=bound)
    settings = GateSettings(alpha=alpha)
    thresholds = Thresholds(suites={"qa": SuiteRules(name="qa", rules=(rule,), settings=settings)})
    draw, found, pairs = random.Random(11), 0, 300
    for _ in range(pairs):
        chances = [draw.betavariate(1.7, 0.3) for _ in range(rows)]
        lower = [0.0 if draw.random() < loss / 0.85 else chance for chance in chances]
        before, now = (list(run(answer, draw, each, epochs)) for each in (chances, lower))
        found += apply_gate(thresholds, now, baseline=Baseline(name="b", cases=before)).verdict == "fail"
    return found / pairs


def run(answer: Answers, draw: random.Random, chances: list[float], epochs: int) -> Iterator[JudgedCase]:
    for number, chance in enumerate(chances):
        for epoch in range(1, epochs + 1):
            yield JudgedCase(
                suite="qa",
                model="m",
                sample_id=f"s{number}",
                epoch=epoch,
                outcome="passed",
                input_digest="d",
                scores={"f1": answer(draw, chance)},
            )


@pytest.mark.parametrize(
    ("answer", "within", "loss", "epochs", "alpha", "bound"),
    [
        (yes_or_no, 0.085, 0.1, 1, 0.05, 0.02),
        (yes_or_no, 0.085, 0.1, 1, 0.05, 0.075),
        (yes_or_no, 0.085, 0.1, 3, 0.05, 0.0),
        (parts, 0.085 / 4, 0.1, 1, 0.05, 0.0),
        (parts, 0.085 / 4, 0.2, 1, 0.05 / 24, 0.0),
    ],
)
def test_the_planned_rows_see_the_drop_in_the_gate(
    answer: Answers, within: float, loss: float, epochs: int, alpha: float, bound: float
) -> None:
    """In 80 % of runs, and not many more; 300 pairs tell it to 7 points."""
    fields: dict[str, Any] = {"within": within, "is_binary": answer is yes_or_no}
    rows = sight(alpha, allowed=bound, **fields).rows(loss, epochs=epochs)
    assert rows is not None
    assert 0.73 <= power_of(answer, rows, loss, epochs=epochs, alpha=alpha, bound=bound) <= 0.93


def test_what_the_rule_lets_pass_is_not_seen() -> None:
    """Half of all runs with a drop of just what is allowed show more of it, whatever their size."""
    assert sight(allowed=0.05).rows(0.05) is None
    assert (sight(allowed=0.045).rows(0.05) or 0) > 10 * (sight().rows(0.05) or 0)
    assert (sight(allowed=0.2).least() or 0) > 0.2


def test_a_mean_cannot_get_worse_than_there_is_room_for() -> None:
    assert sight(mean=0.1).rows(0.2) is None
    assert sight(mean=0.9, falls=False).rows(0.2) is None
    assert sight(mean=0.1, falls=False).rows(0.2) is not None
    assert sight(mean=0.0).least() is None


def test_rows_that_get_worse_upwards_mirror_those_that_fall() -> None:
    assert sight(mean=0.15, falls=False).rows(0.1) == sight().rows(0.1)


def test_epochs_help_as_far_as_luck_goes() -> None:
    """What the drop itself does to the rows is left, so that 60 rows never see 5 points."""
    assert sight(n=1_000).epochs(0.05) == 1
    epochs = sight(n=90).epochs(0.1)
    assert epochs is not None
    assert epochs > 1
    assert (sight(n=90).rows(0.1, epochs=epochs) or 0) <= 90 < (sight().rows(0.1, epochs=epochs - 1) or 0)
    assert sight(n=60).epochs(0.05) is None
    assert (sight().rows(0.05, epochs=MOST_EPOCHS) or 0) > 60


def test_plain_numbers_that_never_varied_tell_nothing() -> None:
    assert sight(within=0, **PLAIN).rows(0.1) is None
    assert sight(within=0, **PLAIN).least() is None


def test_plain_numbers_have_no_end() -> None:
    least = sight(n=100, within=5e5, **PLAIN).least()
    assert least == pytest.approx(2.486 * 1000 / math.sqrt(100 - 1.353), rel=1e-3)


def test_yes_or_no_rows_that_never_flipped_are_seen_by_what_a_drop_does() -> None:
    rows = sight(within=0, between=0.1275).rows(0.1)
    assert rows is not None
    assert binom.sf(3, rows - 1, 0.1) < 0.8 <= binom.sf(3, rows, 0.1)  # four flips for the worse are below 5 %


def test_too_few_rows_see_nothing() -> None:
    assert sight(n=3).least() is None
    assert sight(n=3).epochs(0.8) is None


@pytest.mark.parametrize("alpha", [0.05, 0.0005])
def test_groups_of_dependent_rows_count_in_place_of_rows(alpha: float) -> None:
    """Design effect 2, five rows a group; and never fewer groups than the test needs."""
    alone, grouped = sight(alpha, is_binary=False), sight(alpha, groups=20, design=2.0)
    assert (grouped.rows(0.1) or 0) == pytest.approx(2 * (alone.rows(0.1) or 0), rel=0.15)
    assert (grouped.rows(0.85) or 0) >= 5 * least_groups(alpha)


@pytest.mark.parametrize("alpha", [1e-6, 1e-12, 1e-80])
def test_a_share_of_alpha_may_be_tiny(alpha: float) -> None:
    assert least_flips(alpha) <= (sight(alpha, within=0, mean=0.99, between=0.0099).rows(0.9) or 0) < 1_000


losses, alphas = st.floats(0.01, 0.84), st.floats(0.0005, 0.2)


@given(loss=losses, alpha=alphas, allowed=st.floats(0, 0.1))
def test_a_larger_drop_a_greater_alpha_and_less_power_take_no_more_rows(
    loss: float, alpha: float, allowed: float
) -> None:
    rows = sight(alpha, allowed=allowed).rows(loss)
    if rows is not None:
        assert (sight(alpha, allowed=allowed).rows(min(loss * 1.1, 0.85)) or 0) <= rows
        assert (sight(alpha * 1.1, allowed=allowed).rows(loss) or 0) <= rows
        assert (sight(alpha, power=0.7, allowed=allowed).rows(loss) or 0) <= rows
        assert (sight(alpha, allowed=allowed * 0.9).rows(loss) or 0) <= rows


@given(n=st.integers(4, 5_000), alpha=alphas, allowed=st.floats(0, 0.2), binary=st.booleans(), plain=st.booleans())
def test_the_least_drop_is_just_what_the_rows_see(
    n: int, alpha: float, allowed: float, binary: bool, plain: bool
) -> None:
    chosen = sight(alpha, allowed=allowed, n=n, **(PLAIN if plain else {"is_binary": binary}))
    least = chosen.least()
    if least is None:
        assert (chosen.rows(0.85) or math.inf) > n
        return
    assert (chosen.rows(least) or math.inf) <= n
    before = chosen.rows(max(least * (1 - 1e-3), allowed * (1 + 1e-12)))
    assert before is None or before > n or before in (least_flips(alpha), least_flips(alpha, mid_p=False))


@pytest.mark.parametrize("margin", [0.02, 0.05, 0.08])
def test_a_margin_takes_the_rows_of_the_usual_formula(margin: float) -> None:
    """n = 6.18·ψ/margin²: without a change nothing is spoilt."""
    assert rows_for_margin(spread(), margin, alpha=0.05, power=0.8) == pytest.approx(6.182 * 0.17 / margin**2, abs=2)
    assert rows_for_margin(spread(), margin, alpha=0.05, power=0.8, epochs=2) == pytest.approx(
        6.182 * 0.085 / margin**2, abs=1
    )


def test_rows_that_never_flip_still_leave_a_loss_of_three_in_n() -> None:
    """-ln(0.05)/n is below 0.05 from 60 rows on; a cluster is one row."""
    assert rows_for_margin(spread(within=0), 0.05, alpha=0.05, power=0.8) == 60
    assert rows_for_margin(spread(within=0, groups=50), 0.05, alpha=0.05, power=0.8) == 120


@given(n=st.integers(1, 5_000), within=st.floats(0, 0.25), alpha=alphas)
def test_the_least_margin_is_just_what_the_rows_judge(n: int, within: float, alpha: float) -> None:
    varied = spread(within=within, is_binary=False)
    margin = margin_needed(varied, alpha=alpha, power=0.8, n=n)
    assert rows_for_margin(varied, margin * 1.001, alpha=alpha, power=0.8) <= n
    assert rows_for_margin(varied, margin * 0.999, alpha=alpha, power=0.8) >= n


@pytest.mark.parametrize("flips", [1e-300, 0.01, 0.05])
def test_where_few_rows_flip_a_margin_takes_what_the_gate_itself_asks(flips: float) -> None:
    """Each number of flips either way, judged and weighed by how often it comes; one of a hundred is too much."""
    n, alpha = 40, 0.05
    passed = 0.0
    for worse, better in ((worse, better) for worse in range(7) for better in range(9)):
        chance = binom.pmf(worse + better, n, flips) * binom.pmf(worse, worse + better, 0.5)
        was, now = ([1.0] * worse + [0.0] * better), ([0.0] * worse + [1.0] * better)
        alike = [1.0] * (n - worse - better)
        found = verdict_of([*was, *alike], [*now, *alike], gate_rule("noninferior", 0.1))
        passed += chance * (found.verdict == "pass")
    assert margin_power(n, flips, 0.1, alpha=alpha) == pytest.approx(passed, abs=1e-3)
    varied = spread(n=n, within=flips / 2)
    margin = margin_needed(varied, alpha=alpha, power=0.8, n=n)
    assert margin_power(n, flips, margin, alpha=alpha) >= 0.8 > margin_power(n, flips, 0.999 * margin, alpha=alpha)
    needed = rows_for_margin(varied, 0.1, alpha=alpha, power=0.8)
    assert margin_power(needed, flips, 0.1, alpha=alpha) >= 0.8
    assert needed == 30 or margin_power(needed - 1, flips, 0.1, alpha=alpha) < 0.8


@pytest.mark.parametrize(("n", "within", "power"), [(4, 2 / 3, 0.8), (300, 0.01, 1 - 1e-12)])
def test_a_margin_that_no_rows_do_for_ends_the_search(n: int, within: float, power: float) -> None:
    """Four rows that all flipped give an estimate above 1, and no margin does in all but one of 10^12 runs."""
    assert 1 <= margin_needed(spread(n=n, within=within), alpha=0.05, power=power, n=n) < 4


def test_an_unchanged_run_passes_a_margin_with_the_planned_rows() -> None:
    """In 80 % of runs, by the gate."""
    rule = Rule(suite="qa", metric="f1", kind="noninferior", bound=0.08)
    thresholds = Thresholds(suites={"qa": SuiteRules(name="qa", rules=(rule,))})
    rows, draw, passed = rows_for_margin(spread(), 0.08, alpha=0.05, power=0.8), random.Random(3), 0
    for _ in range(300):
        chances = [draw.betavariate(1.7, 0.3) for _ in range(rows)]
        before, now = (list(run(yes_or_no, draw, chances, 1)) for _ in range(2))
        passed += apply_gate(thresholds, now, baseline=Baseline(name="b", cases=before)).verdict == "pass"
    assert 0.73 <= passed / 300 <= 0.88


def test_the_sight_of_a_run_with_epochs_is_that_of_its_epochs() -> None:
    one, three = sight(is_binary=False), sight(is_binary=False, epochs=3)
    assert (three.least() or 1) < (one.least() or 0)
    assert replace(three, spread=spread(is_binary=False)).least() == one.least()
