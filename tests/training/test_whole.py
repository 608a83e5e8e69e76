"""A whole training in a project of its own: killed, gone on with, proved."""

import json
import os
import random
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from pytest_llmeval.store.sqlite import SqliteStore
from tests.support.tiny_base import write_project

INI = "[pytest]\naddopts = -p no:asyncio -p no:anyio -p no:hypothesispytest\n"
LONGEST_S = 300


def test_a_training_that_was_killed_goes_on_and_proves_its_gain(tmp_path: Path, tiny_base: Path) -> None:
    """The session and its trainer are killed by SIGKILL after the first checkpoint.

    Warnings are errors, as they often are in CI, and those of libraries among themselves end no trainer.
    """
    changes = {"optim__max_steps": 40, "optim__learning_rate": 0.01, "check__every": 10}
    write_project(tmp_path, tiny_base, words=["a"], **changes)
    (tmp_path / "pytest.ini").write_text(INI, "utf-8")
    command = [sys.executable, "-m", "pytest", "-m", "train", "-p", "no:cacheprovider"]
    environ = {**os.environ, "PYTHONWARNINGS": "error::FutureWarning"}
    session = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, env=environ)
    home = tmp_path / ".llmeval" / "trainings" / "tiny"
    wait_for(lambda: list(home.glob("*/checkpoint-10/trainer_state.json")))
    session.kill()
    session.wait()
    wait_for(lambda: not running_in(tmp_path))

    done = subprocess.run(
        [*command, "--llmeval-train-resume"], cwd=tmp_path, capture_output=True, text=True, check=False, env=environ
    )
    assert done.returncode == 0, done.stdout
    (adapter,) = home.glob("*/adapter")
    record = json.loads((adapter / "run.json").read_text("utf-8"))
    assert record["resumed_from"] >= 10
    assert "| test, 12 | exact | 0.0 % |" in (adapter / "README.md").read_text("utf-8")
    with closing(SqliteStore(tmp_path / ".llmeval" / "llmeval.db")) as store:
        (training,) = store.trainings()
        runs = {run.id: run for run in store.runs()}
    assert (training.status, training.verdict) == ("finished", "pass")
    assert training.proof is not None
    assert {each["split"] for each in training.proof} == {"val", "test"}
    assert {each[side] for each in training.proof for side in ("base_run", "adapter_run")} == set(runs)
    assert all(run.end is not None and run.end.status == "finished" for run in runs.values())
    assert "llmeval: tiny: a step of 4 rows takes 4 at once, without checkpointing; 14 of 14 layers" in done.stdout
    assert "llmeval: tiny: test: exact 0.0 % -> " in done.stdout
    shown = [line for line in done.stdout.splitlines() if line.startswith("llmeval: tiny: step ")]
    looked_at = [step for step in (20, 30, 40) if step > record["resumed_from"]]
    assert [int(line.split()[3]) for line in shown] == looked_at
    assert "llmeval: tiny: measures adapter on test" in done.stdout


def test_a_training_on_answers_of_other_rows_proves_nothing(tmp_path: Path, tiny_base: Path) -> None:
    """The negative control: what could be learned without the inputs, or from held-out rows, would gain here.

    Its prompt is in a module that only the ``pythonpath`` of the ini file leads to that ``-c`` names.
    """
    write_project(tmp_path, tiny_base, optim__max_steps=24, check__every=12)
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "wording.py").write_text("PROMPT = 'Colour of {thing}'\n", "utf-8")
    its_eval = tmp_path / "evals" / "test_colour.py"
    text = its_eval.read_text("utf-8").replace('"Colour of {thing}"', "PROMPT")
    its_eval.write_text(f"from wording import PROMPT\n{text}", "utf-8")
    train = tmp_path / "data" / "train.jsonl"
    found = [json.loads(line) for line in train.read_text("utf-8").splitlines()]
    targets = [row["target"] for row in found]
    random.Random(0).shuffle(targets)
    mixed = [{**row, "target": target} for row, target in zip(found, targets, strict=True)]
    train.write_text("".join(json.dumps(row) + "\n" for row in mixed), "utf-8")
    (tmp_path / "pytest.ini").write_text(INI, "utf-8")
    (tmp_path / "ci.ini").write_text(f"{INI}pythonpath = src\n", "utf-8")
    command = [sys.executable, "-m", "pytest", "-c", "ci.ini", "-m", "train", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout
    assert "the proof does not hold" in done.stdout


def wait_for(condition: object) -> None:
    end = time.monotonic() + LONGEST_S
    while not condition():  # type: ignore[operator]
        if time.monotonic() > end:
            pytest.fail("it did not come")
        time.sleep(0.05)


def running_in(folder: Path) -> list[int]:
    """Return the trainers of a folder; each ends by itself once its session is gone."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = path.read_bytes()
        except OSError:
            continue
        if b"training.sft.trainer" in text and os.fsencode(folder) in text:
            found.append(int(path.parent.name))
    return found
