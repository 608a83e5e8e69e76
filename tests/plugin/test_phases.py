"""Which of an assistant's messages are comments on the way to its answer: what the Responses API alone knows."""

from tests.support.anthropic_server import AnthropicServer, message
from tests.support.project import Project
from tests.support.responses_server import ResponsesServer, answer, said

BODY = """
def test_agent(sample, model, score):
    from pytest_llmeval import openai_client
    make = openai_client(model).responses.create
    items = [
        {"role": "user", "content": "How warm is it?"},
        {"role": "assistant", "content": "Let me look.", "phase": "commentary"},
        {"type": "function_call", "call_id": "c1", "name": "warmth", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "20"},
        {"role": "assistant", "content": "It is warm.", "phase": "final_answer"},
        {"role": "user", "content": "And now?"},
    ]
    first = make(model="x", input=items, store=False)
    assert [getattr(item, "phase", None) for item in first.output] == [sample.target]
    score.exact(make(model="x", input=[*items, *first.output, items[-1]]).output_text, "Cold.")
"""


def phases(items: list[dict[str, str]]) -> list[str | None]:
    return [item.get("phase") for item in items if item.get("role") == "assistant"]


def test_a_model_that_knows_phases_is_told_of_them(project: Project) -> None:
    """Those of an application, and of its own answers, which tell theirs."""
    project.eval(BODY, [{"id": "a", "input": "x", "target": "commentary"}])
    with ResponsesServer() as server:
        server.reply = lambda items: answer(said("Cold.", phase="commentary"))
        project.write(models_yaml=server.yaml("gpt-5-pro"))
        project.run("evals", model="m").assert_outcomes(passed=1)
        first, second = (entry.body["input"] for entry in server.ledger)
    assert phases(first) == ["commentary", "final_answer"]
    assert phases(second) == ["commentary", "final_answer", "commentary"]
    assert [item["type"] for item in second[1:3]] == ["message", "function_call"]


def test_a_model_of_anthropic_is_told_of_none(project: Project) -> None:
    """Its API refuses what it does not know."""
    project.eval(BODY, [{"id": "a", "input": "x"}])
    with AnthropicServer() as server:
        server.reply = lambda messages: message("Cold.")
        project.run("evals", model=server.spec("claude")).assert_outcomes(passed=1)
        assert [phases(entry.body["messages"]) for entry in server.ledger] == [[None] * 2, [None] * 3]
