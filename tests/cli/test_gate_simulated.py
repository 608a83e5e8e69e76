"""Simulated pairs of runs, stored and judged by the command: its verdicts are those of the function in benchmarks/."""

import importlib
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_llmeval.core.gate import judge
from pytest_llmeval.core.gate_baseline import Baseline
from pytest_llmeval.core.gate_case import JudgedCase
from pytest_llmeval.core.types import CaseKey, Score
from pytest_llmeval.loaders.thresholds import load_thresholds
from pytest_llmeval.store.records import StoredCase
from pytest_llmeval.store.sqlite import SqliteStore
from tests.cli.conftest import Command
from tests.support.stored_runs import END, run

BENCHMARKS = Path(__file__).resolve().parent.parent.parent / "benchmarks"
RULES = """
version: 1
suites:
  simulated:
    right: {max_drop: 0.02}
    slices:
      slice-00: {right: {max_drop: 0.02}}
"""
PAIRS = 20


@pytest.fixture
def simulation(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The module that draws pairs of runs."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    yield importlib.import_module("gate_rows")
    sys.modules.pop("gate_rows")


def stored(run_id: str, cases: Iterable[JudgedCase]) -> Iterator[StoredCase]:
    """Yield cases as a session would have stored them."""
    for case in cases:
        node = f"evals/test_simulated.py::test_simulated[{case.sample_id}]"
        key = CaseKey(nodeid=node, suite=case.suite, sample_id=case.sample_id, model=case.model, epoch=case.epoch)
        yield StoredCase(
            id=f"{run_id}-{case.sample_id}-{case.epoch}",
            key=key,
            slices=tuple(case.slices),
            outcome=case.outcome,
            error_kind=case.error_kind,
            error="lost" if case.error_kind else None,
            input_digest=case.input_digest,
            response=None,
            latency_s=None,
            input_tokens=None,
            output_tokens=None,
            cost_usd=None,
            attempts=1,
            cached=False,
            started_at="2026-01-01T00:00:00.000+00:00",
            scores=tuple(Score(name=name, value=value, passed=None) for name, value in case.scores.items()),
            cluster=case.cluster,
        )


@pytest.mark.parametrize(
    ("rows", "seen"),
    [
        ({"slices": 4}, {"pass"}),
        ({"slices": 4, "scores": "parts", "clustered": True}, {"pass"}),
        ({"slices": 4, "drop": 0.15, "epochs": 2}, {"fail"}),
        ({"slices": 4, "drop": 0.05, "timeouts": 0.01}, {"pass", "fail", "unmeasurable"}),
    ],
    ids=["unchanged", "clusters", "a drop, two epochs", "timeouts"],
)
def test_the_command_says_what_the_function_says(
    here: Path, llmeval: Command, simulation: Any, rows: dict[str, Any], seen: set[str]
) -> None:
    (here / "pytest.ini").write_text("[pytest]\n")
    (here / "thresholds.yaml").write_text(RULES)
    (here / ".llmeval").mkdir()
    thresholds = load_thresholds(here / "thresholds.yaml")
    store = SqliteStore(here / ".llmeval" / "llmeval.db")
    expected = []
    for number in range(PAIRS):
        before, after = simulation.pair_of_runs(simulation.Rows(**rows), f"{number}")
        names = [f"20260101-0000{number:02}-{kind}" for kind in ("aaaaaa", "bbbbbb")]
        for name, cases in zip(names, (before, after), strict=True):
            store.import_run(run(name, end=END), stored(name, cases))
        expected.append((names, judge(thresholds, after, baseline=Baseline(name=names[0], cases=before))))
    store.close()
    for (base, current), result in expected:
        told = llmeval("gate", current, "--baseline", base, "--json").json()
        assert told["verdict"] == result.verdict
        shown = [(each["verdict"], each["delta"], each["p_value"], each["mde"]) for each in told["verdicts"]]
        assert shown == [(each.verdict, each.delta, each.p_value, each.mde) for each in result.verdicts]
    assert seen <= set(Counter(result.verdict for _, result in expected))
