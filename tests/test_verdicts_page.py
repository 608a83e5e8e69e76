"""What docs/verdicts.md shows of a terminal is what the command prints of the rows in docs/pictures/qa.json."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from pytest_llmeval.cli.app import main
from pytest_llmeval.store.sqlite import SqliteStore
from tests.support.records import record, score
from tests.support.stored_runs import END, run

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "verdicts.md").read_text("utf-8")
PICTURES = ROOT / "docs" / "pictures"
COMMANDS = (
    ("gate", "no-text"),
    ("compare", "main", "no-examples"),
    ("plan", "sampled"),
    ("selftest", "sampled"),
)


@pytest.fixture
def real_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The runs of the page, ``v1`` the baseline, in a project with the rules that the page shows for them."""
    (rules,) = re.findall(r"^```yaml\n(version: 1\nbaseline: main\n.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    (tmp_path / "thresholds.yaml").write_text(rules, encoding="utf-8")
    (tmp_path / "pytest.ini").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    told = json.loads((PICTURES / "qa.json").read_text("utf-8"))
    store = SqliteStore(tmp_path / ".llmeval" / "llmeval.db")
    runs = {
        **{name: [[value] for value in values] for name, values in told["runs"].items()},
        "sampled": told["sampled"],
    }
    for day, (name, answers) in enumerate(runs.items(), 1):
        add(store, f"2025010{day}-000000-{day:06x}", name, told, answers)
    store.set_baseline("main", "20250101-000000-000001", "2025-01-09")
    store.close()


def add(store: SqliteStore, id: str, name: str, told: dict[str, Any], answers: list[list[float]]) -> None:
    """Put in a run of the rows, each with the scores of its epochs."""
    expected = sum(map(len, answers))
    suites = {"qa": {"expected": {"smollm2": expected}, "prompt_digest": name, "left_out": [], "deselected": 0}}
    store.start_run(run(id, name=name, started_at=id, models=("smollm2",), settings={"suites": suites}))
    for row, slices, values in zip(told["ids"], told["slices"], answers, strict=True):
        for epoch, value in enumerate(values, 1):
            store.add_case(
                id,
                record(
                    row,
                    model="smollm2",
                    epoch=epoch,
                    slices=tuple(slices),
                    outcome="passed" if value == 1 else "missed",
                    scores=(score("token_f1", value, value == 1),),
                    input_digest=row,
                ),
            )
    store.finish_run(id, END)


@pytest.mark.usefixtures("real_runs")
def test_what_it_shows_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    printed: set[str] = set()
    for arguments in COMMANDS:
        with pytest.raises(SystemExit):
            main(list(arguments))
        printed.update(line.strip() for line in capsys.readouterr().out.splitlines())
    shown = [
        line
        for block in re.findall(r"^```text\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
        for line in block.splitlines()
    ]
    assert shown
    assert [line for line in shown if line.strip() not in printed] == [], "\n".join(sorted(printed))


def test_its_pictures_are_there() -> None:
    named = re.findall(r"!\[[^\]]{40,}\]\(pictures/(\w+\.svg)\)", PAGE)
    assert sorted(named) == sorted(path.name for path in PICTURES.glob("*.svg"))
