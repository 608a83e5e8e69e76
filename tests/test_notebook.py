"""The notebook runs: on the two real runs beside it, with the outputs that are committed, and on other runs."""

import re
import tempfile
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from traitlets.config import Config

from pytest_llmeval.core.stored import Label
from pytest_llmeval.store.sqlite import SqliteStore
from tests.support.hostile_run import hostile_run
from tests.support.judged_runs import RUN, judged_record, store_run
from tests.support.project import Project

FOLDER = Path(__file__).parent.parent / "notebooks"
NOTEBOOK = FOLDER / "results_analysis.ipynb"


def committed() -> Any:
    return nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]  # nbformat has no types


def executed() -> Any:
    """Return the notebook after its cells ran one by one; a cell that raises fails the test.

    Its kernel is reached over sockets that are files: ports may be taken between the choice of them and their use.
    """
    notebook = committed()
    for cell in notebook.cells:
        cell.pop("outputs", None)
        if cell.cell_type == "code":
            cell.outputs = []
    with tempfile.TemporaryDirectory() as name:
        sockets = Config(KernelManager={"transport": "ipc", "ip": str(Path(name) / "kernel")})
        place = {"metadata": {"path": str(FOLDER)}}
        return NotebookClient(notebook, kernel_name="python3", resources=place, config=sockets).execute()


def shown(notebook: Any) -> list[list[str]]:
    """Return what each code cell shows: texts as they are, of a figure that it is one."""
    return [list(map(text_of, cell.outputs)) for cell in notebook.cells if cell.cell_type == "code"]


def text_of(output: Any) -> str:
    return str(output["text"] if "text" in output else output["data"]["text/plain"])


def figures(notebook: Any) -> int:
    return sum("image/png" in output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", ()))


def test_the_committed_outputs_are_those_of_its_cells() -> None:
    """Made anew with: jupyter nbconvert --to notebook --inplace --execute notebooks/results_analysis.ipynb."""
    assert shown(committed()) == shown(executed())
    assert figures(committed()) == 5


def test_it_is_small_and_says_nothing_of_the_machine_it_ran_on() -> None:
    text = NOTEBOOK.read_text("utf-8")
    assert len(text) < 400_000
    assert not [place for place in ("/home/", "/root/", "/tmp/", "/work/") if place in text]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("score.exact(response, sample.target)\n    1 / len(sample.target)", "code"),
        ("assert str(response) == sample.target", "have no score"),
    ],
    ids=["an error, no baseline", "no scores"],
)
def test_it_shows_other_runs(project: Project, monkeypatch: pytest.MonkeyPatch, body: str, said: str) -> None:
    rows = [{"id": str(number), "input": "a", "target": target} for number, target in enumerate(("a", "b", ""))]
    project.eval(f"def test_echo(sample, response, score):\n    {body}\n", rows)
    project.run("evals")
    monkeypatch.setenv("LLMEVAL_DB", str(project.root / ".llmeval" / "llmeval.db"))
    text = str(shown(executed()))
    assert "no baseline: llmeval baseline set main" in text
    assert "no labels: llmeval labels export" in text
    assert said in text


def test_hostile_texts_neither_break_it_nor_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run whose every name and text is hostile, beside itself."""
    store = SqliteStore(tmp_path / "llmeval.db")
    told = hostile_run(store)
    store.close()
    monkeypatch.setenv("LLMEVAL_DB", str(tmp_path / "llmeval.db"))
    monkeypatch.setenv("LLMEVAL_BASELINE", told.id)
    outputs = [output for cell in executed().cells for output in cell.get("outputs", ())]
    html = [output["data"].get("text/html", "") for output in outputs if "data" in output]
    assert any(html)
    assert not re.search("<(script|img|svg|iframe|a) ?", "".join(html).replace("<style scoped>", ""))
    assert max(map(len, html)) < 200_000


def test_two_runs_by_name(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A baseline and a worse run, with the change that the database has."""
    project.eval(
        "def test_echo(sample, response, score):\n    score.exact(response, sample.target)\n",
        [{"id": str(number), "input": "a", "target": "a", "slice": "all"} for number in range(12)],
    )
    project.run("evals", "--run-name=before")
    project.server.reply = lambda messages: "b"
    project.run("evals")
    monkeypatch.setenv("LLMEVAL_DB", str(project.root / ".llmeval" / "llmeval.db"))
    monkeypatch.setenv("LLMEVAL_BASELINE", "before")
    text = str(shown(executed()))
    assert "12 pair" in text
    assert re.search(r"-1\.0 +NaN +NaN", text), "all rows change alike: nothing tells what chance does"


def test_a_model_under_another_name_pairs_where_each_run_has_one(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the gate pairs them; where a run has several, by name."""
    project.eval(
        "def test_echo(sample, response, score):\n    score.exact(response, sample.target)\n",
        [{"id": str(number), "input": "a", "target": "a"} for number in range(3)],
    )
    other = project.model.replace("echo", "parrot")
    project.run("evals", "--run-name=before")
    project.run("evals", "--run-name=after", model=other)
    project.run("evals", f"--model={project.model}", model=other)
    monkeypatch.setenv("LLMEVAL_DB", str(project.root / ".llmeval" / "llmeval.db"))
    monkeypatch.setenv("LLMEVAL_BASELINE", "after")
    assert "6 cases\\nbaseline" in (text := str(shown(executed()))) and "3 cases; 3 pair" in text
    project.run("evals")
    assert "3 cases\\nbaseline" in (text := str(shown(executed()))) and "3 cases; 3 pair" in text


def test_a_judge_is_told_of_by_answers_that_were_drawn_by_chance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer counts once, by the median of its raters, of two the lower, in whatever runs they labelled it."""
    store = SqliteStore(tmp_path / "llmeval.db")
    run_again = "20260102-000000-bbbbbb"
    levels = {"a": "right", "b": "right", "c": "wrong", "d": "right", "e": "wrong"}
    for run in (RUN, run_again):
        store_run(store, [judged_record(sample, level, answer=sample) for sample, level in levels.items()], run)
    cases = {(run, case.key.sample_id): case.id for run in (RUN, run_again) for case in store.cases(run)}
    labels = [
        ("a", "Kim", 1.0, "random"),
        ("a", "Noor", 1.0, "random"),
        ("a", "Lee", 0.0, "random"),
        ("b", "Kim", 1.0, None),
        ("b", "Lee", 0.0, None),
        ("c", "Kim", 0.0, "random"),
        ("d", "Kim", 1.0, "verdict of correctness"),
        ("e", "Kim", 1.0, "verdict of correctness"),
    ]
    store.add_labels(
        Label(
            case_id=cases[run, sample],
            name="correctness",
            value=value,
            passed=value == 1,
            rater=rater,
            at=run,
            draw=draw,
        )
        for run in (RUN, run_again)
        for sample, rater, value, draw in labels
    )
    store.close()
    monkeypatch.setenv("LLMEVAL_DB", str(tmp_path / "llmeval.db"))
    text = str(shown(executed()))
    assert "4 of 16 labels are left out: drawn by a verdict" in text
    assert re.search(r"correctness +3 +0\.33 +0\.67 +1\.0 +0\.5 .*correctness +0\.4", text)
    assert "no labels" not in text


def test_labels_that_were_drawn_by_a_verdict_tell_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = SqliteStore(tmp_path / "llmeval.db")
    store_run(store, [judged_record("a", "right")])
    (case,) = store.cases(RUN)
    drawn = Label(
        case_id=case.id, name="format", value=1.0, passed=True, rater="Kim", at="2026", draw="verdict of format"
    )
    store.add_labels([drawn])
    store.close()
    monkeypatch.setenv("LLMEVAL_DB", str(tmp_path / "llmeval.db"))
    notebook = executed()
    assert "1 of 1 labels are left out" in str(shown(notebook)) and "kappa" not in str(shown(notebook))
