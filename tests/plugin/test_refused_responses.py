"""Responses that no chat completion can give: they are refused before anything is asked, and the case is an error."""

from typing import Any

import pytest

from tests.support.project import Project

BODY = """
async def test_refused(sample, model, score):
    import asyncio
    from pytest_llmeval import async_openai_client, openai_client
    asked = {"model": "x", "input": "hello", **sample.input}
    try:
        if sample.target == "sync":
            await asyncio.to_thread(openai_client(model).responses.create, **asked)
        else:
            await async_openai_client(model).responses.create(**asked)
    except Exception:
        score.exact("hello", "hello")
"""
IMAGE = {"type": "input_image", "file_id": "file_1", "detail": "auto"}
FILE = {"type": "input_file", "file_url": "https://example.org/a.pdf"}
PATCHED = {"type": "function", "name": "f", "parameters": None, "strict": None, "defer_loading": True}
CALL = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}
GIVEN = {"type": "function_call_output", "call_id": "c1", "output": "20"}
PROGRAM = {"caller": {"type": "program", "caller_id": "p1"}}
ASIDE = [
    {"role": "assistant", "content": "Let me look.", "phase": "commentary"},
    CALL,
    {"role": "assistant", "content": "Done.", "phase": "final_answer"},
]
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "search": ({"tools": [{"type": "web_search"}]}, "the tool 'web_search'"),
    "server": ({"tools": [{"type": "mcp", "server_label": "a", "server_url": "https://a"}]}, "the tool 'mcp'"),
    "deferred": ({"tools": [PATCHED]}, "defer_loading=True of the tool 'f'"),
    "nested": ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "which has no name"),
    "choice": ({"tool_choice": {"type": "file_search"}}, "the tool 'file_search'"),
    "allowed": ({"tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "shell"}]}}, "'shell'"),
    "background": ({"background": True}, "background=True"),
    "template": ({"prompt": {"id": "pmpt_1"}}, "prompt={'id': 'pmpt_1'}"),
    "truncation": ({"truncation": "auto"}, "truncation='auto'"),
    "conversation": ({"conversation": "conv_1"}, "conversation='conv_1'"),
    "compaction": ({"context_management": [{"type": "compaction"}]}, "context_management=[{'type': 'compaction'}]"),
    "turns": ({"reasoning": {"context": "all_turns"}}, "reasoning.context='all_turns'"),
    "form": ({"text": {"phase": "x"}}, "text.phase='x'"),
    "prewarm": ({"prompt_cache_options": {"prewarm": True}}, "prompt_cache_options.prewarm=True"),
    "previous": ({"previous_response_id": "resp_1"}, "previous_response_id 'resp_1': this client gave no such answer"),
    "reference": ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "an item_reference to 'msg_1'"),
    "bare": ({"input": [{"id": "msg_1"}]}, "an item_reference to 'msg_1'"),
    "item": ({"input": [{"type": "web_search_call", "id": "ws_1"}]}, "an item of type 'web_search_call'"),
    "text": ({"input": ["hello"]}, "'hello' in input"),
    "role": ({"input": [{"role": "tool", "content": "20"}]}, "a message of role 'tool'"),
    "content": ({"input": [{"role": "user", "content": 3}]}, "the content 3 in input"),
    "part": ({"input": [{"role": "user", "content": [{"type": "video"}]}]}, "a part of type 'video'"),
    "image": ({"input": [{"role": "user", "content": [IMAGE]}]}, "an input_image without image_url"),
    "file": ({"input": [{"role": "user", "content": [FILE]}]}, "an input_file with file_url"),
    "detail": (
        {"input": [{"role": "user", "content": [{"type": "input_file", "file_data": "", "detail": "high"}]}]},
        "an input_file with detail='high'",
    ),
    "phases": ({"input": ASIDE}, "a message of phase='final_answer' in a turn that has one of another"),
    "namespace": ({"input": [{**CALL, "namespace": "a"}]}, "namespace='a' of an item of type 'function_call'"),
    "called": ({"input": [{**CALL, **PROGRAM}]}, "caller={'type': 'program', 'caller_id': 'p1'} of an item of type"),
    "async": ({"input": [{**CALL, "async": True}]}, "async=True of an item of type 'function_call'"),
    "given": ({"input": [CALL, {**GIVEN, **PROGRAM}]}, "of an item of type 'function_call_output'"),
    "broken": (
        {"input": [{"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "llmeval-extra:{"}]},
        "a reasoning item has an encrypted_content that was changed",
    ),
}


@pytest.mark.parametrize("how", ["sync", "async"])
def test_what_no_chat_completion_has_is_an_error_of_the_case(project: Project, how: str) -> None:
    """The error names it and says what to do, also where the application catches it."""
    project.eval(BODY, [{"id": id_, "input": asked, "target": how} for id_, (asked, _) in REFUSED.items()])
    project.run("evals").assert_outcomes(errors=len(REFUSED))
    found = {case["sample_id"]: case for case in project.rows("SELECT sample_id, error_kind, error FROM cases")}
    assert {case["error_kind"] for case in found.values()} == {"code"}
    for id_, (_, told) in REFUSED.items():
        assert told in found[id_]["error"], id_
    assert project.server.ledger == []
    assert "let the application give a function in its place" in found["search"]["error"]


def test_what_is_not_to_be_stored_is_not_found(project: Project) -> None:
    """As at OpenAI; and a client does not know what another one answered."""
    body = """
    def test_lost(sample, model):
        from pytest_llmeval import openai_client
        one, other = openai_client(model), openai_client(model)
        first = one.responses.create(model="x", input="hello", store=sample.id != "unstored")
        again = other if sample.id == "other" else one
        again.responses.create(model="x", input="hello", previous_response_id=first.id)
    """
    project.eval(body, [{"id": each, "input": each} for each in ("stored", "unstored", "other")])
    project.run("evals").assert_outcomes(passed=1, errors=2)
    assert project.cases() == {"stored": "passed", "unstored": "error", "other": "error"}
