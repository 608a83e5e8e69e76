"""Run an eval with the installed wheel against a server on this machine; end with 1 where it does not do its job."""

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EVAL = """
import pytest

ROWS = [{"id": word, "input": word, "target": word} for word in ("one", "two", "three")]


@pytest.mark.llmeval(ROWS)
def test_echo(sample, response, score):
    score.exact(response, sample.target)


@pytest.mark.llmeval(ROWS)
async def test_echo_async(sample, model, score):
    score.json_valid(await model.generate('{"a": 1}'))
"""
RULES = "version: 1\nsuites:\n  echo: {exact: {min: 1.0}}\n  echo_async: {json_valid: {every: true}}\n"


def main(folder: Path) -> int:
    """Return 0 where the installed package evaluates six rows, records them and passes its gate."""
    sys.path.append(str(ROOT))  # behind the installed package
    from tests.support.fault_server import FaultServer

    (folder / "evals").mkdir(parents=True)
    (folder / "evals" / "test_echo.py").write_text(EVAL, "utf-8")
    (folder / "thresholds.yaml").write_text(RULES, "utf-8")
    (folder / "pytest.ini").write_text("[pytest]\n", "utf-8")
    with FaultServer() as server:
        command = [sys.executable, "-m", "pytest", "evals", f"--model=openai:echo@{server.url}"]
        status = subprocess.run(command, cwd=folder, check=False).returncode
    connection = sqlite3.connect(folder / ".llmeval" / "llmeval.db")
    outcomes = connection.execute("SELECT outcome, count(*) FROM cases GROUP BY outcome").fetchall()
    shown = subprocess.run(
        [str(Path(sys.executable).parent / "llmeval"), "show", "last", "--json"],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    )
    verdict = json.loads(shown.stdout)["verdict"]
    init = [str(Path(sys.executable).parent / "llmeval"), "init", "--missing-only"]
    subprocess.run(init, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    written = (folder / "evals" / "test_capitals.py").exists()
    sys.stdout.write(f"status {status}, outcomes {outcomes}, verdict {verdict}, init writes: {written}\n")
    return int((status, outcomes, verdict, written) != (0, [("passed", 6)], "pass", True))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
