"""The rows marked regression, the committed baseline and the embedded model: a worse prompt is found out."""

import os
import shutil
from pathlib import Path

import pytest

from pytest_llmeval.loaders.thresholds import load_thresholds
from pytest_llmeval.models.local.weights import default_cache_dir, fetch_smollm2
from pytest_llmeval.store.baselines import find_baseline

ROOT = Path(__file__).resolve().parent.parent
PROMPT = "evals/prompts/qa.v1.yaml"
CACHE = default_cache_dir()
"""The user's; the project of a test has a home of its own."""


def test_the_baseline_holds_every_row_of_both_suites() -> None:
    name = load_thresholds(ROOT / "thresholds.yaml").baseline
    assert name is not None
    cases = list(find_baseline(name, reader=None, root=ROOT).judged())
    for suite in ("json_extraction", "qa"):
        mine = [case for case in cases if case.suite == suite]
        assert len(mine) == 120
        assert sum("regression" in case.slices for case in mine) == 40


def test_a_prompt_that_lost_its_placeholders_fails_and_names_the_rows(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch_smollm2(CACHE, print, environ=os.environ)
    monkeypatch.setenv("XDG_CACHE_HOME", str(CACHE.parent))
    for name in ("evals", "data"):
        shutil.copytree(ROOT / name, pytester.path / name, ignore=shutil.ignore_patterns("train.jsonl", "__pycache__"))
    for name in ("thresholds.yaml", "conftest.py"):
        shutil.copy(ROOT / name, pytester.path)
    pytester.makeini("[pytest]\naddopts = -p no:hypothesispytest\n")
    prompt = pytester.path / PROMPT
    text = prompt.read_text("utf-8")
    assert "{context}" in text
    assert "{question}" in text
    prompt.write_text(text.replace("{context}", "context").replace("{question}", "question"), "utf-8")
    result = pytester.runpytest_subprocess("evals/test_qa.py", "-m", "regression", timeout=600)
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            "  token_f1 [[]reg* max_drop=0.02  fail",
            "  fail: token_f1 [[]regression[]] max_drop=0.02: *",
            "compared with baseline data/baselines/smollm2.jsonl: run*",
            "what differs from it: prompt of qa*",
            "gate: FAIL *",
        ]
    )
    assert " worse (" in str(result.stdout)
