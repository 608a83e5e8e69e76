"""``judge:`` in thresholds.yaml: what a judge must be worth before its scores may gate."""

from pathlib import Path

import pytest

from pytest_llmeval.core.rules import JudgeDemands
from tests.loaders.test_thresholds import load, problems, suite

ALL = "{min_kappa: 0.6, min_labels: 100, max_age_days: 90, min_specificity: 0.7}"


def test_every_demand_is_read_into_each_rule_of_the_metric(tmp_path: Path) -> None:
    rules = load(tmp_path, suite(f"c: {{min: 0.8, max_drop: 0.1, judge: {ALL}}}\nf1: {{min: 0.8}}")).suites["qa"].rules
    wanted = JudgeDemands(min_kappa=0.6, min_labels=100, max_age_days=90, min_specificity=0.7)
    assert [(rule.text, rule.judge) for rule in rules] == [
        ("min=0.8", wanted),
        ("max_drop=0.1", wanted),
        ("min=0.8", None),
    ]


def test_a_slice_follows_its_suite_or_says_its_own(tmp_path: Path) -> None:
    """Wherever in the file the suite's rule stands."""
    body = """\
slices:
  easy: {c: {min: 0.9}, f1: {min: 0.9}}
  hard: {c: {min: 0.6, judge: {min_labels: 20}}}
c: {min: 0.8, judge: {min_kappa: 0.5}}"""
    rules = load(tmp_path, suite(body)).suites["qa"].rules
    assert {(rule.slice, rule.metric): rule.judge for rule in rules} == {
        ("easy", "c"): JudgeDemands(min_kappa=0.5),
        ("easy", "f1"): None,
        ("hard", "c"): JudgeDemands(min_labels=20),
        (None, "c"): JudgeDemands(min_kappa=0.5),
    }


@pytest.mark.parametrize("demand", ["min_kappa: -1", "min_kappa: 1", "min_specificity: 0", "min_specificity: 1"])
def test_the_ends_of_each_range_are_in_it(tmp_path: Path, demand: str) -> None:
    (rule,) = load(tmp_path, suite(f"c: {{min: 0.8, judge: {{{demand}}}}}")).suites["qa"].rules
    assert rule.judge is not None


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("c: {min: 0.8, judge: {kappa: 1}}", "c.judge.kappa: unknown key 'kappa'; did you mean 'min_kappa'?"),
        ("c: {min: 0.8, judge: 3}", "c.judge: found 3; write a mapping such as {min_kappa: 0.6}"),
        ("c: {min: 0.8, judge: }", "c.judge: has no value; write one, or take the key out"),
        ("c: {min: 0.8, judge: {}}", "c.judge: has no effect; write one such as {min_kappa: 0.6}"),
        ("c: {judge: {min_kappa: 0.6}}", "c: has no bound; write one such as {min: 0.8}"),
        ("c: {min: 0.8, judge: {min_kappa: 60}}", "c.judge.min_kappa: found 60; write a number in -1..1"),
        ("c: {min: 0.8, judge: {min_kappa: -1.1}}", "c.judge.min_kappa: found -1.1; write a number in -1..1"),
        (
            "c: {min: 0.8, judge: {min_kappa: 60%}}",
            "c.judge.min_kappa: found the string '60%'; write 0.6, not 60% (and no quotes)",
        ),
        ("c: {min: 0.8, judge: {min_labels: 0}}", "c.judge.min_labels: found 0; write a whole number from 1 up"),
        ("c: {min: 0.8, judge: {min_labels: 9.5}}", "c.judge.min_labels: found 9.5; write a whole number from 1 up"),
        ("c: {min: 0.8, judge: {max_age_days: 0}}", "c.judge.max_age_days: found 0; write a whole number from 1 up"),
        ("c: {min: 0.8, judge: {min_specificity: 2}}", "c.judge.min_specificity: found 2; write a number in 0..1"),
        (
            "pass_rate: {min: 0.8, judge: {min_kappa: 0.6}}",
            "pass_rate.judge: pass_rate is not a score of a judge; demand it of one that is",
        ),
        (
            "latency_s: {max_p95: 5, judge: {min_kappa: 0.6}}",
            "latency_s.judge: latency_s is not a score of a judge; demand it of one that is",
        ),
    ],
)
def test_a_demand_that_is_none_is_refused_with_its_line(tmp_path: Path, rule: str, message: str) -> None:
    assert problems(tmp_path, suite(rule)) == [f"thresholds.yaml:4: suites.qa.{message}"]
