"""``--resume`` beside an imported baseline: a job that asked nothing is not judged by the answers of another one."""

import sqlite3
from contextlib import closing

import pytest

from tests.faults.test_resuming import unwrapped
from tests.support.project import Project

ROWS = [{"id": f"r{n}", "input": f"q{n}", "target": f"q{n}"} for n in range(4)]
BODY = """
def test_echo(sample, response, score):
    score.exact(response, sample.target)
"""
RULES = "version: 1\nbaseline: main\nsuites: {echo: {exact: {min: 0.5, max_drop: 0.02}}}\n"


@pytest.fixture
def fresh(project: Project) -> Project:
    """A project on a machine whose database holds an imported baseline and nothing else."""
    project.eval(BODY, ROWS)
    project.write(thresholds_yaml=RULES)
    assert project.run("evals", "--run-name=green").ret == 0
    for words in (("set", "main"), ("export", "main", "main.jsonl")):
        assert project.llmeval("baseline", *words).ret == 0
    for file in (project.root / ".llmeval").iterdir():
        file.unlink()
    assert project.llmeval("baseline", "import", "main.jsonl").ret == 0
    project.server.ledger.clear()
    return project


@pytest.mark.parametrize("ref", ["last", "green", "main"])
def test_an_imported_run_does_not_go_on(fresh: Project, dist_args: list[str], ref: str) -> None:
    """A pull request would pass by the answers of main: no case of it is open."""
    result = fresh.run("evals", f"--resume={ref}", *dist_args, model="")
    assert result.ret == 4 and fresh.server.ledger == []
    told = "was imported from a file" if ref != "main" else "no run 'main'"
    assert told in unwrapped(result) + " ".join(result.stderr.str().split())


def test_the_newest_run_of_the_machine_goes_on_beside_an_imported_one(fresh: Project) -> None:
    """Also where that one is younger."""
    assert fresh.run("evals", "--run-name=own").ret == 0
    with closing(sqlite3.connect(fresh.root / ".llmeval" / "llmeval.db")) as database, database:
        database.execute("UPDATE runs SET started_at = '2999-01-01T00:00:00.000+00:00' WHERE name = 'green'")
    result = fresh.run("evals", "--resume=last", model="")
    assert result.ret == 0, result.stdout.str()
    result.stdout.fnmatch_lines(["run * (own) is in *"])
    assert len(fresh.server.ledger) == len(ROWS)
