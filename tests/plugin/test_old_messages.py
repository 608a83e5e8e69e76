"""Messages that OpenAI's clients still send, and takes from them: without a content, and of results of functions."""

from typing import Any

from tests.support.project import Project

SENT: list[dict[str, Any]] = [
    {"role": "assistant", "refusal": "No."},
    {"role": "assistant", "audio": {"id": "audio_1"}},
    {"role": "assistant", "function_call": {"name": "warmth", "arguments": "{}"}},
    {"role": "function", "name": "warmth", "content": "20"},
]
BODY = f"""
def test_app(sample, model, score):
    from pytest_llmeval import openai_client
    chat = [{{"role": "user", "content": "go on"}}]
    make = openai_client(model).chat.completions.create
    said = make(model="x", messages=[*chat, *{SENT!r}, *chat]).choices[0].message
    score.exact(said.content, sample.input)
"""


def test_the_server_is_told_them_as_they_are(project: Project) -> None:
    """It says what it thinks of them: here they are taken."""
    project.eval(BODY, [{"id": "a", "input": "go on"}])
    project.run("evals").assert_outcomes(passed=1)
    (entry,) = project.server.ledger
    assert entry.body["messages"][1:-1] == [{"content": None, **message} for message in SENT]
