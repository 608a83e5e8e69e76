"""The dashboard shows metrics that an export has, and its compose file opens nothing to others."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from pytest_llmeval.reports.export_prometheus import prometheus_lines
from pytest_llmeval.reports.run_view import RunCases, view_run
from tests.reports.sample_run import VERDICTS, everything
from tests.support.memory_store import MemoryStore
from tests.support.records import call, record
from tests.support.stored_runs import END, run

FOLDER = Path(__file__).parent.parent / "dashboards"
DASHBOARD: dict[str, Any] = json.loads((FOLDER / "grafana" / "llmeval.json").read_text("utf-8"))
YAML = {path.relative_to(FOLDER).as_posix(): yaml.safe_load(path.read_text("utf-8")) for path in FOLDER.rglob("*.yaml")}


@pytest.fixture(scope="module")
def exported() -> dict[str, set[str]]:
    """The names of the labels of each sample that a run exports."""
    store = MemoryStore()
    store.start_run(run(name="nightly", git_commit="c", git_branch="main"))
    for case in everything():
        store.add_case(run().id, case)
    store.set_verdicts(run().id, VERDICTS)
    store.finish_run(run().id, END)
    cases = RunCases.read(store, run().id)
    view = view_run(store.find_run("last"), cases, VERDICTS)
    lines = prometheus_lines(view, cases.judged, store.spending(run().id), {})
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families("".join(f"{line}\n" for line in lines)):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def expressions() -> Iterator[str]:
    for panel in DASHBOARD["panels"]:
        yield from (target["expr"] for target in panel["targets"])
    yield from (variable["definition"] for variable in DASHBOARD["templating"]["list"])


def test_every_metric_and_label_that_is_shown_is_exported(exported: dict[str, set[str]]) -> None:
    for expression in expressions():
        names = re.findall(r"llmeval_\w+", expression)
        assert names, expression
        assert {*names} <= {*exported}, expression
        known = set().union(*(exported[name] for name in names))
        used = re.findall(r"(\w+)(?:=~|!=|=)\"", expression)
        used += [label for inner in re.findall(r"by \(([^)]*)\)", expression) for label in inner.split(", ")]
        assert {*used} <= known, expression
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            known = set().union(*(exported[name] for name in re.findall(r"llmeval_\w+", target["expr"])))
            assert {*re.findall(r"{{(\w+)}}", target["legendFormat"])} <= known, panel["title"]


@pytest.mark.parametrize(
    ("prices", "shown"), [({"model": 0.5, "judge": 0.25}, 0.75), ({"model": 0.5, "judge": None}, None), ({}, None)]
)
def test_the_cost_of_a_run_is_shown_where_every_price_is_known(
    prices: dict[str, float | None], shown: float | None
) -> None:
    """A sum of what is known would be taken for the whole."""
    store = MemoryStore()
    store.start_run(run())
    calls = [call(role, model=f"the {role}", cost_usd=price) for role, price in prices.items()]
    store.add_case(run().id, record("a", calls=tuple(calls)))
    cases = RunCases.read(store, run().id)
    lines = prometheus_lines(view_run(store.find_run("last"), cases, []), cases.judged, store.spending(run().id), {})
    values: dict[str, list[float]] = {}
    for family in text_string_to_metric_families("".join(f"{line}\n" for line in lines)):
        for sample in family.samples:
            values.setdefault(sample.name, []).append(sample.value)
    (panel,) = (each for each in DASHBOARD["panels"] if each["title"] == "Cost of the newest run")
    (target,) = panel["targets"]
    found = re.fullmatch(r"sum\((\w+)\) and on\(\) \(count\((\w+)\) == count\((\w+)\)\)", target["expr"])
    assert found, target["expr"]
    summed, first, second = (values.get(name, []) for name in found.groups())
    assert (sum(summed) if summed and len(first) == len(second) else None) == shown


def test_every_panel_says_what_it_shows_and_lies_on_no_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        assert panel["title"]
        assert panel["description"]
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken
        assert at["x"] + at["w"] <= 24
        taken |= cells


def test_the_parts_of_the_compose_file_fit_together() -> None:
    """Files that are mounted are there, names and addresses agree, images have a version."""
    services = YAML["compose.yaml"]["services"]
    for service in services.values():
        assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+", service["image"])
        for volume in service["volumes"]:
            source = volume.partition(":")[0]
            assert (FOLDER / source).exists() if source.startswith(".") else source in YAML["compose.yaml"]["volumes"]
    (job,) = YAML["prometheus.yaml"]["scrape_configs"]
    assert job["static_configs"][0]["targets"] == ["node-exporter:9100"]
    (source,) = YAML["grafana/provisioning/datasources/prometheus.yaml"]["datasources"]
    assert (source["url"], source["uid"]) == ("http://prometheus:9090", "prometheus")
    assert {panel["datasource"]["uid"] for panel in DASHBOARD["panels"]} == {source["uid"]}
    (provider,) = YAML["grafana/provisioning/dashboards/llmeval.yaml"]["providers"]
    home = services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home.startswith(provider["options"]["path"] + "/")
    assert any(volume.partition(":")[2] == f"{home}:ro" for volume in services["grafana"]["volumes"])


def test_nothing_is_open_to_others_and_nothing_is_secret() -> None:
    """Only Grafana has a port, on this machine alone; whoever looks can change nothing."""
    services = YAML["compose.yaml"]["services"]
    ports = {name: service.get("ports", []) for name, service in services.items()}
    assert ports == {"node-exporter": [], "prometheus": [], "grafana": ["127.0.0.1:3000:3000"]}
    assert services["grafana"]["environment"]["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    for path in FOLDER.rglob("*.*"):
        if path.is_file():
            assert not re.search("password|secret|token:|api_key", path.read_text("utf-8"), re.IGNORECASE), path
