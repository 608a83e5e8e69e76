"""What a scorer raises: an error of the case, but for what ends the session or says that its test took too long."""

from fnmatch import fnmatch

import pytest

from tests.support.project import Project

ROWS = [{"id": "a", "input": "hello", "target": "hello"}]
OWN = """
import pytest
from pytest_llmeval import scorer

@scorer
def fragile(response, target=None):
    {raised}
"""
BODY = (
    "{how}def test_echo(sample, model, score):\n    score.fragile('x')\n    score.exact(sample.input, sample.target)\n"
)


RAISED = {
    "pytest.fail('no')": "Failed: no",
    "pytest.fail('no', pytrace=False)": "Failed: no",
    "pytest.skip('not here')": "Skipped: not here",
    "pytest.importorskip('no_such_module')": "Skipped: could not import 'no_such_module': *",
    "pytest.xfail('known')": "XFailed: known",
}


@pytest.mark.parametrize("gated", [False, True], ids=["plain", "gated"])
@pytest.mark.parametrize("how", ["", "async "], ids=["sync", "async"])
def test_what_pytest_has_for_tests_is_an_error_of_a_scorer(project: Project, how: str, gated: bool) -> None:
    scorers = ["import pytest", "from pytest_llmeval import scorer"]
    for number, raised in enumerate(RAISED):
        scorers += ["@scorer", f"def fragile{number}(response, target=None):", f"    {raised}"]
        body = BODY.format(how=how).replace("echo", f"n{number}").replace("fragile", f"fragile{number}")
        project.eval(body, ROWS, name=f"n{number}")
    project.write(conftest_py="\n".join(scorers))
    if gated:
        rules = [f"  n{number}: {{fragile{number}: {{min: 0.5}}}}\n" for number in range(len(RAISED))]
        project.write(thresholds_yaml=f"version: 1\nsuites:\n{''.join(rules)}")
    result = project.run("evals")
    assert result.ret == (10 if gated else 1)
    result.assert_outcomes(errors=len(RAISED))
    for number, told in enumerate(RAISED.values()):
        (case,) = project.rows("SELECT * FROM cases WHERE suite = ?", f"n{number}")
        assert (case["outcome"], case["error_kind"]) == ("error", "scorer")
        assert fnmatch(
            case["error"], f"score.fragile{number}: {told}{' ' * (told[-1] != '*')}(conftest.py:{5 + 3 * number})"
        )
        scores = project.rows("SELECT name, value, status FROM scores WHERE case_id = ? ORDER BY name", case["id"])
        assert [tuple(row.values()) for row in scores] == [
            ("exact", 1.0, "scored"),
            (f"fragile{number}", None, "error"),
        ]


@pytest.mark.parametrize("how", ["", "async "], ids=["sync", "async"])
@pytest.mark.parametrize("raised", ["raise KeyboardInterrupt", "pytest.exit('enough')"])
def test_what_ends_the_session_does_so_from_a_scorer(project: Project, raised: str, how: str) -> None:
    project.eval(BODY.format(how=how), [*ROWS, {**ROWS[0], "id": "b"}])
    project.write(conftest_py=OWN.format(raised=raised))
    assert project.run("evals", inside=False).ret == 2
    assert project.last_run()["status"] == "interrupted"


@pytest.mark.parametrize("how", ["", "async "], ids=["sync", "async"])
def test_sys_exit_of_a_scorer_is_that_of_its_body(project: Project, how: str) -> None:
    """pytest reports it as what the body raised."""
    project.eval(BODY.format(how=how), ROWS)
    project.write(conftest_py=OWN.format(raised="raise SystemExit(3)"))
    project.run("evals").assert_outcomes(errors=1)
    (case,) = project.rows("SELECT error_kind, error FROM cases")
    assert case == {"error_kind": "code", "error": "SystemExit: 3"}


def test_a_scorer_that_takes_too_long_is_a_timeout(project: Project) -> None:
    project.eval(BODY.format(how=""), ROWS)
    project.write(conftest_py=OWN.format(raised="import time; time.sleep(30)"))
    assert project.run("evals", "--timeout=1", inside=False).ret == 1
    assert project.rows("SELECT outcome, error_kind FROM cases") == [{"outcome": "error", "error_kind": "timeout"}]
