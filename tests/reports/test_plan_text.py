"""A plan as lines: what gives way on a narrow terminal, and what is said where."""

from dataclasses import replace
from typing import Any

import pytest

from pytest_llmeval.core.planning.plan import Plan, Planned
from pytest_llmeval.core.rules import Thresholds
from pytest_llmeval.reports.plan_text import plan_lines


def planned(metric: str = "f1", part: str | None = None, **fields: Any) -> Planned:
    made: dict[str, Any] = {
        "suite": "qa",
        "model": "m",
        "metric": metric,
        "slice": part,
        "rule": "max_drop=0.02",
        "n": 60,
    }
    made |= {"epochs": 1.0, "mean": 0.8, "sd": 0.4, "correlation": 0.4, "source": "two runs", "alpha": 0.05}
    made |= {"sees": 0.2, "rows_needed": 1_240, "epochs_needed": None}
    return Planned(**{**made, **fields})


def lines(*rows: Planned, width: int = 80, twin: str | None = "b") -> list[str]:
    found = Plan(drop=0.05, power=0.8, rows=rows, unfailing=(), sizes={})
    return plan_lines(found, Thresholds(), twin=twin, width=width)


def text(*rows: Planned, **fields: Any) -> str:
    return " ".join(" ".join(lines(*rows, **fields)).split())


def test_the_deviation_gives_way_before_names_do() -> None:
    row = planned("a_rather_long_score", "a slice")
    narrow, wide = lines(row), lines(row, width=120)
    assert (" sd " in narrow[1], " sd " in wide[1]) == (False, True)
    assert all(
        found[2].startswith("  a_rather_long_score [a slice]  max_drop=0.02  60  0.800") for found in (narrow, wide)
    )


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    rows = [
        planned(),
        planned("a_rather_long_score", "x" * 60, hint="the rule lets a change of 0.1 pass", rows_needed=None),
        planned(rule="noninferior=0.05", source="assumed"),
    ]
    assert max(map(len, lines(*rows, width=width))) <= width


def test_suites_and_models_have_tables_of_their_own() -> None:
    found = lines(planned(), planned(model="n", epochs=2.5), planned(suite="facts", n=1))
    assert [line for line in found if " on " in line and line[0] != " "] == [
        "qa on m: 60 rows, 1 epoch",
        "qa on n: 60 rows, 2.5 epochs",
        "facts on m: 1 row, 1 epoch",
    ]


def test_what_is_unknown_has_an_empty_cell() -> None:
    """And what is known to be none says so; a price keeps its digits."""
    unknown = planned("cost_usd", mean=0.00012, sd=None, sees=None, rows_needed=None)
    cells = lines(unknown, planned(mean=1234.56, epochs_needed=3))
    assert cells[2].split() == ["cost_usd", "max_drop=0.02", "60", "0.00012", "nothing"]
    assert cells[3].split() == ["f1", "max_drop=0.02", "60", "1234.6", "0.400", "0.200", "1,240", "3"]


def test_why_there_is_no_number_is_said_once_of_rules_and_of_metrics_without() -> None:
    none = planned(rows_needed=None, hint="the rule lets a change of 0.1 pass")
    assert "no number of rows for f1 max_drop=0.02: the rule lets a change of 0.1 pass" in text(none)
    room = planned(rows_needed=None, rule=None, hint="the mean cannot get worse by more than 0.8")
    assert f"no number of rows for f1, exact: {room.hint}" in text(none, room, replace(room, metric="exact"))


def test_what_tells_the_spread_is_said_once_and_of_which_metrics() -> None:
    assert text(planned(), planned("exact", correlation=0.6)).count("how much answers vary") == 1
    assert "from the difference to run b; rows correlate by 0.40 to 0.60 between runs" in text(
        planned(), planned("exact", correlation=0.6), planned("exact", "small", correlation=0.0)
    )
    both = text(planned(), planned("exact", source="epochs", correlation=None))
    assert "from the difference to run b; rows correlate by 0.40 between runs (f1)" in both
    assert "from the epochs of each row; no value varied (exact)" in both


def test_the_columns_are_explained() -> None:
    assert "finds in 80% of runs" in text(planned())
    assert "finds a drop of 0.05 in 80% of runs" in text(planned())
    assert "without a rule on a change: as if max_drop=0 were added" not in text(planned())
    assert "without a rule on a change: as if max_drop=0 were added" in text(planned(rule=None))
    assert "noninferior: sees is" not in text(planned())
    assert "noninferior: sees is" in text(planned(rule="noninferior=0.05"))
