"""``mode: noninferior`` with too few rows is told beforehand; held against how often the gate fails it."""

import random
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from pytest_llmeval.core.gate.baseline import Baseline
from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.gate.judging import apply_gate
from pytest_llmeval.core.gate.sizes import SuiteSize
from pytest_llmeval.core.planning.margins import has_margins, unjudgeable
from pytest_llmeval.core.rules import GateSettings, Rule, SuiteRules, Thresholds


def margin(bound: float, **fields: Any) -> Thresholds:
    rule = Rule(**{"suite": "qa", "metric": "f1", "kind": "noninferior", "bound": bound, "line": 5, **fields})
    return Thresholds(suites={"qa": SuiteRules(name="qa", rules=(rule,))})


def size(rows: int, **fields: Any) -> dict[str, SuiteSize]:
    return {"qa": SuiteSize(**{"models": ("m",), "rows": {None: rows, "hard": rows}, **fields})}


def answers(rows: int, epochs: int = 1, *, seed: int = 1, model: str = "m", luck: float = 1.0) -> list[JudgedCase]:
    """Return rows that are right with chance Beta(1.7, 0.3); ``luck`` 0 leaves nothing of them to chance."""
    own, draw = random.Random(0), random.Random(seed)
    chances = [own.betavariate(1.7, 0.3) for _ in range(rows)]
    return [
        JudgedCase(
            suite="qa",
            model=model,
            sample_id=f"s{number}",
            epoch=epoch,
            slices=("hard",),
            outcome="passed",
            input_digest="d",
            scores={"f1": float((draw.random() if luck else 0.5) < chance)},
        )
        for number, chance in enumerate(chances)
        for epoch in range(1, epochs + 1)
    ]


def base(cases: Iterable[JudgedCase], **fields: Any) -> Baseline:
    return Baseline(name="main", cases=list(cases), **fields)


def test_a_margin_that_the_rows_cannot_judge_is_refused_with_what_it_takes() -> None:
    (message,) = unjudgeable(margin(0.05), size(100), base(answers(100, epochs=2)))
    start, end = message.split("; ")
    assert start == (
        "thresholds.yaml:5: suites.qa.f1.mode: noninferior with margin 0.05 cannot be judged with 100 rows: it would"
        " fail more than one in five runs in which nothing changed"
    )
    rows, wide = (word for word in end.split() if word[0].isdigit())
    assert unjudgeable(margin(0.05), size(int(rows) + 20), base(answers(int(rows) + 20, epochs=2))) == []
    assert unjudgeable(margin(float(wide) + 0.01), size(100), base(answers(100, epochs=2))) == []


@pytest.mark.parametrize("rows", [60, 100, 500])
def test_what_is_refused_is_what_the_gate_fails_too_often(rows: int) -> None:
    """In more than one of five unchanged pairs, and not where it is not refused; 0.05 is near neither limit."""
    refused = bool(unjudgeable(margin(0.05), size(rows), base(answers(rows, epochs=2))))
    pairs = [(answers(rows, 2, seed=number), answers(rows, seed=1_000 + number)) for number in range(100)]
    failed = sum(apply_gate(margin(0.05), now, baseline=base(was)).verdict == "fail" for was, now in pairs)
    assert refused is (failed > 20)


def test_epochs_of_the_session_make_up_for_rows() -> None:
    before = answers(100, epochs=8)
    assert unjudgeable(margin(0.06), size(100), base(before))
    assert unjudgeable(margin(0.06), size(100, epochs=8), base(before)) == []


def test_a_baseline_of_one_epoch_is_given_the_benefit_of_the_doubt() -> None:
    """Rows are taken to correlate by 0.7; below three in n nothing passes, whatever they do."""
    assert unjudgeable(margin(0.08), size(100), base(answers(100, epochs=2)))
    assert unjudgeable(margin(0.08), size(100), base(answers(100))) == []
    (message,) = unjudgeable(margin(0.02), size(100), base(answers(100)))
    assert message.endswith("; at least, as the baseline has one epoch only")


def test_where_few_rows_flip_one_that_got_worse_is_already_too_much() -> None:
    """99 of 100 right: one row more that is wrong, and the loss may be up to 0.0466."""
    before = [replace(case, scores={"f1": float(number > 0)}) for number, case in enumerate(answers(100))]
    (message,) = unjudgeable(margin(0.03), size(100), base(before))
    assert "about 157 rows or a margin of 0.047 are needed" in message
    assert unjudgeable(margin(0.05), size(100), base(before)) == []


def test_answers_that_never_vary_need_three_in_n() -> None:
    before = answers(59, epochs=2, luck=0.0)
    (message,) = unjudgeable(margin(0.05), size(59), base(before))
    assert "about 60 rows or a margin of 0.051 are needed" in message
    assert unjudgeable(margin(0.05), size(60), base(answers(60, epochs=2, luck=0.0))) == []


def test_of_a_number_of_the_calls_only_what_varies_counts() -> None:
    """Three in n is a share, and no dollar."""
    draw = random.Random(5)
    costs = [replace(case, cost_usd=draw.uniform(0.0003, 0.0004)) for case in answers(60, epochs=2)]
    assert unjudgeable(margin(0.0005, metric="cost_usd"), size(60), base(costs)) == []
    (message,) = unjudgeable(margin(0.000005, metric="cost_usd"), size(60), base(costs))
    assert message.endswith("or a margin of 1.3e-05 are needed")


def test_only_rows_of_both_runs_count() -> None:
    assert unjudgeable(margin(0.05), size(5_000), base(answers(100, epochs=2)))
    assert unjudgeable(margin(0.05), size(1), base(answers(600, epochs=2)))[0].count("with 1 row:") == 1


@pytest.mark.parametrize(
    ("thresholds", "sizes", "baseline"),
    [
        (margin(0.01), {}, base(answers(100))),
        (margin(0.01, slice="easy"), size(100), base(answers(100))),
        (margin(0.01, model="n"), size(100), base(answers(100))),
        (margin(0.01), size(100), base([])),
        (margin(0.01), size(100), base(answers(100), model="n")),
        (margin(0.01, metric="exact"), size(100), base(answers(100))),
        (margin(0.01, kind="max_drop"), size(100), base(answers(100))),
        (margin(0.01, slice="hard"), {"qa": SuiteSize(models=("m",), rows={None: 100})}, base(answers(100))),
    ],
)
def test_what_is_not_judged_is_not_refused(
    thresholds: Thresholds, sizes: dict[str, SuiteSize], baseline: Baseline
) -> None:
    assert unjudgeable(thresholds, sizes, baseline) == []


def test_another_model_of_the_baseline_is_compared_where_it_is_the_only_one() -> None:
    assert unjudgeable(margin(0.01), size(100), base(answers(100, model="old")))
    both = [*answers(100, model="old"), *answers(100, model="older")]
    assert unjudgeable(margin(0.01), size(100), base(both)) == []


def test_a_rule_on_several_models_is_told_once_where_they_need_the_same() -> None:
    sizes = size(100, models=("m", "n"))
    assert len(unjudgeable(margin(0.01), sizes, base([*answers(100), *answers(100, model="n")]))) == 1


def test_two_looks_halve_alpha() -> None:
    (rule,) = margin(0.0645).suites["qa"].rules
    settings = GateSettings(on_inconclusive="escalate")
    escalating = Thresholds(suites={"qa": SuiteRules(name="qa", rules=(rule,), settings=settings)})
    before = answers(150, epochs=20)
    assert unjudgeable(margin(0.0645), size(150), base(before)) == []
    assert unjudgeable(escalating, size(150), base(before))


def test_margins_are_found() -> None:
    assert has_margins(margin(0.05))
    assert not has_margins(margin(0.05, kind="max_drop"))
