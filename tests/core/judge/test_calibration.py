"""What labels tell of a judge and of its rates, by how they were drawn and of how many rows they are."""

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

from pytest_llmeval.core.judge.calibration import Calibration, calibrate
from pytest_llmeval.core.judge.judged_answer import JudgedAnswer, Scale
from pytest_llmeval.core.judge.label_sample import MIXED, RANDOM, drawn, drawn_evenly, of_verdict
from pytest_llmeval.core.stats.intervals import Interval
from pytest_llmeval.core.types import Vote

SCALE = Scale(suite="qa", name="right", judge_id="j", levels={0.0: "no", 0.5: "partly", 1.0: "yes"}, pass_mark=1.0)
LEVELS = (0.0, 0.5, 1.0)
TWO = replace(SCALE, levels={0.0: "no", 1.0: "yes"})


def answers(drawn: random.Random, n: int, *, right: float = 0.85, passing: float = 0.7) -> list[JudgedAnswer]:
    """Return answers that people label and a judge gets right with the chance ``right``; each to a row of its own."""
    found = []
    for at in range(n):
        label = 1.0 if drawn.random() < passing else drawn.choice(LEVELS[:2])
        value = label if drawn.random() < right else drawn.choice(LEVELS)
        verdicts = {"right": value == 1, "other": drawn.random() < (0.9 if label == 1 else 0.3)}
        found.append(JudgedAnswer(value=value, text=at, labels=(label,), cluster=at, verdicts=verdicts))
    return found


def only(found: Sequence[JudgedAnswer], places: Sequence[int], draw: str) -> list[JudgedAnswer]:
    """Return the answers with the labels of those at ``places`` alone."""
    chosen = set(places)
    return [replace(each, draws=(draw,)) if at in chosen else replace(each, labels=()) for at, each in enumerate(found)]


def intervals(found: Calibration) -> dict[str, Interval | None]:
    rates = {name: getattr(found.rates, name) for name in ("accuracy", "sensitivity", "specificity", "prevalence")}
    told = {**rates, "kappa": found.kappa, "raw": found.raw_rate}
    ends = {name: each.interval for name, each in told.items() if each is not None}
    return {**ends, "rate": found.corrected_rate.interval, "mean": found.corrected_mean.interval}


def width(interval: Interval | None) -> float:
    assert interval is not None
    return interval.high - interval.low


@pytest.mark.parametrize("right", [0.8, 1.0])
def test_rows_that_are_there_twice_make_no_interval_narrower(right: float) -> None:
    """Every number of 40 simulated judges, half of the rows labelled: the same values, as wide or a little wider."""
    chance = random.Random(1)
    for _ in range(40):
        once = only(answers(chance, 240, right=right), range(120), RANDOM)
        one, two = calibrate(SCALE, once), calibrate(SCALE, once + once)
        assert (two.n, two.rows) == (2 * one.n, one.rows)
        assert two.corrected_rate.estimate == pytest.approx(one.corrected_rate.estimate)
        for name, interval in intervals(one).items():
            assert width(interval) - 1e-9 <= width(intervals(two)[name]) < 1.2 * width(interval) + 1e-9


def test_another_runs_rate_is_no_surer_where_its_rows_are_there_twice() -> None:
    chance = random.Random(2)
    for _ in range(40):
        labelled, other = answers(chance, 120), [replace(each, labels=()) for each in answers(chance, 200)]
        one, two = (calibrate(SCALE, labelled * times, of=other * times) for times in (1, 2))
        assert width(two.corrected_rate.interval) >= width(one.corrected_rate.interval) - 1e-9


@pytest.mark.parametrize("draw", ["right", "other"])
def test_labels_drawn_by_a_verdict_hold_the_share_that_people_pass(draw: str) -> None:
    """Of the score itself or of another one; 30 of each verdict of 600, 300 runs."""
    chance, held, seen = random.Random(3), 0, []
    for _ in range(300):
        whole = answers(chance, 600)
        places = drawn_evenly([each.verdicts[draw] for each in whole], 60, seed=chance.randrange(2**32))
        found = calibrate(SCALE, only(whole, places, of_verdict(draw)))
        assert found.drawn == f"verdict of {draw}"
        assert found.kappa is None
        assert found.rates.accuracy is None
        interval = found.corrected_rate.interval
        assert interval is not None and found.corrected_rate.estimate is not None
        held += interval.low <= 0.7 <= interval.high
        seen.append(found.corrected_rate.estimate)
    assert held / 300 > 0.92
    assert sum(seen) / 300 == pytest.approx(0.7, abs=0.012)


def test_such_labels_taken_for_random_ones_would_not() -> None:
    """Since the draw looked at another score than the one that they are of."""
    chance, seen = random.Random(4), []
    for _ in range(100):
        whole = answers(chance, 600, right=0.6)
        places = drawn_evenly([each.verdicts["other"] for each in whole], 60, seed=chance.randrange(2**32))
        seen.append(calibrate(SCALE, only(whole, places, RANDOM)).corrected_rate.estimate or 0.0)
    assert sum(seen) / 100 < 0.66


def test_another_runs_rate_is_told_by_how_often_the_judge_is_right() -> None:
    """.95 passes where the labelled answers had .7; 200 runs."""
    chance, held, seen = random.Random(5), 0, []
    for _ in range(200):
        other = [replace(each, labels=()) for each in answers(chance, 600, passing=0.95)]
        found = calibrate(SCALE, answers(chance, 150), of=other)
        assert (found.estimator, found.judged, found.n) == ("separate labels", 600, 150)
        assert found.raw_rate is not None and found.corrected_rate.interval is not None
        held += found.corrected_rate.interval.low <= 0.95 <= found.corrected_rate.interval.high
        seen.append(found.corrected_rate.estimate)
    assert held / 200 > 0.92
    assert found.corrected_mean.reason == "labels of other answers tell no more than the share that passes"


def test_labels_drawn_by_a_verdict_tell_nothing_of_another_run() -> None:
    whole = answers(random.Random(6), 100)
    found = calibrate(SCALE, only(whole, range(50), of_verdict("right")), of=whole)
    assert found.corrected_rate.reason == "labels drawn by a verdict do not tell"


def test_draws_by_two_scores_are_not_pooled() -> None:
    whole = answers(random.Random(7), 100)
    half = only(whole, range(30), of_verdict("right"))
    both = [
        replace(each, labels=(1.0,), draws=(of_verdict("other"),)) if at > 80 else each for at, each in enumerate(half)
    ]
    found = calibrate(SCALE, both)
    assert found.drawn == MIXED
    assert found.corrected_rate.estimate is found.corrected_mean.estimate is None
    assert found.kappa is None
    assert found.reasons["kappa"] == "labels drawn by the verdicts of several scores cannot be pooled"
    assert found.confusion.n == found.n


def test_where_every_answer_is_labelled_no_draw_matters() -> None:
    whole = [replace(each, draws=(of_verdict("other"),)) for each in answers(random.Random(8), 60)]
    found = calibrate(SCALE, whole)
    assert (found.drawn, found.is_draw_known) == ("all", True)
    assert found.kappa is not None
    assert found.rates.prevalence is not None
    assert found.corrected_rate.estimate == found.rates.prevalence.value


def test_an_answer_without_the_verdict_that_was_drawn_by_leaves_the_rate_unknown() -> None:
    whole = only(answers(random.Random(9), 60), range(30), of_verdict("other"))
    found = calibrate(SCALE, [*whole[:-1], replace(whole[-1], verdicts={})])
    assert found.corrected_rate.reason == "some answers have no verdict of other, by which the labels were drawn"


def test_a_random_draw_is_like_the_run_and_one_by_verdict_is_not() -> None:
    whole = answers(random.Random(10), 400, passing=0.95)
    random_ = drawn([each.value for each in whole], 100, seed=1)
    even = drawn_evenly([each.value == 1 for each in whole], 100, seed=1)
    assert calibrate(SCALE, only(whole, random_, RANDOM)).is_like_run
    assert not calibrate(SCALE, only(whole, even, RANDOM)).is_like_run


def test_the_kappa_of_the_raters_is_what_that_of_the_judge_is_held_against() -> None:
    """Scott's π of a table of two raters: of 100 answers they agree on 60 and 20; π = (.8 − .58) / .42."""
    said = [(1.0, 1.0)] * 60 + [(0.0, 0.0)] * 20 + [(1.0, 0.0)] * 15 + [(0.0, 1.0)] * 5
    found = calibrate(
        TWO, [JudgedAnswer(value=1.0, text=at, labels=labels, draws=(RANDOM,)) for at, labels in enumerate(said)]
    )
    assert found.raters is not None and found.raters.value == pytest.approx(0.8)
    assert found.raters_kappa is not None and found.raters_kappa.n == 100
    assert found.raters_kappa.value == pytest.approx((0.8 - 0.58) / 0.42)
    interval = found.raters_kappa.interval
    spread = 0.0957  # of π, by 4,000 bootstrap samples of the answers
    assert interval is not None and interval.high - interval.low == pytest.approx(2 * 1.96 * spread, rel=0.05)


def test_more_raters_count_once_each() -> None:
    """J. L. Fleiss's example in small: three raters of four answers, two of which they agree on."""
    said = [(1.0, 1.0, 1.0), (0.0, 0.0, 0.0), (1.0, 1.0, 0.0), (1.0, 0.0, 0.0)]
    found = calibrate(TWO, [JudgedAnswer(value=1.0, text=at, labels=each) for at, each in enumerate(said)])
    assert found.raters_kappa is not None
    assert found.raters_kappa.n == 4
    assert found.raters_kappa.value == pytest.approx((2 / 3 - 0.5) / 0.5)


def test_an_answer_that_many_raters_labelled_counts_once_for_their_kappa() -> None:
    """Two agree on nine answers of ten; on the tenth five stand against five, in 90 of all 108 pairs."""
    said = [(1.0, 1.0)] * 5 + [(0.0, 0.0)] * 4 + [(1.0,) * 5 + (0.0,) * 5]
    found = calibrate(TWO, [JudgedAnswer(value=1.0, text=at, labels=each) for at, each in enumerate(said)])
    assert found.raters is not None and found.raters_kappa is not None
    assert found.raters_kappa.observed == pytest.approx(found.raters.value) == pytest.approx(1 - 5 / 90)
    assert found.raters_kappa.value == pytest.approx(1 - (5 / 90) / (2 * 0.55 * 0.45))


def test_labels_drawn_by_a_verdict_do_not_tell_the_kappa_of_the_raters() -> None:
    told = [
        JudgedAnswer(value=at % 2, text=at, labels=(1.0, float(at > 2)), draws=(of_verdict("correctness"),))
        for at in range(8)
    ]
    found = calibrate(TWO, [*told, JudgedAnswer(value=1.0, text=9)])
    assert (found.raters_kappa, found.raters is not None) == (None, True)
    assert found.reasons["raters_kappa"] == "labels drawn by a verdict do not tell"


def vote(judge: str, value: float, repeat: int = 0) -> Vote:
    return Vote(judge=judge, repeat=repeat, value=value, level="", reason="")


def test_a_judge_that_is_asked_twice_tells_how_often_it_flips() -> None:
    """Of three answers that were judged twice one got another verdict; the fourth was judged once."""
    votes = [(vote("j", 1.0), vote("j", again, 1)) for again in (1.0, 1.0, 0.5)]
    found = calibrate(
        SCALE,
        [
            *(JudgedAnswer(value=1.0, text=at, votes=each, judge="j") for at, each in enumerate(votes)),
            JudgedAnswer(value=0.0, text=9, labels=(1.0,), judge="j"),
        ],
    )
    assert found.voting.flips is not None
    assert found.voting.flips.value == pytest.approx(1 / 3)
    assert found.voting.flips.n == 3
    assert found.voting.jurors == ()


def test_each_judge_of_a_panel_is_held_against_people() -> None:
    """``a`` is always right, ``b`` and ``c`` err on the same answers: two judges at most."""
    labels = [1.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0]
    wrong = [False, True, False, True, False, False, False, False]
    found = calibrate(
        SCALE,
        [
            JudgedAnswer(
                value=1 - label if errs else label,
                text=at,
                labels=(label,),
                judge="panel",
                votes=(
                    vote("a", 1 - label if at == 7 else label),
                    vote("b", 1 - label if errs else label),
                    vote("c", 1 - label if errs else label),
                    vote("c", label, 1),
                ),
            )
            for at, (label, errs) in enumerate(zip(labels, wrong, strict=True))
        ],
    )
    told = {each.judge: each for each in found.voting.jurors}
    assert sorted(told) == ["a", "b", "c"]
    assert told["a"].accuracy is not None and told["a"].accuracy.value == 7 / 8
    assert told["b"].kappa is not None and told["b"].kappa.value == pytest.approx(0.5)
    assert told["b"].flips is None
    assert told["c"].flips is not None and told["c"].flips.value == 2 / 8
    assert found.voting.disagreement is not None and found.voting.disagreement.value == 3 / 8
    assert found.voting.effective_votes is not None and 1.5 < found.voting.effective_votes < 2.8


def test_a_judge_that_was_not_asked_of_an_answer_is_not_held_against_it() -> None:
    """As the others of a panel are, where the first is sure."""
    alone = [JudgedAnswer(value=1.0, text=at, labels=(1.0,), judge="a") for at in range(5)]
    both = JudgedAnswer(value=0.0, text=9, labels=(0.0,), judge="panel", votes=(vote("a", 0.5), vote("b", 0.0)))
    found = calibrate(SCALE, [*alone, both])
    assert [(each.judge, each.n) for each in found.voting.jurors] == [("a", 6), ("b", 1)]
    assert found.voting.disagreement is not None and found.voting.disagreement.n == 1
