"""The charts of a run on its page and in the report of pytest-html."""

from typing import Any

import pytest

from pytest_llmeval.core.gate.judging import Verdict
from pytest_llmeval.core.rules import Rule, RuleKind, SuiteRules, Thresholds
from pytest_llmeval.reports.html.run_charts import run_charts
from pytest_llmeval.reports.run_view import RunCases, view_run
from pytest_llmeval.view.figures import suite_charts
from tests.reports.sides import judged
from tests.support.stored_runs import END, run


@pytest.mark.parametrize(("kind", "is_drawn"), [("min", True), ("max", True), ("min_lower", False), ("every", False)])
def test_a_goal_is_drawn_of_a_rule_on_the_value_itself_in_both_alike(kind: RuleKind, is_drawn: bool) -> None:
    """A bar that lies well past it in the colour of a failure would say the opposite of its rule."""
    rule = Rule(suite="qa", metric="f1", kind=kind, bound=None if kind == "every" else 0.7)
    verdict = Verdict(suite="qa", model="m", metric="f1", slice=None, rule=rule.text, value=0.73, n=2, verdict="fail")
    cases = [judged("a", 0.73), judged("b", 0.73)]
    view = view_run(run(end=END), RunCases(judged=cases), [verdict])
    (chart, *_) = (figure for figure in suite_charts(view, {})["qa"] if "<b>f1</b>" in figure)
    rules = Thresholds(suites={"qa": SuiteRules(name="qa", rules=(rule,))})
    report = run_charts(view, {("qa", "m"): cases}, {}, {"qa": "f1"}, rules)["qa"]
    for page in (chart, report):
        assert ("le-goal" in page, "bar 0.7, fail" in page) == (is_drawn, is_drawn)
        assert "le-bad" in page


def test_what_stands_beside_a_bar_is_what_its_rule_came_to() -> None:
    """A rule that came to something worse is named, and gives the colour."""
    bounds: dict[RuleKind, float] = {"min": 0.7, "max_drop": 0.02}
    rules = [Rule(suite="qa", metric="f1", kind=kind, bound=bound) for kind, bound in bounds.items()]
    about: dict[str, Any] = {"suite": "qa", "model": "m", "metric": "f1", "slice": None, "value": 0.73, "n": 2}
    verdicts = [
        Verdict(**about, rule=rules[0].text, verdict="pass"),
        Verdict(**about, rule=rules[1].text, verdict="fail", delta=-0.2),
    ]
    cases = [judged("a", 0.73), judged("b", 0.73)]
    view = view_run(run(end=END), RunCases(judged=cases), verdicts)
    (chart, *_) = (figure for figure in suite_charts(view, {})["qa"] if "<b>f1</b>" in figure)
    ruled = Thresholds(suites={"qa": SuiteRules(name="qa", rules=tuple(rules))})
    report = run_charts(view, {("qa", "m"): cases}, {}, {"qa": "f1"}, ruled)["qa"]
    for page in (chart, report):
        assert "bar 0.7, pass, max_drop=0.02 fail" in page
        assert "le-bad" in page


def test_what_counts_nowhere_is_in_no_histogram() -> None:
    """Cases that were expected to fail: the table beside it leaves them out, too."""
    counted = [judged(each, 0.9) for each in range(3)]
    nowhere = [judged(f"x{each}", 0.1, outcome="skipped", latency_s=50.0) for each in range(4)]
    cases = [*counted, *nowhere]
    view = view_run(run(end=END), RunCases(judged=cases), [])
    report = run_charts(view, {("qa", "m"): cases}, {}, {"qa": "f1"}, Thresholds())["qa"]
    assert "3 values, median 0.9" in report
    assert "3 cases, median 1 s, 95th percentile 1 s" in report
