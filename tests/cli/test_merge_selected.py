"""llmeval merge, where something left out rows: what it left out adds up to what one session would have left out."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Command
from tests.cli.test_merge import record_shards
from tests.support.project import Project
from tests.support.row_evals import EXACT
from tests.support.stored_runs import look

ROWS: list[dict[str, Any]] = [
    {
        "id": f"row{number}",
        "input": f"q{number}",
        "target": f"q{number}",
        "slice": "odd" if number % 2 else "even",
        **({"marks": ["regression"]} if number in (0, 1, 6) else {}),
    }
    for number in range(24)
]
RULES = "version: 1\nbaseline: main\nsuites: {echo: {exact: {min: 0.5, max_drop: 0.1}}}\n"
SETS = """
@pytest.mark.parametrize("much", [1, pytest.param(2, marks=pytest.mark.regression)])
def test_sets(sample, response, much):
    pass
"""


@pytest.fixture
def written(project: Project) -> Project:
    project.eval(EXACT, ROWS)
    return project


def left_out(file: Path) -> dict[str, Any]:
    """Return what the newest run of a file says of its suites and of what it left out."""
    found = look(file, "SELECT settings_json FROM runs ORDER BY started_at DESC, rowid DESC LIMIT 1")
    settings = json.loads(found[0]["settings_json"])
    return {key: settings[key] for key in ("suites", "partial", "unselected", "markexpr", "keyword")}


def test_a_shard_of_which_a_mark_left_nothing_counts_too(written: Project, llmeval: Command, spread: list[str]) -> None:
    """The rows of the baseline that it would have had are not missing: one session and its shards judge alike."""
    assert written.run("evals").ret == 0
    assert llmeval("baseline", "set", "main", "last").status == 0
    written.write(thresholds_yaml=RULES)
    assert written.run("evals", "-m", "regression", "--llmeval-db=whole.db", "--baseline=none").ret == 0
    assert written.run("evals", "-m", "regression").ret == 0
    verdicts = written.rows("SELECT rule, n, delta, verdict FROM verdicts ORDER BY rule")
    assert [row["verdict"] for row in verdicts] == ["pass", "pass"]
    files = record_shards(written, 4, "-m", "regression", *spread)
    assert 0 in [look(Path(file), "SELECT count(*) AS n FROM cases")[0]["n"] for file in files]
    done = llmeval("merge", *files, "--json")
    assert (done.status, done.json()["verdict"]) == (0, "pass")
    merged = written.rows(
        "SELECT rule, n, delta, verdict FROM verdicts WHERE run_id = ? ORDER BY rule", done.json()["run"]
    )
    assert merged == verdicts
    assert left_out(Path(".llmeval/llmeval.db")) == left_out(Path("whole.db"))


@pytest.mark.parametrize(
    "arguments",
    [
        ["-m", "regression"],
        ["-k", "row1 and test_echo"],
        ["-k", "row4]"],
        ["-m", "regression", "-k", "row2 or 2]"],
        ["--limit=3"],
        ["--slice=odd", "-m", "regression"],
        ["--slice=odd", "--limit=2", "-m", "regression and not parametrize", "-k", "echo"],
    ],
    ids=" ".join,
)
def test_what_was_left_out_is_what_one_session_says(written: Project, llmeval: Command, arguments: list[str]) -> None:
    written.eval(SETS, ROWS[:9], name="sets")
    files = record_shards(written, 4, *arguments)
    assert llmeval("merge", *files).status == 0
    assert written.run("evals", *arguments, "--llmeval-db=whole.db").ret == 0
    assert left_out(Path(".llmeval/llmeval.db")) == left_out(Path("whole.db"))


def test_shards_that_are_scored_again_keep_what_was_left_out(written: Project, llmeval: Command) -> None:
    files = record_shards(written, 2, "-m", "regression")
    assert llmeval("merge", *files).status == 0
    first = left_out(Path(".llmeval/llmeval.db"))
    assert first["suites"]["echo"]["deselected"] == 21
    for file in files:
        assert llmeval("rescore", "last", "--llmeval-db", file).status == 0
    assert llmeval("merge", *files, "--into=again.db").status == 0
    assert left_out(Path("again.db")) == first
