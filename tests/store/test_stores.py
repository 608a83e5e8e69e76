"""What every store promises: the same tests for the one in memory and the one in a file."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.gate.judging import Verdict
from pytest_llmeval.core.stats.clusters import design_effect
from pytest_llmeval.core.stored import Label, StoredCase
from pytest_llmeval.core.types import CaseRecord, JudgeRecord, Score, Vote
from pytest_llmeval.store.records import EarlierOutcome, stored_case
from pytest_llmeval.store.sqlite import SqliteStore
from pytest_llmeval.store.vote_counts import Repeats, VoteCounts
from tests.support.any_store import Store
from tests.support.judged_cases import judged_record
from tests.support.memory_store import MemoryStore
from tests.support.records import IDS, call, case_records, record, score, storable_texts, unique_keys
from tests.support.stored_runs import END, run

VERDICT = Verdict(
    suite="qa",
    model="m",
    metric="exact",
    slice=None,
    rule="min=0.8",
    value=0.9,
    n=10,
    low=0.6,
    high=0.97,
    verdict="pass",
)


def in_order(case: CaseRecord) -> StoredCase:
    """Return what is to be read of ``case`` in the run ``r``: its scores sorted by name."""
    stored = stored_case("r", case)
    scores = [
        replace(score, votes=tuple(sorted(score.votes, key=lambda each: (each.repeat, each.judge))))
        for score in stored.scores
    ]
    return replace(stored, scores=tuple(sorted(scores, key=lambda each: each.name)))


def read_back(store: Store, *cases: CaseRecord) -> list[StoredCase]:
    """Return what a store gives back of the cases that it is given in a run ``r``."""
    store.start_run(run("r"))
    for case in cases:
        store.add_case("r", case)
    return list(store.cases("r"))


@settings(deadline=None, max_examples=60)
@given(cases=st.lists(case_records(storable_texts), max_size=4).filter(unique_keys))
@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_stored_cases_equal_what_is_read_back(kind: str, cases: list[CaseRecord]) -> None:
    with TemporaryDirectory() as folder:
        store: Store = MemoryStore() if kind == "memory" else SqliteStore(Path(folder, "a.db"))
        with closing(store):
            assert read_back(store, *cases) == [in_order(case) for case in cases]
            other = MemoryStore()
            read_back(other, *cases)
            assert store.voting("r") == other.voting("r")


def test_sample_ids_stay_the_texts_that_they_are(store: Store) -> None:
    cases = read_back(store, *[record(sample_id) for sample_id in IDS])
    assert [case.key.sample_id for case in cases] == IDS


@pytest.mark.parametrize("value", [0.0, -0.0, 1e308, -1e308, 5e-324, 0.1, 1 / 3, 1e15, 123456789.123456789])
def test_a_value_keeps_every_digit(store: Store, value: float) -> None:
    (case,) = read_back(store, record(scores=(score("x", value, None),)))
    assert case.scores[0].value == value
    assert isinstance(case.scores[0].value, float)


@pytest.mark.parametrize("passed", [True, False, None])
def test_whether_a_score_passed_has_three_answers(store: Store, passed: bool | None) -> None:
    (case,) = read_back(store, record(scores=(score("x", 0.5, passed),)))
    assert case.scores[0].passed is passed


@pytest.mark.parametrize("status", ["none", "error"])
def test_a_score_without_a_value_is_kept_with_its_reason(store: Store, status: Any) -> None:
    missing = Score(name="judge", value=None, passed=None, reason="no judge", status=status)
    (case,) = read_back(store, record(scores=(missing,)))
    assert case.scores == (missing,)


def test_what_stands_behind_a_judge_is_kept_once_for_a_run(store: Store) -> None:
    one, other = (JudgeRecord(judge_id=name, rubric="qa", detail="{}") for name in ("a", "b"))
    read_back(store, record("1", judges=(other,)), record("2", judges=(one, other)))
    assert (store.judges("r"), store.judges("elsewhere")) == ([one, other], [])


def test_how_judges_agreed_is_counted_by_answer(store: Store) -> None:
    def votes(*values: float, repeated: Sequence[float] = ()) -> tuple[Vote, ...]:
        told = [*((f"j{n}", 0, value) for n, value in enumerate(values)), *(("j0", 1, value) for value in repeated)]
        return tuple(Vote(judge=name, repeat=at, value=value, level="x", reason="") for name, at, value in told)

    def judged(sample_id: str, *of_dimensions: tuple[Vote, ...]) -> CaseRecord:
        parts = [replace(score(f"d{n}", 1.0), dimension=f"d{n}", votes=each) for n, each in enumerate(of_dimensions)]
        whole = Vote(judge="j0", repeat=0, value=0.3, level="", reason="")
        return record(sample_id, scores=(*parts, replace(score("whole", 1.0), votes=(whole,))))

    read_back(
        store,
        judged("agree", votes(1.0, 1.0), votes(0.0, 0.0)),
        judged("differ", votes(1.0, 1.0), votes(0.0, 1.0, 0.0)),
        judged("twice", votes(1.0, repeated=[1.0]), votes(0.0, repeated=[0.5])),
        judged("steady", votes(1.0, repeated=[1.0])),
        judged("alone", ()),
        record("preferences", scores=tuple(replace(score(f"p{n}", 1.0), votes=votes(1.0, n)) for n in (0, 1))),
    )
    again = (Repeats(judge="j0", answers=2, differed=1),)
    effect = design_effect([False, True, True, False], ["agree", "differ", "both", "both"])
    assert store.voting("r") == VoteCounts(judges=3, answers=4, differed=2, effect=effect, repeats=again)
    assert effect > 1


@pytest.mark.parametrize(
    ("of", "clusters"),
    [
        ([("s", "a", None), ("s", "b", None), ("s", "c", None), ("t", "a", None)], "abcd"),
        ([("s", "a", None), ("s", "a", None), ("s", "b", None), ("s", "b", None)], "aabb"),
        ([("s", "a", "x"), ("s", "b", "x"), ("s", "c", "y"), ("s", "d", "y")], "aabb"),
        ([("s", "a", None), ("s", "b", "a"), ("t", "b", "a"), ("t", "c", None)], "abcd"),
    ],
    ids=["rows", "epochs", "clusters", "names"],
)
def test_answers_to_one_row_or_cluster_are_not_independent(
    store: Store, of: list[tuple[str, str, str | None]], clusters: str
) -> None:
    """The judges differ, and the first one from itself, in the first two of four answers."""
    cases = []
    for number, (suite, sample_id, cluster) in enumerate(of):
        said = [("a", 0, 1.0), ("b", 0, float(number > 1)), ("a", 1, float(number > 1))]
        votes = tuple(Vote(judge=name, repeat=at, value=value, level="x", reason="") for name, at, value in said)
        scores = (replace(score("d", 1.0), dimension="d", votes=votes),)
        cases.append(record(sample_id, suite=suite, epoch=number + 1, cluster=cluster, scores=scores))
    read_back(store, *cases)
    effect = design_effect([True, True, False, False], clusters)
    assert (effect > 1) == (clusters == "aabb")
    again = (Repeats(judge="a", answers=4, differed=2, effect=effect),)
    assert store.voting("r") == VoteCounts(judges=2, answers=4, differed=2, effect=effect, repeats=again)


def test_a_case_recorded_again_replaces_the_first_and_goes_last(store: Store) -> None:
    first = record("a", outcome="missed", scores=(score("x", 0.0), score("y", 0.0)), calls=(call(), call()))
    again = record("a", scores=(score("x", 1.0),), calls=(call(response="new"),))
    assert read_back(store, first, record("b"), again) == [in_order(record("b")), in_order(again)]
    earlier = [EarlierOutcome.of(in_order(first), number=1)]
    assert (store.earlier_outcomes("r"), store.earlier_outcomes("elsewhere")) == (earlier, [])


def test_cases_that_differ_in_one_part_of_their_key_are_kept_apart(store: Store) -> None:
    cases = [record(), record("b"), record(suite="s"), record(model="n"), record(epoch=2)]
    assert len(read_back(store, *cases)) == 5


def test_cases_keep_the_order_of_recording(store: Store) -> None:
    names = [str(number) for number in (5, 3, 11, 1, 2, 10)]
    assert [case.key.sample_id for case in read_back(store, *map(record, names))] == names


def test_cases_of_two_runs_do_not_mix(store: Store) -> None:
    store.start_run(run("r"))
    store.start_run(run("s"))
    for run_id, sample_id in (("r", "a"), ("s", "a"), ("r", "b")):
        store.add_case(run_id, record(sample_id, error=run_id))
    found = {each: [(case.key.sample_id, case.error) for case in store.cases(each)] for each in "rs"}
    assert found == {"r": [("a", "r"), ("b", "r")], "s": [("a", "s")]}


def test_a_case_can_be_added_while_cases_are_read(store: Store) -> None:
    """A reader sees the run as it was when it began."""
    read_back(store, *[record(str(number), scores=(score(),)) for number in range(10)])
    reading = store.cases("r")
    seen = [next(reading)]
    store.add_case("r", record("new", scores=(score(),)))
    seen += reading
    assert [case.key.sample_id for case in seen][:10] == [str(number) for number in range(10)]
    assert all(case.scores for case in seen)


def test_the_gate_is_given_what_it_needs_of_each_case(store: Store) -> None:
    case = record(
        "007",
        epoch=2,
        outcome="missed",
        slices=("hard", "long"),
        scores=(
            score("f1", 0.25, False, scorer_digest="s"),
            Score(name="judge", value=None, passed=None, status="none", judge_id="j"),
        ),
        calls=(call(), call("judge")),
        input_digest="d",
        cluster="c",
    )
    read_back(store, case)
    assert list(store.judged("r")) == [
        JudgedCase(
            suite="qa",
            model="m",
            sample_id="007",
            epoch=2,
            slices=("hard", "long"),
            outcome="missed",
            scores={"f1": 0.25, "judge": None},
            passed={"f1": False, "judge": None},
            statuses={"f1": "scored", "judge": "none"},
            latency_s=2.0,
            cost_usd=1.0,
            judge_cost_usd=0.5,
            input_tokens=10,
            output_tokens=5,
            input_digest="d",
            cluster="c",
            digests={"f1": "s", "judge": None},
            judge_ids={"f1": None, "judge": "j"},
        )
    ]


def test_the_first_misses_and_errors_of_each_suite_are_read_in_full(store: Store) -> None:
    made = [
        record(
            f"{suite}{number}",
            suite=suite,
            outcome=outcome,
            error_kind="timeout" if outcome == "error" else None,
            scores=(score("b"), score("f1")),
        )
        for number, outcome in enumerate(["missed", "passed", "error", "missed", "skipped", "missed", "error"])
        for suite in ("qa", "other")
    ]
    read_back(store, *made)
    cases = {case.key.sample_id: case for case in store.cases("r")}
    assert list(store.unlucky("r", most=2)) == [
        cases[name] for name in ("qa0", "other0", "qa2", "other2", "qa3", "other3", "qa6", "other6")
    ]
    assert [case.key.sample_id for case in store.unlucky("r", most=None)] == [
        name for name, case in cases.items() if case.outcome in ("missed", "error")
    ]
    assert not list(store.unlucky("r", most=0))


def test_a_run_without_cases_has_none(store: Store) -> None:
    store.start_run(run("r"))
    assert (list(store.cases("r")), store.verdicts("r"), list(store.judged("r"))) == ([], [], [])


def test_a_run_that_is_not_there_has_no_cases(store: Store) -> None:
    assert (list(store.cases("nobody")), store.verdicts("nobody")) == ([], [])


# What follows from the calls of a case


def test_latency_and_tokens_are_the_models_and_cost_is_that_of_all(store: Store) -> None:
    calls = (call(response="first"), call(response="last", attempts=3), call("judge", response="ok", latency_s=90.0))
    (case,) = read_back(store, record(calls=calls))
    assert (case.latency_s, case.input_tokens, case.output_tokens, case.cost_usd) == (4.0, 20, 10, 1.5)
    assert (case.response, case.attempts, case.cached) == ("last", 4, False)


@pytest.mark.parametrize(
    ("unknown", "expected"),
    [
        ({"latency_s": None}, (None, 20, 10, 1.0)),
        ({"input_tokens": None}, (4.0, None, 10, 1.0)),
        ({"output_tokens": None}, (4.0, 20, None, 1.0)),
        ({"cost_usd": None}, (4.0, 20, 10, None)),
    ],
)
def test_what_one_call_does_not_say_is_not_known_of_the_case(
    store: Store, unknown: dict[str, Any], expected: tuple[Any, ...]
) -> None:
    (case,) = read_back(store, record(calls=(call(), call(**unknown))))
    assert (case.latency_s, case.input_tokens, case.output_tokens, case.cost_usd) == expected


@pytest.mark.parametrize("fields", [{}, {"outcome": "skipped"}, {"outcome": "error", "error_kind": "code"}])
def test_a_case_without_calls_cost_nothing_and_has_no_latency(store: Store, fields: dict[str, Any]) -> None:
    (case,) = read_back(store, record(**fields))
    assert (case.latency_s, case.input_tokens, case.output_tokens, case.cost_usd) == (None, 0, 0, 0)
    assert (case.response, case.attempts) == (None, 0)


def test_what_a_case_cost_whose_process_died_is_not_known(store: Store) -> None:
    (case,) = read_back(store, record(outcome="error", error_kind="worker_crashed"))
    assert (case.latency_s, case.input_tokens, case.output_tokens, case.cost_usd) == (None, None, None, None)


def test_one_cached_answer_makes_a_case_cached(store: Store) -> None:
    assert read_back(store, record(calls=(call(cached=True, cost_usd=0.0), call())))[0].cached is True


def test_a_cached_answer_of_the_judge_leaves_all_but_the_cost_fresh(store: Store) -> None:
    free, paid = call("judge", cached=True, cost_usd=0.0), call("judge", cost_usd=0.25)
    (case,) = read_back(store, record(calls=(call(), free, paid)))
    assert (case.cached, case.judge_cached, case.cost_usd, case.judge_cost_usd) == (False, True, 0.75, 0.25)


def test_the_gate_reads_the_sums_of_a_record(store: Store) -> None:
    cases = [
        *(record("none"), record("one", calls=(call(),))),
        record("judged", calls=(call(), call("judge"))),
        record("failed", outcome="error", error_kind="timeout", calls=(call(response=None, cost_usd=None),)),
    ]
    read_back(store, *cases)
    assert list(store.judged("r")) == [judged_record(case) for case in cases]


# Verdicts


def test_verdicts_come_back_in_the_order_of_judging(store: Store) -> None:
    store.start_run(run("r"))
    verdicts = [
        VERDICT,
        replace(VERDICT, slice="hard", verdict="fail", reason="missed by 'a'"),
        replace(VERDICT, model=None, value=None, n=0, low=None, high=None, verdict="not_judged"),
        replace(VERDICT, rule="max_drop=0.02", baseline_value=0.9, delta=-0.1, p_value=0.01, mde=0.05),
        VERDICT,
    ]
    store.set_verdicts("r", iter(verdicts))
    assert store.verdicts("r") == verdicts


def test_verdicts_given_again_take_the_place_of_the_first(store: Store) -> None:
    for run_id in "rs":
        store.start_run(run(run_id))
        store.set_verdicts(run_id, [VERDICT, VERDICT])
    store.set_verdicts("r", [replace(VERDICT, verdict="fail")])
    assert [verdict.verdict for verdict in store.verdicts("r")] == ["fail"]
    assert len(store.verdicts("s")) == 2


def test_a_run_of_elsewhere_comes_with_its_calls_and_labels_or_not_at_all(store: Store) -> None:
    case = stored_case("r", record("a", judges=()))
    judge = JudgeRecord(judge_id="j", rubric="r", detail="{}")
    label = Label(case_id=case.id, name="exact", value=1.0, rater="ann", at="2026-01-01T00:00:00+00:00")
    first = call(name="a-1", cache_key="k")
    calls = [(case.id, first), (case.id, call("judge", name="b-1", status="timeout")), ("gone", call(name="c-1"))]
    assert store.import_run(run("r", end=END), [case], [judge], calls=calls, labels=[label])
    assert list(store.cases("r")) == [case]
    assert (store.judges("r"), store.labels("r")) == ([judge], [label])
    assert store.calls(case.id) == [found for owner, found in calls if owner == case.id]
    assert store.spending("r")[0].calls == 2
    assert not store.import_run(run("r", end=END), [replace(case, id="other")], calls=calls, labels=[label])
    assert list(store.cases("r")) == [case]
    assert len(store.labels("r")) == 1


def test_a_run_that_is_here_gets_the_judges_that_it_lacked(store: Store) -> None:
    """Files of older versions hold none; what is known stays as it is."""
    first, second = (JudgeRecord(judge_id=id, rubric="r", detail="{}") for id in "ab")
    store.import_run(run("r", end=END), [], [first])
    assert not store.import_run(run("r", end=END), [], [second, replace(first, detail="[]")])
    assert store.judges("r") == [first, second]


def test_a_run_that_another_process_has_taken_up_is_not_taken_from_it(store: Store) -> None:
    """Of two that found it at the same time; what is known of it stays the first one's."""
    found = run("r", pid=1)
    store.start_run(found)
    assert store.resume_run(run("r", pid=2, process_started="7"), seen=found)
    store.set_verdicts("r", [VERDICT])
    assert not store.resume_run(run("r", pid=3, process_started="8"), seen=found)
    assert [(each.pid, each.process_started) for each in store.runs()] == [(2, "7")]
    assert len(store.verdicts("r")) == 1
    assert store.resume_run(run("r", pid=3), seen=store.find_run("r"))
    assert store.resume_run(run("r", pid=4))
    assert store.find_run("r").pid == 4
