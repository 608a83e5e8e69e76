"""What differs between the scores of two runs."""

from typing import Any

from pytest_llmeval.core.stored import StoredCase
from pytest_llmeval.core.types import CaseRecord
from pytest_llmeval.reports.rescored_scores import ScoreFlip, find_flips, flip_lines
from pytest_llmeval.store.records import stored_case
from tests.support.records import record, score


def stored(*cases: CaseRecord) -> list[StoredCase]:
    return [stored_case("r", case) for case in cases]


def flip(sample_id: str, before: float | None, after: float | None) -> ScoreFlip:
    return ScoreFlip(sample_id=sample_id, model="m", epoch=1, before=before, after=after)


def test_each_score_flips_by_itself() -> None:
    before = stored(record("a", scores=(score("x"), score("y", 0.4, False))))
    after = stored(record("a", outcome="missed", scores=(score("x", 0.2, False), score("y", 0.9, True))))
    cases, x, y = find_flips(before, after)
    assert (cases.score, cases.to_missed) == ("pass_rate", (flip("a", 1.0, 0.0),))
    assert (x.to_missed, x.to_passed) == ((flip("a", 1.0, 0.2),), ())
    assert (y.to_missed, y.to_passed) == ((), (flip("a", 0.4, 0.9),))


def test_a_value_without_a_pass_mark_moves() -> None:
    before = stored(record("a", scores=(score("x", 3.0, None),)), record("b", scores=(score("x", 3.0, None),)))
    after = stored(record("a", scores=(score("x", 4.0, None),)), record("b", scores=(score("x", 3.0, None),)))
    assert [(each.score, each.moved, each.cases) for each in find_flips(before, after)] == [
        ("pass_rate", 0, 2),
        ("x", 1, 2),
    ]


def test_an_error_takes_a_value_away_and_its_end_gives_one() -> None:
    error: dict[str, Any] = {"outcome": "error", "error_kind": "code"}
    before = stored(record("a", scores=(score("x"),)), record("b", **error), record("c", **error))
    after = stored(record("a", **error), record("b", scores=(score("x"),)), record("c", **error))
    cases, x = find_flips(before, after)
    assert (cases.lost, cases.gained, cases.cases) == ((flip("a", 1.0, None),), (flip("b", None, 1.0),), 0)
    assert (x.lost, x.gained) == ((flip("a", 1.0, None),), (flip("b", None, 1.0),))


def test_cases_of_one_run_alone_and_other_models_do_not_pair() -> None:
    before = stored(record("a"), record("b", model="m"), record("c"))
    after = stored(record("a"), record("b", model="n", outcome="missed"), record("d", outcome="missed"))
    (cases,) = find_flips(before, after)
    assert (cases.cases, cases.to_missed) == (1, ())


def test_a_score_may_be_called_as_the_outcomes_are() -> None:
    before, after = (
        stored(record(scores=(score("pass_rate"),))),
        stored(record(scores=(score("pass_rate", 0.0, False),))),
    )
    assert [len(each.to_missed) for each in find_flips(before, after)] == [0, 1]


def test_ten_cases_of_a_kind_are_named() -> None:
    before = stored(*(record(f"r{n:02}", scores=(score("x"),)) for n in range(12)))
    after = stored(*(record(f"r{n:02}", scores=(score("x", 0.5, False),)) for n in range(12)))
    assert flip_lines(find_flips(before, after), 80) == [
        "qa",
        "  pass_rate: none of 12 flipped",
        "  x: 12 of 12 flipped",
        "    from passed to missed: 12",
        *(f"      r{n:02} on m: 1 -> 0.5" for n in range(10)),
        "      ... and 2 more",
    ]


def test_values_in_thousands_are_told_apart() -> None:
    before, after = (stored(record("a", scores=(score("x", *each),))) for each in ((12_345.0, True), (12_340.0, False)))
    assert flip_lines(find_flips(before, after), 80)[-1] == "      a on m: 12345 -> 12340"


def test_lines_are_no_wider_than_the_terminal() -> None:
    name = "long" * 40
    before = stored(record(name, suite=name, scores=(score(name),)))
    after = stored(record(name, suite=name, scores=(score(name, 0.0, False),)))
    assert all(len(line) <= 60 for line in flip_lines(find_flips(before, after), 60))
