"""llmeval merge under ``on_inconclusive: escalate``: no second look follows, not even by a resumed session."""

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
defaults: {on_inconclusive: escalate}
suites: {echo: {right: {max_drop: 0.02}}}
"""


def last_verdicts(project: Project) -> list[tuple[str, str]]:
    rows = project.rows("SELECT rule, verdict FROM verdicts WHERE run_id = ?", project.last_run()["id"])
    return [(row["rule"], row["verdict"]) for row in rows]


def test_joined_shards_are_looked_at_once(project: Project, llmeval: Command) -> None:
    """Of 60 rows 4 got worse: p is 0.031, over the half of alpha that a look has."""
    project.write(thresholds_yaml=RULES)
    project.eval(EVAL.format(worse=0), ROWS)
    assert project.run("evals").ret == 0
    assert llmeval("baseline", "set", "main", "last").status == 0
    project.eval(EVAL.format(worse=4), ROWS)
    files = record_shards(project, 2)
    assert llmeval("merge", *files, "--baseline=main").status == 1
    told = [("max_drop=0.02", "inconclusive")]
    assert last_verdicts(project) == told
    calls = len(project.server.ledger)
    resumed = project.run("evals", "--resume=last", "--baseline=main")
    assert resumed.ret == 1
    assert len(project.server.ledger) == calls
    assert last_verdicts(project) == told
    resumed.stdout.fnmatch_lines(["note: not escalated: its shards were joined"])
