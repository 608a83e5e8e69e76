"""A comparison of a run whose own gate did not pass: its verdict stands first, and the status is of the changes."""

import pytest

from tests.cli.conftest import Command
from tests.support.project import Project

BODY = "def test_echo(sample, response, score):\n    score.exact(response, sample.target)\n"
RULES = "version: 1\nsuites: {{echo: {{exact: {{min: {bar}, max_drop: 0.1}}}}}}\n"


@pytest.fixture
def red(project: Project, llmeval: Command) -> Project:
    """A project with a green baseline, and a run that answers alike under a higher bar."""
    rows = [{"id": f"r{number}", "input": "x", "target": "x" if number else "y"} for number in range(12)]
    project.eval(BODY, rows)
    project.write(thresholds_yaml=RULES.format(bar=0.5))
    assert project.run("evals").ret == 0
    assert llmeval("baseline", "set", "main").status == 0
    project.write(thresholds_yaml=RULES.format(bar=0.99))
    assert project.run("evals").ret == 1
    return project


def test_no_comment_is_green_beside_a_red_check(red: Project, llmeval: Command) -> None:
    done = llmeval("compare", "main", "last", "--output", "pr.md", "--fail-on-regression")
    assert done.status == 0
    assert done.out.startswith(
        "gate FAIL: echo exact min=0.99 is 0.9167, below 0.99\ncompared with main: PASS: nothing got worse"
    )
    text = (red.root / "pr.md").read_text("utf-8")
    assert text.startswith("### ❌ llmeval: gate FAIL: echo exact min=0.99 is 0.9167, below 0.99\n")
    assert "✅" not in text


def test_programs_get_both_verdicts(red: Project, llmeval: Command) -> None:
    told = llmeval("compare", "main", "last", "--json").json()
    assert (told["verdict"], told["gate"]["verdict"], told["gate"]["exit_code"]) == ("pass", "fail", 1)
    assert [each["rule"] for each in told["gate"]["rules"]] == ["min=0.99"]


def test_a_file_tells_the_verdict_alone(red: Project, llmeval: Command) -> None:
    assert llmeval("baseline", "export", "last", "now.jsonl", "--even-red").status == 0
    assert llmeval("compare", "main", "now.jsonl").out.startswith("gate FAIL where it was recorded, whose rules are")


def test_a_rule_that_is_unsure_does_not_get_the_blame_for_a_suite_without_rules(
    project: Project, llmeval: Command
) -> None:
    """It let the run pass; the misses and errors of the suite beside it are what made the check red."""
    rows = [{"id": f"r{number}", "input": "x", "target": "x"} for number in range(12)]
    project.eval(BODY, rows)
    project.write(
        thresholds_yaml=RULES.format(bar=0.5),
        evals__test_plain_py="""
        import pytest

        @pytest.mark.llmeval("data/echo.jsonl")
        def test_plain(sample, response):
            assert sample.id != "r0"
            1 / (sample.id != "r1")
        """,
    )
    project.run("evals")
    assert llmeval("baseline", "set", "main", "--even-red").status == 0
    project.eval(BODY.replace("sample.target", "'y' if sample.id in ('r2', 'r3', 'r4') else 'x'"))
    assert project.run("evals", "--baseline=main").ret == 1
    told = " ".join(llmeval("compare", "main", "last").out.split())
    assert told.startswith(
        "FAIL: the session ended with status 1: misses or errors in a suite without rules (plain);"
        " inconclusive rules fail a session only with on_inconclusive: fail"
        " inconclusive: echo exact max_drop=0.1: 1 to 0.75"
    )
    assert "note: plain on echo: 1 case ended in an error and has no verdict: r1 (code)" in told
