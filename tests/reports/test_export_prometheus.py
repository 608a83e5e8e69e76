"""Metrics that the parser of Prometheus's own client takes, whatever the names in a run are."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pytest_llmeval.core.errors import SettingsError
from pytest_llmeval.reports.export_prometheus import parsed_labels, prometheus_lines
from pytest_llmeval.reports.run_view import RunCases, view_run
from pytest_llmeval.store.records import Run
from pytest_llmeval.store.sqlite import SqliteStore
from tests.reports.sample_run import VERDICTS, everything
from tests.support.any_store import Store
from tests.support.hostile import harmless
from tests.support.hostile_run import hostile_run
from tests.support.memory_store import MemoryStore
from tests.support.records import record
from tests.support.stored_runs import END, run

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def recorded(cases: Iterable[Any], **about: Any) -> tuple[MemoryStore, Run]:
    """Return a store with one finished run of ``cases``."""
    store = MemoryStore()
    store.start_run(run(models=("small", "large"), **about))
    for case in cases:
        store.add_case(run().id, case)
    store.set_verdicts(run().id, VERDICTS)
    store.finish_run(run().id, END)
    return store, store.find_run("last")


def lines_of(store: Store, found: Run, **labels: str) -> list[str]:
    cases = RunCases.read(store, found.id)
    view = view_run(found, cases, store.verdicts(found.id))
    return list(prometheus_lines(view, cases.judged, store.spending(found.id), labels))


def samples(lines: Iterable[str]) -> Samples:
    """Return each sample by name and labels; no two are the same, and none has a timestamp."""
    found: Samples = {}
    names = []
    for family in text_string_to_metric_families("".join(f"{line}\n" for line in lines)):
        names.append(family.name)
        assert family.documentation
        assert family.type in ("gauge", "summary")
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found
            assert sample.timestamp is None
            found[key] = sample.value
    assert len(names) == len({*names})
    return found


def value(found: Samples, name: str, /, **labels: str) -> float:
    return found[f"llmeval_{name}", frozenset(labels.items())]


def test_what_a_run_came_to() -> None:
    about = {"name": "nightly", "git_commit": "abc", "git_branch": "main"}
    found = samples(lines_of(*recorded(everything(), **about)))
    assert (
        value(
            found,
            "run_info",
            run=run().id,
            name="nightly",
            version="0.1.0",
            commit="abc",
            branch="main",
            status="finished",
        )
        == 1
    )
    assert value(found, "run_verdict", verdict="pass") == 1
    assert value(found, "run_verdict", verdict="fail") == 0
    assert value(found, "run_exit_status") == 0
    assert value(found, "run_finished") == 1
    assert value(found, "run_started_timestamp_seconds") == 1735787045.678
    assert value(found, "run_finished_timestamp_seconds") == 1735790400
    small, large = {"suite": "extraction", "model": "small"}, {"suite": "qa", "model": "large"}
    assert value(found, "cases", **small, outcome="missed") == 3
    assert value(found, "cases", **small, outcome="error") == 0
    assert value(found, "errors", **large, error_kind="connection") == 4
    assert value(found, "metric", **small, metric="json_match") == 0.625
    assert value(found, "metric", **small, metric="json_match", slice="hard") == 0.5
    assert value(found, "metric_samples", **small, metric="json_match") == 4
    assert value(found, "metric_low", **small, metric="json_match") < 0.625
    assert value(found, "metric_high", **small, metric="json_match") > 0.625
    assert value(found, "rule_verdict", **small, metric="json_match", rule="min=0.8", verdict="fail") == 1
    not_judged = {"suite": "qa", "metric": "correctness", "slice": "long", "rule": "min=0.6"}
    assert value(found, "rule_verdict", **not_judged, verdict="not_judged") == 1
    assert value(found, "latency_seconds", **small, quantile="0.95") == 2
    assert value(found, "latency_seconds_sum", **small) == 8
    assert value(found, "latency_seconds_count", **small) == 4
    assert value(found, "calls", role="model", model="m") == 8
    assert value(found, "cost_usd", role="model", model="m") == pytest.approx(8e-5)
    assert value(found, "tokens", role="model", model="m", direction="output") == 40


def test_a_run_that_left_out_cases_says_so() -> None:
    """A whole one has no such label, which is the same as an empty one."""
    suites = {"qa": {"left_out": ["--limit"]}}
    found = samples(lines_of(*recorded([record("a")], settings={"suites": suites, "partial": True})))
    assert value(found, "run_info", run=run().id, version="0.1.0", status="finished", partial="true") == 1


def test_a_run_that_goes_on_has_no_end() -> None:
    store = MemoryStore()
    store.start_run(run())
    store.add_case(run().id, record("a"))
    found = samples(lines_of(store, store.find_run("last")))
    assert value(found, "run_finished") == 0
    assert value(found, "run_verdict", verdict="none") == 1
    assert not [name for name, _ in found if "exit_status" in name or "finished_timestamp" in name]


def test_labels_that_are_given_stand_on_every_sample() -> None:
    found = samples(lines_of(*recorded(everything()), project="shop"))
    assert found
    assert {("project", "shop") in labels for _, labels in found} == {True}


def test_rows_are_no_labels() -> None:
    """A thousand rows make no more samples than one."""
    few, many = (lines_of(*recorded(record(str(number)) for number in range(count))) for count in (1, 1000))
    assert len(few) == len(many)


def test_names_that_look_alike_stay_apart() -> None:
    """An escape and what it stands for; a slice without a name and the whole suite; long names with one beginning."""
    names = ["a\x1b", "a\\x1b", "a" * 200, "a" * 201]
    found = samples(lines_of(*recorded(record("r", suite=name, slices=("",)) for name in names)))
    suites = {dict(labels)["suite"] for name, labels in found if name == "llmeval_cases"}
    assert len(suites) == 4
    assert len([1 for name, _ in found if name == "llmeval_metric"]) == 8


def test_nothing_hostile_forges_a_sample(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "x.db")
    lines = lines_of(store, hostile_run(store))
    store.close()
    harmless(*lines)
    found = samples(lines)
    assert value(found, "run_verdict", verdict="pass") == 1
    assert {name for name, _ in found if "forged" in name} == set()
    assert max(map(len, lines)) < 2000


@pytest.mark.parametrize("text", ["project", "=x", "a=", "1a=x", "a-b=x", "__a=x", "suite=x", "run=x"])
def test_a_label_that_cannot_be_is_told(text: str) -> None:
    with pytest.raises(SettingsError, match="--label"):
        parsed_labels([text])


def test_labels_are_read() -> None:
    assert parsed_labels(["project=a=b", "team=x y"]) == {"project": "a=b", "team": "x y"}
    with pytest.raises(SettingsError, match="twice"):
        parsed_labels(["a=1", "a=2"])


def test_a_rule_whose_judge_may_not_gate_is_one_sample() -> None:
    """It is not judged, and has its numbers all the same."""
    store, found = recorded(everything())
    shown = replace(VERDICTS[-1], value=0.7, n=9)
    store.set_verdicts(run().id, [*VERDICTS[:-1], shown])
    told = samples(lines_of(store, found))
    about = {"suite": "qa", "metric": "correctness", "slice": "long", "rule": "min=0.6", "verdict": "not_judged"}
    assert value(told, "rule_verdict", **about) == 1
