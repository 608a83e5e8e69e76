"""A self test as lines: the rate in words, and which columns stand."""

from typing import Any

import pytest

from pytest_llmeval.core.planning.selftest import RuleTally, SelfTest
from pytest_llmeval.reports.selftest_text import selftest_lines


def tally(fails: int = 20, **fields: Any) -> RuleTally:
    made: dict[str, Any] = {"suite": "qa", "model": "m", "metric": "f1", "slice": None, "rule": "max_drop=0.02"}
    made |= {"is_change": True, "n": 60, "differing": 12, "pairs": 1_000, "reason": None}
    made["verdicts"] = {"fail": fails, "inconclusive": 50, "unmeasurable": 30, "pass": 920 - fails}
    return RuleTally(**{**made, **fields})


def found(*rules: RuleTally, **fields: Any) -> SelfTest:
    made: dict[str, Any] = {"pairs": 1_000, "alarms": 20, "unsure": 0, "alpha": 0.05, "rows": 60, "units": 60}
    made["uneven"] = 0
    return SelfTest(**{**made, "rules": rules or (tally(),), **fields})


def text(test: SelfTest) -> str:
    return " ".join(" ".join(selftest_lines(test, "run a and run b", seed=3, width=80)).split())


def test_what_was_done_comes_first() -> None:
    assert selftest_lines(found(), "run a and run b", seed=3, width=80)[:2] == [
        "run a and run b",
        "60 rows in both runs, each swapped with chance 1/2; 1,000 pairs judged, seed 3",
    ]
    assert "60 rows in both runs, swapped in 7 groups with chance 1/2" in text(found(units=7))
    cut = selftest_lines(found(), "run a and run b", seed=3, width=120, is_cut=True)
    assert cut[1].endswith("1,000 pairs judged (--pairs judges more), seed 3")


@pytest.mark.parametrize(
    ("alarms", "told", "advice"),
    [
        (20, "2.0% of sessions (1.3..3.1%): no more than alpha, 5.0%", None),
        (45, "4.5% of sessions (3.4..6.0%): not clearly more than alpha, 5.0%", None),
        (70, "7.0% of sessions (5.6..8.8%): clearly MORE than alpha, 5.0%", "so little above is usual"),
        (110, "11.0% of sessions (9.2..13.1%): clearly MORE than alpha, 5.0%", "so little above is usual"),
        (150, "15.0% of sessions (12.9..17.3%): clearly MORE than alpha, 5.0%", "the tests do not hold for rows like"),
    ],
)
def test_the_rate_is_held_against_alpha(alarms: int, told: str, advice: str | None) -> None:
    out = text(found(alarms=alarms))
    assert f"false alarms: {told}" in out
    assert advice is None or advice in out
    assert sum(each in out for each in ("so little above", "the tests do not hold")) == (advice is not None)


def test_sessions_that_are_not_sure_are_told() -> None:
    assert "inconclusive or unmeasurable, without a failure: 6.1% of sessions" in text(found(unsure=61))
    assert "inconclusive or unmeasurable" not in text(found())


def test_rows_without_groups_come_with_a_warning() -> None:
    assert "a `cluster` has to say so" in text(found())
    assert "a `cluster` has to say so" not in text(found(units=7))


def test_runs_that_do_not_differ_say_nothing() -> None:
    out = text(found(tally(0, differing=0), alarms=0))
    assert "(0.0..0.4%), which says nothing: no value differs between the two runs" in out
    assert "alpha" not in out


def table(*rules: RuleTally) -> list[str]:
    lines = selftest_lines(found(*rules), "run a and run b", seed=3, width=120)
    start = lines.index("rules on a change, by how often each alone fails")
    return lines[start + 1 :]


def test_suites_and_models_are_named_where_there_are_several() -> None:
    assert table(tally())[0].split() == ["metric", "rule", "n", "differ", "fails", "95%", "interval", "unsure"]
    assert table(tally())[1].split() == ["f1", "max_drop=0.02", "60", "12", "2.0%", "1.3..3.1%", "8.0%"]
    assert table(tally(), tally(model="n"))[0].split()[:2] == ["model", "metric"]
    assert table(tally(), tally(suite="facts"))[2].split()[:2] == ["facts", "f1"]
    assert table(tally(slice="easy"))[1].split()[:2] == ["f1", "[easy]"]


def test_suites_are_told_apart_before_all_columns_are_shown() -> None:
    """Those of parametrize differ in the middle of a long name."""
    suites = [f"support[{style}-{heat}]" for style in ("short", "long") for heat in ("0", "0.7")]
    rules = [tally(suite=suite, slice="difficult", metric="contains") for suite in suites]
    *_, head, one, two, three, four = selftest_lines(found(*rules), "runs", seed=3, width=80)
    assert len({line.split()[0] for line in (one, two, three, four)}) == 4
    assert "95% interval" not in head
    assert max(map(len, (head, one, two, three, four))) <= 80


def test_other_rules_have_a_table_of_their_own() -> None:
    out = table(tally(), tally(500, rule="min=0.9", is_change=False))
    assert out[3].startswith("other rules, of whose false alarms swapping says nothing")
    assert out[5].split()[:2] == ["f1", "min=0.9"]
    assert not any(line.startswith("other rules") for line in table(tally()))


def test_why_a_rule_cannot_be_measured_is_told() -> None:
    reason = "another scorer than the baseline's made it in 60 of 60 rows"
    assert f"unmeasurable: f1 max_drop=0.02: {reason}" in text(found(tally(reason=reason)))


def test_names_of_others_steer_no_terminal() -> None:
    hostile = tally(metric="\x1b[31mred", slice="a\n::error::b", reason="::stop-commands::x \x1b]0;t\x07")
    for line in selftest_lines(found(hostile), "run a", seed=0, width=80):
        assert "\x1b" not in line
        assert not line.lstrip().startswith("::")


def test_a_rate_of_rules_that_were_never_judged_says_nothing() -> None:
    """As where the two runs were scored by different scorers: nothing could fail."""
    unjudged = tally(0, verdicts={"unmeasurable": 1_000}, reason="another scorer gave the baseline's scores")
    out = text(found(unjudged, alarms=0, unsure=1_000))
    assert "which says nothing: no rule on a change could be judged" in out
    assert "no more than alpha" not in out
    assert "unmeasurable: f1 max_drop=0.02: another scorer gave the baseline's scores" in out
