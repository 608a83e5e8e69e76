"""Which labels count for what: of another run, of a dataset, by draw, of a rubric as a whole, of several models."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_llmeval.core.ids import case_id
from pytest_llmeval.core.stored import Label
from pytest_llmeval.core.types import CaseRecord, Vote
from pytest_llmeval.store.sqlite import SqliteStore
from tests.cli.conftest import Command
from tests.support.judged_runs import JUDGE, RUN, judged_record, settled_record, store_run
from tests.support.records import record

OTHER = "20250103-000000-eeeeee"


def label(at: int, value: float, name: str = "format", draw: str | None = "random", model: str = "m") -> Label:
    id_ = case_id(RUN, "qa", model, str(at), 1)
    return Label(case_id=id_, name=name, value=value, rater="kim", at="2025-01-03T00:00:00.000+00:00", draw=draw)


def judged(count: int, failing: int) -> list[CaseRecord]:
    """Return answers of which the judge fails the format of the first ``failing``."""
    return [judged_record(str(at), "right", "complete", "bad" if at < failing else "good") for at in range(count)]


def test_labels_of_one_run_correct_the_rate_of_another(store: SqliteStore, llmeval: Command) -> None:
    """The judge finds 16 of 20 failures and 18 of 20 passes; it passes .6 of another run: (.6 + .8 − 1) / .7."""
    store_run(store, judged(40, 18))
    store.add_labels(label(at, float(not (at < 16 or at >= 36))) for at in range(40))
    store_run(store, judged(100, 40), OTHER)
    found = llmeval("calibrate", "--run", RUN, "--of", OTHER, "--json").json()
    (score,) = found["scores"]
    assert (found["run"], found["of"], score["drawn"], score["estimator"]) == (RUN, OTHER, "all", "separate labels")
    assert (score["judged"], score["n"]) == (100, 40)
    assert score["rates"]["sensitivity"]["value"] == pytest.approx(0.9)
    assert score["rates"]["specificity"]["value"] == pytest.approx(0.8)
    assert score["raw_rate"]["value"] == 0.6
    assert score["corrected_rate"]["estimate"] == pytest.approx(0.4 / 0.7)
    out = " ".join(llmeval("calibrate", "--run", RUN, "--of", OTHER).out.split())
    assert f"judge passes, people would pass: of run {OTHER}, by how often the judge is right" in out
    assert "qa format: 100 judged answers, 40 others labelled; passes from 1 up" in out


def test_of_how_many_labels_no_draw_was_recorded_is_told(store: SqliteStore, llmeval: Command) -> None:
    store_run(store, judged(8, 3))
    store.add_labels(label(at, float(at > 2), draw=None if at == 5 else "random") for at in range(6))
    out = " ".join(llmeval("calibrate").out.split())
    assert "drawn with the same chance each, though of 1 of 6 none was recorded; --drawn SCORE says" in out
    assert llmeval("calibrate", "--json").json()["scores"][0]["undrawn"] == 1
    store.add_labels(label(at, float(at > 2), draw=None) for at in range(6))
    out = " ".join(llmeval("calibrate").out.split())
    assert "drawn with the same chance each, since no draw was recorded; --drawn SCORE says" in out


def test_of_the_run_of_the_labels_is_as_without(store: SqliteStore, llmeval: Command) -> None:
    """No other answers are labelled: the labels of each verdict tell more than sensitivity and specificity."""
    store_run(store, judged(40, 18))
    store.add_labels(label(at, float(not (at < 16 or at >= 36))) for at in range(40))
    assert llmeval("calibrate", "--run", RUN, "--of", "last").out == llmeval("calibrate").out


@pytest.mark.parametrize(("labelled", "counts"), [(("qa", "other"), {"qa": 4, "other": 8}), (("qa",), {"qa": 4})])
def test_of_several_suites_each_is_corrected_once(
    store: SqliteStore, llmeval: Command, labelled: tuple[str, ...], counts: dict[str, int]
) -> None:
    """By the labels of the same suite; a suite that has none by those of all."""
    sizes = {"qa": 4, "other": 8}
    store_run(store, [each for suite in labelled for each in judged_in(suite, sizes[suite])])
    store.add_labels(
        replace(label(at, float(at > 1)), case_id=case_id(RUN, suite, "m", str(at), 1))
        for suite in labelled
        for at in range(sizes[suite])
    )
    store_run(store, [each for suite in ("qa", "other", "third") for each in judged_in(suite, 10)], OTHER)
    found = llmeval("calibrate", "--run", RUN, "--of", OTHER, "--json").json()["scores"]
    whole = {each["suite"]: (each["n"], each["judged"]) for each in found}
    assert len(found) == 3
    everything = sum(counts.values())
    assert whole == {suite: (counts.get(suite, everything), 10) for suite in ("qa", "other", "third")}


def judged_in(suite: str, count: int) -> list[CaseRecord]:
    """Return answers of a suite of which the judge fails the format of the first two."""
    return [replace(each, key=replace(each.key, suite=suite)) for each in judged(count, 2)]


def test_labels_of_another_judge_say_nothing(store: SqliteStore, llmeval: Command) -> None:
    store_run(store, judged(4, 2))
    store.add_labels([label(0, 1.0)])
    store_run(store, [judged_record("0", judge_id="k" * 64)], OTHER)
    done = llmeval("calibrate", "--run", RUN, "--of", OTHER)
    assert (done.status, "has no score of the judge that the labels are of" in done.err) == (4, True)


def test_a_dataset_with_labels_is_a_file_of_labels(store: SqliteStore, llmeval: Command, here: Path) -> None:
    """Its rows that the run does not have, and those without labels, are left out."""
    store_run(store, [judged_record("a", "right"), judged_record("b", "wrong"), judged_record("c")])
    said = {"a": "right", "b": "partly", "z": "right"}
    rows = [
        {"id": id_, "input": {"answer": "x"}, "metadata": {"kind": "k", "labels": {"correctness": level}}}
        for id_, level in said.items()
    ]
    text = "".join(json.dumps(row) + "\n" for row in [*rows, {"id": "c", "input": "x", "slice": "s"}])
    (here / "rows.jsonl").write_text(text)
    (found,) = llmeval("calibrate", "rows.jsonl", "--json").json()["scores"]
    assert (found["name"], found["n"], found["judged"]) == ("correctness", 2, 3)
    assert found["confusion"]["counts"] == [[0, 0, 0], [1, 0, 0], [0, 0, 1]]
    assert llmeval("calibrate", "rows.jsonl").out.startswith("the judge against labels that name no rater,")
    assert llmeval("labels", "import", "rows.jsonl", "--rater", "made").status == 0
    assert {each.rater for each in store.labels(RUN)} == {"made"}


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"input": 1, "metadata": {"labels": {"correctness": "right"}}}, "the row has labels and no id"),
        ({"id": "a", "input": 1, "metadata": {"labels": ["right"]}}, "metadata.labels is an object, a label by score"),
        ({"id": "a", "input": 1, "metadata": {"labels": {"correctness": "great"}}}, "one of wrong, partly, right"),
        ({"id": "z", "input": 1, "metadata": {"labels": {"correctness": "right"}}}, "none of its rows is in the run"),
        ({"id": "a", "input": 1}, "no label in it"),
    ],
)
def test_a_dataset_that_does_not_fit_is_named(
    store: SqliteStore, llmeval: Command, here: Path, row: object, told: str
) -> None:
    store_run(store, [judged_record("a")])
    (here / "rows.jsonl").write_text(json.dumps(row))
    done = llmeval("calibrate", "rows.jsonl")
    assert (done.status, told in done.err) == (4, True)


def test_the_draw_that_was_recorded_decides_what_is_told(store: SqliteStore, llmeval: Command) -> None:
    store_run(store, judged(40, 20))
    store.add_labels(label(at, float(at % 2), draw="verdict of format") for at in range(10, 30))
    out = llmeval("calibrate").out
    assert "drawn by the verdict of format" in " ".join(out.split())
    assert "kappa: labels drawn by a" in out
    (found,) = llmeval("calibrate", "--drawn", "random", "--json").json()["scores"]
    assert found["drawn"] == "random"
    assert found["kappa"] is not None
    assert "no draw was recorded" not in llmeval("calibrate", "--drawn", "random").out
    done = llmeval("calibrate", "--drawn", "formt")
    assert (done.status, "--drawn formt: no score of the judge; did you mean 'format'?" in done.err) == (4, True)


def test_labels_of_all_dimensions_make_one_for_the_rubric(store: SqliteStore, llmeval: Command) -> None:
    """A mean by their weights, 2, 1 and 1; it passes where correctness does, which alone gates."""
    store_run(store, [judged_record("0", "right", "complete", "bad"), judged_record("1", "wrong", "partial", "good")])
    store.add_labels(
        label(0, value, name) for name, value in (("correctness", 1), ("completeness", 0.5), ("format", 0))
    )
    store.add_labels([label(1, 1.0, "correctness")])
    found = llmeval("calibrate", "--json").json()["scores"]
    whole = next(each for each in found if each["is_whole"])
    assert [each["name"] for each in found] == ["completeness", "correctness", "format", "qa"]
    assert (whole["n"], whole["judged"], whole["levels"]) == (1, 2, ["fails", "passes"])
    assert whole["passes"]["counts"] == [[0, 0], [0, 1]]
    assert whole["raw_mean"] == pytest.approx((0.75 + (0 + 0.5 + 1) / 4) / 2)
    out = " ".join(llmeval("calibrate").out.split())
    assert "qa qa: 1 of 2 judged answers labelled; passes where the dimensions do that gate" in out


def test_each_model_has_a_rate_of_its_own(store: SqliteStore, llmeval: Command) -> None:
    store_run(
        store,
        [
            judged_record(str(at), "right", "complete", "good" if model == "n" or at else "bad", model=model)
            for at in range(4)
            for model in ("m", "n")
        ],
    )
    store.add_labels(label(at, 1.0, model=model) for at in range(4) for model in ("m", "n"))
    found = llmeval("calibrate", "--json").json()["scores"]
    assert [(each["model"], each["raw_rate"]["value"]) for each in found] == [(None, 0.875), ("m", 0.75), ("n", 1.0)]
    assert (found[0]["n"], found[0]["rows"]) == (8, 4)
    assert "qa format: 8 of 8 judged answers labelled in 4 clusters" in " ".join(llmeval("calibrate").out.split())


def test_each_model_of_another_run_has_its_own_mean_of_the_whole(store: SqliteStore, llmeval: Command) -> None:
    """As each slice has."""
    store_run(store, judged(4, 2))
    names = ("correctness", "completeness", "format")
    store.add_labels(label(at, float(at > 1), name) for at in range(4) for name in names)
    levels = {"m": ("right", "complete", "good"), "n": ("wrong", "missing", "bad")}
    cases = [
        judged_record(str(at), *said, model=model, slices=(f"of {model}",))
        for at in range(3)
        for model, said in levels.items()
    ]
    store_run(store, cases, OTHER)
    found = llmeval("calibrate", "--run", RUN, "--of", OTHER, "--json").json()["scores"]
    means = {(each["model"], each["slice"]): each["raw_mean"] for each in found if each["is_whole"]}
    assert means == {
        (None, None): 0.5,
        ("m", None): 1.0,
        ("n", None): 0.0,
        (None, "of m"): 1.0,
        (None, "of n"): 0.0,
    }


def test_what_the_judge_left_out_is_said(store: SqliteStore, llmeval: Command) -> None:
    store_run(
        store,
        [*judged(4, 2), record("e", outcome="error", error_kind="judge"), settled_record("s"), settled_record("t")],
    )
    store.add_labels(label(at, 1.0) for at in range(4))
    found = llmeval("calibrate", "--json").json()
    assert (found["unjudged"], found["settled"]) == (1, 2)
    assert found["scores"][0]["judged"] == 4
    out = llmeval("calibrate").out
    assert "without a valid verdict of the judge: 1 answer, left out, and in no rate" in out
    assert "settled by a check in code: 2 answers, left out" in " ".join(out.split())


def test_a_panel_is_told_judge_by_judge(store: SqliteStore, llmeval: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within 80 and 120 columns."""
    cases = []
    for at in range(6):
        made = judged_record(str(at), "right", "complete", "good" if at % 2 else "bad")
        votes = tuple(
            Vote(
                judge=name,
                repeat=repeat,
                value=float((at % 2 or not at) if name == "a" else repeat == 0),
                level="",
                reason="",
            )
            for name in ("a", "b")
            for repeat in (0, 1)
        )
        scores = tuple(
            replace(score, votes=votes, decided_by="panel") if score.name == "format" else score
            for score in made.scores
        )
        cases.append(judged_record(str(at), scores=scores))
    store_run(store, cases)
    store.add_labels(label(at, float(at % 2)) for at in range(6))
    for columns in (80, 120):
        monkeypatch.setitem(os.environ, "COLUMNS", str(columns))
        lines = llmeval("calibrate").out.splitlines()
        assert max(map(len, lines)) <= columns
        measured = [line.split() for line in lines]
        for told in (["a", "accuracy", "6", "0.833"], ["b", "accuracy", "6", "0.500"], ["b", "flips", "6", "1.000"]):
            assert told in [line[:4] for line in measured]
        assert any(line.startswith("  the 2 judges count as 1.") for line in lines)
        assert ["judges", "differ", "6", "0.333"] in [line[:4] for line in measured]


def test_the_judge_is_named_by_its_run(store: SqliteStore, llmeval: Command) -> None:
    store_run(store, judged(2, 1))
    store.add_labels([label(0, 1.0)])
    assert llmeval("calibrate").out.startswith(f"the judge against 1 rater, on answers of run {RUN}\n")
    assert JUDGE in llmeval("calibrate", "--json").out


def test_how_labels_were_drawn_is_told_of_labels_alone(store: SqliteStore, llmeval: Command) -> None:
    """Another model's answers have none, so that none was drawn there with any chance."""
    other = [replace(each, key=replace(each.key, model="other")) for each in judged(8, 3)]
    store_run(store, [*judged(8, 3), *other])
    store.add_labels(label(at, float(at > 2), draw="verdict of format") for at in range(6))
    out = " ".join(llmeval("calibrate").out.split())
    assert "labelled answers were drawn by the verdict of format" in out
    assert "with the same chance each" not in out
