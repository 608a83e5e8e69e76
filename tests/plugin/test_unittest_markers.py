"""The marker on what unittest runs: it would make no case, which is said."""

import pytest

from tests.plugin.test_suites import MARKER
from tests.support.project import Project
from tests.support.row_evals import PASS, rows

UNITTEST = """
import unittest

import pytest

{on_class}
class TestAnswers(unittest.TestCase):
    {on_method}
    def test_one(self):
        assert False
"""
IN_UNITTEST = "::TestAnswers::test_one: marker llmeval needs a plain function or class, found a method of a *"


@pytest.mark.parametrize("beside", [False, True], ids=["alone", "beside an eval"])
def test_a_marker_on_what_unittest_runs_is_a_usage_error(project: Project, beside: bool, spread: list[str]) -> None:
    """It gets no fixtures, so that it can be no eval; silence would say that it passed."""
    if beside:
        project.eval(PASS, rows("a"))
    project.write(
        evals__test_on_class_py=UNITTEST.format(on_class=MARKER, on_method=""),
        evals__test_on_method_py=UNITTEST.format(on_class="", on_method=MARKER),
    )
    result = project.run("evals", *spread)
    assert result.ret == 4
    for place, begun in (("class", "ERROR: "), ("method", "")):
        result.stderr.fnmatch_lines([f"{begun}evals/test_on_{place}.py{IN_UNITTEST}"])
    assert "Traceback" not in result.stderr.str() + result.stdout.str()
    assert project.server.ledger == []


def test_a_marker_on_what_unittest_runs_waits_as_evals_do(project: Project) -> None:
    project.write(
        evals__test_unit_py=UNITTEST.format(on_class="", on_method=MARKER),
        tests__test_own_py="def test_own():\n    pass\n",
    )
    result = project.run()
    assert result.ret == 0
    result.assert_outcomes(passed=1, deselected=1)
    result.stdout.fnmatch_lines(["llmeval: 1 eval function waits; run it with: pytest evals --model=*"])


def test_a_marker_on_what_unittest_runs_ends_no_session_that_leaves_it_out(project: Project) -> None:
    project.eval(PASS, rows("a"))
    project.write(evals__test_unit_py=UNITTEST.format(on_class="", on_method=MARKER))
    assert project.run("evals", "-k", "test_echo").ret == 0
    assert project.cases() == {"a": "passed"}
