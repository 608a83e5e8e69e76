"""The fault server with the tongue of the Responses API: POST /v1/responses, and the same faults by name.

    with ResponsesServer() as server:
        model = server.model("echo")            # openai:echo@http://127.0.0.1:PORT/v1, asked by that API

``reply`` is given the items of the input. By any other path it says that the model is served here alone. Further
faults:

    fault-failed-CODE                   status 200 and an answer that failed, with that code
    fault-noencryption                  400, as of a model that does not reason, where its reasoning is to be included
    fault-noformat-TYPE[-TYPE...]       400 where the text is to be in a format of such a type
    fault-events                        a normal answer as a stream of events
    fault-body-NAME[-N]                 status 200 and one of _ANSWER_BODIES
"""

import gzip
import json
from typing import Any
from urllib.parse import urlsplit

from pytest_llmeval.models.named import NamedModel
from pytest_llmeval.models.specs import parse_spec
from tests.support.chat_bodies import encoded, event
from tests.support.fault_server import Entry, FaultHandler, FaultServer

__all__ = [
    "ONLY_HERE",
    "ResponsesServer",
    "answer",
    "events",
    "failed",
    "function_call",
    "incomplete",
    "reasoning",
    "said",
]

ONLY_HERE = "This model is only supported in v1/responses and not in v1/chat/completions."


def said(*parts: object, **changes: object) -> dict[str, Any]:
    """Return a message of an answer; a text in ``parts`` is a part with that text."""
    content = [
        {"type": "output_text", "text": part, "annotations": [], "logprobs": []} if isinstance(part, str) else part
        for part in parts
    ]
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": content,
        **changes,
    }


def reasoning(id_: str = "rs_1", **changes: object) -> dict[str, Any]:
    """Return what a model thought, as OpenAI says it."""
    return {"id": id_, "type": "reasoning", "summary": [], "encrypted_content": f"gAAAA-{id_}", **changes}


def function_call(name: str, arguments: object = "{}", call_id: str = "call_1", **changes: object) -> dict[str, Any]:
    """Return a call of a function."""
    named = {"id": f"fc_{call_id}", "call_id": call_id, "name": name, "arguments": arguments}
    return {"type": "function_call", "status": "completed", **named, **changes}


def answer(*output: object, model: str = "test", **changes: object) -> dict[str, Any]:
    """Return an answer; a text in ``output`` is a message, and the usage counts its words."""
    words = sum(len(each.split()) for each in output if isinstance(each, str))
    data = {
        "id": "resp_1",
        "object": "response",
        "created_at": 0,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "model": model,
        "output": [said(each) if isinstance(each, str) else each for each in output],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "store": False,
        "usage": {
            "input_tokens": 7,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": words,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 7 + words,
        },
        **changes,
    }
    return {key: value for key, value in data.items() if value is not ...}


def failed(code: str, message: str = "It broke.") -> dict[str, Any]:
    """Return an answer that failed."""
    return answer(status="failed", error={"code": code, "message": message}, usage=None)


def incomplete(reason: object, *output: object) -> dict[str, Any]:
    """Return an answer that ended early."""
    return answer(*output, status="incomplete", incomplete_details={"reason": reason})


def events(whole: dict[str, Any]) -> list[bytes]:
    """Return the events of a streamed answer, in short: its beginning, a piece of the text, its end."""
    kind = f"response.{whole['status']}"
    begun = {**whole, "status": "in_progress", "output": []}
    data: list[dict[str, Any]] = [
        {"type": "response.created", "response": begun},
        {"type": "response.output_text.delta", "item_id": "msg_1", "output_index": 0, "content_index": 0, "delta": "x"},
        {"type": kind, "response": whole},
    ]
    return [event(encoded({**each, "sequence_number": n}), str(each["type"])) for n, each in enumerate(data)]


_REFUSAL = {"type": "refusal", "refusal": "I cannot help with that."}
_CUSTOM = {"type": "custom_tool_call", "call_id": "call_1", "name": "patch", "input": "+a"}

_ANSWER_BODIES: dict[str, bytes] = {
    name: body if isinstance(body, bytes) else encoded(body)
    for name, body in {
        "badjson": b'{"output": [',
        "badusage": answer("ok", usage={"input_tokens": "many", "output_tokens": -5}),
        "badutf8": b'{"output": [{"type": "message", "content": "\xff\xfe"}]}',
        "bareitem": answer(output=["ok"]),
        "bigint": b'{"usage": {"input_tokens": ' + b"9" * 6000 + b"}}",
        "cancelled": answer("ok", status="cancelled"),
        "completion": {"choices": [{"message": {"content": "ok"}}]},
        "contentstr": answer(said(content="ok")),
        "custom": answer(_CUSTOM),
        "customobj": answer({**_CUSTOM, "input": {}}),
        "deep": b'{"output": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        "empty": b"",
        "emptyobj": b"{}",
        "err200": {"error": {"message": "model overloaded", "code": 503}},
        "filter": incomplete("content_filter", "half an ans"),
        "html": b"<html><body>Please log in</body></html>",
        "hugeusage": answer("ok", usage={"input_tokens": 10**30, "output_tokens": 1}),
        "length": incomplete("max_output_tokens", "cut off in the mid"),
        "lengthcall": incomplete("max_output_tokens", function_call("f", '{"a')),
        "lengthempty": incomplete("max_output_tokens", reasoning()),
        "list": b"[]",
        "nanusage": answer("ok", usage={"input_tokens": float("nan"), "output_tokens": float("inf")}),
        "nooutput": answer(output=...),
        "nostatus": answer("ok", status=...),
        "notext": answer(said({"type": "output_text"})),
        "nothing": answer(),
        "notype": answer({"content": []}),
        "nousage": answer("ok", usage=...),
        "null": b"null",
        "nullcontent": answer(said(content=None)),
        "nulloutput": answer(output=None),
        "queued": answer(status="queued"),
        "refusal": answer(said(_REFUSAL)),
        "search": answer({"type": "web_search_call", "id": "ws_1", "status": "completed"}, "Found."),
        "steered": incomplete("steered", "half an"),
        "surrogate": answer("a\ud800b"),
        "textint": answer(said({"type": "output_text", "text": 3})),
        "thought": answer(reasoning(), said("Yes", ", sure.")),
        "toolbad": answer(function_call("f", 3)),
        "toolcall": answer(function_call("f")),
        "toolnan": answer(function_call("f", {"a": float("nan")})),
        "toolnoname": answer(function_call("")),
        "tooltext": answer("Let me look.", function_call("f")),
        "unexplained": answer("half an", status="incomplete"),
    }.items()
}
"""Bodies under status 200, by name; ``html`` comes as text/html, the others as JSON."""


class _ResponsesHandler(FaultHandler):
    def do_POST(self) -> None:
        """Answer /v1/responses as the fault server answers; 404 elsewhere."""
        if urlsplit(self.path).path == "/v1/responses":  # of a proxy it is a whole address
            super().do_POST()
        else:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self._refuse(404, ONLY_HERE, "model")

    def _whole(self, entry: Entry) -> dict[str, Any]:
        reply = self.server.faults.reply(entry.body.get("input", []))
        if isinstance(reply, dict):
            return reply
        tool = _forced_tool(entry.body)
        output = reply if tool is None else function_call(tool, reply)
        return answer(output, model=entry.model)

    def _answer(self, entry: Entry) -> bytes:
        return encoded(self._whole(entry))

    def _refuse(self, status: int, message: str, param: str) -> None:
        error = {"message": message, "type": "invalid_request_error", "param": param, "code": None}
        self._send(encoded({"error": error}), status)

    def _failed(self, entry: Entry, count: int, code: str) -> None:
        self._send(encoded(failed(code)))

    def _noencryption(self, entry: Entry, count: int) -> None:
        if "reasoning.encrypted_content" in entry.body.get("include", ()):
            self._refuse(400, "Encrypted content is not supported with this model.", "include")
        else:
            self._normal(entry)

    def _noformat(self, entry: Entry, count: int, *types: str) -> None:
        found = entry.body.get("text", {}).get("format", {}).get("type")
        if found in types:
            self._refuse(400, f"Invalid parameter: text.format of type {found} is not supported", "text.format")
        else:
            self._normal(entry)

    def _events(self, entry: Entry, count: int) -> None:
        self._stream(events(self._whole(entry)))

    def _big(self, entry: Entry, count: int, size: str) -> None:
        self._send(encoded(answer("x" * int(size))))

    def _gzipbomb(self, entry: Entry, count: int) -> None:
        self._send(gzip.compress(encoded(answer("x" * 150_000_000)), 6), Content_Encoding="gzip")

    def _body(self, entry: Entry, count: int, name: str, times: str = "") -> None:
        if not self._is_over(entry, count, times):
            self._send(_ANSWER_BODIES[name], kind="text/html" if name == "html" else "application/json")


def _forced_tool(body: dict[str, Any]) -> str | None:
    """Return the name of the tool that a request forces; None without one."""
    choice = body.get("tool_choice")
    if choice == "required":
        return str(body["tools"][0]["name"])
    return str(choice["name"]) if isinstance(choice, dict) and "name" in choice else None


class ResponsesServer(FaultServer):
    """The server; see the module's docstring."""

    handler = _ResponsesHandler

    def model(self, name: str, **params: Any) -> NamedModel:
        """Return a model of this server."""
        return NamedModel(name=name, spec=parse_spec(self.spec(name)), params=params, api="responses")

    def yaml(self, name: str, **keys: object) -> str:
        """Return the text of a models.yaml in which the model of that name is called ``m``."""
        return json.dumps({"models": {"m": {"spec": self.spec(name), "api": "responses", **keys}}})
