"""What the session of a run said of it, before what changed: no green headline beside a red check."""

import os
from dataclasses import replace
from typing import Any

import pytest

from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.gate.judging import SessionVerdict, Verdict
from pytest_llmeval.core.rules import Thresholds
from pytest_llmeval.reports.comparison import Comparison, compare
from pytest_llmeval.reports.comparison_markdown import comparison_markdown
from pytest_llmeval.reports.comparison_text import comparison_lines
from pytest_llmeval.reports.own_gate import gate_headline, gate_lines, own_gate, worse_mark
from pytest_llmeval.store.processes import process_started
from pytest_llmeval.store.records import FAILED_TESTS, Run
from tests.reports.sides import MISSED, judged, side
from tests.support.stored_runs import END, run

FELL = replace(MISSED, rule="max_drop=0.02", baseline_value=0.97, value=0.8, p_value=0.0031, reason="0.97 to 0.8")
UNSURE = replace(FELL, verdict="inconclusive", value=0.96, p_value=0.24)
OPEN = replace(UNSURE, is_open=True, reason="2 cases without a value leave it open")


def ended(verdict: SessionVerdict, status: int, **fields: Any) -> Run:
    """Return a run whose session came to a verdict and a status."""
    return run(end=replace(END, verdict=verdict, exit_code=status), **fields)


def compared(
    found: Run, verdicts: list[Verdict], *, worse: bool = False, cases: list[JudgedCase] | None = None
) -> Comparison:
    """Return a comparison of twenty rows, which are as good as before, or all worse."""
    before = [judged(number, 1.0) for number in range(20)]
    now = [judged(number, 0.0 if worse else 1.0) for number in range(20)]
    gate = own_gate(found, verdicts, model=None, cases=cases or [])
    return compare(side("main", before), side("now", now), Thresholds(), set_up=[], gate=gate)


def heading(comparison: Comparison) -> str:
    return comparison_markdown(comparison).splitlines()[0]


def test_a_missed_bar_stands_before_a_comparison_in_which_nothing_got_worse() -> None:
    found = compared(ended("fail", 1), [MISSED, replace(MISSED, metric="f1", verdict="pass")])
    text = comparison_markdown(found)
    assert text.startswith(
        "### ❌ llmeval: gate FAIL: tickets json\\_match min=0.99 is 0.95, below 0.99\n\n"
        "compared with main: PASS: nothing got worse"
    )
    assert comparison_lines(found, width=80)[:3] == [
        "gate FAIL: tickets json_match min=0.99 is 0.95, below 0.99",
        "compared with main: PASS: nothing got worse beyond what chance explains or the",
        "  rules allow, in 1 comparison",
    ]
    assert (found.verdict, found.exit_code) == ("pass", 0)


def test_both_green_are_green() -> None:
    assert heading(compared(ended("pass", 0), [])).startswith("### ✅ llmeval: PASS: nothing got worse")


@pytest.mark.parametrize(
    ("verdict", "status", "verdicts", "told"),
    [
        ("fail", 1, [FELL], "❌ llmeval: gate FAIL: tickets json\\_match max\\_drop=0.02: 0.97 to 0.8 (p 0.0031)"),
        ("inconclusive", 0, [UNSURE], "❔ llmeval: gate INCONCLUSIVE, which the rules let pass: tickets json\\_match"),
        ("inconclusive", 1, [UNSURE], "❌ llmeval: gate INCONCLUSIVE, which fails the run: tickets json\\_match"),
        ("unmeasurable", 10, [OPEN], "⚠️ llmeval: gate UNMEASURABLE: tickets json\\_match max\\_drop=0.02: 2 cases"),
        ("unmeasurable", 10, [], "⚠️ llmeval: gate UNMEASURABLE: answers are missing"),
        ("none", 1, [], "❌ llmeval: FAIL: the session ended with status 1, though no rule failed"),
        ("pass", 1, [], "❌ llmeval: FAIL: the session ended with status 1, though no rule failed"),
        ("pass", 6, [], "❌ llmeval: FAIL: the session ended with status 6, though no rule says so"),
        ("none", 10, [], "⚠️ llmeval: UNMEASURABLE: the session ended with status 10, though no rule says so"),
        ("none", 0, [], "✅ llmeval: PASS: nothing got worse"),
    ],
)
def test_the_headline_is_no_better_than_the_session(
    verdict: SessionVerdict, status: int, verdicts: list[Verdict], told: str
) -> None:
    assert heading(compared(ended(verdict, status), verdicts)).startswith(f"### {told}")


def test_what_got_worse_stays_red_whatever_the_gate_said() -> None:
    """A gate that passes is not told of then; one that is unsure stands first, and the mark is the worse one."""
    assert heading(compared(ended("pass", 0), [], worse=True)).startswith("### ❌ llmeval: FAIL: qa f1 got worse")
    assert heading(compared(ended("none", 1), [], worse=True)).startswith("### ❌ llmeval: FAIL: qa f1 got worse")
    unsure = comparison_markdown(compared(ended("inconclusive", 0), [UNSURE], worse=True))
    assert unsure.startswith("### ❌ llmeval: gate INCONCLUSIVE") and "compared with main: FAIL: qa f1" in unsure


def test_several_rules_are_listed_the_worst_first() -> None:
    rules = [UNSURE, *(replace(MISSED, slice=f"s{number:02}") for number in range(12))]
    found = compared(ended("fail", 1), rules)
    text = comparison_markdown(found)
    assert heading(found).endswith("json\\_match \\[s00\\] min=0.99 is 0.95, below 0.99, and 12 more")
    assert text.count("\n- fail: ") == 10 and "\n- and 3 more; llmeval show has them\n" in text
    assert "  fail: tickets json_match [s01] min=0.99 is 0.95, below 0.99" in comparison_lines(found, width=80)


def test_a_run_that_left_out_cases_is_called_partial() -> None:
    found = ended("fail", 1, settings={"partial": True, "suites": {"tickets": {"left_out": ["--limit"]}}})
    assert "gate FAIL of a partial run: tickets" in heading(compared(found, [MISSED]))


def test_a_shard_is_not_judged() -> None:
    found = ended("none", 0, settings={"shard": "1/3"})
    assert heading(compared(found, [])).startswith("### ➖ llmeval: shard 1/3, not judged; llmeval merge joins")


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (run(process_started=process_started(os.getpid())), "the run is still running"),
        (run(pid=2**22 - 1), "the run crashed"),
        (run(end=replace(END, status="interrupted", exit_code=2, verdict="none")), "the run was interrupted"),
    ],
)
def test_a_run_that_did_not_end_is_not_green(found: Run, told: str) -> None:
    assert heading(compared(found, [])).startswith(f"### ⚠️ llmeval: {told} and is not judged")


def test_a_run_of_a_file_has_no_rules_to_name() -> None:
    found = compared(ended("fail", 1, host=""), [])
    assert "gate FAIL where it was recorded, whose rules are not in the file" in heading(found)


def test_the_tests_that_failed_are_named() -> None:
    found = ended("pass", 1, settings={FAILED_TESTS: ["tests/test_a.py::test_x"]})
    told = "the session ended with status 1: tests/test\\_a.py::test\\_x failed"
    assert heading(compared(found, [])) == f"### ❌ llmeval: FAIL: {told}"


@pytest.mark.parametrize("verdict", ["inconclusive", "unmeasurable", "pass", "none"])
def test_what_failed_the_session_beside_its_rules_is_named_and_not_they(verdict: SessionVerdict) -> None:
    """A rule on latency alone leaves a suite without rules; what has rules, and was not paid for, fails nothing."""
    missed = [judged(1, 0.0, suite=name) for name in ("faq", "agent", "tickets")]
    unpaid = judged(2, suite="poor", outcome="error", error_kind="budget")
    latency = replace(MISSED, suite="faq", metric="latency_s", rule="max_p95=5", verdict="pass")
    rules = [replace(UNSURE, verdict=verdict)] if verdict in ("inconclusive", "unmeasurable") else []
    ruled = replace(MISSED, verdict="pass")
    found = compared(ended(verdict, 1), [*rules, ruled, latency], cases=[*missed, unpaid])
    strict = (
        "; inconclusive rules fail a session only with on\\_inconclusive: fail" if verdict == "inconclusive" else ""
    )
    assert heading(found) == (
        "### ❌ llmeval: FAIL: the session ended with status 1: misses or errors in suites without rules (agent, faq)"
        + strict
    )
    lines = gate_lines(found.gate)
    assert [each.startswith(f"{verdict}: tickets json_match max_drop=0.02") for each in lines] == [True] * len(rules)


def test_an_error_of_a_suite_without_rules_stands_beside_a_test_that_failed() -> None:
    broken = judged(1, suite="faq", outcome="error", error_kind="code")
    found = ended("unmeasurable", 1, settings={FAILED_TESTS: ["tests/test_a.py::test_x"]})
    told = "tests/test\\_a.py::test\\_x failed, and misses or errors in a suite without rules (faq)"
    assert heading(compared(found, [], cases=[broken])).endswith(f"status 1: {told}")


def test_of_several_models_the_rules_of_the_one_that_takes_part_count() -> None:
    """The status of the session is about the other one, too."""
    found = ended("fail", 1, models=("big", "small"))
    rules = [replace(MISSED, model="big"), replace(MISSED, model="small", verdict="pass")]
    small, big = (own_gate(found, rules, model=name) for name in ("small", "big"))
    assert (small.mark, gate_headline(small, "pass")) == ("pass", None)
    assert (big.mark, big.exit_code) == ("fail", None)
    both = gate_headline(own_gate(found, rules, model=None), "pass")
    assert both == "gate FAIL: tickets json_match min=0.99 is 0.95, below 0.99 on big"


def test_nothing_is_told_of_a_run_that_nothing_is_known_of() -> None:
    assert gate_headline(None, "pass") is None
    assert gate_lines(None) == []
    assert worse_mark("pass", "none") == "none"
