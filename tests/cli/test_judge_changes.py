"""What ``llmeval compare`` says of judges that are the same models, asked otherwise: by a changed rubric."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import pytest_llmeval
from tests.cli.conftest import Command
from tests.support.fault_server import FaultServer
from tests.support.judges import named, verdict
from tests.support.project import Project

ROWS = [{"id": f"r{number}", "input": "yes", "target": "yes"} for number in range(4)]
EVAL = """
def test_echo(sample, response, score):
    score.judge_sync(response, rubric="rubrics/own.yaml")
"""
SHIPPED = (Path(pytest_llmeval.__file__).with_name("rubrics") / "qa.yaml").read_text()


@pytest.fixture
def flag(project: Project) -> Iterator[str]:
    """A project whose judge goes by a rubric of its own; the option that names the judge."""
    with FaultServer(reply=verdict) as server:
        project.eval(EVAL, ROWS)
        project.write(rubrics__own_yaml=SHIPPED)
        yield named(project, server)


@pytest.fixture
def judged(project: Project, flag: str) -> Callable[[], str]:
    """Runs the eval and returns the run's id."""

    def again() -> str:
        result = project.run("evals", flag)
        assert result.ret == 0, result.stdout.str()
        return str(project.last_run()["id"])

    return again


def changed(project: Project, *replaced: tuple[str, str]) -> None:
    text = SHIPPED
    for old, new in replaced:
        assert old in text
        text = text.replace(old, new)
    project.write(rubrics__own_yaml=text)


def set_up(llmeval: Command, *runs: str) -> list[str]:
    found: list[str] = llmeval("compare", *runs, "--json").json()["set_up"]
    return [line for line in found if "asked by rubric" in line or line.startswith("rubric ")]


def test_a_changed_rubric_is_named_by_its_parts(project: Project, judged: Callable[[], str], llmeval: Command) -> None:
    """From the database and from an exported file, whose judges have no other name."""
    base = judged()
    assert llmeval("baseline", "export", base, "main.jsonl").status == 0
    changed(project, ("version: 1", "version: 2"), ("question: ", "question: Say it. "))
    now = judged()
    parts = ["version (1, now 2)", *(f"question of {each}" for each in ("correctness", "completeness", "format"))]
    told = [f"rubric own: {', '.join(parts)}"]
    assert set_up(llmeval, base, now) == told
    assert set_up(llmeval, "main.jsonl", now) == told
    assert told[0] in " ".join(llmeval("compare", base, now).out.split())
    assert set_up(llmeval, base, base) == []
