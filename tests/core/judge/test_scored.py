"""Which answers of a run the scores of a judge are of, and what is made of them for a rubric as a whole."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import pytest

from pytest_llmeval.core.judge.label_sample import MIXED, RANDOM, of_verdict
from pytest_llmeval.core.judge.scored import JudgedRun, Labels, RaterLabel, ScaleKey, judged_run
from pytest_llmeval.core.types import CaseRecord, JudgeRecord, Score
from pytest_llmeval.store.records import stored_case
from tests.support.judged_runs import JUDGE, judge_record, judged_record, judged_scores, qa_rubric
from tests.support.records import record


def run_of(records: Iterable[CaseRecord], judges: Sequence[JudgeRecord] | None = None) -> JudgedRun:
    known = [judge_record(qa_rubric())] if judges is None else judges
    return judged_run("r", [stored_case("r", each) for each in records], known)


def said(run: JudgedRun, rater: str = "kim", **values: float) -> Labels:
    """Return what a person says of the first case, by score."""
    return {(run.cases[0].id, name): {rater: RaterLabel(value, RANDOM)} for name, value in values.items()}


def named_scores(name: str) -> tuple[Score, ...]:
    """Return the scores of ``score.judge(..., name=name)``."""
    whole, *parts = judged_scores("right", "partial", "bad")
    return (replace(whole, name=name), *(replace(each, name=f"{name}_{each.name}") for each in parts))


QA = ScaleKey("qa", JUDGE, "qa")


def test_a_whole_is_the_weighted_mean_of_what_was_said_of_its_dimensions() -> None:
    """Weights 2, 1 and 1; correctness alone gates."""
    run = run_of([judged_record("a", "right", "partial", "bad")])
    assert run.wholes() == [QA]
    scale, passes, values = run.whole(QA, said(run, correctness=0.5, completeness=1.0, format=1.0))
    assert (scale.is_whole, scale.name) == (True, "qa")
    assert [(each.value, each.labels) for each in passes] == [(1.0, (0.0,))]
    assert [(each.value, each.labels) for each in values] == [(0.625, (0.75,))]


def test_who_labelled_a_part_says_nothing_of_the_whole() -> None:
    """And each who labelled all of it does."""
    run = run_of([judged_record("a")])
    one, other = said(run, correctness=0, completeness=0, format=0), said(run, "lee", correctness=1, format=1)
    both = {key: {**one[key], **other.get(key, {})} for key in one}
    _, passes, _ = run.whole(QA, both)
    assert [each.labels for each in passes] == [(0.0,)]


@pytest.mark.parametrize(
    ("draws", "told"),
    [
        ((RANDOM, RANDOM, RANDOM), (RANDOM,)),
        ((RANDOM, of_verdict("format"), RANDOM), (of_verdict("format"),)),
        ((of_verdict("format"), of_verdict("correctness"), RANDOM), (MIXED,)),
        ((RANDOM, None, RANDOM), ()),
    ],
)
def test_a_whole_was_drawn_as_all_of_its_dimensions_were(draws: Sequence[str | None], told: tuple[str, ...]) -> None:
    run = run_of([judged_record("a")])
    names = ("correctness", "completeness", "format")
    labels = {(run.cases[0].id, name): {"kim": RaterLabel(1.0, draw)} for name, draw in zip(names, draws, strict=True)}
    _, passes, _ = run.whole(QA, labels)
    assert [each.draws for each in passes] == [told]


def test_scores_by_a_name_of_their_own_belong_together() -> None:
    """Beside those by the rubric's name, of the same judge."""
    both = (*judged_scores("wrong", "missing", "bad"), *named_scores("n"))
    run = run_of([judged_record("a", scores=both)])
    assert run.wholes() == [ScaleKey("qa", JUDGE, "n"), QA]
    _, passes, values = run.whole(ScaleKey("qa", JUDGE, "n"), {})
    assert (passes[0].value, values[0].value) == (1.0, 0.625)
    assert run.whole(QA, {})[1][0].value == 0.0


def test_a_preference_is_no_whole() -> None:
    preference = Score(name="qa_preference", value=1.0, passed=None, judge_id="p", decided_by="j")
    judge = judge_record(replace(qa_rubric(), name="qa_preference"), "p")
    assert run_of([record("a", scores=(preference,), judges=(judge,))], [judge]).wholes() == []


def test_a_rubric_of_one_dimension_has_no_whole_beside_it() -> None:
    single = replace(qa_rubric(), dimensions=(replace(qa_rubric().dimensions[0], name="tone"),))
    scores = (
        Score(name=single.name, value=1.0, passed=True, judge_id="t", decided_by="j"),
        Score(name="tone", value=1.0, passed=True, judge_id="t", dimension="tone", decided_by="j"),
    )
    run = run_of([record("a", scores=scores)], [judge_record(single, "t")])
    assert run.wholes() == []
    assert [key.name for key in run.scales] == ["tone"]


def test_answers_to_one_row_are_of_one_cluster() -> None:
    """Epochs and models alike; rows that a dataset puts together are, too."""
    cases = [judged_record("a", epoch=epoch, model=model) for epoch in (1, 2) for model in ("m", "n")]
    run = run_of([*cases, judged_record("b", cluster="doc"), judged_record("c", cluster="doc")])
    found = run.answers(ScaleKey("qa", JUDGE, "format"), {})
    assert len({each.cluster for each in found}) == 2
    assert found[0].verdicts == {"completeness": True, "correctness": True, "format": True}
