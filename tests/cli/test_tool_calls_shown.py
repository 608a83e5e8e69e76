"""Calls of tools, where people look at what a model said."""

import csv
import html
import io
import json
from pathlib import Path

from tests.cli.conftest import Command
from tests.support.chat_bodies import completion
from tests.support.project import Project

SCORED = """
    def test_echo(sample, response, score):
        score.exact(response, sample.target)
"""
EVAL = """
    async def test_echo(sample, model, score):
        chat = [{"role": "user", "content": sample.input}]
        first = await model.generate(chat)
        calls = [
            {"id": "c", "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in first.tool_calls
        ]
        chat += [{"role": "assistant", "content": None, "tool_calls": calls}, {"role": "tool", "content": "a map"}]
        answer = await model.generate(chat)
        score.exact(answer.tool_calls[0].name, sample.target)
"""


def call_of(name: str) -> dict[str, object]:
    return {"id": "c", "type": "function", "function": {"name": name, "arguments": '{"city": "Lima"}'}}


def test_a_call_of_a_tool_is_what_the_model_said(project: Project, llmeval: Command) -> None:
    """In the answer and in the conversation before it; a text beside it stays."""
    project.eval(EVAL, [{"id": "a", "input": "Show Lima", "target": "zoom"}])
    last = [completion(None, tool_calls=[call_of("zoom")]), completion("Well.", tool_calls=[call_of("drop")])]
    project.server.reply = lambda messages: (
        completion(None, tool_calls=[call_of("look")]) if len(messages) == 1 else last.pop(0)
    )
    assert [project.run("evals", f"--run-name={name}").ret for name in ("good", "bad")] == [0, 1]

    asked, zoom, drop = ("(no text; calls of tools:) look(", 'zoom({"city": "Lima"})', 'drop({"city": "Lima"})')
    compared = llmeval("compare", "good", "bad").out
    assert all(each in compared for each in ("Well.", "(calls of tools:)", zoom, drop))
    assert llmeval("baseline", "export", "good", "good.jsonl").status == 0
    kept = llmeval("compare", "good.jsonl", "bad").out
    assert "before    (no text; an exported baseline keeps no calls of tools)" in kept
    (row,) = csv.DictReader(io.StringIO(llmeval("export", "csv", "bad").out))
    assert drop in llmeval("export", "markdown", "bad").out and drop in row["response"]
    assert llmeval("export", "html", "bad", "--output", "report.html").status == 0
    assert llmeval("view", "--export", "pages").status == 0
    files = [Path("report.html"), *Path("pages").rglob("*.html")]
    shown = [" ".join(html.unescape(path.read_text()).split()) for path in files]
    assert all("(empty)" not in text and '<pre dir="auto">null' not in text for text in shown)
    assert sum(asked in text for text in shown) >= 3, "both cases and the report"
    counts = [sum(each in text for text in shown) for each in (zoom, drop)]
    assert counts == [3, 4], "of each run its case, the list of its cases and the comparison; of one the report"


def test_show_says_what_an_answer_without_text_called(project: Project, llmeval: Command) -> None:
    """One line for each call, cut where it is long, of misses in full; an answer with text is in its score's reason."""
    long = {"id": "d", "type": "function", "function": {"name": "drop", "arguments": json.dumps({"a": "\x1b\n" * 300})}}
    replies = {
        "Show": completion(None, tool_calls=[call_of("zoom"), long]),
        "Tell": completion("Well.", tool_calls=[call_of("look")]),
        "Hide": completion(None, tool_calls=[call_of(f"tool{number}") for number in range(25)]),
    }
    project.server.reply = lambda messages: replies[messages[0]["content"]]
    project.eval(SCORED, [{"id": asked, "input": asked, "target": "x"} for asked in replies])
    assert project.run("evals").ret == 1

    lines = llmeval("show", "-v").out.splitlines()
    first = lines.index('    called zoom({"city": "Lima"})')
    assert lines[first - 1].strip() == 'got ""'
    assert lines[first + 1].startswith('    called drop({"a": "') and lines[first + 1].endswith("...")
    assert max(map(len, lines)) <= 80
    assert not any("called look" in line for line in lines)
    assert '    called tool19({"city": "Lima"})' in lines and not any("tool20" in line for line in lines)
    assert "    ..." in lines
    assert "called" not in llmeval("show").out
