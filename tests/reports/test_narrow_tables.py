"""Tables of a run in eighty columns: what a rule is about can be read."""

from dataclasses import replace

import pytest

from pytest_llmeval.reports.rule_words import MDE_MEANS
from pytest_llmeval.reports.run_text import note_lines, run_lines
from pytest_llmeval.reports.table import table_lines
from tests.reports.sample_run import VERDICTS
from tests.reports.test_run_text import of_cases
from tests.support.records import record, score


@pytest.mark.parametrize("width", [80, 120])
def test_metrics_and_rules_can_be_read_beside_changes_and_errors(width: int) -> None:
    """Before names are cut short the intervals are left out; what MDE means is said where that column is."""
    of_slice = replace(VERDICTS[0], suite="qa", model="m", metric="contains", slice="hard", rule="min=0.5")
    change = replace(of_slice, slice=None, rule="max_drop=0.02", delta=-0.25, mde=0.125, p_value=0.5)
    rate = replace(of_slice, metric="error_rate", slice=None, rule="max_error_rate=0.05", verdict="unmeasurable")
    good = record("a", suite="qa", slices=("hard",), scores=(score("contains"),))
    error = record("b", suite="qa", outcome="error", error_kind="code")
    lines = run_lines(of_cases(good, error, verdicts=(of_slice, change, rate)), width=width)
    told, is_wide = "\n".join(lines), width > 80
    assert max(map(len, lines)) <= width
    assert all(each in told for each in ("contains [hard]", "max_drop=0.02", "change", "errors"))
    assert "max_error_rate=0.05" in told or "max_er...=0.05" in told
    assert ("95% interval" in told, " MDE " in told, note_lines([MDE_MEANS], lines, width)) == (
        (True, True, [MDE_MEANS]) if is_wide else (False, False, [])
    )


def test_a_slice_at_the_end_of_a_name_is_cut_last() -> None:
    rows = [["brevity[short]"], ["faithfulness [hard]"], ["x [a name of many words]"]]
    assert table_lines([("metric", "left")], rows, width=13) == [
        "metric",
        "br...y[short]",
        "fa...s [hard]",
        "x [a ...ords]",
    ]
