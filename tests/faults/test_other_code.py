"""Runs of an application that git sees change: between two sessions of one run, and between two runs."""

import subprocess

import pytest

from tests.support.project import Project

APP = "def ask(model):\n    return model.generate_sync(%r).text\n"
BODY = """
def test_echo(sample, model, score):
    import app
    if sample.id == "r1" and not __import__("os").path.exists("fixed"):
        raise RuntimeError("not now")
    score.contains(app.ask(model), "q")
"""


def git(project: Project, *arguments: str) -> None:
    """Run git in the project, whoever the person is."""
    who = ["-c", "user.name=n", "-c", "user.email=n@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *who, *arguments], cwd=project.root, check=True, capture_output=True)


@pytest.fixture
def committed(project: Project) -> Project:
    """A project of one commit, with a file that has the name of a revision."""
    (project.root / "HEAD").touch()
    project.pytester.makepyfile(app=APP % "q")
    project.eval(BODY, [{"id": "r0", "input": "q"}, {"id": "r1", "input": "q"}])
    project.write(conftest_py="import os, sys\nsys.path.insert(0, os.path.dirname(__file__))\n")
    git(project, "init", "-q", "-b", "main")
    git(project, "add", ".")
    git(project, "commit", "-qm", "one")
    return project


def test_going_on_with_other_code_is_told_and_not_refused(committed: Project) -> None:
    """Where the session begins, in its summary, by ``show``, ``compare`` and ``baseline set``; the README is code."""
    project = committed
    assert project.run("evals", inside=False).ret == 1
    (project.root / "app.py").write_text(APP % "qq")
    result = project.run("evals", "--resume=last", model="", inside=False)
    told = "resumed on other code (commit *, now * with changes)"
    result.stdout.fnmatch_lines([f"llmeval: {told}", f"warning: {told}:"])
    (project.root / "fixed").touch()
    git(project, "commit", "-qam", "two")
    assert project.run("evals", "--resume=last", model="", inside=False).ret == 0
    assert "(commit" in project.llmeval("show").stdout.str()
    done = project.llmeval("baseline", "set", "main")
    assert (done.ret, done.stderr.str().count("warning: run "), done.stderr.str().count(", now ")) == (0, 1, 2)
    (project.root / "app.py").write_text(APP % "q3")
    assert project.run("evals", inside=False).ret == 0
    (project.root / "app.py").write_text(APP % "q4")
    assert project.run("evals", inside=False).ret == 0
    runs = [row["id"] for row in project.rows("SELECT id FROM runs ORDER BY rowid")]
    assert "uncommitted changes" in " ".join(project.llmeval("compare", runs[1], runs[2]).stdout.str().split())
    assert "the base was resumed on other code" in " ".join(
        project.llmeval("compare", "main", "last").stdout.str().split()
    )


def test_the_same_code_is_not_told_whatever_the_run_itself_leaves(committed: Project) -> None:
    (committed.root / "app.py").write_text(APP % "qq")
    assert committed.run("evals", inside=False).ret == 1
    (committed.root / "fixed").touch()
    result = committed.run("evals", "--resume=last", model="", inside=False)
    assert result.ret == 0
    assert "other code" not in result.stdout.str()


def test_a_finished_run_of_other_code_proves_nothing_of_this_one(committed: Project, spread: list[str]) -> None:
    """As where a job with the database of an earlier commit resumes the newest run, whatever it is."""
    project = committed
    (project.root / "fixed").touch()
    assert project.run("evals", inside=False).ret == 0
    run = project.last_run()
    resumed = project.run("evals", "--resume=last", *spread, model="", inside=False)
    assert resumed.ret == 0, "the same code"
    (project.root / "app.py").write_text(APP % "other")
    git(project, "commit", "-qam", "two")
    refused = project.run("evals", "--resume=last", *spread, model="", inside=False)
    assert refused.ret == 4
    told = " ".join(refused.stderr.str().split())
    assert f"--resume {run['id']}: the run is finished, and the code is not the one that finished it (commit " in told
    assert f"Leave --resume out to begin a new run; llmeval gate {run['id']} judges this one by today's rules" in told
    assert project.last_run()["status"] == "finished"
    allowed = project.run("evals", "--resume=last", "--llmeval-resume-changed", *spread, model="", inside=False)
    assert allowed.ret == 0
    assert "resumed on other code" in allowed.stdout.str()
    assert len(project.server.ledger) == 2
