"""GitHub Actions is told of a run: a summary of the job, and the worst rows beside the eval."""

import re
from pathlib import Path

import pytest

from pytest_llmeval.core.text import storable
from tests.support.fault_server import FaultServer
from tests.support.hostile import HOSTILE, harmless
from tests.support.project import Project
from tests.support.row_evals import EXACT

ROWS = [{"id": f"r{number}", "input": "x", "target": "x" if number else "y"} for number in range(4)]
RULES = "version: 1\nsuites:\n  echo: {exact: {min: 0.1}}\n"
COMMAND = re.compile(r"::(error|warning) file=([^,:]+),(?:line=(\d+),)?title=([^,:]+)::(.*)")


@pytest.fixture
def summary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that GitHub shows; another step wrote into it before."""
    path = tmp_path / "summary.md"
    path.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(path))
    return path


def commands(result: pytest.RunResult) -> list[tuple[str, ...]]:
    """Return what GitHub would make of the output: level, file, line, title and message of each annotation."""
    lines = [line for line in result.outlines if line.lstrip().startswith("::")]
    found = [COMMAND.fullmatch(line) for line in lines]
    assert all(found), lines
    return [match.groups() for match in found if match]


def test_the_summary_is_appended_once(project: Project, summary: Path, dist_args: list[str]) -> None:
    """By the process that the user started, behind what is there."""
    project.eval(EXACT, ROWS)
    assert project.run("evals", *dist_args).ret == 1
    text = summary.read_text("utf-8")
    assert text.startswith("before\n### ❌ llmeval: no rule was judged, exit status 1\n\nrun ")
    assert text.count("###") == 1
    assert "**echo** on echo: 3 passed, 1 missed" in text
    assert "**echo** r0: exact 0.000\n\nasked: `x` · expected: `y` · answer: `x`" in text


def test_flips_against_the_baseline_are_in_both(
    project: Project, summary: Path, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    project.eval(EXACT, [{"id": f"r{number}", "input": "x", "target": "x"} for number in range(12)])
    project.write(thresholds_yaml="version: 1\nsuites:\n  echo: {exact: {max_drop: 0.02}}\n")
    assert project.run("evals", "--run-name=main").ret == 0
    server.reply = lambda messages: "z"
    result = project.run("evals", "--baseline=main")
    assert result.ret == 1
    assert "Against main (run " in summary.read_text("utf-8").rpartition("###")[2]
    found = commands(result)
    assert len(found) == 10
    assert found[0][:4] == ("error", "evals/test_echo.py", "4", "llmeval%3A worse than main")
    assert found[0][4].startswith("echo r0 on echo: exact 1 to 0")


def test_the_worst_rows_are_annotated(
    project: Project, summary: Path, spread: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    project.eval(EXACT, ROWS)
    result = project.run("evals", *spread)
    assert commands(result) == [
        (
            "error",
            "evals/test_echo.py",
            "4",
            "llmeval%3A missed",
            'echo r0 on echo: exact 0.000%0A0 is under the pass mark 1%0Aexpected "y"%0Agot "x"',
        )
    ]


def test_a_session_that_passes_warns(project: Project, summary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Misses that the rules allow make no step red."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    project.eval(EXACT, ROWS)
    project.write(thresholds_yaml=RULES)
    result = project.run("evals")
    assert result.ret == 0
    assert [found[0] for found in commands(result)] == ["warning"]


def test_a_session_that_passes_beside_a_baseline_warns_of_what_is_new(
    project: Project, summary: Path, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a row that flipped and of one that is new, not of one that was missed before; a red session tells all."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    rows = [{"id": f"r{number}", "input": f"say {number}", "target": f"say {number}"} for number in range(8)]
    rows[0]["target"] = "other"
    project.eval(EXACT, rows)
    project.write(thresholds_yaml=RULES)
    assert len(commands(project.run("evals", "--run-name=main"))) == 1
    server.reply = lambda messages: str(messages[-1]["content"]).replace("say 1", "no")
    project.eval(EXACT, [*rows, {"id": "new", "input": "say 9", "target": "other"}])
    green = project.run("evals", "--baseline=main")
    assert green.ret == 0
    assert [(level, text.split()[1]) for level, *_, text in commands(green)] == [("warning", "r1"), ("warning", "new")]
    project.write(thresholds_yaml=RULES.replace("0.1", "0.99"))
    red = project.run("evals", "--baseline=main")
    assert {(level, text.split()[1]) for level, *_, text in commands(red)} == {
        ("error", "r1"),
        ("error", "r0"),
        ("error", "new"),
    }


def test_outside_of_a_job_no_line_begins_as_a_command(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    project.eval(EXACT, ROWS)
    assert commands(project.run("evals")) == []


def test_files_are_named_from_the_checkout(project: Project, summary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The project may be a folder of it."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(project.root.parent))
    project.eval(EXACT, ROWS)
    assert commands(project.run("evals"))[0][1] == f"{project.root.name}/evals/test_echo.py"


@pytest.mark.parametrize("path", ["no/such/folder/summary.md", "."])
def test_a_summary_that_cannot_be_written_is_a_note(
    project: Project, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", path)
    project.eval(EXACT, ROWS[1:])
    result = project.run("evals")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["note: GITHUB_STEP_SUMMARY cannot be written: *"])


def test_an_escalated_run_is_told_once(project: Project, summary: Path) -> None:
    """By the session, not by the child that asks once more."""
    rows = [{"id": f"r{number}", "input": "x", "target": "x" if number % 2 else "y"} for number in range(8)]
    project.eval(EXACT, rows)
    rule = "exact: {min: 0.6, confident: true}, settings: {on_inconclusive: escalate}"
    project.write(thresholds_yaml=f"version: 1\nsuites:\n  echo: {{{rule}}}\n")
    result = project.run("evals", inside=False)
    result.stdout.fnmatch_lines(["*escalated: 2 epochs more, 16 cases*"])
    assert summary.read_text("utf-8").count("###") == 1


def test_without_evals_nothing_is_told(project: Project, summary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    project.write(test_plain_py="def test_plain():\n    pass\n")
    result = project.run("test_plain.py")
    assert summary.read_text() == "before\n"
    assert commands(result) == []


def test_hostile_texts_command_nothing(
    project: Project, summary: Path, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every annotation is ours, and there are ten."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    texts = [text for text in HOSTILE.values() if len(text) < 10_000]
    server.reply = lambda messages: texts[int(messages[-1]["content"])]
    for first in range(0, len(texts), 10):
        project.eval(
            """
            def test_echo(response, score):
                score.record(response.text + "!", 0, passed=False, reason=response.text)
            """,
            [
                {"id": storable(text), "input": str(place), "slice": storable(text)}
                for place, text in enumerate(texts)
                if first <= place < first + 10
            ],
        )
        result = project.run("evals", "-q", "--tb=no")
        assert len(commands(result)) == min(10, len(texts) - first)
        assert not [line for line in result.outlines if "##[" in line]
    harmless(summary.read_text("utf-8"))
