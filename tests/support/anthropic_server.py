"""The fault server with the tongue of the Messages API: POST /v1/messages, and the same faults by name.

    with AnthropicServer() as server:
        spec = server.spec("echo")              # anthropic:echo@http://127.0.0.1:PORT

Further faults:

    fault-credit                        400 with the message that the credit balance is too low
    fault-limits                        400 with the message that the spending limit is reached
    fault-nostrict                      400 where a form is to be followed strictly, of a tool or of the answer
    fault-body-NAME[-N]                 status 200 and one of _MESSAGE_BODIES
"""

import gzip
import json
from typing import Any
from urllib.parse import urlsplit

from tests.support.chat_bodies import forced_tool
from tests.support.fault_server import Entry, FaultHandler, FaultServer

__all__ = ["AnthropicServer", "message"]


def message(*content: object, model: str = "test", stop: object = "end_turn", **changes: object) -> dict[str, Any]:
    """Return a message; a text in ``content`` is a text block, and the usage counts words."""
    words = sum(len(part.split()) for part in content if isinstance(part, str))
    data = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [{"type": "text", "text": part} if isinstance(part, str) else part for part in content],
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": {"input_tokens": 7, "output_tokens": words},
        **changes,
    }
    return {key: value for key, value in data.items() if value is not ...}


_TOOL = {"type": "tool_use", "id": "1", "name": "f", "input": {}}
_THINKING = {"type": "thinking", "thinking": "Hm.", "signature": "x"}
_EXPLAINED = {"type": "refusal", "category": "bio", "explanation": "It could do harm."}
_CACHED = {
    "input_tokens": 7,
    "cache_creation_input_tokens": 100,
    "cache_read_input_tokens": 20,
    "output_tokens": 1,
}

_MESSAGE_BODIES: dict[str, bytes] = {
    name: body if isinstance(body, bytes) else json.dumps(body).encode()
    for name, body in {
        "badjson": b'{"content": [',
        "badcache": message("ok", usage={"input_tokens": 7, "cache_read_input_tokens": "x", "output_tokens": 1}),
        "badusage": message("ok", usage={"input_tokens": "many", "output_tokens": -5}),
        "badutf8": b'{"content": [{"type": "text", "text": "\xff\xfe"}]}',
        "bareblock": message("ok", content=["ok"]),
        "bigint": b'{"usage": {"input_tokens": ' + b"9" * 6000 + b"}}",
        "cached": message("ok", usage=_CACHED),
        "completion": {"choices": [{"message": {"content": "ok"}}]},
        "contentstr": message(content="ok"),
        "deep": b'{"content": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        "empty": b"",
        "emptyobj": b"{}",
        "err200": {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
        "html": b"<html><body>Please log in</body></html>",
        "hugeusage": message("ok", usage={**_CACHED, "input_tokens": 2**53 - 1}),
        "length": message("cut off in the mid", stop="max_tokens"),
        "lengthempty": message(_THINKING, stop="max_tokens"),
        "list": b"[]",
        "nanusage": message("ok", usage={"input_tokens": float("nan"), "output_tokens": float("inf")}),
        "nocontent": message(content=...),
        "nostop": message("ok", stop=None),
        "notext": message({"type": "text"}),
        "nothing": message(),
        "notype": message({"text": "ok"}),
        "nousage": message("ok", usage=...),
        "null": b"null",
        "nullcontent": message(content=None),
        "refusal": message(stop="refusal", stop_details=_EXPLAINED),
        "refusalbare": message(stop="refusal", stop_details=None),
        "refusaltext": message("I cannot help.", stop="refusal"),
        "sequence": message("ok", stop="stop_sequence"),
        "surrogate": message("a\ud800b"),
        "textint": message({"type": "text", "text": 3}),
        "thinking": message(_THINKING, "Yes", ", sure."),
        "toolbad": message({**_TOOL, "input": "{}"}, stop="tool_use"),
        "toolnan": message({**_TOOL, "input": {"a": float("nan")}}, stop="tool_use"),
        "toolnoname": message({**_TOOL, "name": None}, stop="tool_use"),
        "tooltext": message("Let me look.", _TOOL, stop="tool_use"),
        "tooluse": message(_TOOL, stop="tool_use"),
    }.items()
}
"""Bodies under status 200, by name; ``html`` comes as text/html, the others as JSON."""


class _MessagesHandler(FaultHandler):
    def do_POST(self) -> None:
        """Answer /v1/messages as the fault server answers; 404 elsewhere."""
        if urlsplit(self.path).path == "/v1/messages":  # of a proxy it is a whole address
            super().do_POST()
        else:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self._error(404, f"no {self.path} here", "not_found_error")

    def _answer(self, entry: Entry) -> bytes:
        reply = self.server.faults.reply(entry.body.get("messages", []))
        if isinstance(reply, dict):
            return json.dumps(reply).encode()
        tool = forced_tool(entry.body)
        if tool is None:
            return json.dumps(message(reply, model=entry.model)).encode()
        call = {"type": "tool_use", "id": "toolu_1", "name": tool, "input": json.loads(reply)}
        return json.dumps(message(call, model=entry.model, stop="tool_use")).encode()

    def _error(self, status: int, message: str, code: str = "api_error", **headers: str) -> None:
        body = {"type": "error", "error": {"type": code, "message": message}, "request_id": "req_1"}
        self._send(json.dumps(body).encode(), status, **headers)

    def _credit(self, entry: Entry, count: int) -> None:
        text = "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing."
        self._error(400, text, "invalid_request_error")

    def _limits(self, entry: Entry, count: int) -> None:
        text = "You have reached your specified API usage limits. You will regain access on 2026-12-01."
        self._error(400, text, "invalid_request_error")

    def _nostrict(self, entry: Entry, count: int) -> None:
        if "output_config" in entry.body or any("strict" in tool for tool in entry.body.get("tools", ())):
            self._error(400, "tools.0.custom.strict: Extra inputs are not permitted", "invalid_request_error")
        else:
            self._normal(entry)

    def _echoauth(self, entry: Entry, count: int, code: str = "401") -> None:
        keys = [entry.headers.get("x-api-key"), entry.headers.get("authorization")]
        self._error(int(code), f"invalid x-api-key: {keys}", "authentication_error")

    def _big(self, entry: Entry, count: int, size: str) -> None:
        self._send(json.dumps(message("x" * int(size))).encode())

    def _gzipbomb(self, entry: Entry, count: int) -> None:
        self._send(gzip.compress(json.dumps(message("x" * 150_000_000)).encode(), 6), Content_Encoding="gzip")

    def _body(self, entry: Entry, count: int, name: str, times: str = "") -> None:
        if not self._is_over(entry, count, times):
            self._send(_MESSAGE_BODIES[name], kind="text/html" if name == "html" else "application/json")


class AnthropicServer(FaultServer):
    """The server; see the module's docstring."""

    handler = _MessagesHandler

    def spec(self, model: str) -> str:
        """Return the spec of ``model`` on this server."""
        return f"anthropic:{model}@http://127.0.0.1:{self.port}"
