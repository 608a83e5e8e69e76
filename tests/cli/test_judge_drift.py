"""A judge's alias that means another model by now: a warning, wherever verdicts are shown, and nothing else."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.support.chat_bodies import completion
from tests.support.fault_server import FaultServer
from tests.support.judges import SYNC, Messages, answer_in, named, verdict
from tests.support.project import Project

ROWS = [{"id": f"r{number}", "input": "yes", "target": "yes"} for number in range(6)]
OLD, NEW = "judge-2025-01-01", "judge-2026-01-01"
MOVED = f"judge j was answered by {NEW}, in {{}} by {OLD}: a change may be the judge's"


def answered_by(judge: FaultServer, model: str) -> None:
    """Let a judge say that it is this model."""
    judge.reply = lambda messages: completion(verdict(messages), model)


@pytest.fixture
def judge() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


@pytest.fixture
def moved(project: Project, judge: FaultServer) -> tuple[str, str]:
    """The ids of two runs, between which the judge's name came to mean another model; the flag is in the ini file."""
    project.eval(SYNC, ROWS)
    project.write(thresholds_yaml="version: 1\nsuites: {echo: {correctness: {max_drop: 0.02}}}\n")
    flag = named(project, judge)
    ids: list[str] = []
    for model in (OLD, NEW):
        answered_by(judge, model)
        result = project.run("evals", flag, "--cache=off", *([f"--baseline={ids[0]}"] if ids else []))
        assert result.ret == 0, result.stdout.str()
        assert ("warning: judge j was answered by" in result.stdout.str()) is bool(ids)
        ids.append(str(project.last_run()["id"]))
    return ids[0], ids[1]


def flat(text: str) -> str:
    return " ".join(text.split())


def test_the_verdict_stands_and_a_line_warns(moved: tuple[str, str], llmeval: Command) -> None:
    """In the terminal, in JSON, in a comparison and in its Markdown."""
    base, now = moved
    told = MOVED.format(base)
    assert f"warning: {told}" in flat(llmeval("gate", now).out)
    found = llmeval("gate", now, "--json").json()
    assert [each["verdict"] for each in found["verdicts"]] == ["pass"]
    assert found["warnings"][0].startswith(told)
    assert told in flat(llmeval("compare", base, now).out)
    assert told in llmeval("compare", base, now, "--output", "-").out
    assert told in llmeval("compare", base, now, "--json").json()["notes"][0]
    assert "was answered by" not in llmeval("compare", now, now).out
    assert llmeval("gate", base, "--json").json()["warnings"] == []


def test_an_exported_baseline_keeps_who_answered(moved: tuple[str, str], llmeval: Command, project: Project) -> None:
    """It holds no calls; one that was taken into another database has the same to say."""
    base, now = moved
    assert llmeval("baseline", "export", base, "main.jsonl").status == 0
    header = json.loads(Path("main.jsonl").read_text().splitlines()[0])
    assert header["run"]["settings"]["answering"] == {"j": [OLD]}
    assert MOVED.format("main.jsonl") in flat(llmeval("compare", "main.jsonl", now).out)
    assert llmeval("baseline", "import", "main.jsonl", "--name", "main", "--llmeval-db", "other.db").status == 0
    assert llmeval("baseline", "export", "main", "again.jsonl", "--llmeval-db", "other.db").status == 0
    assert MOVED.format("again.jsonl") in flat(llmeval("gate", now, "--baseline", "again.jsonl").out)


def test_a_file_of_before_says_nothing_of_it(moved: tuple[str, str], llmeval: Command) -> None:
    """And can be read as ever."""
    base, now = moved
    llmeval("baseline", "export", base, "main.jsonl")
    first, *rest = Path("main.jsonl").read_text().splitlines()
    header = json.loads(first)
    del header["run"]["settings"]["answering"]
    Path("old.jsonl").write_text("\n".join([json.dumps(header), *rest]) + "\n")
    assert "was answered by" not in llmeval("compare", "old.jsonl", now).out
    header["run"]["settings"]["answering"] = {"j": [1]}
    Path("bad.jsonl").write_text("\n".join([json.dumps(header), *rest]) + "\n")
    assert "'run.settings.answering.j' holds 1" in llmeval("compare", "bad.jsonl", now).err


def test_another_spec_is_another_judge_and_no_alias_that_moved(
    moved: tuple[str, str], llmeval: Command, project: Project, judge: FaultServer
) -> None:
    """The gate says that one itself."""
    result = project.run("evals", named(project, judge, "other"), "--cache=off", f"--baseline={moved[0]}")
    assert result.ret == 10
    assert "another judge than the baseline's" in result.stdout.str()
    assert "was answered by" not in result.stdout.str()


def test_two_models_that_answered_in_one_run_are_told(project: Project, judge: FaultServer, spread: list[str]) -> None:
    def reply(messages: Messages) -> dict[str, object]:
        return completion(verdict(messages, "right"), OLD if answer_in(messages)[0] == "yes" else NEW)

    judge.reply = reply
    project.eval(SYNC, [*ROWS, {"id": "no", "input": "no", "target": "yes"}])
    project.write(thresholds_yaml="version: 1\nsuites: {echo: {correctness: {min: 0.9}}}\n")
    result = project.run("evals", named(project, judge), *spread)
    assert result.ret == 0, result.stdout.str()
    told = f"warning: judge j was answered by 2 models in this run: {OLD}, {NEW}; verdicts may differ"
    assert told in flat(result.stdout.str())
