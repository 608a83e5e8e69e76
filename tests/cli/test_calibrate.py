"""A judge held against people over stored runs whose agreement is known, numbers checked by hand."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_llmeval.cli.labelled_runs import no_labels
from pytest_llmeval.core.ids import case_id
from pytest_llmeval.core.judge.rubric import Dimension, Level, Rubric
from pytest_llmeval.core.stored import Label
from pytest_llmeval.core.types import CaseRecord, JudgeRecord, Score
from pytest_llmeval.store.sqlite import SqliteStore
from tests.cli.conftest import Command
from tests.support.judged_runs import RUN, judge_record, judged_record, store_run
from tests.support.records import record

AT = "2025-01-03T00:00:00.000+00:00"
PAIRS = [("good", 1.0)] * 5 + [("good", 0.0)] + [("bad", 1.0)] * 2 + [("bad", 0.0)] * 2 + [("good", None)] * 6
"""What the judge says of the format of 16 answers, and what a person says of ten: 5, 1, 2 and 2 of the four cells."""


def label(at: int, value: float, name: str = "format", rater: str = "kim", epoch: int = 1) -> Label:
    return Label(case_id=case_id(RUN, "qa", "m", str(at), epoch), name=name, value=value, rater=rater, at=AT)


def fill(store: SqliteStore) -> None:
    cases = [
        judged_record(str(at), "right", "complete", said, slices=("even",) if at % 2 == 0 else ())
        for at, (said, _) in enumerate(PAIRS)
    ]
    store_run(store, cases)
    store.add_labels(label(at, value) for at, (_, value) in enumerate(PAIRS) if value is not None)


def test_a_judge_is_held_against_people(store: SqliteStore, llmeval: Command) -> None:
    """Of 7 passes it finds 5, of 3 failures 2; kappa is (0.7 − 0.54) / (1 − 0.54); of 12 and 4 pass 5/6 and 1/2."""
    fill(store)
    done = llmeval("calibrate")
    assert done.status == 0
    lines = [line.split() for line in done.out.splitlines()]
    measured = {tuple(line[:-3]): line[-3:] for line in lines if len(line) > 3 and ".." in line[-1]}
    assert measured["accuracy",][:2] == ["10", "0.700"]
    assert measured["sensitivity",][:2] == ["7", "0.714"]
    assert measured["specificity",][:2] == ["3", "0.667"]
    assert measured["prevalence",][:2] == ["10", "0.700"]
    assert measured["kappa",][:2] == ["10", "0.348"]
    assert measured["judge", "passes"][:2] == ["16", "0.750"]
    assert measured["people", "would", "pass"][:2] == ["10", "0.750"]
    assert ["bad", "2", "1"] in lines
    assert ["good", "2", "5"] in lines
    assert "qa format: 10 of 16 judged answers labelled; passes from 1 up" in done.out
    assert max(map(len, done.out.splitlines())) <= 80


def test_a_run_in_place_of_a_file_is_told_how_it_is_named(store: SqliteStore, llmeval: Command) -> None:
    fill(store)
    done = llmeval("calibrate", RUN)
    assert done.status == 4
    assert done.err == f"llmeval: {RUN}: no such file; to name a run: llmeval calibrate --run {RUN}\n"
    assert "File name too long" in llmeval("calibrate", "x" * 5000).err
    assert llmeval("calibrate", "nowhere").err == "llmeval: nowhere: cannot be read: No such file or directory\n"


def test_json_has_slices_and_reasons(store: SqliteStore, llmeval: Command) -> None:
    fill(store)
    found = llmeval("calibrate", "--json").json()
    whole, even = found["scores"]
    assert (found["run"], whole["drawn"], whole["slice"], even["slice"]) == (RUN, "random", None, "even")
    assert (whole["estimator"], whole["is_draw_known"]) == ("labels of the run", False)
    assert (whole["n"], whole["judged"], even["n"], even["judged"]) == (10, 16, 5, 8)
    assert whole["confusion"]["counts"] == [[2, 1], [2, 5]]
    assert whole["kappa"]["value"] == pytest.approx(0.16 / 0.46)
    assert whole["corrected_rate"]["estimate"] == pytest.approx((12 * 5 / 6 + 4 / 2) / 16)
    assert whole["corrected_rate"]["interval"]["low"] < 0.75 < whole["corrected_rate"]["interval"]["high"]
    assert whole["reasons"] == {
        "flips": "no answer was judged twice",
        "raters": "no answer was labelled by two raters",
    }
    assert whole["corrected_mean"]["reason"] == "an interval takes 100 labels, there are 10"


def test_slices_are_shown_on_request(store: SqliteStore, llmeval: Command) -> None:
    fill(store)
    assert "[even]" not in llmeval("calibrate").out
    assert "qa format [even]: 5 of 8 judged answers labelled" in llmeval("calibrate", "-v").out


def test_labels_drawn_by_the_verdict_tell_the_corrected_rate_only(store: SqliteStore, llmeval: Command) -> None:
    fill(store)
    found = llmeval("calibrate", "--drawn", "format", "--json").json()["scores"][0]
    assert found["drawn"] == "verdict of format"
    assert found["corrected_rate"]["estimate"] == pytest.approx(0.75)
    assert set(found["rates"].values()) == {None}
    assert found["kappa"] is None
    assert found["reasons"]["specificity"] == "labels drawn by a verdict do not tell"
    out = llmeval("calibrate", "--drawn", "format").out
    assert "accuracy, sensitivity, specificity, prevalence, kappa: labels drawn by a" in out


def test_ordered_levels_make_a_near_miss_count_in_part(store: SqliteStore, llmeval: Command, here: Path) -> None:
    """With weights 1, 1/2 and 0 for no, one and two levels apart."""
    store_run(store, [judged_record("a", "wrong"), judged_record("b", "right"), judged_record("c", "right")])
    rows = [
        {"sample_id": sample_id, "name": "correctness", "level": level}
        for sample_id, level in (("a", "wrong"), ("b", "right"), ("c", "partly"))
    ]
    (here / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (found,) = llmeval("calibrate", "in.jsonl", "--json").json()["scores"]
    assert found["levels"] == ["wrong", "partly", "right"]
    assert found["confusion"]["counts"] == [[1, 0, 0], [0, 0, 1], [0, 0, 1]]
    assert found["kappa_weights"] == "linear"
    # people: 1/3 each; judge: 1/3, 0, 2/3. expected = 1/9·(1 + 1/2 + 0) + 2/9·(0 + 1/2 + 1) = 1/2
    assert found["kappa"]["value"] == pytest.approx((2.5 / 3 - 0.5) / 0.5)
    assert found["rates"]["specificity"]["value"] == 0.5
    assert store.labels(RUN) == []


def test_what_cannot_be_known_has_a_reason(store: SqliteStore, llmeval: Command) -> None:
    store_run(store, [judged_record("0"), judged_record("1")])
    store.add_labels([label(0, 1.0)])
    out = llmeval("calibrate").out
    assert "specificity: no labelled answer fails by people" in out
    assert "kappa: people and judge give one level to all" in out


def test_one_answer_judged_twice_tells_the_flip_rate(store: SqliteStore, llmeval: Command) -> None:
    """Of three answers that were judged twice one got another verdict; where the answers differ nothing is told."""
    cases = [judged_record(str(at), "right", "complete", "good", epoch=epoch) for at in (0, 1) for epoch in (1, 2)]
    cases += [judged_record("2", "right", "complete", said, epoch=at) for at, said in enumerate(("good", "bad"), 1)]
    cases += [judged_record("3", "right", "complete", "good", epoch=1, answer="x")]
    cases += [judged_record("3", "right", "complete", "bad", epoch=2, answer="y")]
    store_run(store, cases)
    store.add_labels([label(0, 1.0)])
    (found,) = llmeval("calibrate", "--json").json()["scores"]
    assert (found["voting"]["flips"]["n"], found["voting"]["flips"]["value"]) == (3, pytest.approx(1 / 3))


def test_answers_are_told_apart_by_what_was_judged(store: SqliteStore, llmeval: Command) -> None:
    """Not by the response, which an application's own answer has not: two of them are no answer judged twice."""
    passed_on = [
        judged_record("0", "right", "complete", said, epoch=epoch, answer=f"answer {epoch}")
        for epoch, said in ((1, "good"), (2, "bad"))
    ]
    store_run(store, [replace(each, calls=each.calls[1:]) for each in passed_on])
    store.add_labels([label(0, 1.0)])
    (found,) = llmeval("calibrate", "--json").json()["scores"]
    assert found["reasons"]["flips"] == "no answer was judged twice"


def test_of_several_raters_the_one_in_the_middle_counts(store: SqliteStore, llmeval: Command) -> None:
    store_run(store, [judged_record("0"), judged_record("1", "right", "complete", "bad")])
    said = {"kim": 1.0, "lee": 1.0, "max": 0.0}
    store.add_labels([label(0, value, rater=rater) for rater, value in said.items()])
    store.add_labels([label(1, 0.0)])
    (found,) = llmeval("calibrate", "--json").json()["scores"]
    assert found["confusion"]["counts"] == [[1, 0], [0, 1]]
    assert (found["raters"]["n"], found["raters"]["value"]) == (1, pytest.approx(1 / 3))
    assert (found["raters_kappa"]["n"], found["raters_kappa"]["value"]) == (1, pytest.approx((1 / 3 - 5 / 9) / (4 / 9)))
    lines = [line.split()[:4] for line in llmeval("calibrate").out.splitlines()]
    assert ["raters", "agree", "1", "0.333"] in lines
    assert ["raters", "kappa", "1", "-0.500"] in lines


def test_labels_unlike_the_run_are_noticed(store: SqliteStore, llmeval: Command) -> None:
    store_run(store, [judged_record(str(at), "right", "complete", "bad" if at < 20 else "good") for at in range(100)])
    store.add_labels([label(at, float(at >= 20)) for at in range(40)])
    assert "--drawn SCORE says so" in " ".join(llmeval("calibrate").out.split())


def test_without_labels_or_verdicts_one_is_told_what_to_do(store: SqliteStore, llmeval: Command) -> None:
    store_run(store, [judged_record("0")])
    done = llmeval("calibrate")
    assert (done.status, "has no labels; `llmeval labels export`" in done.err) == (4, True)
    store_run(store, [], "20250103-000000-eeeeee")
    done = llmeval("calibrate", "--run", "20250103")
    assert (done.status, "has no answer that a judge judged" in done.err) == (4, True)


def test_the_run_that_has_labels_is_named_where_the_newest_has_none(store: SqliteStore, llmeval: Command) -> None:
    for number in (1, 2):
        store_run(store, [judged_record("0")], f"2025010{number}-000000-aaaaaa")
    (case,) = store.cases("20250101-000000-aaaaaa")
    label = Label(case_id=case.id, name="correctness", rater="kim", value=1.0, passed=True, at="2025-01-03")
    store.add_labels([label])
    done = llmeval("calibrate")
    newest = "20250101-000000-aaaaaa (llmeval calibrate --run 20250101-000000-aaaaaa)"
    assert (done.status, f"has no labels; the newest that has is {newest}; " in done.err) == (4, True)
    told: list[str] = []
    store._connection.set_trace_callback(told.append)
    assert "20250101-000000-aaaaaa" in no_labels(store, store.find_run("last"))
    assert sum("labels" in sql for sql in told) == 1, "the labels are looked through once, not for each run"
    assert llmeval("calibrate", "--run", "20250101").status == 0


OWN = Rubric(
    name="polite",
    version=1,
    task="An answer is judged.",
    needs_reference=False,
    dimensions=(
        Dimension(
            name="tone",
            question="Is it polite?",
            pass_mark=0.5,
            levels=tuple(
                Level(name=name, value=value, anchor=f"it is {name}")
                for name, value in (("rude", 0.0), ("plain", 0.5), ("kind", 1.0))
            ),
        ),
    ),
)


def tone(sample_id: str, level: str, value: float, *, judges: tuple[JudgeRecord, ...]) -> CaseRecord:
    """Return a case that was judged by a rubric of its project."""
    score = Score(name="x_tone", value=value, passed=value > 0, reason=level, judge_id="k", dimension="tone")
    return record(sample_id, scores=(score,), judges=judges)


def test_the_rubric_that_the_run_stored_gives_levels_and_pass_mark(
    store: SqliteStore, llmeval: Command, here: Path
) -> None:
    """Also the level that no answer had; the file of the rubric may be another one by now."""
    judges = (judge_record(OWN, "k"),)
    store_run(store, [tone("0", "rude", 0.0, judges=judges), tone("1", "kind", 1.0, judges=judges)])
    (here / "in.jsonl").write_text(json.dumps({"sample_id": "1", "name": "x_tone", "level": "plain"}))
    (found,) = llmeval("calibrate", "in.jsonl", "--json").json()["scores"]
    assert (found["levels"], found["pass_mark"]) == (["rude", "plain", "kind"], 0.5)
    assert found["rates"]["accuracy"]["value"] == 1.0


@pytest.mark.parametrize("command", [["calibrate"], ["labels", "export", "--output", "x.csv"]])
def test_a_run_of_an_older_version_is_to_be_scored_again(
    store: SqliteStore, llmeval: Command, command: list[str]
) -> None:
    """It says which levels it used, not which there were."""
    store_run(store, [tone("0", "rude", 0.0, judges=())])
    done = llmeval(*command)
    assert done.status == 4
    assert f"run {RUN} was recorded by an older version" in done.err
    assert f"run `llmeval rescore {RUN}`" in done.err


def test_labels_of_answers_without_a_verdict_are_no_agreement(store: SqliteStore, llmeval: Command) -> None:
    store_run(store, [judged_record("0"), record("1", outcome="error", error_kind="judge")])
    store.add_labels([label(1, 1.0)])
    done = llmeval("calibrate")
    assert done.status == 0
    assert "no judged answer is labelled: the labels are of answers without a verdict" in done.out
