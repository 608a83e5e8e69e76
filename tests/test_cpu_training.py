"""The CPU configuration for real: a few dozen NF4 steps on SmolLM2; minutes, so only with LLMEVAL_TEST_TRAINING=1."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LEAST_GAIN = 0.30
"""Exact matches more, as a share of 24 easy rows that are held out."""

pytestmark = pytest.mark.skipif(
    not os.environ.get("LLMEVAL_TEST_TRAINING"), reason="takes minutes; set LLMEVAL_TEST_TRAINING=1 to run it"
)


@pytest.mark.timeout(3600)
def test_a_few_dozen_steps_gain_thirty_points_of_exact_match(tmp_path: Path) -> None:
    """With the same short prompt before and after."""
    item = "finetune/test_train.py::test_train[smollm2-135m-json-cpu]"
    command = [sys.executable, "-m", "pytest", item, "-p", "no:cacheprovider"]
    command += [f"--llmeval-db={tmp_path / 'llmeval.db'}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    proof = json.loads(next(tmp_path.glob("trainings/*/*/proof.json")).read_text("utf-8"))
    gain = next(each for each in proof if each["split"] == "test")
    assert gain["n"] == 24
    assert gain["delta"] >= LEAST_GAIN
