"""The pages without a browser: what they show of runs, cases and comparisons."""

import os
import re
import time
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from pytest_llmeval.core.errors import ThresholdsError
from pytest_llmeval.core.rules import JudgeDemands, Rule, SuiteRules, Thresholds
from pytest_llmeval.core.stored import Label
from pytest_llmeval.core.strict_json import canonical
from pytest_llmeval.core.types import Vote
from pytest_llmeval.store.processes import process_started
from pytest_llmeval.store.records import Run, utc_now
from pytest_llmeval.store.sqlite import SqliteStore
from pytest_llmeval.view import summaries
from pytest_llmeval.view.app import make_app
from pytest_llmeval.view.source import Source
from tests.support.records import call, record, score
from tests.support.stored_runs import END, run
from tests.view.conftest import NEW, OLD, SECRET, VERDICT, record_run


def listed(text: str) -> list[str]:
    """Return the sample ids of the cases that a page lists."""
    return re.findall(r'<span class="lv-id"><a href="/case\?id=[0-9a-f]+">([^<]*)</a>', text)


def whole(client: TestClient, address: str) -> str:
    """Return a page once all that it shows is worked out."""
    deadline = time.monotonic() + 60
    while "being worked out" in (text := client.get(address).text):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return text


def case_id(store: SqliteStore, run_id: str, sample_id: str) -> str:
    return next(case.id for case in store.cases(run_id) if case.key.sample_id == sample_id)


def test_the_first_page_lists_runs_and_how_metrics_went(client: TestClient, two_runs: SqliteStore) -> None:
    text = whole(client, "/")
    assert text.index(f"/run?id={NEW}") < text.index(f"/run?id={OLD}")
    assert ">nightly<" in text and "c0ffee" in text
    assert f"/compare?base={OLD}&amp;current={NEW}" in text
    line = re.search(r"<polyline points=\"([^\"]*)\"", text)
    assert line and len(line[1].split()) == 2
    assert "correctness of qa on m, the newest last: 0.5 (20260101-000000-aaaaaa), 0.5 (20260102" in text


def test_a_secret_is_on_no_page(client: TestClient, store: SqliteStore) -> None:
    """Also not the half of one that a list would cut off."""
    parts = [{"type": "text", "text": SECRET}]
    asked = {"messages": [{"role": "user", "content": parts}], "params": {"user": SECRET}}
    said = {"text": "x" * 290 + SECRET, "stop": [SECRET], "tool_calls": [{"name": SECRET, "arguments": SECRET}]}
    asking = call(request=asked, response="x" * 290 + SECRET, detail=said)
    vote = Vote(judge="j", repeat=0, value=0.0, level="", reason=SECRET)
    missed = score("exact", 0.0, False, reason=SECRET, votes=(vote,))
    told = record(outcome="missed", error=SECRET, target=f'"{SECRET}"', scores=(missed,), calls=(asking,))
    store.start_run(run())
    store.add_case(run().id, told)
    key = case_id(store, run().id, "a")
    label = Label(case_id=key, name="exact", rater="kim", value=0.0, passed=False, note=SECRET, at=utc_now())
    store.add_labels([label])
    for address in (f"/run?id={run().id}", f"/case?id={key}"):
        text = whole(client, address)
        assert "***" in text and SECRET[:6] not in text
    assert "/case?id=" in whole(client, f"/run?id={run().id}&search=xxx")
    assert "/case?id=" not in whole(client, f"/run?id={run().id}&search={SECRET[:3]}")


@pytest.mark.parametrize(("left_out", "marks"), [([], 0), (["--limit"], 1)])
def test_a_partial_run_is_marked_on_every_page(
    store: SqliteStore, client: TestClient, left_out: list[str], marks: int
) -> None:
    record_run(store, OLD, good=(1,), settings={"suites": {"qa": {"left_out": left_out}}, "partial": bool(left_out)})
    for address in ("/", f"/run?id={OLD}"):
        assert whole(client, address).count(">partial</span>") == marks
    assert whole(client, f"/compare?base={OLD}&current={OLD}").count(">partial</span>") == 2 * marks
    assert ("<dt>left out</dt><dd>--limit</dd>" in whole(client, f"/run?id={OLD}")) is bool(left_out)


def test_many_runs_come_in_pages(store: SqliteStore, client: TestClient) -> None:
    for number in range(60):
        store.start_run(run(f"run-{number:02d}", started_at=f"2026-01-01T00:00:{number:02d}.000+00:00"))
    first, second = client.get("/").text, client.get("/?skip=50").text
    assert "/run?id=run-59" in first and "/run?id=run-09" not in first and '/?skip=50" rel="next"' in first
    assert "/run?id=run-09" in second and 'href="/" rel="prev"' in second


def test_a_run_shows_its_gate_slices_and_cases(client: TestClient, two_runs: SqliteStore) -> None:
    text = whole(client, f"/run?id={NEW}")
    assert "gate: FAIL (1 fail) · exit status 1" in text
    assert "<code>min=0.75</code>" in text and "0.5 is below 0.75" in text
    assert "<title>even</title>" in text, "a bar of a chart"
    assert listed(text) == ["row-0", "row-1", "row-2", "row-3", "row-4", "row-5", "form", "broken"]
    assert "timeout: no answer in 60 s" in text


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("suite=extraction", ["form", "broken"]),
        ("slice=odd", ["row-1", "row-3", "row-5"]),
        ("outcome=error", ["broken"]),
        ("outcome=missed&slice=odd", ["row-1", "row-3", "row-5"]),
        ("outcome=passed&suite=qa", ["row-0", "row-2", "row-4"]),
        ("model=m&suite=extraction", ["form", "broken"]),
        ("model=other", []),
        ("flipped=1", ["row-0", "row-1"]),
        ("flipped=1&outcome=missed", ["row-1"]),
        ("search=LEE+wrote", ["row-1", "row-3", "row-5"]),
        ("search=60+s", ["broken"]),
        ("search=row-4", ["row-4"]),
        ("search=%25", []),
        ("search=_", []),
        ("search=!", []),
        ("outcome=nonsense", ["row-0", "row-1", "row-2", "row-3", "row-4", "row-5", "form", "broken"]),
    ],
)
def test_cases_are_filtered(client: TestClient, two_runs: SqliteStore, query: str, found: list[str]) -> None:
    assert listed(client.get(f"/run?id={NEW}&{query}").text) == found


def test_a_search_looks_into_what_was_asked(store: SqliteStore, client: TestClient) -> None:
    """Whatever its characters: the request is kept as ASCII."""
    store.start_run(run())
    asked = {"messages": [{"role": "user", "content": 'the "Zürich" row'}]}
    store.add_case(run().id, record("a", calls=(call(request=asked),)))
    store.add_case(run().id, record("b", calls=(call(),)))
    assert listed(client.get("/run", params={"id": run().id, "search": '"Zürich"'}).text) == ["a"]


@pytest.mark.parametrize("search", ["LOOK_up", "Zürich", '{"city": "Z', "and_before", "Lima"])
def test_a_search_looks_into_calls_of_tools(store: SqliteStore, client: TestClient, search: str) -> None:
    """Their names and arguments, in the answer and in the chat before it, and nothing else that is stored of them."""
    store.start_run(run())
    before = {"id": "c1", "type": "function", "function": {"name": "and_before", "arguments": '{"city": "Lima"}'}}
    chat = [{"role": "user", "content": "Where?"}, {"role": "assistant", "content": None, "tool_calls": [before]}]
    detail = {"tool_calls": [{"name": "look_up", "arguments": '{"city": "Zürich"}'}], "finish_reason": "tool_calls"}
    named = {"messages": [{"role": "user", "content": "Where?", "name": "and_before_Lima"}]}
    store.add_case(run().id, record("a", calls=(call(request={"messages": chat}, response="", detail=detail),)))
    store.add_case(run().id, record("b", calls=(call(request=named, detail={"model": "look_up Zürich"}),)))
    assert listed(client.get("/run", params={"id": run().id, "search": search}).text) == ["a"]
    for never in ("function", "tool_calls", "arguments", "finish_reason", "c1"):
        assert listed(client.get("/run", params={"id": run().id, "search": never}).text) == []


@pytest.mark.parametrize("search", ["user", "role", "content", "messages", "params", "text", "seed", "http"])
def test_a_search_does_not_look_into_what_the_request_is_made_of(
    store: SqliteStore, client: TestClient, search: str
) -> None:
    """Keys, roles, parameters, the address of a picture: nearly every case would be found."""
    store.start_run(run())
    picture = {"type": "image_url", "image_url": {"url": "http://127.0.0.1/a.png"}}
    parts = [{"type": "text", "text": "a drawing of Zürich"}, picture]
    asked = {"messages": [{"role": "user", "content": parts}], "params": {"seed": 1}}
    store.add_case(run().id, record("a", calls=(call(request=asked),)))
    store.add_case(run().id, record("b", calls=(call(),)))
    assert listed(client.get("/run", params={"id": run().id, "search": search}).text) == []
    assert listed(client.get("/run", params={"id": run().id, "search": "of Zürich"}).text) == ["a"]


@pytest.mark.parametrize("search", ["Zürich", 'the "old" town', "town\nby", "\\lake", "50"])
def test_a_search_looks_into_what_was_expected(store: SqliteStore, client: TestClient, search: str) -> None:
    """Whatever its characters: a target is kept as JSON, too."""
    store.start_run(run())
    target = 'Zürich: the "old" town\nby a \\lake'
    store.add_case(run().id, record("a", target=canonical({"answer": target, "share": 50})))
    store.add_case(run().id, record("b", target=canonical("else")))
    assert listed(client.get("/run", params={"id": run().id, "search": search}).text) == ["a"]


def test_cases_come_in_pages_both_ways(store: SqliteStore, client: TestClient) -> None:
    store.start_run(run())
    for number in range(120):
        store.add_case(run().id, record(f"r{number:03d}", outcome="missed" if number % 2 else "passed"))
    seen, address = [], f"/run?id={run().id}&outcome=missed"
    for _ in range(2):
        text = client.get(address).text
        seen += listed(text)
        following = re.search(r'rel="next" href="([^"#]*)', text)
        address = following[1].replace("&amp;", "&") if following else ""
    assert seen == [f"r{number:03d}" for number in range(1, 120, 2)] and not address
    assert "60 cases, 10 of them here" in text
    back = re.search(r'rel="prev" href="([^"#]*)', text)
    assert back and listed(client.get(back[1].replace("&amp;", "&")).text) == seen[:50]


def test_a_case_shows_all_that_is_known_of_it(client: TestClient, two_runs: SqliteStore) -> None:
    text = client.get(f"/case?id={case_id(two_runs, NEW, 'row-1')}").text
    for told in (
        "Who wrote letter 1?",
        "Lee wrote it",
        "It names the writer.",
        "correctness",
        "1 attempt",
        "t.py::test",
    ):
        assert told in text
    assert "<del>Kim</del><ins>Lee</ins>" in text
    assert f"/case?id={case_id(two_runs, OLD, 'row-1')}" in text
    assert "The same case in the baseline" in text
    assert f"/label?run={NEW}&amp;case=" in text


def test_without_a_baseline_a_case_stands_beside_the_run_before(store: SqliteStore, client: TestClient) -> None:
    for id in (OLD, NEW):
        record_run(store, id, good=(1,))
    assert "The same case in the run before" in client.get(f"/case?id={case_id(store, NEW, 'row-1')}").text


def test_a_row_that_was_another_one_before_stands_beside_nothing(store: SqliteStore, client: TestClient) -> None:
    """Rows pair by id and by what they ask and expect, on every page."""
    for id, digest in ((OLD, "France"), (NEW, "Spain")):
        store.start_run(run(id, started_at=f"{id[:4]}-{id[4:6]}-{id[6:8]}T00:00:00.000+00:00"))
        store.add_case(id, record("edited", input_digest=digest, outcome="passed" if id == OLD else "missed"))
        store.add_case(id, record("kept", input_digest="same", outcome="passed" if id == OLD else "missed"))
        store.finish_run(id, END)
    edited, kept = (client.get(f"/case?id={case_id(store, NEW, each)}").text for each in ("edited", "kept"))
    assert "<h2>Before</h2>" in kept
    assert "<h2>Before</h2>" not in edited and case_id(store, OLD, "edited") not in edited
    assert listed(client.get(f"/run?id={NEW}&flipped=1").text) == ["kept"]


def test_charts_show_the_baseline_whatever_the_rules_are_about(client: TestClient, two_runs: SqliteStore) -> None:
    """As those of pytest-html's report do."""
    chart = whole(client, f"/run?id={NEW}").partition("<figcaption><b>correctness</b>")[2].partition("</svg>")[0]
    assert chart.count("le-before") == 3
    assert re.search(r"all: 0.50 [^;]* n 6, baseline 0.5, bar 0.75, fail;", chart)
    assert re.search(r"even: 1.00 [^;]* n 3, baseline 0.667; odd: 0.00 [^;]* n 3, baseline 0.333<", chart)


def test_charts_without_the_baseline_show_what_the_rules_on_a_change_know_of_it(
    store: SqliteStore, client: TestClient
) -> None:
    """Of a run that was recorded elsewhere, say."""
    record_run(store, NEW, good=(1,), settings={"baseline": {"kind": "run", "run": OLD, "name": "main"}})
    store.set_verdicts(NEW, [replace(VERDICT, rule="max_drop=0.1", value=0.25, delta=-0.125)])
    chart = whole(client, f"/run?id={NEW}").partition("<figcaption><b>correctness</b>")[2].partition("</svg>")[0]
    assert chart.count("le-before") == 1 and "baseline 0.375" in chart


def test_a_number_on_a_page_is_that_of_the_terminal(store: SqliteStore, client: TestClient) -> None:
    record_run(store, NEW, good=(1,))
    store.set_verdicts(NEW, [replace(VERDICT, metric="latency_s", rule="max_p95=20", value=12.5)])
    assert whole(client, f"/run?id={NEW}").count("<b>12.5</b>") == 2, "the gate and the numbers"


def test_two_runs_stand_side_by_side(client: TestClient, two_runs: SqliteStore) -> None:
    text = whole(client, f"/compare?base={OLD}&current={NEW}")
    assert "2 cases flipped" in text
    assert text.index("gate FAIL: qa correctness min=0.75: 0.5 is below 0.75<") < text.index(f">compared with {OLD}: ")
    assert text.index("row-0") < text.index("row-1")
    assert ">correctness<" in text and "nightly" in text
    assert "0 cases flipped" in client.get(f"/compare?base={NEW}&current={NEW}").text


@pytest.mark.parametrize(
    "address", ["/run?id=nix", "/case?id=nix", "/compare?base=x&current=y", "/nix", "/label?run=x"]
)
def test_what_is_not_there_is_said(client: TestClient, two_runs: SqliteStore, address: str) -> None:
    answer = client.get(address)
    assert answer.status_code == 404 and "Not found" in answer.text and "All runs" in answer.text


def test_rules_that_are_gone_hide_nothing_else(two_runs: SqliteStore, source: Source) -> None:
    def gone(run: Run) -> Thresholds:
        raise ThresholdsError("strict.yaml: no such file; name one with --thresholds")

    app = make_app(replace(source, rules_of=gone))
    with TestClient(app, base_url="http://127.0.0.1:8765") as client:
        answer = client.get(f"/compare?base={OLD}&current={NEW}")
    assert answer.status_code == 200
    assert "The changes were not judged: strict.yaml: no such file; name one with --thresholds." in answer.text
    assert "row-0" in answer.text, "what flipped"


def test_a_comparison_is_by_the_rules_of_today(two_runs: SqliteStore, source: Source) -> None:
    """Not by those of the first look, while the server goes on."""
    known: dict[str, SuiteRules] = {}

    def rules(run: Run) -> Thresholds:
        return Thresholds(suites=known)

    with TestClient(make_app(replace(source, rules_of=rules)), base_url="http://127.0.0.1:8765") as client:
        address = f"/compare?base={OLD}&current={NEW}"
        assert "<td>completeness</td>" in whole(client, address)
        drop = Rule(suite="qa", metric="correctness", kind="max_drop", bound=0.5)
        known["qa"] = SuiteRules(name="qa", rules=(drop,))
        assert "<td>completeness</td>" not in whole(client, address)


def test_a_comparison_is_by_the_labels_of_today(two_runs: SqliteStore, source: Source) -> None:
    """People go on labelling, and a judge that was worth nothing may gate."""
    drop = Rule(suite="qa", metric="correctness", kind="max_drop", bound=0.5, judge=JudgeDemands(min_labels=1))
    rules = Thresholds(suites={"qa": SuiteRules(name="qa", rules=(drop,))})
    with TestClient(make_app(replace(source, rules_of=lambda run: rules)), base_url="http://127.0.0.1:8765") as client:
        address = f"/compare?base={OLD}&current={NEW}"
        assert "people labelled none of its answers" in whole(client, address)
        case = case_id(two_runs, NEW, "row-0")
        two_runs.add_labels([Label(case_id=case, name="correctness", value=1, passed=True, rater="Noor", at=utc_now())])
        assert "people labelled none of its answers" not in whole(client, address)


def test_a_comparison_is_with_a_base_as_it_is_now(two_runs: SqliteStore, client: TestClient) -> None:
    """One that went on at the first look, and has ended since."""
    base = "20260101-120000-cccccc"
    alive = {"pid": os.getpid(), "process_started": process_started(os.getpid())}
    two_runs.start_run(run(base, **alive))
    address = f"/compare?base={base}&current={NEW}"
    assert "is running" in whole(client, address)
    two_runs.finish_run(base, END)
    assert "is running" not in whole(client, address)


def test_a_run_that_goes_on_is_shown_as_it_grows(store: SqliteStore, client: TestClient) -> None:
    """The server holds nothing open that a run could wait for, and shows at each request what is there."""
    store.start_run(run())
    store.add_case(run().id, record("a", scores=(score(),)))
    text = client.get(f"/run?id={run().id}").text
    assert listed(text) == ["a"] and "crashed" in text, "the process of the record is none that runs"
    store.add_case(run().id, record("b"))
    assert listed(client.get(f"/run?id={run().id}").text) == ["a", "b"]


def test_the_own_process_of_a_run_shows_it_running(store: SqliteStore, client: TestClient) -> None:
    store.start_run(run(process_started=process_started(os.getpid())))
    text = client.get(f"/run?id={run().id}").text
    assert "The run is going on" in text and "No case was recorded yet" in text


def test_an_empty_database_says_what_to_do(store: SqliteStore, client: TestClient) -> None:
    text = client.get("/").text
    assert "pytest evals" in text


def test_a_database_that_went_away_is_said(client: TestClient, path: Path, two_runs: SqliteStore) -> None:
    two_runs.close()
    path.unlink()
    answer = client.get("/")
    assert answer.status_code == 500 and "the database cannot be used" in answer.text


def test_epochs_of_a_case_lead_to_each_other(store: SqliteStore, client: TestClient) -> None:
    store.start_run(run())
    for epoch in (1, 2):
        store.add_case(run().id, record("a", epoch=epoch))
    first, second = (case.id for case in store.cases(run().id))
    text = client.get(f"/case?id={first}").text
    assert f"/case?id={second}" in text


def test_the_run_before_is_a_whole_one(store: SqliteStore, client: TestClient) -> None:
    """Beside a partial run or a shard nearly all rows would be new, and hardly any could have flipped."""
    record_run(store, OLD, good=(1, 2))
    for day, settings in ((2, {"partial": True}), (3, {"shard": "1/2"})):
        record_run(store, f"2026010{day}-000000-dddddd", good=(), settings=settings)
    record_run(store, "20260104-000000-eeeeee", good=(1,))
    text = whole(client, "/run?id=20260104-000000-eeeeee&flipped=1")
    assert f"flipped since {OLD}" in text and listed(text) == ["row-2"]


def test_large_runs_are_worked_out_in_processes_beside_the_pages(
    client: TestClient, two_runs: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page does not wait for them, and shows the cases meanwhile."""
    monkeypatch.setattr(summaries, "_MOST_HERE", 0)
    monkeypatch.setattr(summaries, "PATIENCE_S", 0.0)
    first = client.get(f"/run?id={NEW}").text
    assert "being worked out" in first and "row-0" in first and "<svg" not in first.partition("<h2>Suites")[2]
    assert "<figcaption><b>correctness</b>" in whole(client, f"/run?id={NEW}")
    assert ">correctness<" in whole(client, f"/compare?base={OLD}&current={NEW}")
