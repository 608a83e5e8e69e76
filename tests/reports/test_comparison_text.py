"""A comparison in a terminal, as a person sees it."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_llmeval.core.rules import Rule, SuiteRules, Thresholds
from pytest_llmeval.reports.comparison import Comparison, compare
from pytest_llmeval.reports.comparison_markdown import comparison_markdown
from pytest_llmeval.reports.comparison_text import comparison_lines
from pytest_llmeval.reports.comparison_words import score_words
from pytest_llmeval.reports.row_flips import RowText
from pytest_llmeval.reports.text_width import text_width
from tests.reports.sides import judged, side

PROMPT = "system: Answer in one word.\n\nuser: What is the capital of the country that is named in the third line?"
BASE = [judged(each, float(each < 36), slices=("asia",) if each % 2 else (), cost_usd=0.0001) for each in range(40)]
NOW = [
    judged(
        each,
        float(each < 20 or each > 37),
        slices=("asia",) if each % 2 else (),
        cost_usd=0.0002,
        latency_s=1.0 + each / 40,
    )
    for each in range(40)
]
BEFORE = {
    "20": RowText(prompt=PROMPT, expected='"Paris"', answer="Paris", outcome="passed"),
    "21": RowText(prompt=PROMPT, expected='{"city": "R\\u00f4me"}', answer="Rome", outcome="passed"),
    "38": RowText(outcome="missed", said="exact: 0 is under the pass mark 1\nexpected: Lima\nfound: nothing\nand more"),
}
AFTER = {
    "20": RowText(answer="Lyon", outcome="missed", epoch=2),
    "21": RowText(answer="Rome", outcome="missed", said="f1: the judge says no"),
    "38": RowText(answer="Lima", outcome="passed"),
}
SHOWN = compare(
    side("main", [*BASE, judged("gone", 1.0)], BEFORE),
    side("now", NOW, AFTER),
    Thresholds(),
    set_up=["prompt of qa", "model gpt-4o-mini, now gpt-4o"],
    notes=["run r is interrupted: the rows that it had not come to are missing"],
    most_flips=4,
)

NEAR_ALPHA = [((12, 4), "FAIL", "0.0245"), ((21, 10), "INCONCLUSIVE", "0.0251")]


@pytest.mark.parametrize(("values", "verdict", "told"), NEAR_ALPHA)
def test_a_p_value_beside_its_alpha_is_shown_on_its_side_of_it(
    values: tuple[int, int], verdict: str, told: str
) -> None:
    """Two digits of both say 0.025; the table, the headline and the reason say the same."""
    worse, better = values
    before = [judged(each, float(each >= better), slices=("all",)) for each in range(100)]
    after = [judged(each, float(each < 100 - worse), slices=("all",)) for each in range(100)]
    found = compare(side("main", before), side("now", after), Thresholds(), set_up=[])
    assert found.alphas == (0.025, 0.025)
    lines = comparison_lines(found, width=200)
    assert lines[0].startswith(f"{verdict}: ") and f", p {told})" in lines[0]
    assert next(line for line in lines if line.startswith("  f1 ")).split()[-3] == told
    assert any(f"; p {told}, fails below 0.025;" in line for line in lines)
    assert f"| {told} |" in comparison_markdown(found)


AT_80 = """\
FAIL: qa f1 got worse (0.900 to 0.550, p 0.00036), and 1 more
base: main (run id-of-main)
now: now (run id-of-now)
differs in: prompt of qa; model gpt-4o-mini, now gpt-4o

qa on m
  metric      n   base    now             change (90%)        p   MDE  verdict
  f1         40  0.900  0.550  -0.350 (-0.504..-0.196)  0.00036  0.23  fail
  f1 [asia]  20  0.900  0.550  -0.350 (-0.577..-0.123)    0.011  0.37  fail
  fail: f1 max_drop=0: 0.9 to 0.55 (-0.35, 90% interval -0.504..-0.196); p
    0.00036, fails below 0.025; sees changes from 0.23 up; rows: 16 worse (20,
    21, 22, 23, 24 and 11 more), 2 better; left out: 1 gone
  fail: f1 [asia] max_drop=0: 0.9 to 0.55 (-0.35, 90% interval -0.577..-0.123);
    p 0.011, fails below 0.025; sees changes from 0.37 up; rows: 8 worse (21,
    23, 25, 27, 29 and 3 more), 1 better

  measure          n   base    now             change (90%)
  latency_s p50   40  1.000  1.475  +0.475 (+0.350..+0.600)
  latency_s p95   40  1.000  1.925                   +0.925
  input_tokens    40     10     10                   +0.000
  output_tokens   40  5.000  5.000                   +0.000
  cost_usd total  40  0.004  0.008                   +0.004
  error_rate      40  0.000  0.000                   +0.000

p: how likely a loss this large is by chance if nothing changed, after Holm;
  MDE: the change seen four times in five, if rows scatter no more than here

rows that flipped: 16 for the worse, 2 for the better
  worse: qa 20: f1 1 to 0
    asked     system: Answer in one word.\\n\\n ... at is named in the third line?
    expected  Paris
    before    Paris
    now (epoch 2) Lyon
  worse: qa 21 [asia]: f1 1 to 0
    asked     system: Answer in one word.\\n\\n ... at is named in the third line?
    expected  {"city": "Rôme"}
    before    Rome
    now       Rome
    why       f1: the judge says no
  better: qa 38: f1 0 to 1
    before    (missed) exact: 0 is under the pass mark 1
              expected: Lima
              found: nothing
    now       Lima
  better: qa 39 [asia]: f1 0 to 1
  ... and 14 more; --json has them
note: run r is interrupted: the rows that it had not come to are missing
note: qa on m: 40 rows pair; 1 gone

FAIL: qa f1 got worse (0.900 to 0.550, p 0.00036), and 1 more
"""

AT_120 = """\
FAIL: qa f1 got worse (0.900 to 0.550, p 0.00036), and 1 more
base: main (run id-of-main)
now: now (run id-of-now)
differs in: prompt of qa; model gpt-4o-mini, now gpt-4o

qa on m
  metric      n   base    now             change (90%)        p   MDE  verdict
  f1         40  0.900  0.550  -0.350 (-0.504..-0.196)  0.00036  0.23  fail
  f1 [asia]  20  0.900  0.550  -0.350 (-0.577..-0.123)    0.011  0.37  fail
  fail: f1 max_drop=0: 0.9 to 0.55 (-0.35, 90% interval -0.504..-0.196); p 0.00036, fails below 0.025; sees changes
    from 0.23 up; rows: 16 worse (20, 21, 22, 23, 24 and 11 more), 2 better; left out: 1 gone
  fail: f1 [asia] max_drop=0: 0.9 to 0.55 (-0.35, 90% interval -0.577..-0.123); p 0.011, fails below 0.025; sees
    changes from 0.37 up; rows: 8 worse (21, 23, 25, 27, 29 and 3 more), 1 better

  measure          n   base    now             change (90%)
  latency_s p50   40  1.000  1.475  +0.475 (+0.350..+0.600)
  latency_s p95   40  1.000  1.925                   +0.925
  input_tokens    40     10     10                   +0.000
  output_tokens   40  5.000  5.000                   +0.000
  cost_usd total  40  0.004  0.008                   +0.004
  error_rate      40  0.000  0.000                   +0.000

p: how likely a loss this large is by chance if nothing changed, after Holm; MDE: the change seen four times in five,
  if rows scatter no more than here

rows that flipped: 16 for the worse, 2 for the better
  worse: qa 20: f1 1 to 0
    asked     system: Answer in one word.\\n\\nuser: What is the capital of the country that is named in the third line?
    expected  Paris
    before    Paris
    now (epoch 2) Lyon
  worse: qa 21 [asia]: f1 1 to 0
    asked     system: Answer in one word.\\n\\nuser: What is the capital of the country that is named in the third line?
    expected  {"city": "Rôme"}
    before    Rome
    now       Rome
    why       f1: the judge says no
  better: qa 38: f1 0 to 1
    before    (missed) exact: 0 is under the pass mark 1
              expected: Lima
              found: nothing
    now       Lima
  better: qa 39 [asia]: f1 0 to 1
  ... and 14 more; --json has them
note: run r is interrupted: the rows that it had not come to are missing
note: qa on m: 40 rows pair; 1 gone

FAIL: qa f1 got worse (0.900 to 0.550, p 0.00036), and 1 more
"""


@pytest.mark.parametrize(("width", "expected"), [(80, AT_80), (120, AT_120)])
def test_the_whole_of_it(width: int, expected: str) -> None:
    """The verdict first, and again at the end where it is long; then what changed, and the rows that flipped."""
    lines = comparison_lines(SHOWN, width=width)
    assert "".join(f"{line}\n" for line in lines) == expected
    assert max(map(len, lines)) <= width


def test_texts_in_full_keep_their_lines() -> None:
    """With ``-v``; nothing is cut."""
    text = "\n".join(comparison_lines(SHOWN, width=80, verbosity=1))
    asked = "\n".join(f"      {line}".rstrip() for line in PROMPT.splitlines())
    answers = "    before\n      Paris\n    now (epoch 2)\n      Lyon"
    assert f"    asked\n{asked}\n    expected\n      Paris\n{answers}" in text


def test_a_narrow_table_leaves_out_intervals_before_it_cuts_names() -> None:
    """The reasons have them."""
    narrow, wide = (comparison_lines(named("f1 of the long names"), width=width) for width in (80, 120))
    assert "  f1 of the long names  40  0.900  0.500        -0.400  7.6e-06  0.13  fail" in narrow
    assert "  f1 of the long names  40  0.900  0.500  -0.400 (-0.532..-0.268)  7.6e-06  0.13  fail" in wide
    assert "90% interval -0.532..-0.268" in " ".join(line.strip() for line in narrow)


def named(score: str) -> Comparison:
    """Return a comparison by one score of that name."""
    before = [judged(each, float(each < 36), **of(score, float(each < 36))) for each in range(40)]
    after = [judged(each, float(each < 20), **of(score, float(each < 20))) for each in range(40)]
    return compare(side("a", before), side("b", after), Thresholds(), set_up=[])


def of(score: str, value: float) -> dict[str, Any]:
    """Return the fields of a case with that score alone."""
    return {"scores": {score: value}, "statuses": {score: "scored"}, "passed": {score: value >= 0.5}}


def test_a_row_that_flipped_by_little_of_much_shows_both_values() -> None:
    before = judged(0, **of("chars", 12_345.0))
    after = judged(0, **of("chars", 12_340.0), outcome="missed")
    found = compare(side("a", [before]), side("b", [after]), Thresholds(), set_up=[])
    assert [score_words(flip) for flip in found.flips] == ["chars 12345 to 12340"]


@pytest.mark.parametrize("lines", [comparison_lines, lambda found, width: [comparison_markdown(found)]])
def test_rows_that_flipped_and_are_not_shown_are_counted(lines: Callable[..., list[str]]) -> None:
    """One of the six that are shown only lost a little."""
    base = [judged(each, 1.0 if each < 60 else 0.0) for each in range(70)]
    now = [judged(each, 0.0 if each < 2 else 0.5 if each < 60 else 1.0) for each in range(70)]
    found = compare(side("a", base), side("b", now), Thresholds(), set_up=[], most_flips=6)
    assert (found.worse, found.better, [flip.by_outcome for flip in found.flips].count(True)) == (2, 10, 5)
    assert re.search(r"(\.\.\. and|\*)\W*7 more", "\n".join(lines(found, width=80)))


def test_a_short_one_says_its_verdict_once() -> None:
    """And explains no column that is empty."""
    lines = comparison_lines(compare(side("a", []), side("b", []), Thresholds(), set_up=[]), width=80)
    assert lines == [
        "NOT JUDGED: no suite is in both runs",
        "base: a (run id-of-a)",
        "now: b (run id-of-b)",
        "",
        "rows that flipped: 0 for the worse, 0 for the better",
    ]


@pytest.mark.parametrize("lines", [comparison_lines, lambda found, width: comparison_markdown(found).splitlines()])
def test_suites_of_which_no_case_ran_have_no_table_of_measures(lines: Callable[..., list[str]]) -> None:
    """They are in both runs all the same."""
    unset = dict.fromkeys(("latency_s", "input_tokens", "output_tokens", "cost_usd"))
    cases = [judged(each, outcome="skipped", **unset) for each in range(4)]
    shown = "\n".join(lines(compare(side("a", cases), side("b", cases), Thresholds(), set_up=[]), width=80))
    assert "has no value of" in shown
    assert not re.search(r"^\W*measure\b", shown, re.MULTILINE)


@settings(max_examples=60)
@given(st.text(max_size=300), st.sampled_from([80, 120]), st.integers(0, 1))
def test_no_text_steers_the_terminal(text: str, width: int, verbosity: int) -> None:
    """Nor is any a CI command; whatever a model, a dataset or a person wrote."""
    texts = {text: RowText(prompt=text, expected=text, answer=text, outcome="missed", said=text)}
    before, after = (
        [judged(text, value, suite=text, slices=(text,), input_digest="same", model=text)] for value in (1.0, 0.0)
    )
    found = compare(side(text, before, texts), side(text, after, texts), Thresholds(), set_up=[text], notes=[text])
    lines = comparison_lines(found, width=width, verbosity=verbosity)
    assert not STEERING.search("\n".join(lines))
    if verbosity == 0:
        assert max(map(text_width, lines)) <= width


STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\ud800-\udfff]|^\\s*::|##\\[", re.MULTILINE
)
"""What moves the cursor, is not seen or turns the writing round, and what GitHub takes for a command."""


def test_a_model_that_no_rule_is_about_is_held_to_no_drop_at_all() -> None:
    """Two models side by side, of which rules gate one, say."""
    rule = Rule(suite="qa", metric="f1", kind="max_drop", bound=0.9, model="other")
    rules = Thresholds(suites={"qa": SuiteRules(name="qa", rules=(rule,))})
    lines = comparison_lines(compare(side("main", BASE), side("now", NOW), rules, set_up=[]), width=80)
    assert lines[0].startswith("FAIL: qa f1 got worse")
    assert "not judged (no case of model 'other' was selected): qa f1" in lines
    before, after = ([*each, *(replace(case, model="other") for case in each)] for each in (BASE, NOW))
    found = compare(side("main", before), side("now", after), rules, set_up=[])
    assert [(each.model, each.slice, each.rule) for each in found.changes] == [
        ("other", None, "max_drop=0.9"),
        ("m", None, "max_drop=0"),
        ("m", "asia", "max_drop=0"),
    ]


def test_what_the_calls_took_is_shown_where_no_rule_is_judged() -> None:
    rule = Rule(suite="qa", metric="f1", kind="max_drop", bound=0.0, slice="new")
    rules = Thresholds(suites={"qa": SuiteRules(name="qa", rules=(rule,))})
    found = compare(side("main", BASE), side("now", NOW), rules, set_up=[])
    lines = comparison_lines(found, width=80)
    place = lines.index("qa on m")
    assert lines[place + 1].split() == ["measure", "n", "base", "now", "change", "(90%)"]
    assert "| metric |" not in comparison_markdown(found)
    assert "| measure |" in comparison_markdown(found)


def test_a_loss_that_is_not_ruled_out_is_not_called_one() -> None:
    """It may be a gain, too."""
    before = [judged(each, float(each < 54)) for each in range(60)]
    now = [judged(each, float(each < 55)) for each in range(60)]
    strict = Rule(suite="qa", metric="f1", kind="noninferior", bound=0.02)
    rules = Thresholds(suites={"qa": SuiteRules(name="qa", rules=(strict,))})
    found = compare(side("main", before), side("now", now), rules, set_up=())
    told = "FAIL: qa f1: a loss beyond its margin is not ruled out (0.900 to 0.917)"
    assert comparison_lines(found, width=80)[0] == told
    assert told in comparison_markdown(found)
