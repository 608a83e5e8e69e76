"""What a judge is worth by the labels of its answers, held against what rules demand; numbers checked by hand."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest

from pytest_llmeval.core.judge.judged_text import JudgedTexts, texts_of
from pytest_llmeval.core.judge.trust import UNKNOWN, Trust
from pytest_llmeval.core.rules import JudgeDemands
from pytest_llmeval.core.stored import Label, StoredCase
from pytest_llmeval.core.types import JudgeRecord, Score
from pytest_llmeval.store.records import stored_case
from tests.core.judge.rubrics import RUBRIC
from tests.support.judged_runs import judge_record, judged_record
from tests.support.records import record

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
MARCH, JANUARY = "2026-03-01T12:00:00.000+00:00", "2026-01-01T12:00:00.000+00:00"
TEN = [(1, 1)] * 5 + [(1, 0)] + [(0, 1)] * 2 + [(0, 0)] * 2
"""Verdict and label of ten answers: kappa (0.7 − 0.54) / (1 − 0.54) = 0.348, specificity 2/3."""


class Known(NamedTuple):
    """What a database holds of some answers."""

    cases: list[StoredCase]
    labels: list[Label]


def labels(pairs: Iterable[tuple[float, float]] = TEN, name: str = "format", **fields: Any) -> Known:
    """Return answers with the verdict of one dimension, each with a label of it."""
    whole = fields.pop("whole", "qa")
    key = {"first": 0, "judge_id": "j", "dimension": name, "suite": "qa", **fields}
    found = Known([], [])
    for number, (value, label) in enumerate(pairs, key["first"]):
        score = Score(
            name=name,
            value=value,
            passed=None,
            judge_id=key["judge_id"],
            dimension=key["dimension"],
            decided_by=fields.get("decided_by"),
        )
        mean = Score(name=whole, value=value, passed=None, judge_id=key["judge_id"])
        case = record(str(number), scores=(mean, score), suite=key["suite"])
        stored = stored_case("run", case)
        found.cases.append(stored)
        said = {"rater": "kim", "at": MARCH, **{key: fields[key] for key in ("rater", "at", "draw") if key in fields}}
        found.labels.append(Label(case_id=stored.id, name=name, value=label, **said))
    return found


def both(one: Known, other: Known) -> Known:
    """Return answers with the verdicts of two dimensions."""
    cases = [
        replace(case, scores=(*case.scores, *(score for score in more.scores if score.dimension)))
        for case, more in zip(one.cases, other.cases, strict=True)
    ]
    return Known(cases, [*one.labels, *other.labels])


def trust(*given: Known, texts: Mapping[str, JudgedTexts] | None = None) -> Trust:
    """Return what a database says that holds these."""
    cases = {case.id: case for known in given for case in known.cases}
    judges = [judge_record(RUBRIC, judge_id) for judge_id in "jkl"]
    said = [label for known in given for label in known.labels]
    return Trust(cases.values(), said, judges, now=NOW, texts=texts)


def missed(known: Trust, metric: str = "format", judge_id: str = "j", **demands: Any) -> str | None:
    """Return what a judge misses of these demands."""
    return known.missed(JudgeDemands(**demands), judge_id, metric)


@pytest.mark.parametrize(
    "demands",
    [
        {"min_kappa": 0.34},
        {"min_labels": 10},
        {"min_specificity": 0.66},
        {"min_specificity": 2 / 3},
        {"max_age_days": 30},
        {"max_age_days": 10**12},
        {"min_kappa": 0.3, "min_labels": 10, "max_age_days": 31, "min_specificity": 0.6},
    ],
)
def test_a_judge_that_meets_every_demand_may_gate(demands: dict[str, Any]) -> None:
    """The number as it is estimated counts, not the end of its interval; a demand that is met exactly is met."""
    assert missed(trust(labels()), **demands) is None


@pytest.mark.parametrize(
    ("demands", "told"),
    [
        ({"min_kappa": 0.35}, r"^kappa 0\.348 \(95% interval -0\.\d+\.\.0\.\d+\) over 10 labelled answers, "),
        ({"min_kappa": 0.35}, r"asks 0\.35; fix its rubric where people and judge differ, or have people label "),
        ({"min_labels": 11}, r"asks 11; have people label more: llmeval labels export, .*calibrate$"),
        ({"min_kappa": 0.348}, r"^kappa 0\.347826 \(95% .*\) over 10 labelled answers, min_kappa asks 0\.348; fix"),
        ({"min_labels": 11}, r"^10 labelled answers, min_labels asks 11; have"),
        (
            {"min_specificity": 0.7},
            r"^specificity 0\.667 \(95% .*\) over the 3 that people fail, of 10 .*, min_specificity asks 0\.7; fix",
        ),
        ({"max_age_days": 29}, r"^people labelled none of its answers in the last 29 days; have"),
        (
            {"max_age_days": 29, "min_labels": 5},
            r"^people labelled none .*in the last 29 days, min_labels asks 5; have",
        ),
        ({"min_labels": 11, "min_kappa": 0.35}, r"^10 labelled answers, min_labels asks 11; kappa 0\.348 "),
    ],
)
def test_each_missed_demand_is_named_with_what_was_found(demands: dict[str, Any], told: str) -> None:
    found = missed(trust(labels()), **demands)
    assert found is not None
    assert re.search(told, found), found


def test_a_label_that_is_too_old_does_not_count_beside_younger_ones() -> None:
    """In kappa neither."""
    known = trust(labels(), labels([(1, 0)] * 5, at=JANUARY, first=10))
    assert missed(known, min_kappa=0.34) is not None
    assert missed(known, min_kappa=0.34, max_age_days=60) is None
    assert missed(known, min_labels=11, max_age_days=60) is not None


@pytest.mark.parametrize(
    ("known", "demands", "is_told"),
    [
        ([labels(at=JANUARY)], {"max_age_days": 30}, True),
        ([labels(), labels(at=JANUARY, first=10)], {"max_age_days": 31, "min_labels": 20}, True),
        ([labels(), labels(at=JANUARY, first=10)], {"max_age_days": 31, "min_labels": 30}, True),
        ([labels(), labels(at=JANUARY, first=10)], {"min_labels": 30}, False),
        ([labels(), labels(at=JANUARY)], {"max_age_days": 31, "min_labels": 20}, False),
        ([labels()], {"max_age_days": 31, "min_labels": 20}, False),
        ([labels(), labels(at=JANUARY, first=10, judge_id="k")], {"max_age_days": 31, "min_labels": 20}, False),
        ([labels(at=JANUARY, draw="verdict of format")], {"max_age_days": 30}, False),
    ],
)
def test_where_labels_are_too_old_the_column_is_named_that_says_when_they_were_given(
    known: list[Known], demands: dict[str, Any], is_told: bool
) -> None:
    """To label the same answers again, as the gate tells people to, leaves most labels as old as they were."""
    told = missed(trust(*known), **demands)
    assert told is not None
    assert told.endswith("calibrate; where people look again at older labels, fill in the column at") == is_told
    assert ("column at" in told) == is_told


def test_an_answer_with_labels_of_two_raters_counts_once() -> None:
    known = trust(labels(), labels(rater="lee"))
    assert missed(known, min_labels=10) is None
    assert missed(known, min_labels=11) is not None


def test_what_is_unknown_is_not_enough() -> None:
    """Without an answer that people fail nobody knows whether the judge sees one; all of one level tell no kappa."""
    known = trust(labels([(1, 1)] * 30))
    told = missed(known, min_specificity=0.0)
    assert told is not None
    assert told.startswith("specificity unknown (no labelled answer fails by people) over 30 labelled answers, ")
    assert "min_specificity asks 0;" in told
    assert (missed(known, min_kappa=-1.0) or "").startswith("kappa unknown (people and judge give one level to all, ")


def test_labels_of_another_judge_do_not_count_and_are_told() -> None:
    """Another rubric, template or model makes another judge."""
    told = missed(trust(labels(judge_id="k"), labels(judge_id="l", first=10)), min_labels=1)
    assert told is not None
    assert told.startswith("people labelled none of its answers, min_labels asks 1; labels of 2 other judges ")
    assert "do not count" in told
    assert missed(trust(labels(judge_id="k")), min_labels=1, judge_id="k") is None
    assert "other" not in (missed(trust(labels()), min_labels=11) or "")


def test_labels_of_answers_that_were_drawn_by_the_verdict_do_not_count() -> None:
    """As many passes as failures of the judge say nothing of how often it is right."""
    known = trust(labels(draw="random"), labels([(0, 0)] * 20, draw="verdict of format", first=10))
    assert missed(known, min_kappa=0.34) is None
    assert missed(known, min_labels=10) is None
    told = missed(known, min_labels=11)
    assert told is not None
    assert "10 labelled answers, min_labels asks 11; labels of 20 answers that were drawn by the verdict do not" in told


@pytest.mark.parametrize("max_age_days", [None, 60])
def test_an_answer_stays_drawn_as_it_was_however_old_its_first_label_is(max_age_days: int | None) -> None:
    """Another run that repeats it, labelled without a draw, makes no random one of it; one by chance stays so."""
    demands: dict[str, Any] = {"min_labels": 10, **({} if max_age_days is None else {"max_age_days": max_age_days})}
    drawn = labels(draw="verdict of format", at=JANUARY)
    told = missed(trust(drawn, again(labels())), **demands) or ""
    assert "labels of 10 answers that were drawn by the verdict do not count" in told
    known = trust(labels(draw="random", at=JANUARY), again(labels(draw="verdict of format")))
    assert missed(known, **demands) is None


def test_answers_that_a_check_in_code_settled_say_nothing_of_the_judge() -> None:
    judges = [replace_how(judge_record(RUBRIC, "j"), {"checks": [["right_if", "exact"]]})]
    own, settled = labels(decided_by="echo"), labels([(1, 1)] * 50, first=10, decided_by="exact")
    known = Trust([*own.cases, *settled.cases], [*own.labels, *settled.labels], judges, now=NOW)
    assert missed(known, min_labels=10) is None
    assert missed(known, min_labels=11) is not None


def test_the_same_judge_is_one_in_all_suites_and_runs() -> None:
    assert missed(trust(labels(), labels(suite="other")), min_labels=20) is None


def again(known: Known) -> Known:
    """Return the same answers in another run, with the labels that they had: a run that repeats or rescores them."""
    cases = [replace(case, id=f"again {case.id}") for case in known.cases]
    return Known(cases, [replace(label, case_id=f"again {label.case_id}") for label in known.labels])


def test_an_answer_that_is_labelled_in_two_runs_counts_once() -> None:
    """Where nothing has changed, a run repeats the answers of the last one, and the same file of labels is of both."""
    known = trust(labels(), again(labels()))
    assert missed(known, min_labels=10) is None
    assert (missed(known, min_labels=11) or "").startswith("10 labelled answers")
    drawn = labels([(0, 0)] * 20, draw="verdict of format", first=10)
    assert "labels of 20 answers that" in (missed(trust(labels(), drawn, again(drawn)), min_labels=11) or "")


RIGHT, WRONG = [(1, 1)] * 5 + [(0, 0)] * 5, [(1, 0)] * 5 + [(0, 1)] * 5
"""Verdicts that people agree with, and the same verdicts where they never do."""


@pytest.mark.parametrize("order", [1, -1])
def test_the_answers_to_one_row_are_told_apart_by_their_suites(order: int) -> None:
    """Two suites over one dataset ask of the same answers, such as "yes", something else."""
    spam, urgent = labels(RIGHT, suite="spam"), labels([(1 - value, 1 - said) for value, said in RIGHT], suite="urgent")
    assert missed(trust(*[spam, urgent][::order]), min_kappa=1.0, min_labels=20) is None
    known = trust(*[spam, labels(WRONG, suite="urgent")][::order])
    assert (missed(known, min_kappa=0.6) or "").startswith("kappa 0 ")


def beside(known: Known, **shown: str) -> dict[str, JudgedTexts]:
    """Return what a judge was shown of each answer."""
    return {case.id: texts_of(case.response, judged_record("a", **shown).calls) for case in known.cases}


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("changed", ["reference", "question", "row"])
def test_an_answer_beside_another_question_or_reference_is_another_one(changed: str, order: int) -> None:
    """As after a target was corrected; where the calls were not kept, the rows themselves tell."""
    before, after = labels(WRONG, at=JANUARY), again(labels([(value, value) for value, _ in WRONG]))
    texts: dict[str, JudgedTexts] = {}
    if changed == "row":
        after = Known([replace(case, input_digest="other") for case in after.cases], after.labels)
    else:
        texts = beside(before, **{changed: "old"}) | beside(after, **{changed: "new"})
    known = trust(*[before, after][::order], texts=texts)
    assert missed(known, min_labels=20) is None
    assert (missed(known, min_kappa=0.6) or "").startswith("kappa 0 ")
    after = again(labels([(value, value) for value, _ in WRONG]))
    same = trust(before, after, texts=texts and beside(before) | beside(after))
    assert missed(same, min_kappa=1.0, min_labels=10) is None
    assert missed(same, min_labels=11) is not None


@pytest.mark.parametrize("runs", [(0, 1), (1, 0)])
def test_what_a_rater_said_last_of_an_answer_counts_in_whatever_run(runs: tuple[int, int]) -> None:
    """A correction of the run that was scored again, and of the new one; what others say counts beside it.

    An answer that was drawn by chance stays so where its label is corrected in a draw by the verdict.
    """
    right = [(value, value) for value, _ in TEN]
    for draw in (None, "verdict of format"):
        both_runs = [labels(at=JANUARY), again(labels(at=JANUARY))]
        corrected = [labels(right, draw=draw), again(labels(right, draw=draw))][runs[0]]
        both_runs[runs[0]] = Known(corrected.cases, corrected.labels)
        known = trust(*both_runs)
        assert missed(known, min_kappa=1.0, min_labels=10) is None
        lee = [labels(rater="lee"), again(labels(rater="lee"))][runs[1]]
        told = missed(trust(*both_runs, lee), min_kappa=1.0)  # of two raters the lower label is the answer's
        assert (told or "").startswith("kappa 0.8 ")


def test_the_score_of_a_whole_rubric_is_told_of_by_the_labels_of_all_its_dimensions() -> None:
    """Its kappa is that of whether an answer passes, by the dimensions that gate, as ``llmeval calibrate`` has it."""
    right = labels([(1, 1), (0, 0)] * 5, "correctness")
    assert missed(trust(both(right, labels())), "qa", min_kappa=0.99) is None
    wrong = labels([(1, 0), (0, 1)] * 5, "correctness")
    assert (missed(trust(both(wrong, labels())), "qa", min_kappa=0.6) or "").startswith("kappa -1 ")
    assert "people labelled none of its answers" in (missed(trust(right), "qa", min_kappa=0.6) or "")


def test_labels_of_a_whole_rubric_that_do_not_count_are_told_too() -> None:
    """They stand on its dimensions, and an answer counts once."""
    others = both(labels(name="correctness", judge_id="k"), labels(judge_id="k"))
    chosen = [labels(name=name, first=10, draw="verdict of format") for name in ("correctness", "format")]
    told = missed(trust(others, both(*chosen)), "qa", min_labels=1)
    assert told is not None
    assert told.startswith(
        "people labelled none of its answers, min_labels asks 1; labels of 10 answers that were drawn by the verdict do"
        " not count; labels of another judge (rubric, template, model, checks or way of asking differ) do not count; "
    )


@pytest.mark.parametrize(
    ("whole", "part"), [("qa", "format"), ("terse", "terse_format"), ("qa", "qa_format"), ("format", "format_format")]
)
def test_the_score_of_a_rubric_of_one_dimension_is_told_of_by_the_labels_of_that(whole: str, part: str) -> None:
    judges = [judge_record(replace(RUBRIC, dimensions=RUBRIC.dimensions[1:]), "j")]
    own = labels(name=part, dimension="format", whole=whole)
    known = Trust(own.cases, own.labels, judges, now=NOW)
    for metric in (whole, part):
        assert missed(known, metric, min_labels=10, min_kappa=0.34) is None
        assert (missed(known, metric, min_kappa=0.35) or "").startswith("kappa 0.348 ")
    assert missed(known, "other", min_labels=1) is not None


def test_levels_are_those_of_the_rubric_though_none_of_the_answers_has_them() -> None:
    """Of three levels kappa is weighted: a near miss counts in part."""
    near = trust(labels([(1, 1), (0, 0), (1, 0.5), (0, 0.5)] * 5, "correctness"))
    far = trust(labels([(1, 1), (0, 0), (1, 0), (0, 1)] * 5, "correctness"))
    assert missed(near, "correctness", min_kappa=0.4) is None
    assert missed(far, "correctness", min_kappa=0.4) is not None


def replace_how(judge: JudgeRecord, how: dict[str, Any]) -> JudgeRecord:
    """Return a judge that was asked so."""
    return replace(judge, detail=json.dumps({**json.loads(judge.detail), "how": how}))


def test_a_judge_without_a_rubric_cannot_be_held_against_people() -> None:
    """Cases of an older version tell nothing, and are no obstacle."""
    own = labels()
    for known in (UNKNOWN, Trust(own.cases, own.labels, [], now=NOW)):
        assert "llmeval rescore RUN" in (missed(known, min_labels=1) or "")
