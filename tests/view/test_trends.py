"""How metrics went over the runs, on the page of runs."""

from dataclasses import replace

from starlette.testclient import TestClient

from pytest_llmeval.core.gate.judging import Verdict
from pytest_llmeval.store.sqlite import SqliteStore
from tests.support.judged_runs import judged_record
from tests.support.stored_runs import END, run
from tests.view.conftest import NEW, OLD, VERDICT, record_run
from tests.view.test_pages import whole


def test_trends_and_numbers_are_of_the_metric_whatever_its_rules_are_about(
    client: TestClient, two_runs: SqliteStore
) -> None:
    """pass@k of a run, or the mean over rows that pair, is not the value that other runs have."""
    two_runs.set_verdicts(NEW, [replace(VERDICT, rule="pass_at={k: 2, min: 0.5}", value=0.875, n=4)])
    assert "correctness of qa on m, the newest last: 0.5 (20260101-000000-aaaaaa), 0.5 (20260102" in whole(client, "/")
    text = whole(client, f"/run?id={NEW}")
    gate, numbers = text.split("<h2>Suites and slices</h2>")
    assert "<b>0.875</b>" in gate and "0.875" not in numbers


def test_trends_set_beside_each_other_what_is_of_the_same_cases(store: SqliteStore, client: TestClient) -> None:
    """What ``-m`` chose, and a p95 that was a p50 before, would look like a change."""
    days = (("", 3), ("regression", 6), ("", 4))
    for day, (marks, good) in enumerate(days, 1):
        record_run(store, f"2026010{day}-000000-aaaaaa", good=tuple(range(good)), settings={"markexpr": marks})
    text = whole(client, "/")
    full, chosen = ("0.5 (20260101-000000-aaaaaa), 0.667 (20260103-000000-aaaaaa)", "1 (20260102-000000-aaaaaa)")
    assert f"correctness of qa on m, the newest last: {full}<" in text
    assert f"correctness (-m regression) of qa on m, the newest last: {chosen}<" in text


def test_a_trend_is_of_one_judge(store: SqliteStore, client: TestClient) -> None:
    """What another one says otherwise is no change of the answers."""
    for day, judge in enumerate(("strict", "mild", "strict"), 1):
        started = f"2026-01-0{day}T00:00:00.000+00:00"
        store.start_run(run(f"2026010{day}-000000-aaaaaa", started_at=started, judge_models=(judge,)))
        levels = ("wrong",) if judge == "strict" else ()
        store.add_case(f"2026010{day}-000000-aaaaaa", judged_record("a", *levels, judge_id=judge))
        store.finish_run(f"2026010{day}-000000-aaaaaa", END)
    text = whole(client, "/")
    assert "correctness by mild of qa on m, the newest last: 1 (20260102-000000-aaaaaa)<" in text
    both = "0 (20260101-000000-aaaaaa), 0 (20260103-000000-aaaaaa)"
    assert f"correctness by strict of qa on m, the newest last: {both}<" in text


def test_a_trend_of_a_measure_is_of_one_kind_of_rule(client: TestClient, two_runs: SqliteStore) -> None:
    """Whatever stands above it in the rules; and a change of a fraction of a cent is one."""

    def measured(metric: str, rule: str, value: float) -> Verdict:
        return replace(VERDICT, metric=metric, rule=rule, value=value, low=None, high=None)

    two_runs.set_verdicts(OLD, [measured("latency_s", "max_p95=9", 8.0), measured("cost_usd", "max=0.01", 0.0014)])
    latency = [measured("latency_s", "max_p50=5", 2.0), measured("latency_s", "max_p95=9", 7.0)]
    two_runs.set_verdicts(NEW, [*latency, measured("cost_usd", "max=0.01", 0.00109)])
    text = whole(client, "/")
    assert f"latency_s max_p95 of qa on m, the newest last: 8 ({OLD}), 7 ({NEW})<" in text
    assert f"latency_s max_p50 of qa on m, the newest last: 2 ({NEW})<" in text
    row = text.partition(">cost_usd max<")[2]
    assert row.partition("<svg")[0].count("<b>0.00109</b>") == 1 and "−0.00031" in row.partition("<svg")[0]
