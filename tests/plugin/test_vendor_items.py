"""What a vendor's own tools did, which the model's entry in models.yaml gives it: an application sends it back."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.project import Project
from tests.support.responses_server import ResponsesServer, answer, reasoning, said

WAYS = ("whole", "unstored", "dumped", "streamed", "response", "reference")
BODY = """
def test_items(sample, model, score):
    from pytest_llmeval import openai_client
    make, user = openai_client(model).responses, {"role": "user", "content": "Who won?"}
    asked = {"model": "x", "input": [user], "store": sample.input != "unstored"}
    if sample.input == "streamed":
        with make.stream(**asked) as events:
            first = events.get_final_response()
    else:
        first = make.create(**asked)
    assert [item.type for item in first.output] == ["reasoning", "web_search_call", "message"]
    back = {
        "dumped": lambda: [item.model_dump(exclude_none=True) for item in first.output],
        "response": lambda: [],
        "reference": lambda: [{"type": "item_reference", "id": item.id} for item in first.output],
    }.get(sample.input, lambda: first.output)()
    before = {"previous_response_id": first.id} if sample.input == "response" else {}
    items = [*([] if before else [user]), *back, {"role": "user", "content": "Sure?"}]
    score.exact(make.create(model="x", input=items, **before).output_text, "sure")
"""
SEARCHED = {
    "id": "ws_1",
    "type": "web_search_call",
    "status": "completed",
    "action": {"type": "search", "query": "who won"},
}


@pytest.fixture
def asked(project: Project) -> Iterator[ResponsesServer]:
    with ResponsesServer() as running:
        project.write(models_yaml=running.yaml("gpt-5-pro", params={"tools": [{"type": "web_search"}]}))
        yield running


def test_it_goes_back_with_the_reasoning_in_whose_course_it_was_done(project: Project, asked: ResponsesServer) -> None:
    """In each way in which an application goes on."""

    def reply(items: list[dict[str, Any]]) -> dict[str, Any]:
        if len(items) == 1:
            return answer(reasoning(), SEARCHED, said("Oslo."))
        is_whole = [each["type"] for each in items[1:]] == ["reasoning", "web_search_call", "message", "message"]
        return answer("sure" if is_whole and SEARCHED.items() <= items[2].items() else str(items))

    project.eval(BODY, [{"id": each, "input": each} for each in WAYS])
    asked.reply = reply
    project.run("evals", model="m").assert_outcomes(passed=len(WAYS))
    project.run("evals", "--cache=only", model="m").assert_outcomes(passed=len(WAYS))


def test_what_the_client_never_gave_out_is_refused(project: Project, asked: ResponsesServer) -> None:
    """Nor does another one know it."""
    body = """
    def test_items(sample, model):
        from pytest_llmeval import openai_client
        first = openai_client(model).responses.create(model="x", input="Who won?")
        openai_client(model).responses.create(model="x", input=[*first.output, {"role": "user", "content": "Sure?"}])
    """
    project.eval(body, [{"id": "a", "input": "x"}])
    asked.reply = lambda items: answer(reasoning(), SEARCHED, said("Oslo."))
    project.run("evals", model="m").assert_outcomes(errors=1)
    (case,) = project.rows("SELECT error FROM cases")
    assert "an item of type 'web_search_call' in input" in case["error"] and len(asked.ledger) == 1
