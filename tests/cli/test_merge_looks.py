"""llmeval merge under ``on_inconclusive: escalate``: the joined run has one look, with all of alpha."""

import json

import pytest

from tests.cli.conftest import Command
from tests.cli.test_merge import record_shards
from tests.support.project import Project

ROWS = [{"id": f"r{number:02}", "input": f"q{number}", "target": "x"} for number in range(60)]
EVAL = """
def test_echo(sample, response, score):
    score.record("right", int(sample.id[1:]) >= {worse})
"""
RULES = """
version: 1
defaults: {{on_inconclusive: {what}}}
suites: {{echo: {{right: {{max_drop: 0.02}}}}}}
"""


def last_verdicts(project: Project) -> list[tuple[str, str]]:
    rows = project.rows("SELECT rule, verdict FROM verdicts WHERE run_id = ?", project.last_run()["id"])
    return [(row["rule"], row["verdict"]) for row in rows]


@pytest.mark.parametrize("worse", [4, 3])
def test_joined_shards_have_one_look_with_all_of_alpha(project: Project, llmeval: Command, worse: int) -> None:
    """Of 60 rows 4 got worse: p is 0.031, under alpha and over its half; of 3 it is 0.12, and undecided."""
    project.write(thresholds_yaml=RULES.format(what="escalate"))
    project.eval(EVAL.format(worse=0), ROWS)
    assert project.run("evals").ret == 0
    assert llmeval("baseline", "set", "main", "last").status == 0
    project.eval(EVAL.format(worse=worse), ROWS)
    files = record_shards(project, 2)
    joined = llmeval("merge", *files, "--baseline=main")
    assert joined.status == 1
    verdict = "fail" if worse == 4 else "inconclusive"
    assert last_verdicts(project) == [("max_drop=0.02", verdict)]
    (judged,) = llmeval("gate", "last", "--json").json()["verdicts"]
    assert judged["verdict"] == verdict
    (compared,) = llmeval("compare", "main", "last", "--json").json()["changes"]
    assert compared["verdict"] == verdict
    calls = len(project.server.ledger)
    resumed = project.run("evals", "--resume=last", "--baseline=main")
    assert resumed.ret == 1
    assert len(project.server.ledger) == calls
    assert last_verdicts(project) == [("max_drop=0.02", verdict)]
    assert not json.loads(project.last_run()["settings_json"]).get("escalated")
    if worse == 3:
        resumed.stdout.fnmatch_lines(["note: not escalated: its shards were joined"])
