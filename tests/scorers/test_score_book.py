"""The book of one case: what is recorded, what is a miss, what is an error, what is raised at once."""

import asyncio
import copy
from collections.abc import Callable
from typing import Any

import pytest

from pytest_llmeval.core.errors import ErrorKind, ScorerError
from pytest_llmeval.core.types import Response, Score
from pytest_llmeval.scorers import ScoreBook, Scored, explain, scorer


def test_a_right_answer_is_recorded_as_passed(book: ScoreBook) -> None:
    """The score is returned and recorded."""
    score = book.exact(Response(text="Paris"), "Paris")
    assert (score.name, score.value, score.passed, score.reason, score.status) == (
        "exact",
        1.0,
        True,
        None,
        "scored",
    )
    assert book.scores == (score,)
    assert book.misses == book.errors == ()


def test_a_value_under_the_pass_mark_is_a_miss_and_nothing_is_raised(book: ScoreBook) -> None:
    """All scorers of a test are recorded; the misses are told afterwards, in order."""
    book.exact("Rome", "Paris")
    book.json_valid("{")
    book.contains("Paris, France", "Paris")
    assert [score.name for score in book.scores] == ["exact", "json_valid", "contains"]
    assert [score.name for score in book.misses] == ["exact", "json_valid"]


def test_the_reason_of_a_miss_names_the_pass_mark(book: ScoreBook) -> None:
    """Value against pass mark first, then what differed."""
    reason = book.contains("abc", ["a", "b", "z"]).reason
    assert reason is not None
    assert reason.splitlines()[0] == "0.6667 is under the pass mark 1"
    assert 'not found: "z"' in reason


def test_a_value_that_rounds_to_the_pass_mark_is_shown_in_full(book: ScoreBook) -> None:
    """No reader is told that 1 is under 1."""

    @scorer
    def nearly(response: object) -> float:
        return 0.99999999

    assert (book.nearly("x").reason or "").startswith("0.99999999 is under the pass mark 1")


@pytest.mark.parametrize(("mark", "passed"), [(0.5, True), (2 / 3, True), (0.67, False), (0, None), (1, False)])
def test_the_call_may_give_another_pass_mark(book: ScoreBook, mark: float, passed: bool | None) -> None:
    """A value equal to the mark passes; a mark of 0 demands nothing, and nothing has passed then."""
    assert book.contains("ab", ["a", "b", "z"], pass_mark=mark).passed is passed


def test_token_f1_passes_from_one_half_on(book: ScoreBook) -> None:
    """Its own default pass mark."""
    assert book.token_f1("Paris France", "Paris").passed is True
    assert book.token_f1("in Paris France now", "Paris", name="long").passed is False


def test_json_match_records_json_exact_which_makes_no_miss(book: ScoreBook) -> None:
    """The companion has a value and no verdict."""
    book.json_match('{"a": 1, "b": 2}', {"a": 1, "b": 3}, pass_mark=0.5)
    book.json_match('{"a": 1}', {"a": 1}, name="head")
    told = [(score.name, score.value, score.passed) for score in book.scores]
    assert told == [
        ("json_match", 0.5, True),
        ("json_exact", 0.0, None),
        ("head", 1.0, True),
        ("head_exact", 1.0, None),
    ]
    assert book.misses == ()
    assert book.scores[0].scorer_digest == book.scores[1].scorer_digest


def test_a_name_may_stand_once_in_a_case(book: ScoreBook) -> None:
    """The second is an error at once, whoever records it, and leaves the first."""
    book.exact("a", "a")
    with pytest.raises(ScorerError, match="'exact' is recorded twice") as caught:
        book.exact("a", "a")
    assert caught.value.kind is ErrorKind.SCORER
    with pytest.raises(ScorerError, match="twice"):
        book.record("exact", 1)
    book.record("json_exact", 1)
    with pytest.raises(ScorerError, match="'json_exact' is recorded twice"):
        book.json_match("{}", {})
    assert [score.name for score in book.scores] == ["exact", "json_exact"]


@pytest.mark.parametrize(("odd", "kept"), [("n\x00", "n\\x00"), ("n\ud800", "n\\ud800")])
def test_two_names_that_the_database_keeps_as_one_are_one(book: ScoreBook, odd: str, kept: str) -> None:
    """NUL and lone surrogates are stored as escapes."""
    book.exact("a", "a", name=odd)
    with pytest.raises(ScorerError, match="is recorded twice"):
        book.record(kept, 1)
    book.record(f"{kept}_{kept}", 1)

    @scorer
    def both(response: object) -> Scored:
        return Scored(1.0, companions={odd: 1.0, kept: 1.0})

    with pytest.raises(ScorerError, match="is recorded twice"):
        book.both("x")
    assert [score.name for score in book.scores] == [odd, f"{kept}_{kept}"]


@pytest.mark.parametrize("name", ["", "  ", 3, b"x"])
def test_a_name_without_text_is_a_mistake_of_the_test(book: ScoreBook, name: Any) -> None:
    """Raised at once; nothing is recorded."""
    with pytest.raises(ValueError, match="a score's name must be a non-empty string, found "):
        book.exact("a", "a", name=name)
    with pytest.raises(ValueError, match="a score's name must be a non-empty string, found "):
        book.record(name, 1)
    assert book.scores == ()


@pytest.mark.parametrize("mark", [1.5, -0.1, "1", None, True, float("nan")])
def test_a_pass_mark_outside_0_to_1_is_a_mistake_of_the_test(book: ScoreBook, mark: Any) -> None:
    """Raised at once; nothing is recorded."""
    with pytest.raises(ValueError, match="pass_mark must be a number from 0 to 1"):
        book.exact("a", "a", pass_mark=mark)
    assert book.scores == ()


def test_wrong_arguments_are_a_mistake_of_the_test_and_name_the_settings(book: ScoreBook) -> None:
    """A missing target, an unknown setting."""
    with pytest.raises(TypeError, match=r"score\.exact: missing a required argument: 'target'"):
        book.exact("a")
    with pytest.raises(TypeError, match="settings are strip, casefold, collapse, name, pass_mark"):
        book.exact("a", "a", tolerence=1)
    assert book.scores == ()


def test_a_type_error_inside_a_scorer_is_not_taken_for_wrong_arguments(book: ScoreBook) -> None:
    """It is the scorer's fault: recorded as an error."""

    @scorer
    def clumsy(response: Any, target: Any = None) -> float:
        return float(response + 1)

    score = book.clumsy("a")
    assert (score.value, score.passed, score.status) == (None, None, "error")
    assert (score.reason or "").startswith("TypeError: ")
    assert book.errors == (score,)
    assert book.misses == ()


def test_a_scorer_that_raises_is_told_with_its_place(book: ScoreBook) -> None:
    """One line: kind, message, and the line in the user's file, not in what it calls."""

    @scorer
    def breaks(response: object) -> float:
        return float(int("not a\nnumber"))

    (line,) = (book.breaks("x").reason or "").splitlines()
    assert line.startswith("ValueError: invalid literal")
    assert "test_score_book.py:" in line


def test_a_failing_assert_inside_a_scorer_is_an_error_and_no_miss(book: ScoreBook) -> None:
    """A scorer returns its verdict; raising is breaking."""

    @scorer
    def asserts(response: object) -> float:
        raise AssertionError

    assert book.asserts("x").status == "error"
    assert book.misses == ()


def test_what_ends_the_process_is_not_caught(book: ScoreBook) -> None:
    """Ctrl-C goes through."""

    @scorer
    def interrupted(response: object) -> float:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        book.interrupted("x")


def test_an_unknown_scorer_is_told_with_a_suggestion(book: ScoreBook) -> None:
    """AttributeError, the close name, the list."""
    with pytest.raises(AttributeError, match=r"no scorer 'json_mach'; did you mean 'json_match'\?.*exact, json_match"):
        book.json_mach("a", "b")
    with pytest.raises(AttributeError, match="no scorer 'zzz'"):
        book.zzz("a", "b")
    assert not hasattr(book, "__wrapped__")


def test_a_book_can_be_copied(book: ScoreBook) -> None:
    """The copy holds the same scores."""
    book.exact("a", "a")
    assert copy.copy(book).scores == book.scores


def test_the_scorers_are_listed_as_attributes(book: ScoreBook) -> None:
    """For completion at a prompt."""
    assert {"exact", "json_match", "record", "judge"} <= set(dir(book))


@pytest.mark.parametrize(("value", "recorded"), [(3, 3.0), (-2.5, -2.5), (True, 1.0), (10**20, 1e20)])
def test_record_takes_any_finite_number(book: ScoreBook, value: Any, recorded: float) -> None:
    """No pass mark, no range, no verdict unless one is given."""
    score = book.record("length", value, reason="counted")
    assert (score.value, score.passed, score.reason, score.status) == (recorded, None, "counted", "scored")
    assert book.misses == ()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None, "3", 10**400, {}])
def test_record_of_no_number_is_an_error_and_no_score(book: ScoreBook, value: Any) -> None:
    """Recorded as such; never a value."""
    score = book.record("length", value, passed=False)
    assert (score.value, score.passed, score.status) == (None, None, "error")
    assert book.errors == (score,)


def test_a_recorded_score_is_a_miss_only_where_passed_is_false(book: ScoreBook) -> None:
    """True and None make none; the reason says that the test decided."""
    book.record("good", 0, passed=True)
    book.record("plain", 0)
    bad = book.record("bad", 5, passed=False, reason="too long")
    assert book.misses == (bad,)
    assert bad.reason == "5 was recorded as not passed\ntoo long"
    large = book.record("chars", 1234567.5, passed=False)
    assert large.reason == "1,234,567.5 was recorded as not passed"
    with pytest.raises(ValueError, match="reason must be a string or None, found 3"):
        book.record("n", 1, reason=3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="passed must be True, False or None, found 'no'"):
        book.record("odd", 1, passed="no")  # type: ignore[arg-type]  # what a user might pass


class Nobody:
    """A judge that records what a session without one does."""

    def judge_sync(self, response: object, target: object, how: Any) -> list[Score]:
        return [Score(name=how.name or how.rubric, value=None, passed=None, status="none", reason="no judge")]


def test_a_judged_score_has_a_name_of_its_own_and_misses_nothing_without_a_value() -> None:
    book = ScoreBook(judge=Nobody())  # type: ignore[arg-type]  # the part of one that is asked here
    book.exact("a", "a")
    with pytest.raises(ScorerError, match="twice"):
        book.judge_sync("a", rubric="qa", name="exact")
    assert book.judge_sync("a", rubric="qa")
    assert [score.name for score in book.scores] == ["exact", "qa"]
    assert book.misses == book.errors == ()


def test_a_book_without_a_judge_says_so(book: ScoreBook) -> None:
    """Every form; a session gives each case a book with one, which may say that nobody judges."""
    calls: list[Callable[[], object]] = [
        lambda: asyncio.run(book.judge("x", rubric="qa")),
        lambda: book.judge_sync("x", rubric="qa"),
        lambda: asyncio.run(book.prefer("x", "y", rubric="qa")),
        lambda: book.prefer_sync("x", "y", rubric="qa"),
    ]
    for call in calls:
        with pytest.raises(RuntimeError, match="this ScoreBook has no judge"):
            call()
    assert book.scores == ()


def test_explain_tells_the_misses_and_what_broke_in_a_few_lines(book: ScoreBook) -> None:
    """What passed is not told."""

    @scorer
    def broken(response: object) -> float:
        return float("nan")

    book.contains("Paris", "Paris")
    book.json_match(
        '{"total": "12.50", "items": [{"name": "a"}, {}]}',
        {"total": 12.5, "items": [{"name": "a"}, {"name": "b"}]},
    )
    book.broken("x")
    assert explain(book.scores) == (
        "json_match: 0.3333 is under the pass mark 1\n"
        "  1 of 3 fields right\n"
        '  total: expected 12.5, got "12.50"\n'
        '  items[1].name: missing, expected "b"\n'
        "broken: error: float nan is not a finite number"
    )
    assert explain(()) == ""


def test_explain_keeps_a_long_reason_short(book: ScoreBook) -> None:
    """A scorer's own reason of many lines is cut."""

    @scorer
    def talks(response: object) -> Scored:
        return Scored(0, "\n".join(f"line {number}" for number in range(100)))

    text = explain([book.talks("x")])
    assert len(text.splitlines()) <= 10
    assert text.endswith("…")


def test_a_users_reason_is_bounded_and_cannot_move_a_terminal(book: ScoreBook) -> None:
    """Escapes are spelt out, lines cut, commands to a CI log disarmed."""

    @scorer
    def quotes(response: object) -> Scored:
        return Scored(1, "\x1b[2Jx\r\u202ey\n::error::z\n" + "a" * 100_000)

    reason = book.quotes("x").reason
    assert reason is not None
    assert "\x1b" not in reason
    assert "\u202e" not in reason
    assert reason.startswith("\\x1b[2Jx\\r\\u202ey\n| ::error::z\naaa")
    assert len(reason) < 1000


def test_a_scorer_gets_the_response_as_the_test_passed_it(book: ScoreBook) -> None:
    """A Response with its latency and usage, not its text alone."""
    seen: list[object] = []

    @scorer
    def looks(response: Response) -> bool:
        seen.append(response)
        return str(response) == "x"

    response = Response(text="x", latency_s=1.5)
    assert book.looks(response).value == 1.0
    assert seen == [response]


def test_companions_of_a_users_scorer_are_recorded_under_its_name(book: ScoreBook) -> None:
    """As ``<name>_<key>``, without a verdict."""

    @scorer
    def both(response: object) -> Scored:
        return Scored(0.5, companions={"precision": 1, "recall": False})

    book.both("x", pass_mark=0.5)
    assert [(s.name, s.value, s.passed) for s in book.scores[1:]] == [
        ("both_precision", 1.0, None),
        ("both_recall", 0.0, None),
    ]


def test_a_companion_that_would_take_the_scores_own_place_is_refused() -> None:
    """Nothing is recorded then, rather than the companion alone."""
    scores = [Score(name="tone", value=value, passed=True) for value in (0.5, 1.0)]

    class Twice:
        def judge_sync(self, answer: object, target: object, how: object) -> list[Score]:
            return scores

    own = ScoreBook(judge=Twice())  # type: ignore[arg-type]  # the one method that is called
    with pytest.raises(ScorerError, match="the score 'tone' is recorded twice in one case"):
        own.judge_sync("x", rubric="tone.yaml")
    assert own.scores == ()


@pytest.mark.parametrize("name", ["pass_rate", "error_rate", "latency_s", "cost_usd", "input_tokens", "output_tokens"])
def test_a_score_may_not_be_named_like_a_metric_of_every_run(book: ScoreBook, name: str) -> None:
    """Its rule would be about that metric, and the score in no table."""
    calls: list[Callable[[], Score]] = [
        lambda: book.record(name, 1.0),
        lambda: book.exact("a", "a", name=name),
    ]
    for record in calls:
        with pytest.raises(ValueError, match=f"a score cannot be named '{name}': every run has a metric of that name"):
            record()


def test_a_score_is_as_true_as_its_verdict() -> None:
    book = ScoreBook()
    assert book.exact("a", "a")
    assert not book.exact("a", "b", name="missed")
    for score in (book.exact("a", "b", pass_mark=0, name="free"), book.record("number", 0.5)):
        with pytest.raises(TypeError, match=f"the score '{score.name}' has no pass mark, so it is neither true nor"):
            bool(score)


def test_a_score_without_a_value_makes_no_assertion_fail() -> None:
    """What is wrong is told as the error that it is, and nothing is wrong where nobody judges."""
    book = ScoreBook()
    assert book.record("odd", float("nan"))
    assert [score.name for score in book.errors] == ["odd"]
