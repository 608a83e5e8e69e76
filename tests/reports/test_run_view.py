"""What a run comes to beside its rules: the numbers of its metrics stay what they are."""

from typing import Any

import pytest

from pytest_llmeval.core.gate.judging import Verdict
from pytest_llmeval.reports.run_view import SuiteView
from tests.reports.sample_run import view


def rule(text: str, **fields: Any) -> Verdict:
    """Return what a rule on ``json_match`` of the small model came to; its plain mean over four rows is 0.625."""
    made = {"suite": "extraction", "model": "small", "metric": "json_match", "slice": None, "verdict": "pass"}
    return Verdict(**{**made, "rule": text, **fields})


def extraction(*verdicts: Verdict) -> SuiteView:
    return next(suite for suite in view(verdicts=list(verdicts)).suites if suite.name == "extraction")


@pytest.mark.parametrize(
    "found",
    [
        rule("pass_at {k: 2, min: 0.5}", value=0.9, n=4),
        rule("max_drop=0", value=0.5, n=2, low=-0.3, high=0.1, delta=-0.1),
        rule("max_drop=0", verdict="unmeasurable", reason="no row has a value in both runs"),
    ],
)
def test_the_number_of_a_metric_does_not_depend_on_its_rules(found: Verdict) -> None:
    """What a rule is about, pass@k or the rows that pair, stands in its own row."""
    suite = extraction(found)
    assert suite.numbers == extraction().numbers
    (own,) = [row for row in suite.numbers if (row.model, row.slice, row.metric) == ("small", None, "json_match")]
    assert (own.n, own.value, own.rule) == (4, 0.625, None)


def test_a_rule_without_a_value_shows_that_of_its_metric() -> None:
    """A baseline that is gone takes no number away."""
    (row,) = [row for row in extraction(rule("max_drop=0", verdict="unmeasurable", reason="why")).rows if row.rule]
    assert (row.n, row.value, row.verdict, row.reason) == (4, 0.625, "unmeasurable", "why")
    assert row.low is not None and row.high is not None and row.delta is None


def test_what_is_no_score_has_the_numbers_of_its_rules() -> None:
    latency = rule("max_p95=5", metric="latency_s", value=2.0, n=4)
    assert extraction(latency).numbers == (*extraction().numbers, extraction(latency).rows[-1])


@pytest.mark.parametrize("metric", ["latency_s", "cost_usd", "error_rate", "correctnes"])
def test_what_is_no_score_has_the_errors_of_its_cases(metric: str) -> None:
    """Not none of them, beside a rate of errors."""
    found = rule("max=1", suite="qa", model="large", metric=metric, value=0.8, n=5)
    (qa,) = [suite for suite in view(verdicts=[found]).suites if suite.name == "qa"]
    assert qa.outcomes["error"] == 4
    assert [row.errors for row in (*qa.rows, *qa.numbers) if row.metric == metric] == [4, 4]
