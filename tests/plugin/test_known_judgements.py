"""What the code of a test tells of its judgements before it runs."""

from types import SimpleNamespace
from typing import Any

import pytest

from pytest_llmeval.bridge.collection.known_judgements import known_judgements

RUBRIC = "rubrics/tone.yaml"
FIXTURES = {
    "response": SimpleNamespace(text="said"),
    "sample": SimpleNamespace(target="right", metadata={"asked": "?"}),
}
SAID = FIXTURES["response"]


def known(function: Any) -> list[tuple[list[Any], dict[str, Any]]]:
    """Return the arguments of each judgement that is known."""
    return [each.arguments(FIXTURES) for each in known_judgements(function)]


def test_literals_variables_of_the_module_and_what_a_case_holds_are_known() -> None:
    def body(sample: Any, response: Any, score: Any) -> None:
        """Judge twice."""
        score.exact(response, sample.target)
        first = score.judge_sync(response.text, sample.target, rubric=RUBRIC, gates=False)
        assert score.judge_sync(response, rubric="qa", question=sample.metadata["asked"]).value > first.value

    assert known(body) == [
        (["said", "right"], {"rubric": RUBRIC, "gates": False}),
        ([SAID], {"rubric": "qa", "question": "?"}),
    ]


def test_an_async_body_under_the_long_names_is_known() -> None:
    async def body(llmeval_response: Any, llmeval_score: Any) -> None:
        await llmeval_score.judge(llmeval_response, rubric="qa")

    (each,) = known_judgements(body)
    assert each.arguments({"llmeval_response": SAID}) == ([SAID], {"rubric": "qa"})


def test_what_is_worked_out_of_a_response_hinders_nothing() -> None:
    def body(response: Any, score: Any) -> None:
        import json  # noqa: F401

        said = response.text.strip().lower()
        score.record("characters", len(said))
        score.judge_sync(response, rubric="qa")

    assert known(body) == [([SAID], {"rubric": "qa"})]


def behind_a_branch(sample: Any, response: Any, score: Any) -> None:
    if sample.target:
        score.judge_sync(response, rubric="qa")


def behind_an_early_end(response: Any, score: Any) -> None:
    if score.exact(response, "x").passed:
        return
    score.judge_sync(response, rubric="qa")


def behind_an_assert(response: Any, score: Any) -> None:
    assert response.text
    score.judge_sync(response, rubric="qa")


def in_half_an_expression(response: Any, score: Any) -> None:
    assert score.exact(response, "x").passed or score.judge_sync(response, rubric="qa").passed


def in_a_choice(sample: Any, response: Any, score: Any) -> None:
    _ = score.judge_sync(response, rubric="qa") if sample.target else None


def in_a_loop(response: Any, score: Any) -> None:
    _ = [score.judge_sync(response, rubric=each) for each in ("qa", RUBRIC)]


def in_an_inner_function(response: Any, score: Any) -> Any:
    return lambda: score.judge_sync(response, rubric="qa")


def of_another_response(response: Any, score: Any) -> None:
    response = SimpleNamespace(text=response.text.strip())
    score.judge_sync(response, rubric="qa")


def behind_a_skip(response: Any, score: Any) -> None:
    pytest.importorskip("json")
    score.judge_sync(response, rubric="qa")


def behind_what_may_raise(response: Any, score: Any) -> None:
    _ = int(response.text)
    score.judge_sync(response, rubric="qa")


def behind_a_change_of_the_row(sample: Any, response: Any, score: Any) -> None:
    sample.metadata.update(asked="!")
    score.judge_sync(response, rubric="qa", question=sample.metadata["asked"])


def behind_another_change_of_the_row(sample: Any, response: Any, score: Any) -> None:
    sample.metadata["asked"] = "!"
    score.judge_sync(response, rubric="qa", question=sample.metadata["asked"])


def in_the_message_of_an_assert(response: Any, score: Any) -> None:
    assert response.text, score.judge_sync(response, rubric="qa").reason


def of_another_score(response: Any, score: Any) -> None:
    from tests.support import judges as score

    score.judge_sync(response, rubric="qa")


@pytest.mark.parametrize(
    "body",
    [
        behind_a_branch,
        behind_a_skip,
        behind_what_may_raise,
        behind_a_change_of_the_row,
        behind_another_change_of_the_row,
        in_the_message_of_an_assert,
        of_another_score,
        behind_an_early_end,
        behind_an_assert,
        in_half_an_expression,
        in_a_choice,
        in_a_loop,
        in_an_inner_function,
        of_another_response,
    ],
    ids=lambda body: body.__name__,
)
def test_what_may_not_be_asked_for_or_otherwise_is_not_known(body: Any) -> None:
    assert known(body) == []


def of_a_part(response: Any, score: Any) -> None:
    score.judge_sync(response.text.strip(), rubric="qa")


def of_a_variable_of_the_body(response: Any, score: Any) -> None:
    RUBRIC = "mine"  # noqa: N806
    score.judge_sync(response, rubric=RUBRIC)


def of_what_is_spread(response: Any, score: Any) -> None:
    score.judge_sync(response, **{"rubric": "qa"})


@pytest.mark.parametrize(
    "body", [of_a_part, of_a_variable_of_the_body, of_what_is_spread], ids=lambda body: body.__name__
)
def test_what_is_given_is_not_known_where_the_test_works_it_out(body: Any) -> None:
    (each,) = known_judgements(body)
    with pytest.raises(LookupError):
        each.arguments(FIXTURES)


def test_a_wrapped_test_and_one_without_source_are_not_known() -> None:
    def wrapped(response: Any, score: Any) -> None:
        score.judge_sync(response, rubric="qa")

    wrapped.__wrapped__ = behind_a_branch  # type: ignore[attr-defined]
    found: dict[str, Any] = {}
    exec("def body(response, score):\n    score.judge_sync(response, rubric='qa')\n", found)
    assert known(wrapped) == known(found["body"]) == []
