"""A run as plain text: goldens at two widths, and laws for any width and any text."""

import unicodedata
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmeval.core.gate.judging import Verdict
from pytest_llmeval.core.types import Score
from pytest_llmeval.reports.run_text import heading, money, not_judged_lines, run_lines, verdict_line
from pytest_llmeval.reports.run_view import RunCases, RunView, view_run
from pytest_llmeval.store.records import RunEnd
from tests.reports.sample_run import VERDICTS, view
from tests.support.columns import columns
from tests.support.memory_store import MemoryStore
from tests.support.records import call, record, score, texts
from tests.support.stored_runs import END, run

AT_80 = """\
extraction on large, small: 5 passed, 3 missed
  model  metric             n  value  95% interval  rule         verdict
  large  pass_rate          4  1.000  0.510..1.000
  large  json_match         4  1.000  0.510..1.000  min=0.8      pass
  large  json_valid         4  1.000  0.510..1.000
  small  pass_rate          4  0.250  0.046..0.699
  small  json_match         4  0.625  0.220..0.908  min=0.8      fail
  small  json_valid         4  1.000  0.510..1.000
  small  json_match [hard]  2  0.250                min=0.5      inconclusive
  small  latency_s p95      4  2.000                max_p95=5    pass
  small  cost_usd total     4  4e-05                max_total=1  pass
  note: json_match min=0.8 on large: a rerun of the same system would miss the
    bar in 3 of 100 cases
  fail: json_match min=0.8 on small: it is 0.625, below 0.8
  inconclusive: json_match [hard] min=0.5 on small: too few samples
  missed: row1 on small: json_match 0.500
    $.total: expected 12, got 21
    $.items[3].name: missing
  missed: row2 on small: json_match 0.500
    $.total: expected 12, got 21
    $.items[3].name: missing
  missed: row3 on small: json_match 0.500
    $.total: expected 12, got 21
    $.items[3].name: missing

qa on large: 1 passed, 4 errors, 1 skipped
  metric       n  value  95% interval  errors  rule     verdict
  pass_rate    1  1.000  0.207..1.000       4
  correctness  0   none                     4  min=0.7  unmeasurable
  unmeasurable: correctness min=0.7: 3 errors in 4 cases; without a value leave
    it open, between 0.25 and 1: 'first question', 'second question', 'third
    question', 'fourth question' and 12 more; find their cause, then --resume
  error: q1: connection
    connection: could not reach http://10.0.0.1:8000/v1 after 6 attempts in 3...
  error: q2: connection
    connection: could not reach http://10.0.0.1:8000/v1 after 6 attempts in 3...
  error: q3: connection
    connection: could not reach http://10.0.0.1:8000/v1 after 6 attempts in 3...
  ... and 1 more error; -v shows more, llmeval show -v all of them

smoke on large: 1 missed
  metric     n  value  95% interval  errors  rule  verdict
  pass_rate  1  0.000  0.000..0.793       0
  missed: plain (epoch 2): assertion
    assert 1 == 2

"""
AT_120 = """\
extraction on large, small: 5 passed, 3 missed
  model  metric             n  value  95% interval  errors  rule         verdict
  large  pass_rate          4  1.000  0.510..1.000       0
  large  json_match         4  1.000  0.510..1.000       0  min=0.8      pass
  large  json_valid         4  1.000  0.510..1.000       0
  small  pass_rate          4  0.250  0.046..0.699       0
  small  json_match         4  0.625  0.220..0.908       0  min=0.8      fail
  small  json_valid         4  1.000  0.510..1.000       0
  small  json_match [hard]  2  0.250                     0  min=0.5      inconclusive
  small  latency_s p95      4  2.000                     0  max_p95=5    pass
  small  cost_usd total     4  4e-05                     0  max_total=1  pass
  note: json_match min=0.8 on large: a rerun of the same system would miss the bar in 3 of 100 cases
  fail: json_match min=0.8 on small: it is 0.625, below 0.8
  inconclusive: json_match [hard] min=0.5 on small: too few samples
  missed: row1 on small: json_match 0.500
    $.total: expected 12, got 21
    $.items[3].name: missing
  missed: row2 on small: json_match 0.500
    $.total: expected 12, got 21
    $.items[3].name: missing
  missed: row3 on small: json_match 0.500
    $.total: expected 12, got 21
    $.items[3].name: missing

qa on large: 1 passed, 4 errors, 1 skipped
  metric       n  value  95% interval  errors  rule     verdict
  pass_rate    1  1.000  0.207..1.000       4
  correctness  0   none                     4  min=0.7  unmeasurable
  unmeasurable: correctness min=0.7: 3 errors in 4 cases; without a value leave it open, between 0.25 and 1: 'first
    question', 'second question', 'third question', 'fourth question' and 12 more; find their cause, then --resume
  error: q1: connection
    connection: could not reach http://10.0.0.1:8000/v1 after 6 attempts in 30 s: Connection refused by host
  error: q2: connection
    connection: could not reach http://10.0.0.1:8000/v1 after 6 attempts in 30 s: Connection refused by host
  error: q3: connection
    connection: could not reach http://10.0.0.1:8000/v1 after 6 attempts in 30 s: Connection refused by host
  ... and 1 more error; -v shows more, llmeval show -v all of them

smoke on large: 1 missed
  metric     n  value  95% interval  errors  rule  verdict
  pass_rate  1  0.000  0.000..0.793       0
  missed: plain (epoch 2): assertion
    assert 1 == 2

"""

HARMLESS = {char for char in map(chr, range(0x110000)) if unicodedata.category(char) in ("Cf", "Co", "Cn", "Zs")}
"""Characters that Python does not print as they are, and that steer nothing: blanks, signs of scripts, unassigned."""


def of_cases(*cases: Any, verdicts: tuple[Verdict, ...] = ()) -> RunView:
    """Return the view of a run of these cases."""
    store = MemoryStore()
    store.start_run(run("r"))
    for case in cases:
        store.add_case("r", case)
    store.finish_run("r", END)
    return view_run(store.find_run("r"), RunCases.read(store, "r", verbosity=2), verdicts)


@pytest.mark.parametrize(("width", "golden"), [(80, AT_80), (120, AT_120)])
def test_a_run_in_full(width: int, golden: str) -> None:
    assert "\n".join([*run_lines(view(), width=width), ""]) == golden


def test_the_heading_says_which_run_it_is() -> None:
    recorded = run(
        name="nightly", models=("small",), git_commit="0123456789abcdef" * 2, git_branch="main", git_dirty=True
    )
    assert heading(view(recorded), width=80) == [
        "run 20250102-030405-abc123 (nightly): finished",
        "began 2025-01-02T03:04:05.678+00:00",
        "commit 0123456789ab, with changes on main",
    ]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"suites": {"a": {"left_out": []}}, "partial": False}, ""),
        ({"suites": {"a": {"left_out": ["--limit"]}, "b": {"left_out": ["--limit"]}}}, ", partial (--limit)"),
        ({"partial": True}, ", partial (cases were left out)"),
    ],
)
def test_the_heading_says_what_a_partial_run_left_out(settings: dict[str, Any], told: str) -> None:
    first, *_ = heading(view(run(settings=settings)), width=80)
    assert first == f"run 20250102-030405-abc123: finished{told}"


def test_that_a_run_is_partial_is_never_cut_off() -> None:
    """However narrow the terminal and long the name."""
    suites = {"a": {"left_out": ["--slice", "3 cases were not selected"]}}
    lines = heading(view(run(name="a name of forty characters, which is all", settings={"suites": suites})), width=40)
    assert max(map(len, lines)) <= 40
    assert "finished, partial (--slice, 3 cases were not selected)" in " ".join(" ".join(lines).split())


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"git_dirty": False, "git_branch": "main"}, "commit 0123456789ab on main"),
        ({"git_dirty": None, "git_branch": None}, "commit 0123456789ab"),
        ({"git_dirty": True, "git_branch": None}, "commit 0123456789ab, with changes"),
    ],
)
def test_the_heading_says_what_is_known_of_the_commit(fields: dict[str, Any], line: str) -> None:
    assert heading(view(run(git_commit="0123456789abcdef" * 2, **fields)), width=80)[2] == line


def test_the_verdict_counts_its_rules() -> None:
    assert verdict_line(view()) == "gate: FAIL (1 fail, 1 unmeasurable, 1 inconclusive, 3 pass, 1 not judged)"


@pytest.mark.parametrize(
    ("index", "line"),
    [
        (0, "gate: FAIL (1 fail)"),
        (1, "gate: PASS (1 pass)"),
        (2, "gate: INCONCLUSIVE (1 inconclusive)"),
        (5, "gate: UNMEASURABLE (1 unmeasurable)"),
        (6, "gate: no rule was judged (1 not judged)"),
    ],
)
def test_the_verdict_of_one_rule(index: int, line: str) -> None:
    assert verdict_line(view(verdicts=[VERDICTS[index]])) == line


def test_a_run_without_rules_says_so() -> None:
    assert verdict_line(view(verdicts=[])) == "gate: no rule was judged"


def test_a_rule_on_a_suite_of_which_nothing_ran_is_counted() -> None:
    lost = replace(VERDICTS[5], suite="gone", reason="3 of 3 cases did not finish")
    found = view(verdicts=[lost])
    assert verdict_line(found) == "gate: UNMEASURABLE (1 unmeasurable)"
    assert "gone: no case finished" in run_lines(found, width=80)


@pytest.mark.parametrize(
    ("status", "line"),
    [("interrupted", "gate: stopped, not judged"), (None, "gate: crashed, not judged")],
)
def test_a_run_that_did_not_end_is_not_judged(status: Any, line: str) -> None:
    found = view()
    end = status and RunEnd(finished_at="", status=status, exit_code=2, verdict="pass")
    assert verdict_line(replace(found, run=replace(found.run, end=end, process_started="1"))) == line


def test_rules_that_were_not_judged_stand_under_their_reason() -> None:
    more = [
        VERDICTS[6],
        replace(VERDICTS[6], slice=None, rule="every"),
        replace(VERDICTS[6], slice=None, rule="every", reason="no judge"),
    ]
    assert not_judged_lines(view(verdicts=more), 80) == [
        "not judged (no case of slice 'long' was selected): qa correctness [long]",
        "  min=0.6, qa correctness every",
        "not judged (no judge): qa correctness every",
    ]


@pytest.mark.parametrize(
    ("number", "line"),
    [
        (1, "1 case was skipped or xfailed after it had been scored: it counts nowhere"),
        (1200, "1,200 cases were skipped or xfailed after they had been scored: they count nowhere"),
    ],
)
def test_cases_that_count_nowhere_though_they_were_scored_are_told(number: int, line: str) -> None:
    assert not_judged_lines(replace(view(verdicts=[]), uncounted=number), 120) == [line]


@pytest.mark.parametrize(
    ("cost", "shown"),
    [
        (None, "unknown"),
        (0, "$0.00"),
        (1e-9, "less than $0.0001"),
        (0.0001, "$0.0001"),
        (0.1234567, "$0.1235"),
        (1, "$1.00"),
        (1234.5, "$1234.50"),
    ],
)
def test_money_is_never_rounded_to_nothing(cost: float | None, shown: str) -> None:
    assert money(cost) == shown


def test_a_cost_tells_why_its_rule_passes_or_fails() -> None:
    """By value and change, beside a bound of a fraction of a cent."""
    verdicts = [
        replace(VERDICTS[4], rule="max=0.0008", value=0.00062),
        replace(VERDICTS[4], rule="max_rise=0.0002", value=0.00062, delta=0.00031, verdict="fail"),
    ]
    rows = [line.split() for line in run_lines(view(verdicts=verdicts), width=120) if " cost_usd " in line]
    assert rows == [
        ["small", "cost_usd", "mean", "4", "0.00062", "0", "max=0.0008", "pass"],
        ["small", "cost_usd", "mean", "4", "0.00062", "+0.00031", "0", "max_rise=0.0002", "fail"],
    ]


@pytest.mark.parametrize(("verbosity", "shown"), [(-1, 3), (0, 3), (1, 30), (2, 40), (9, 40)])
def test_more_misses_are_shown_with_more_verbosity(verbosity: int, shown: int) -> None:
    cases = [record(f"m{number}", outcome="missed") for number in range(40)]
    lines = run_lines(of_cases(*cases), width=80, verbosity=verbosity)
    assert sum(line.startswith("  missed: ") for line in lines) == shown
    more = f"  ... and {40 - shown} more missed; -v shows more, llmeval show -v all of them"
    assert (more in lines) == (shown < 40)


def test_slices_are_shown_with_a_rule_or_on_request() -> None:
    found = view()
    assert not any("[easy]" in line for line in run_lines(found, width=120))
    assert any("[hard]" in line for line in run_lines(found, width=120))
    assert any("[easy]" in line for line in run_lines(found, width=120, verbosity=1))


def test_the_scores_under_their_bar_are_named_with_what_differed() -> None:
    """Those that passed, and those of which nothing was demanded, are not."""
    scores = (
        score("f0", 0.0, False, reason='f0: 0\nexpected "a"'),
        score("f1", 0.25, False, reason='f1: 0.25\nexpected "a"'),
        score("f2", 0.25, False, reason='f2: 0.25\ngot "b"\nmore'),
        score("length", 12.0, None, reason="length: 12\nx"),
        score("exact", 1.0, True, reason="exact: 1\ny"),
    )
    assert run_lines(of_cases(record("a", outcome="missed", scores=scores)), width=80)[-4:-1] == [
        "  missed: a: f0 0.000, f1 0.250, f2 0.250",
        '    expected "a"',
        '    got "b"',
    ]


ASSERTED = record("a", outcome="missed", error="assert 'yes' in 'no'\n +  where 'no' = answer.text\nassert False")


@pytest.mark.parametrize(
    ("verbosity", "more"), [(0, []), (1, ["     +  where 'no' = answer.text", "    assert False"])]
)
def test_of_a_failed_assert_the_first_line_is_shown_and_more_on_request(verbosity: int, more: list[str]) -> None:
    """What a literal says stays as it is."""
    assert run_lines(of_cases(ASSERTED), width=80, verbosity=verbosity)[-3 - len(more) : -1] == [
        "  missed: a: assertion",
        "    assert 'yes' in 'no'",
        *more,
    ]
    literal = replace(ASSERTED, error="assert 'a\\nb' == 'c'")
    assert "    assert 'a\\nb' == 'c'" in run_lines(of_cases(literal), width=80, verbosity=verbosity)


def test_what_was_wrong_with_a_case_is_broken_into_lines_on_request_up_to_a_bound() -> None:
    long = score("f1", 0.0, False, reason="f1: 0\n" + "word " * 50 + "end\nsecond\nthird")
    endless = score("f1", 0.0, False, reason="f1: 0\n" + "line\n" * 50)
    cut, whole, bounded = (
        run_lines(of_cases(record("a", outcome="missed", scores=(each,))), width=80, verbosity=verbosity)
        for each, verbosity in ((long, 0), (long, 1), (endless, 1))
    )
    assert cut[-3].endswith("...") and cut[-2] == "    second"
    assert whole[-4].endswith("end") and whole[-3:-1] == ["    second", "    third"]
    assert max(map(len, whole)) <= 80
    assert bounded[-21:-1] == [*["    line"] * 19, "    ..."]
    found = of_cases(record("a", outcome="missed", scores=(long,)))
    assert run_lines(found, width=80, verbosity=2, in_full=False) == cut


def test_the_errors_of_a_suite_stay_in_its_table_however_narrow() -> None:
    lines = run_lines(of_cases(record("a", outcome="error", error_kind="code")), width=40)
    assert "errors" in lines[1]


@given(
    models=st.lists(st.text("ab\u6f22", min_size=1, max_size=40), min_size=2, max_size=3, unique=True),
    metric=st.text("js\u5b57", min_size=1, max_size=30),
    value=st.floats(0, 99_999),
    change=st.floats(-9_999, 9_999),
    verdict=st.sampled_from(["pass", "fail", "inconclusive", "unmeasurable", "not_judged"]),
)
def test_a_table_with_all_that_it_can_have_fits_a_terminal(
    models: list[str], metric: str, value: float, change: float, verdict: Any
) -> None:
    """Several models, errors, and a rule on a change; what a rule came to, its change and its errors stay."""
    rule = replace(VERDICTS[0], suite="qa", model=models[0], metric=metric, rule="max_drop=0.02", value=value)
    rule = replace(rule, low=value, high=value + 1, delta=change, mde=abs(change), p_value=0.5, verdict=verdict)
    cases = [record("a", model=model, outcome="error", error_kind="code") for model in models]
    shown = run_lines(of_cases(*cases, verdicts=(rule,)), width=80)
    assert max(map(columns, shown)) <= 80
    assert [word for word in ("model", "metric", "change", "errors", "verdict") if word not in shown[1]] == []


def test_a_long_list_of_models_leaves_the_counts_readable() -> None:
    cases = [record("a", suite="s" * 50, model=f"model-{number}") for number in range(20)]
    assert run_lines(of_cases(*cases), width=80)[0].endswith("...: 20 passed")


def test_a_reason_is_wrapped_without_starting_a_command() -> None:
    """Whatever word comes to stand at the start of a line."""
    for blanks in range(80):
        reason = "x" * blanks + " ::error::owned ##[error]owned"
        lines = run_lines(view(verdicts=[replace(VERDICTS[0], reason=reason)]), width=80)
        assert not [line for line in lines if line.lstrip().startswith("::") or "##[" in line]


@given(text=texts, width=st.integers(80, 200), verbosity=st.integers(0, 2))
def test_no_line_is_wider_than_the_terminal_nor_steers_it(text: str, width: int, verbosity: int) -> None:
    """Whatever the data, the models and the people wrote."""
    missed = Score(name=text, value=0.0, passed=False, reason=f"{text}\n{text}\n{text}")
    cases = [
        record(text, suite=text, model=text, slices=(text,), outcome="missed", scores=(missed,), calls=(call(),)),
        record(text, suite=text, model="other", slices=(text,), outcome="error", error_kind="code", error=text),
        record("b", outcome="missed", error=text),
    ]
    verdict = replace(VERDICTS[0], suite=text, model=text, metric=text, slice=text, reason=text or None)
    skipped = replace(VERDICTS[6], suite=text, metric=text, slice=text, reason=text)
    found = of_cases(*cases, verdicts=(verdict, skipped))
    named = replace(found, run=run(name=text, started_at=text, git_commit=text, git_branch=text))
    lines = [
        *heading(named, width=width),
        *run_lines(found, width=width, verbosity=verbosity),
        *not_judged_lines(found, width),
        verdict_line(found),
    ]
    assert max(map(columns, lines)) <= width
    for line in lines:
        assert len(line.splitlines()) <= 1
        assert not [char for char in line if not char.isprintable() and char not in HARMLESS]
        assert not line.lstrip().startswith("::")


def test_our_own_words_are_ascii() -> None:
    assert all(line.isascii() for line in [*run_lines(view(), width=80, verbosity=2), verdict_line(view())])
