"""What a judge is shown of a reply."""

from tests.support.chat_bodies import completion
from tests.support.judges import EVAL, Judged, answer_in, named, verdict
from tests.support.project import Project


def test_a_reply_is_judged_as_what_it_is_with_text_or_without(project: Project, judged_by: Judged) -> None:
    """Not as one empty answer, of which the first verdict would be that on all."""
    call = {"id": "c", "type": "function", "function": {"name": "pay", "arguments": '{"to": "Kim"}'}}
    replies = {
        "refuses": completion(None, refusal="I cannot\nhelp with that."),
        "calls": completion(None, finish="tool_calls", tool_calls=[call]),
        "both": completion("Paying.", finish="tool_calls", tool_calls=[call]),
        "cut": completion("", finish="length"),
        "says": completion("yes"),
    }
    project.server.reply = lambda messages: replies[messages[-1]["content"]]
    judge = judged_by(lambda messages: verdict(messages, "right"))
    project.eval(EVAL, [{"id": name, "input": name, "target": "x"} for name in replies])
    assert project.run("evals", named(project, judge)).ret == 0
    shown = {entry.body["messages"][1]["content"].split("\n")[1]: entry for entry in judge.ledger}
    assert {asked.removeprefix("> "): answer_in(entry.body["messages"])[0] for asked, entry in shown.items()} == {
        "refuses": "(no text; a refusal:)\nI cannot\nhelp with that.",
        "calls": '(no text; calls of tools:)\npay({"to": "Kim"})',
        "both": 'Paying.\n\n(calls of tools:)\npay({"to": "Kim"})',
        "cut": "(no text; finish_reason length)",
        "says": "yes",
    }
