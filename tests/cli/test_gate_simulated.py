"""The command says of stored runs what the function says of simulated ones, whose false alarms are counted."""

import dataclasses
import runpy
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pytest_llmeval.core.gate.baseline import Baseline
from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.gate.judging import GateResult, apply_gate
from pytest_llmeval.core.stored import StoredCase
from pytest_llmeval.core.types import CaseKey, Score
from pytest_llmeval.loaders.thresholds import load_thresholds
from pytest_llmeval.store.sqlite import SqliteStore
from tests.cli.conftest import Command
from tests.support.stored_runs import END, run

SIMULATED = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "gate_rows.py"))
RULES = """
version: 1
defaults: {max_error_rate: 0.1}
suites:
  simulated:
    right: {min: 0.7, max_drop: 0.02}
"""
SLICED = RULES + "    slices:\n" + "".join(f"      slice-{n:02d}: {{right: {{max_drop: 0.02}}}}\n" for n in range(12))
CELLS: dict[str, dict[str, Any]] = {
    "binary": {},
    "partial credit": {"scores": "parts", "mean": 0.95, "correlation": 0.95},
    "graded, few rows": {"scores": "graded", "n": 25},
    "clusters": {"clusters": SIMULATED["UNEQUAL"], "mean": 0.8},
    "lopsided clusters": {"clusters": SIMULATED["LOPSIDED"], "drop": 0.3},
    "a drop": {"drop": 0.15},
    "slices that drop": {"n": 240, "slices": 12, "drop": 0.1},
    "epochs": {"epochs": 3},
    "timeouts": {"timeouts": 0.02, "drop": 0.05},
    "too many lost": {"lost": 0.2},
}
STATUS = {"pass": 0, "inconclusive": 0, "fail": 1, "unmeasurable": 10}


def stored(run_id: str, cases: Sequence[JudgedCase]) -> list[StoredCase]:
    """Return cases as a store keeps them."""
    return [
        StoredCase(
            id=f"{run_id}/{number}",
            key=CaseKey(
                nodeid=f"evals/test_it.py::test_it[{case.sample_id}-e{case.epoch}]",
                suite=case.suite,
                sample_id=case.sample_id,
                model=case.model,
                epoch=case.epoch,
            ),
            slices=case.slices,
            outcome=case.outcome,
            error_kind=case.error_kind,
            error=case.error_kind,
            input_digest=case.input_digest,
            response=None,
            latency_s=None,
            input_tokens=0,
            output_tokens=0,
            cost_usd=0.0,
            attempts=1,
            cached=False,
            started_at=END.finished_at,
            scores=tuple(Score(name=name, value=value, passed=None) for name, value in case.scores.items()),
            cluster=case.cluster,
        )
        for number, case in enumerate(cases)
    ]


def store(runs: dict[str, Sequence[JudgedCase]]) -> None:
    """Put finished runs into the database of the folder."""
    Path(".llmeval").mkdir(exist_ok=True)
    with closing(SqliteStore(Path(".llmeval/llmeval.db"))) as kept:
        for run_id, cases in runs.items():
            settings = {"suites": {"simulated": {"expected": {"m": len(cases)}}}}
            kept.import_run(run(run_id, settings=settings, end=END), stored(run_id, cases))


def by_function(before: Sequence[JudgedCase], after: Sequence[JudgedCase]) -> GateResult:
    """Return what the function says by the rules of the folder."""
    rules = load_thresholds(Path("thresholds.yaml"))
    expected = {("simulated", "m"): len(after)}
    return apply_gate(rules, after, collected=expected, baseline=Baseline(name="before", cases=before))


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("number", [0, 1])
def test_the_command_and_the_function_agree(name: str, number: int, here: Path, llmeval: Command) -> None:
    """On every number of every rule, on the session, and by the exit status."""
    (here / "thresholds.yaml").write_text(SLICED if name.startswith("slices") else RULES, encoding="utf-8")
    before, after = SIMULATED["pair_of_runs"](SIMULATED["Rows"](**CELLS[name]), f"{name}/{number}")
    store({"before": before, "after": after})
    done = llmeval("gate", "after", "--baseline", "before", "--json")
    told, found = done.json(), by_function(before, after)
    assert told["verdict"] == found.verdict
    assert done.status == STATUS[found.verdict]
    assert told["verdicts"] == [dataclasses.asdict(verdict) for verdict in found.verdicts]


def test_the_pairs_come_to_every_verdict(here: Path) -> None:
    """So that agreeing on them says something."""
    (here / "thresholds.yaml").write_text(SLICED, encoding="utf-8")
    verdicts = {
        by_function(*SIMULATED["pair_of_runs"](SIMULATED["Rows"](**rows), f"{name}/{number}")).verdict
        for name, rows in CELLS.items()
        for number in (0, 1)
    }
    assert verdicts == STATUS.keys()
