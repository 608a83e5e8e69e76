"""Reruns of pytest-rerunfailures: what counts of a case is its last attempt (contract sections 1 and 4)."""

import json

import pytest

from tests.support.project import Project

ROWS = [{"id": "good", "input": "x"}, {"id": "flaky", "input": "x"}]
FLAKY = """
def test_echo(sample, response):
    import pathlib
    tried = pathlib.Path("tried.txt")
    if sample.id == "flaky" and not tried.exists():
        tried.touch()
        {fault}
"""
TWICE = """
def test_echo(sample, response):
    import pathlib
    tried = pathlib.Path("tried.txt")
    if sample.id == "flaky" and tried.read_text() != "xx":
        tried.write_text(tried.read_text() + "x")
        assert False, "not yet"
"""
GATED = "version: 1\nsuites: {echo: {pass_rate: {min: 0.5}, settings: {max_error_rate: 0.9}}}\n"


def remembered(project: Project) -> set[str]:
    """Return the node ids that ``--lf`` would run."""
    path = project.root / ".pytest_cache" / "v" / "cache" / "lastfailed"
    return set(json.loads(path.read_text())) if path.exists() else set()


def test_a_miss_whose_rerun_passed_is_told_and_kept_and_forgotten_by_lf(project: Project, spread: list[str]) -> None:
    """The status is that of the last attempt; the others stand in a table of their own."""
    project.write(tried_txt="")
    project.eval(TWICE, ROWS)
    result = project.run("evals", "--reruns=3", "--html=report.html", *spread)
    assert result.ret == 0
    result.assert_outcomes(passed=2)
    assert result.parseoutcomes()["rerun"] == 2
    assert project.cases() == {"good": "passed", "flaky": "passed"}
    assert remembered(project) == set()
    line = "1 case passed after a rerun: flaky of echo (before: missed 2 times)"
    commands = (["show"], ["export", "markdown"])
    told = [result.stdout.str(), *(project.llmeval(*command).stdout.str() for command in commands)]
    for text in (*told, (project.root / "report.html").read_text("utf-8")):
        assert line in " ".join(text.split())
    found = project.rows(
        "SELECT number, earlier.outcome, earlier.error FROM earlier_outcomes AS earlier"
        " JOIN cases ON cases.id = case_id WHERE sample_id = 'flaky' ORDER BY number"
    )
    assert [(row["number"], row["outcome"]) for row in found] == [(1, "missed"), (2, "missed")]
    assert all(row["error"].startswith("not yet") for row in found)


def test_a_case_that_runs_again_is_one_case_in_the_last_lines(project: Project) -> None:
    body = FLAKY.format(fault="raise OSError").replace("def", "async def").replace("response", "response, score")
    project.eval(body.replace("tried =", "await score.judge(response, rubric='qa'); tried ="), ROWS)
    result = project.run("evals", "--reruns=1", "-p", "no:xdist")
    result.stdout.fnmatch_lines(["async bodies: 1 ran ahead, 1 in their turn*", "note: 2 cases asked for a judge,*"])


def test_lf_keeps_a_miss_whose_rerun_missed(project: Project) -> None:
    project.eval("def test_echo(sample, response):\n    assert sample.id == 'good'\n", ROWS)
    result = project.run("evals", "--reruns=1")
    assert result.ret == 1
    assert "after a rerun" not in result.stdout.str()
    assert remembered(project) == {"evals/test_echo.py::test_echo[flaky]"}


@pytest.mark.parametrize("rules", ["", GATED], ids=["plain", "gated"])
def test_a_run_with_a_flaky_case_is_judged_and_its_status_kept(project: Project, rules: str) -> None:
    """All cases ended; that one of them needed two attempts is what that plugin's option is about."""
    project.eval(FLAKY.format(fault="raise OSError"), ROWS)
    if rules:
        project.write(thresholds_yaml=rules)
    result = project.run("evals", "--reruns=1", "--fail-on-flaky", "-p", "no:xdist")
    assert result.ret == 7
    result.stdout.fnmatch_lines([f"gate: {'PASS (1 pass)' if rules else 'no rule was judged'}, status 7"])
    run = project.last_run()
    assert (run["status"], run["exit_code"], run["verdict"]) == ("finished", 7, "pass" if rules else "none")


@pytest.mark.parametrize(
    ("rule", "status"), [("pass_rate: {min: 0.9}", 1), ("no_such_score: {min: 0.5}", 10)], ids=["fails", "unmeasurable"]
)
def test_what_the_gate_says_goes_before_the_status_of_another_plugin(project: Project, rule: str, status: int) -> None:
    body = FLAKY.format(fault="raise OSError") + "    assert sample.id != 'bad'\n"
    project.eval(body, [*ROWS, {"id": "bad", "input": "x"}])
    project.write(thresholds_yaml=GATED.replace("pass_rate: {min: 0.5}", rule))
    assert project.run("evals", "--reruns=1", "--fail-on-flaky", "-p", "no:xdist").ret == status
    assert project.cases() == {"good": "passed", "flaky": "passed", "bad": "missed"}
    assert project.last_run()["exit_code"] == status


def test_such_a_session_is_not_escalated(project: Project) -> None:
    """No answer to a further epoch could make it pass."""
    rows = [{"id": f"r{number:02}", "input": "x"} for number in range(19)]
    score = "    score.record('right', sample.id >= 'r05')\n"
    project.eval(FLAKY.format(fault="raise OSError").replace("response", "response, score") + score, [*rows, ROWS[1]])
    project.write(
        thresholds_yaml="version: 1\ndefaults: {on_inconclusive: escalate}\n"
        "suites: {echo: {right: {min: 0.8, confident: true}}}\n"
    )
    result = project.run("evals", "--reruns=1", "--fail-on-flaky", "-p", "no:xdist")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["gate: INCONCLUSIVE (1 inconclusive)"])
    assert len(project.cases()) == 20
