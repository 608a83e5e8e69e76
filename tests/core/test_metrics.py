"""From cases to metrics: what counts, what is left out, and in which order it may come."""

import random
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmeval.core.errors import ErrorKind
from pytest_llmeval.core.gate.case import LOST_KINDS, JudgedCase
from pytest_llmeval.core.gate.column import State, read_column, sample_means
from pytest_llmeval.core.metrics import Metric, score_names, summarise
from pytest_llmeval.core.types import Call, CaseKey, CaseRecord, Outcome, Score
from tests.support.judged_cases import judged_record
from tests.support.records import call


def case(sample_id: str = "a", **fields: Any) -> JudgedCase:
    """Return a case of suite ``qa`` and model ``m``, passed unless said otherwise."""
    return JudgedCase(**{"suite": "qa", "model": "m", "sample_id": sample_id, "outcome": "passed", **fields})


def record(*calls: Call, scores: tuple[Score, ...] = ()) -> JudgedCase:
    """Return what the gate reads of a record with these calls and scores."""
    key = CaseKey(nodeid="n", suite="qa", sample_id="a", model="m", epoch=2)
    made = CaseRecord(key=key, slices=("hard",), outcome="missed", scores=scores, calls=calls)
    return judged_record(made)


def found(metrics: tuple[Metric, ...], name: str, part: str | None = None) -> Metric:
    """Return the only metric of this name and slice."""
    (metric,) = [metric for metric in metrics if metric.name == name and metric.slice == part]
    return metric


def test_a_record_sums_the_models_calls_and_the_price_of_all() -> None:
    """Time and tokens are the model's; money is the judge's too."""
    made = record(call(), call(), call("judge", latency_s=90.0))
    assert (made.latency_s, made.input_tokens, made.output_tokens, made.cost_usd) == (4.0, 20, 10, 1.5)
    assert (made.suite, made.model, made.sample_id, made.epoch) == ("qa", "m", "a", 2)
    assert (made.slices, made.outcome, made.cached) == (("hard",), "missed", False)


def test_a_record_keeps_names_values_marks_and_statuses_of_scores() -> None:
    """A score without a value keeps why."""
    scores = (
        Score(name="f1", value=0.4, passed=False),
        Score(name="judge", value=None, passed=None, status="none"),
    )
    made = record(scores=scores)
    assert made.scores == {"f1": 0.4, "judge": None}
    assert made.passed == {"f1": False, "judge": None}
    assert made.statuses == {"f1": "scored", "judge": "none"}


@pytest.mark.parametrize("field", ["latency_s", "cost_usd", "input_tokens", "output_tokens"])
def test_an_unknown_part_makes_the_sum_unknown(field: str) -> None:
    """None, never the sum of the rest."""
    assert getattr(record(call(), call(**{field: None})), field) is None


def test_without_calls_money_and_tokens_are_zero_and_time_is_unknown() -> None:
    """Nothing was sent, so there is no answer to time."""
    made = record()
    assert (made.latency_s, made.cost_usd, made.input_tokens, made.output_tokens) == (None, 0, 0, 0)


def test_a_cached_answer_costs_nothing_and_stays_out_of_latency() -> None:
    """It keeps its first latency, which is not this run's."""
    made = record(call(), call(cached=True, cost_usd=0.0))
    assert (made.cached, made.latency_s, made.cost_usd) == (True, 4.0, 0.5)
    assert read_column("latency_s", [made]).count("cached") == 1
    assert not record(call(), call("judge", cached=True)).cached


def test_the_kinds_that_are_lost_are_those_of_the_infrastructure() -> None:
    """A bad answer may hide behind every other one."""
    assert frozenset(ErrorKind) - LOST_KINDS == {
        ErrorKind.TIMEOUT,
        ErrorKind.MALFORMED_RESPONSE,
        ErrorKind.TRUNCATED_STREAM,
        ErrorKind.TOO_LARGE,
        ErrorKind.FILTERED,
        ErrorKind.SCORER,
        ErrorKind.JUDGE,
        ErrorKind.BAD_REQUEST,
        ErrorKind.REDIRECT,
        ErrorKind.CODE,
    }


@pytest.mark.parametrize(
    ("metric", "fields", "state"),
    [
        ("f1", {"scores": {"f1": 0.5}}, "scored"),
        ("f1", {"scores": {"f1": 0.5}, "outcome": "error", "error_kind": "judge"}, "scored"),
        ("f1", {"scores": {"f1": 0.5}, "outcome": "skipped"}, "skipped"),
        ("f1", {}, "unscored"),
        ("f1", {"scores": {"f1": None}, "statuses": {"f1": "none"}}, "no_judge"),
        ("f1", {"scores": {"f1": None}, "statuses": {"f1": "error"}}, "open"),
        ("f1", {"outcome": "error", "error_kind": "timeout"}, "open"),
        ("f1", {"outcome": "error", "error_kind": "connection"}, "lost"),
        ("f1", {"outcome": "error", "error_kind": None}, "open"),
        ("pass_rate", {"outcome": "missed"}, "scored"),
        ("pass_rate", {"outcome": "error", "error_kind": "timeout"}, "open"),
        ("pass_rate", {"outcome": "error", "error_kind": "quota"}, "lost"),
        ("error_rate", {"outcome": "error", "error_kind": "quota"}, "scored"),
        ("error_rate", {"outcome": "skipped"}, "skipped"),
        ("latency_s", {"latency_s": 1.0}, "scored"),
        ("latency_s", {"latency_s": 1.0, "cached": True}, "cached"),
        ("latency_s", {}, "open"),
        ("latency_s", {"latency_s": 9.0, "outcome": "error", "error_kind": "timeout"}, "scored"),
        ("latency_s", {"outcome": "error", "error_kind": "timeout"}, "open"),
        ("latency_s", {"outcome": "error", "error_kind": "judge"}, "lost"),
        ("latency_s", {"latency_s": 0.1, "outcome": "error", "error_kind": "connection"}, "lost"),
        ("input_tokens", {"input_tokens": 0, "outcome": "error", "error_kind": "connection"}, "lost"),
        ("output_tokens", {"outcome": "error", "error_kind": "timeout"}, "lost"),
        ("output_tokens", {"output_tokens": 4, "cached": True}, "scored"),
        ("cost_usd", {"cost_usd": 0.2, "outcome": "error", "error_kind": "connection"}, "scored"),
        ("cost_usd", {}, "open"),
    ],
)
def test_what_a_case_says_of_a_metric(metric: str, fields: Mapping[str, Any], state: State) -> None:
    """A value where there is one, else why not."""
    column = read_column(metric, [case(**fields)])
    assert column.count(state) == 1
    assert column.ids(state) == ["a"]
    assert len(column.cases()) == (state == "scored")


@pytest.mark.parametrize(
    ("value", "passed", "hit"),
    [(0.4, True, True), (1.0, False, False), (1.0, None, True), (0.99, None, False)],
)
def test_a_hit_is_what_passed_or_a_value_of_one(value: float, passed: bool | None, hit: bool) -> None:
    """The pass mark decides; without one only the best score will do."""
    column = read_column("f1", [case(scores={"f1": value}, passed={"f1": passed})])
    assert [reading.hit for reading in column.readings] == [hit]


def test_epochs_become_the_mean_of_their_sample_first() -> None:
    """Three epochs of one row weigh as much as one of another."""
    cases = [case("a", epoch=epoch, scores={"f1": 1.0}) for epoch in (1, 2, 3)] + [case("b", scores={"f1": 0.0})]
    metric = found(summarise(cases), "f1")
    assert (metric.n, metric.value, metric.collected) == (2, 0.5, 4)


def test_error_rate_counts_cases() -> None:
    """One epoch of three is a third, and skipped ones do not count."""
    cases = [
        case("a", epoch=1, outcome="error"),
        case("a", epoch=2),
        case("a", epoch=3),
        case("b", outcome="skipped"),
    ]
    assert sorted(sample_means(read_column("error_rate", cases).grouped())) == [0, 0, 1]


def test_a_summary_has_pass_rate_and_scores_of_each_suite_model_and_slice() -> None:
    """In one order, whatever the order of the cases."""
    cases = [
        case("a", slices=("hard",), scores={"f1": 1.0}),
        case("b", outcome="missed", scores={"f1": 0.0, "em": 0.0}),
        case("c", outcome="error", error_kind="connection"),
        case("d", outcome="skipped"),
        case("a", model="z"),
        case("a", suite="code"),
    ]
    metrics = summarise(cases)
    assert [(metric.suite, metric.model, metric.slice, metric.name) for metric in metrics] == [
        ("code", "m", None, "pass_rate"),
        ("qa", "m", None, "pass_rate"),
        ("qa", "m", None, "em"),
        ("qa", "m", None, "f1"),
        ("qa", "m", "hard", "pass_rate"),
        ("qa", "m", "hard", "em"),
        ("qa", "m", "hard", "f1"),
        ("qa", "z", None, "pass_rate"),
    ]
    assert metrics[1] == Metric(
        name="pass_rate",
        suite="qa",
        model="m",
        slice=None,
        n=2,
        value=0.5,
        low=metrics[1].low,
        high=metrics[1].high,
        collected=4,
        errors=1,
        skipped=1,
    )
    assert (metrics[5].value, metrics[5].low, metrics[5].high, metrics[5].n) == (None, None, None, 0)


def test_nothing_gives_no_metric() -> None:
    """Not a row of zeros."""
    assert summarise([]) == ()


def test_score_names_hold_those_without_a_value() -> None:
    """A judge that was not there is a score nevertheless."""
    assert score_names([case(scores={"b": None}), case(scores={"a": 1.0})]) == ["a", "b"]


outcomes: st.SearchStrategy[Outcome] = st.sampled_from(["passed", "missed", "error", "skipped"])
many = st.lists(
    st.builds(
        case,
        st.sampled_from("abcdef"),
        epoch=st.integers(1, 3),
        outcome=outcomes,
        error_kind=st.sampled_from(["connection", "timeout"]),
        slices=st.sampled_from([(), ("hard",), ("hard", "long")]),
        scores=st.dictionaries(st.sampled_from(["f1", "em"]), st.floats(0, 1) | st.none()),
    ),
    max_size=25,
)


@given(many, st.randoms())
def test_the_order_of_cases_never_matters(cases: list[JudgedCase], shuffler: random.Random) -> None:
    """Every number is the same, to the last bit."""
    shuffled = list(cases)
    shuffler.shuffle(shuffled)
    assert summarise(shuffled) == summarise(cases)


@given(many, st.lists(st.integers(0, 2), min_size=25, max_size=25))
def test_any_shards_joined_give_the_same_metrics(cases: list[JudgedCase], shards: list[int]) -> None:
    """However the cases were dealt out."""
    dealt = [[case for case, shard in zip(cases, shards, strict=False) if shard == number] for number in range(3)]
    assert summarise([case for shard in dealt for case in shard]) == summarise(cases)


@given(many)
def test_a_value_lies_between_the_least_and_the_greatest_score(cases: list[JudgedCase]) -> None:
    """And the interval holds it."""
    for metric in summarise(cases):
        chosen = [case for case in cases if metric.slice is None or metric.slice in case.slices]
        values = read_column(metric.name, chosen).cases()
        assert (metric.value is None) == (not values)
        if metric.value is not None:
            assert min(values) <= metric.value <= max(values)
        if metric.value is not None and metric.low is not None and metric.high is not None:
            assert 0 <= metric.low <= metric.value <= metric.high <= 1


@given(many, st.sampled_from(sorted(ErrorKind)))
def test_an_error_without_a_score_never_moves_a_value(cases: list[JudgedCase], kind: str) -> None:
    """It is counted and nothing else: no 0, and nothing that raises the mean."""
    more = [
        *cases,
        case("a", epoch=9, outcome="error", error_kind=kind),
        case("z", outcome="error", error_kind=kind),
    ]
    after = {(metric.name, metric.slice): metric.value for metric in summarise(more)}
    for metric in summarise(cases):
        assert after[metric.name, metric.slice] == metric.value
