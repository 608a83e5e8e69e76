"""Reads what a contestant left in its folder: the mean score after a run, and the results after a kill."""

import json
import re
import shutil
import sqlite3
import tempfile
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any

__all__ = [
    "cases_in_database",
    "deepeval_cases",
    "deepeval_mean",
    "inspect_mean",
    "inspect_samples",
    "mean_in_database",
    "no_mean",
    "nothing",
    "passed_share",
    "printed_mean",
    "pytest_evals_cases",
]


def nothing(_folder: Path) -> int:
    """Return 0: this one keeps no result before its end."""
    return 0


def no_mean(_folder: Path) -> float | None:
    """Return None: this one scores nothing."""
    return None


def printed_mean(folder: Path) -> float | None:
    """Return the mean that the body printed."""
    found = re.findall(r"\bmean ([0-9.]+)", _output(folder))
    return float(found[-1]) if found else None


def passed_share(folder: Path) -> float | None:
    """Return the share of the passed tests in pytest's last line."""
    counts = {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|error)", _output(folder))}
    return counts.get("passed", 0) / sum(counts.values()) if counts else None


def mean_in_database(folder: Path) -> float | None:
    """Return the mean over all scores in the database of this plugin."""
    mean: float | None = _ask(folder, "SELECT avg(value) FROM scores")
    return mean


def cases_in_database(folder: Path) -> int:
    """Return how many cases the database of this plugin holds."""
    count: int | None = _ask(folder, "SELECT count(*) FROM cases")
    return count or 0


def inspect_mean(folder: Path) -> float | None:
    """Return the mean in the header of the log, which ``inspect log dump`` wrote to ``after.txt``."""
    results = _json(folder / "after.txt").get("results")
    if not results:
        return None
    mean: float = results["scores"][0]["metrics"]["mean"]["value"]
    return mean


def inspect_samples(folder: Path) -> int:
    """Return how many samples the log holds; what its buffer database holds beside them is not counted."""
    for log in (folder / "logs").glob("*.eval"):
        try:
            with zipfile.ZipFile(log) as archive:
                return sum(name.startswith("samples/") for name in archive.namelist())
        except zipfile.BadZipFile:
            return 0
    return 0


def deepeval_mean(folder: Path) -> float | None:
    """Return the mean over the scores of the last run."""
    cases = _json(folder / ".deepeval" / ".latest_run_full.json").get("testCases", [])
    scores = [each["score"] for case in cases for each in case["metricsData"]]
    return sum(scores) / len(scores) if scores else None


def deepeval_cases(folder: Path) -> int:
    """Return how many cases the file of the run under way holds."""
    return len(_json(folder / ".deepeval" / ".temp_test_run_data.json").get("testCases", []))


def pytest_evals_cases(folder: Path) -> int:
    """Return how many results the file holds that the session writes at its end."""
    return len(_json(folder / "test-out" / "eval-results-raw.json"))


def _output(folder: Path) -> str:
    return (folder / "output.txt").read_text(errors="replace")


def _json(path: Path) -> dict[str, Any]:
    try:
        data: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return data


def _ask(folder: Path, question: str) -> Any:
    """Return the one value; None without a database. It opens a copy, so that a resumed run meets what was left."""
    database = folder / ".llmeval" / "llmeval.db"
    if not database.exists():
        return None
    with tempfile.TemporaryDirectory() as copies:
        for file in database.parent.glob(f"{database.name}*"):
            shutil.copy(file, copies)
        with closing(sqlite3.connect(Path(copies) / database.name)) as copy:
            return copy.execute(question).fetchone()[0]
