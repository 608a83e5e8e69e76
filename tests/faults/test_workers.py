"""xdist workers: what is recorded is the same, with and without them (rows P1 to P4)."""

import os
import socket
import tempfile
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.support.project import Project
from tests.support.sessions import requests

ROWS = [{"id": f"r{n:02}", "input": f"q{n:02}", "target": f"q{n:02}"} for n in range(10)]
ONCE = Counter(row["input"] for row in ROWS)
MIXED = """
import pytest

@pytest.mark.llmeval("data/echo.jsonl")
async def test_echo(sample, model, score):
    response = await model.generate()
    if sample.id == "r03":
        raise RuntimeError("boom")
    score.exact(response, "other" if sample.id == "r07" else sample.target)
    score.record("length", len(response.text))

@pytest.mark.llmeval("data/echo.jsonl")
def test_more(sample, response, score):
    if sample.id == "r05":
        pytest.skip("not now")
    score.exact(response, sample.target)

def test_ordinary():
    pass
"""
GATED = """
version: 1
suites:
  echo: {exact: {min: 0.8}, settings: {max_error_rate: 0.2}, slices: {odd: {exact: {min: 0.99}}}}
"""


def tables(project: Project) -> dict[str, Any]:
    """Return what the run left, apart from times and ids."""
    cases = (
        "suite, sample_id, model, epoch, slices, outcome, error_kind, error, input_digest, response, attempts, cached"
    )
    return {
        "run": project.rows("SELECT status, exit_code, verdict, models, dataset_digest FROM runs"),
        "cases": project.rows(f"SELECT nodeid, {cases} FROM cases ORDER BY nodeid"),
        "scores": project.rows(
            "SELECT nodeid, name, value, passed, reason, scorer_digest FROM scores JOIN cases ON cases.id = case_id"
            " ORDER BY nodeid, name"
        ),
        "calls": project.rows(
            "SELECT nodeid, calls.model, request, calls.response, status, calls.input_tokens FROM calls"
            " JOIN cases ON cases.id = case_id ORDER BY nodeid"
        ),
        "verdicts": project.rows(
            "SELECT suite, model, metric, slice, rule, value, n, low, high, verdict FROM verdicts"
            " ORDER BY suite, metric, slice, rule"
        ),
    }


def test_every_distribution_leaves_the_same_tables_and_status(project: Project) -> None:
    project.eval("", [{**row, "slice": "odd" if n % 2 else "even"} for n, row in enumerate(ROWS)])
    project.write(evals__test_echo_py=MIXED, thresholds_yaml=GATED)
    spread = (["-p", "no:xdist"], ["-n0"], ["-n1"], ["-n2"], ["-n2", "--dist=loadfile"], ["-n2", "--dist=worksteal"])
    found = []
    for arguments in spread:
        result = project.run("evals", *arguments)
        found.append((result.ret, tables(project)))
        (project.root / ".llmeval" / "llmeval.db").unlink()
    assert found[1:] == found[:1] * 5
    assert found[0][0] == 1  # the slice odd has a miss
    assert len(found[0][1]["cases"]) == 20
    assert {row["verdict"] for row in found[0][1]["verdicts"]} == {"pass", "fail"}
    assert requests(project.server) == Counter({text: 12 for text in ONCE})


@pytest.mark.usefixtures("all_plugins")
def test_reruns_ask_nobody_and_change_no_answer(project: Project, spread: list[str]) -> None:
    """pytest-rerunfailures runs a body again; the model is not rolled again."""
    numbers = iter(range(10_000))
    project.server.reply = lambda messages: f"answer {next(numbers)}"
    project.eval(
        "def test_echo(sample, response, score):\n    with open('seen.txt', 'a') as file:\n"
        "        file.write(f'{sample.id} {response.text}\\n')\n"
        "    score.exact(response, 'never')\n",
        ROWS[:4],
    )
    result = project.run("evals", "--reruns=2", *spread)
    assert result.ret == 1
    seen = Counter((project.root / "seen.txt").read_text().splitlines())
    assert len(seen) == 4 and set(seen.values()) == {3}
    assert len(project.server.ledger) == 4
    assert project.rows("SELECT outcome, attempts FROM cases") == 4 * [{"outcome": "missed", "attempts": 1}]


@pytest.mark.usefixtures("all_plugins")
def test_async_reruns_ask_nobody(project: Project) -> None:
    project.eval(
        """
        async def test_echo(sample, model):
            with open("ran.txt", "a") as file:
                file.write(f"{sample.id}\\n")
            assert (await model.generate()).text == ""
        """,
        ROWS[:4],
    )
    assert project.run("evals", "--reruns=2").ret == 1
    assert Counter((project.root / "ran.txt").read_text().split()) == {row["id"]: 3 for row in ROWS[:4]}
    assert len(project.server.ledger) == 4


def test_a_temporary_folder_with_a_long_name_is_no_obstacle(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The path of a socket has at most 107 bytes."""
    folder = tmp_path / ("d" * 120)
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    project.eval("def test_echo(response):\n    pass\n", [{"id": "a", "input": "x"}])
    assert project.run("evals", "-n2").ret == 0


def test_the_socket_of_a_killed_session_is_swept_by_a_later_one(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing else, be it of a name like that: what a person keeps in the temporary folder is theirs."""
    with tempfile.TemporaryDirectory() as name:  # a short one: see above
        folder = Path(name)
        left, empty = folder / "llmeval-0123456789abcdef", folder / "llmeval-00000000000000ff"
        kept = [folder / f"llmeval-{own}" for own in ("results", "0123456789abcdef0", "fedcba9876543210")]
        linked = folder / "llmeval-1111111111111111"
        for each in (left, empty, *kept):
            each.mkdir()
        linked.symlink_to(kept[0])
        with closing(socket.socket(socket.AF_UNIX)) as server, closing(socket.socket(socket.AF_UNIX)) as other:
            server.bind(str(left / "engine"))
            other.bind(str(kept[0] / "engine"))
        (left / "crash").touch()
        (kept[2] / "engine").mkdir()
        (kept[2] / "engine" / "notes.txt").touch()
        for each in (left, empty, *kept):
            os.utime(each, (0, 0))
        os.utime(linked, (0, 0), follow_symlinks=False)
        monkeypatch.setenv("TMPDIR", name)
        project.eval("def test_echo(response):\n    pass\n", [{"id": "a", "input": "x"}])
        assert project.run("evals", "-n2").ret == 0
        there = set(folder.iterdir())
        assert there >= {linked, *kept}
        assert not there & {left, empty}
        assert (kept[0] / "engine").is_socket()
        assert (kept[2] / "engine" / "notes.txt").exists()
