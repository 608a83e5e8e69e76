"""Laws of the gate, over any run."""

import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pytest_llmeval.core.gate.baseline import Baseline
from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.gate.judging import Verdict, apply_gate
from pytest_llmeval.core.rules import GateSettings, Rule, RuleKind, SuiteRules, Thresholds

KINDS: tuple[RuleKind, ...] = (
    "min",
    "max",
    "min_lower",
    "every",
    "max_p50",
    "max_p95",
    "max_total",
    "pass_at",
)


def case(**fields: Any) -> JudgedCase:
    """Return a case of suite ``qa``."""
    return JudgedCase(suite="qa", **fields)


cases = st.lists(
    st.builds(
        case,
        model=st.sampled_from(["m", "n"]),
        sample_id=st.sampled_from("abcd"),
        epoch=st.integers(1, 3),
        outcome=st.sampled_from(["passed", "passed", "passed", "missed", "error", "skipped"]),
        error_kind=st.sampled_from(["connection", "timeout", "budget"]),
        slices=st.sampled_from([(), ("hard",)]),
        scores=st.dictionaries(st.just("f1"), st.sampled_from([0.0, 0.25, 0.5, 1.0, 1.0, 3.0]) | st.none()),
        latency_s=st.sampled_from([0.05, 0.1, 0.3, 0.9, 0.9, 2.5]) | st.none(),
        cached=st.sampled_from([False, False, False, True]),
    ),
    max_size=30,
)
rules = st.builds(
    Rule,
    suite=st.just("qa"),
    metric=st.sampled_from(["f1", "pass_rate", "error_rate", "latency_s"]),
    kind=st.sampled_from(KINDS),
    bound=st.sampled_from([0.1, 0.5, 0.9]),
    k=st.integers(1, 2),
    slice=st.sampled_from([None, "hard"]),
)


def verdicts(rule: Rule, run: list[JudgedCase]) -> tuple[Verdict, ...]:
    """Return what the gate says of one rule in a run that stands many errors."""
    suite = SuiteRules(name="qa", rules=(rule,), settings=GateSettings(max_error_rate=0.4))
    return apply_gate(Thresholds(suites={"qa": suite}), run).verdicts


@given(rules, cases, st.randoms())
def test_the_order_of_cases_never_changes_a_verdict(rule: Rule, run: list[JudgedCase], shuffler: random.Random) -> None:
    """Not even a digit of it."""
    shuffled = list(run)
    shuffler.shuffle(shuffled)
    assert verdicts(rule, shuffled) == verdicts(rule, run)


RANK = {"fail": 0, "inconclusive": 1, "unmeasurable": 1, "not_judged": 1, "pass": 2}


@given(rules, cases, st.floats(0, 2))
def test_a_stricter_threshold_never_brightens_a_verdict(rule: Rule, run: list[JudgedCase], step: float) -> None:
    """A higher floor or a lower ceiling: fail stays fail, and nothing turns into a pass."""
    sign = 1 if rule.kind in ("min", "min_lower", "pass_at") else -1
    stricter = replace(rule, bound=(rule.bound or 0) + sign * step)
    for before, after in zip(verdicts(rule, run), verdicts(stricter, run), strict=True):
        assert RANK[after.verdict] <= RANK[before.verdict]


@given(rules, cases)
def test_an_error_never_turns_anything_into_a_pass(rule: Rule, run: list[JudgedCase]) -> None:
    """More errors decide less, and move no value; an error rate is what they are."""
    if rule.metric == "error_rate":
        return
    lost = [case(model="m", sample_id="z", outcome="error", error_kind="connection") for _ in range(3)]
    before = {(verdict.model, verdict.metric): verdict for verdict in verdicts(rule, run)}
    for verdict in verdicts(rule, run + lost):
        earlier = before.get((verdict.model, verdict.metric))
        if earlier is not None and verdict.metric != "error_rate" and verdict.verdict == "pass":
            assert earlier.verdict == "pass"
            assert earlier.value == verdict.value


@given(rules, cases)
def test_a_verdict_holds_no_number_that_is_not_finite(rule: Rule, run: list[JudgedCase]) -> None:
    """And low <= value <= high where there is an interval."""
    for verdict in verdicts(rule, run):
        for number in (verdict.value, verdict.low, verdict.high):
            assert number is None or abs(number) < 1e12
        if verdict.value is not None and verdict.low is not None and verdict.high is not None:
            assert verdict.low <= verdict.value <= verdict.high


grouped_rows = st.lists(
    st.tuples(st.booleans(), st.sampled_from("uvwxyz"), st.sampled_from([False, False, False, True])),
    min_size=8,
    max_size=16,
).filter(lambda rows: sum(lost for *_, lost in rows) <= 4)
grouped_rules = st.builds(
    Rule,
    suite=st.just("qa"),
    metric=st.just("pass_rate"),
    kind=st.sampled_from(["min_lower", "min", "max_drop"]),
    bound=st.sampled_from([0.05, 0.25, 0.4, 0.6]),
    confident=st.just(False),
)


def judged_rows(rule: Rule, rows: Sequence[tuple[bool, str, bool]], fill: Sequence[bool] | None = None) -> Verdict:
    """Return the verdict of one rule on rows of clusters, the lost ones with the outcomes of ``fill``.

    Each row passed in the baseline, where the rule compares with one.
    """
    left = iter(fill or ())
    run, before = [], []
    for number, (passes, cluster, is_lost) in enumerate(rows):
        fields: dict[str, Any] = {"model": "m", "sample_id": f"{number:02}", "cluster": cluster, "input_digest": "d"}
        before.append(case(outcome="passed", **fields))
        if is_lost and fill is None:
            run.append(case(outcome="error", error_kind="code", **fields))
        else:
            run.append(case(outcome="passed" if (next(left) if is_lost else passes) else "missed", **fields))
    settings = GateSettings(max_error_rate=1.0)
    suite = SuiteRules(name="qa", rules=(replace(rule, confident=rule.kind == "min"),), settings=settings)
    baseline = Baseline(name="main", cases=before) if rule.kind == "max_drop" else None
    return apply_gate(Thresholds(suites={"qa": suite}), run, baseline=baseline).verdicts[0]


@given(grouped_rules, grouped_rows)
def test_a_rule_is_decided_with_few_missing_only_where_it_is_whatever_they_are(
    rule: Rule, rows: list[tuple[bool, str, bool]]
) -> None:
    """Of dependent rows it matters which of them are missing, and not how many alone."""
    verdict = judged_rows(rule, rows)
    if verdict.verdict in ("pass", "fail"):
        for fill in product((False, True), repeat=sum(lost for *_, lost in rows)):
            assert judged_rows(rule, rows, fill).verdict == verdict.verdict


@given(grouped_rules, grouped_rows, st.randoms())
def test_the_order_of_rows_of_clusters_never_changes_a_verdict(
    rule: Rule, rows: list[tuple[bool, str, bool]], shuffler: random.Random
) -> None:
    """However many answers are missing."""
    fields: list[dict[str, Any]] = [
        {
            "model": "m",
            "sample_id": f"{number:02}",
            "cluster": cluster,
            "outcome": "error" if is_lost else "passed" if passes else "missed",
            "error_kind": "code" if is_lost else None,
        }
        for number, (passes, cluster, is_lost) in enumerate(rows * 3)
    ]
    run = [case(**each) for each in fields]
    shuffled = list(run)
    shuffler.shuffle(shuffled)
    suite = SuiteRules(name="qa", rules=(replace(rule, kind="min_lower"),), settings=GateSettings(max_error_rate=1.0))
    rules_ = Thresholds(suites={"qa": suite})
    assert apply_gate(rules_, shuffled).verdicts == apply_gate(rules_, run).verdicts
