"""A real HTTP server that speaks the OpenAI chat protocol, and breaks it on request.

    with FaultServer() as server:
        spec = f"openai:echo@{server.url}"      # server.url ends in /v1
        ...
        assert len(server.ledger) == 1          # every request, in order of arrival

The name of the model says what happens; the ledger is the bill. Any name that does not begin with ``fault-``
is answered by ``FaultServer(reply=...)``, a callable from the list of messages to the text (or to the whole
completion, a dict); by default the text is that of the last user message. A request that forces a tool is answered by
a call of it with the text as its arguments, one with ``stream: true`` by a stream of events. In the ``fault-`` names
``[-N]`` means "only the first N requests with these messages, then a normal answer" (without it: always):

    fault-status-CODE[-N][-after-WHEN]  that status; WHEN is the Retry-After: a number, ``date`` (in 2 s),
                                        ``datefar`` (in an hour), ``datepast``, or nonsense as it is (``nan``,
                                        ``abc``; ``minus1`` is -1)
    fault-noparam-PARAM[-PARAM...]      400 that names the first PARAM that the request holds, and its other name
    fault-nameless-PARAM[-PARAM...]     the same, and no parameter is named
    fault-quota                         429 with the code insufficient_quota
    fault-echoauth[-CODE]               CODE (401) with the Authorization header repeated in the body
    fault-rst[-N]  fault-close[-N]      connection reset, or closed, instead of an answer
    fault-hang[-N]                      no answer until the server is closed
    fault-slow-MS                       a normal answer after MS milliseconds
    fault-drip-MS                       a normal answer, one byte each MS milliseconds
    fault-truncate[-N]                  Content-Length larger than the body, then closed
    fault-chunkcut[-N]                  a chunked body without its end
    fault-chunkbad[-N]                  a chunked body that goes on, 50 ms later, with what is no chunk; then closed
    fault-redirect-CODE[-PORT]          redirect to /stolen of 127.0.0.1:PORT (this server's own by default)
    fault-big-BYTES                     a normal answer with a text of that many bytes
    fault-gzipbomb                      150 MB of text in 0.15 MB of gzip
    fault-gzip                          a normal answer, gzipped
    fault-badgzip[-N[-CODE]]            a body that says it is gzip and is not, under the status CODE (200)
    fault-cookie                        a normal answer that sets a cookie
    fault-body-NAME[-N]                 status 200 and one of BODIES
    fault-nohttp[-N]                    bytes that are no HTTP
    fault-stale                         a normal answer to the first request of a connection, which is then kept open;
                                        the next request on it finds it closed
    fault-sse-KIND[-N]                  a stream of events, asked for or not; KIND: ``ok``, ``noend`` (whole, in a
                                        chunked body without its end), ``cut`` (the same in the middle of the answer),
                                        ``nodone`` (ends well there), ``bad`` (an event of no JSON), ``errmid`` (an
                                        error event after the first words), ``stall`` (nothing more after them)
"""

import gzip
import json
import socket
import ssl
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from tests.support.chat_bodies import BODIES, INSTEAD, chunks, completion, echo, embedded, encoded, event, forced_tool

__all__ = ["Entry", "FaultHandler", "FaultServer", "Reply"]

Reply = Callable[[list[dict[str, Any]]], "str | dict[str, Any]"]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One request that arrived."""

    time_s: float
    """On the monotonic clock."""
    path: str
    model: str
    headers: dict[str, str]
    """With lower-case names; where one appears twice its values are joined."""
    body: dict[str, Any]


class FaultServer:
    """The server, in threads of this process, on a free port of 127.0.0.1; see the module's docstring."""

    handler: "type[FaultHandler]"

    def __init__(self, reply: Reply = echo, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> None:
        self.reply = reply
        self.ledger: list[Entry] = []
        self.max_in_flight = 0
        """The most requests that were being answered at one moment."""
        self.connections = 0
        """Connections accepted so far."""
        self.closing = threading.Event()
        self._in_flight = 0
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._http = (_HttpV6 if ":" in host else _Http)((host, 0), self.handler)
        self._http.faults = self
        self._open: set[socket.socket] = set()
        self.port: int = self._http.server_address[1]
        self.url = f"{'https' if tls else 'http'}://{f'[{host}]' if ':' in host else host}:{self.port}/v1"
        if tls is not None:
            self._http.socket = tls.wrap_socket(self._http.socket, server_side=True)
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def spec(self, model: str) -> str:
        """Return the spec of ``model`` on this server."""
        return f"openai:{model}@{self.url}"

    def arrived(self, entry: Entry) -> int:
        """Book a request; return how many with this model and these messages came so far."""
        with self._lock:
            self.ledger.append(entry)
            self._in_flight += 1
            self.max_in_flight = max(self.max_in_flight, self._in_flight)
            key = json.dumps([entry.model, entry.body.get("messages", entry.body.get("input"))], sort_keys=True)
            self._counts[key] += 1
            return self._counts[key]

    def connected(self, connection: socket.socket) -> None:
        """Book a connection."""
        with self._lock:
            self.connections += 1
            self._open.add(connection)

    def drop_connections(self) -> None:
        """Close all connections, as a server does that closes idle ones."""
        with self._lock:
            connections, self._open = self._open, set()
        for connection in connections:
            with suppress(OSError):  # closed already
                connection.shutdown(socket.SHUT_RDWR)

    def answered(self) -> None:
        """Book the end of a request."""
        with self._lock:
            self._in_flight -= 1


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 512
    faults: FaultServer

    def handle_error(self, request: object, client_address: object) -> None:
        """Keep quiet: clients that hang up are part of the tests."""


class _HttpV6(_Http):
    address_family = socket.AF_INET6


class FaultHandler(BaseHTTPRequestHandler):
    """Answers the requests of one connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Http

    def setup(self) -> None:
        """Count the connection."""
        super().setup()
        self.answers = 0
        self._is_open = False
        self.server.faults.connected(self.connection)

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""

    def do_GET(self) -> None:
        """Answer /v1/models."""
        self._send(encoded({"object": "list", "data": [{"id": "echo", "object": "model"}]}))

    def do_POST(self) -> None:
        """Book the request, then do what the model's name says."""
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = json.loads(raw)
        model = str(body.get("model", ""))
        headers = {name.lower(): ", ".join(self.headers.get_all(name, [])) for name in self.headers}
        entry = Entry(time_s=time.monotonic(), path=self.path, model=model, headers=headers, body=body)
        count = self.server.faults.arrived(entry)
        self._is_open = True
        try:
            if model.startswith("fault-"):
                kind, *args = model.split("-")[1:]
                getattr(self, f"_{kind}")(entry, count, *args)
            else:
                self._normal(entry)
        finally:
            self._end()

    def _end(self) -> None:
        """Book the end of the request, once."""
        if self._is_open:
            self._is_open = False
            self.server.faults.answered()

    def _completion(self, entry: Entry) -> dict[str, Any]:
        """Return the normal answer."""
        is_embeddings = entry.path.partition("?")[0].endswith("/embeddings")
        reply = embedded(entry.body) if is_embeddings else self.server.faults.reply(entry.body.get("messages", []))
        if isinstance(reply, dict):
            return reply
        tool = forced_tool(entry.body)
        if tool is None:
            return completion(reply, entry.model)
        call = {"id": "call_1", "type": "function", "function": {"name": tool, "arguments": reply}}
        return completion(None, entry.model, finish="tool_calls", tool_calls=[call])

    def _answer(self, entry: Entry) -> bytes:
        """Return the normal answer as JSON."""
        return encoded(self._completion(entry))

    def _normal(self, entry: Entry) -> None:
        if entry.body.get("stream"):
            self._stream(chunks(self._completion(entry)))
        else:
            self._send(self._answer(entry))

    def _stream(self, events: Iterable[bytes], end: bytes = b"0\r\n\r\n") -> None:
        """Send events, each as a chunk of its own."""
        self._head(200, {"Content-Type": "text/event-stream; charset=utf-8", "Transfer-Encoding": "chunked"})
        for data in events:
            self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.write(end)

    def _send(self, body: bytes, status: int = 200, kind: str = "application/json", **headers: str) -> None:
        """Send a whole response."""
        self._head(status, {"Content-Type": kind, "Content-Length": str(len(body)), **headers})
        self._end()  # before the client can send the next one over another connection
        self.wfile.write(body)

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def _error(self, status: int, message: str, code: str = "test", **headers: str) -> None:
        self._send(encoded({"error": {"message": message, "type": code, "code": code}}), status, **headers)

    def _is_over(self, entry: Entry, count: int, times: str) -> bool:
        """Answer normally where the fault has happened often enough."""
        over = bool(times) and count > int(times)
        if over:
            self._normal(entry)
        return over

    def _status(self, entry: Entry, count: int, code: str, *rest: str) -> None:
        times = rest[0] if rest and rest[0] != "after" else ""
        if self._is_over(entry, count, times):
            return
        when = rest[-1] if "after" in rest else None
        headers = {} if when is None else {"Retry_After": _retry_after(when)}
        self._error(int(code), f"fault {code}", **headers)

    def _noparam(self, entry: Entry, count: int, *params: str) -> None:
        refused = next((param for param in params if param in entry.body), None)
        if refused is None:
            self._normal(entry)
            return
        message = f"unsupported: {refused}" + INSTEAD.get(refused, "")
        error = {"message": message, "type": "invalid_request_error", "param": refused, "code": None}
        self._send(encoded({"error": error}), 400)

    def _nameless(self, entry: Entry, count: int, *params: str) -> None:
        if any(param in entry.body for param in params):
            self._error(400, "unsupported", "invalid_request_error")
        else:
            self._normal(entry)

    def _quota(self, entry: Entry, count: int) -> None:
        self._error(429, "You exceeded your current quota", "insufficient_quota")

    def _echoauth(self, entry: Entry, count: int, code: str = "401") -> None:
        self._error(int(code), f"Incorrect key provided: {entry.headers.get('authorization')}", "invalid_api_key")

    def _rst(self, entry: Entry, count: int, times: str = "") -> None:
        if not self._is_over(entry, count, times):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._drop()

    def _close(self, entry: Entry, count: int, times: str = "") -> None:
        if not self._is_over(entry, count, times):
            self._drop()

    def _drop(self) -> None:
        """Close the connection as it stands."""
        self.close_connection = True
        self.connection.close()

    def _hang(self, entry: Entry, count: int, times: str = "") -> None:
        if not self._is_over(entry, count, times):
            self.server.faults.closing.wait(600)
            self._drop()

    def _slow(self, entry: Entry, count: int, milliseconds: str) -> None:
        self.server.faults.closing.wait(int(milliseconds) / 1000)
        self._normal(entry)

    def _drip(self, entry: Entry, count: int, milliseconds: str) -> None:
        body = self._answer(entry)
        self._head(200, {"Content-Type": "application/json", "Content-Length": str(len(body))})
        for byte in body:
            self.wfile.write(bytes([byte]))
            if self.server.faults.closing.wait(int(milliseconds) / 1000):
                return

    def _truncate(self, entry: Entry, count: int, times: str = "") -> None:
        if not self._is_over(entry, count, times):
            body = self._answer(entry)
            self._head(200, {"Content-Type": "application/json", "Content-Length": str(len(body) + 100)})
            self.wfile.write(body)
            self._drop()

    def _chunkcut(self, entry: Entry, count: int, times: str = "", end: bytes = b"") -> None:
        if not self._is_over(entry, count, times):
            body = self._answer(entry)
            self._head(200, {"Content-Type": "application/json", "Transfer-Encoding": "chunked"})
            self.wfile.write(f"{len(body):x}\r\n".encode() + body + b"\r\n")
            self.server.faults.closing.wait(0.05 if end else 0)
            self.wfile.write(end)
            self._drop()

    def _chunkbad(self, entry: Entry, count: int, times: str = "") -> None:
        self._chunkcut(entry, count, times, end=b"HTTP/1.1 502 Bad Gateway\r\n\r\n")

    def _redirect(self, entry: Entry, count: int, code: str, port: str = "") -> None:
        target = f"http://127.0.0.1:{port or self.server.faults.port}/stolen/v1/chat/completions"
        self._send(b"", int(code), Location=target)

    def _big(self, entry: Entry, count: int, size: str) -> None:
        self._send(encoded(completion("x" * int(size), entry.model)))

    def _gzipbomb(self, entry: Entry, count: int) -> None:
        body = encoded(completion("x" * 150_000_000, entry.model))
        self._send(gzip.compress(body, 6), Content_Encoding="gzip")

    def _gzip(self, entry: Entry, count: int) -> None:
        self._send(gzip.compress(self._answer(entry)), Content_Encoding="gzip")

    def _badgzip(self, entry: Entry, count: int, times: str = "", code: str = "200") -> None:
        if not self._is_over(entry, count, times):
            self._send(b"this is no gzip", int(code), Content_Encoding="gzip")

    def _cookie(self, entry: Entry, count: int) -> None:
        self._send(self._answer(entry), Set_Cookie="session=1; Path=/")

    def _body(self, entry: Entry, count: int, name: str, times: str = "") -> None:
        if not self._is_over(entry, count, times):
            self._send(BODIES[name], kind="text/html" if name == "html" else "application/json")

    def _nohttp(self, entry: Entry, count: int, times: str = "") -> None:
        if not self._is_over(entry, count, times):
            self.wfile.write(b"\x1b[31mno HTTP\r\n" * 50)
            self._drop()

    def _stale(self, entry: Entry, count: int) -> None:
        self.answers += 1
        if self.answers == 1:
            self._normal(entry)
        else:
            self._drop()

    def _sse(self, entry: Entry, count: int, kind: str, times: str = "") -> None:
        if self._is_over(entry, count, times):
            return
        whole = chunks(self._completion(entry))
        error = event(encoded({"error": {"message": "model overloaded", "code": 503}}))
        broken = {"bad": [event(b'{"choices": [')], "errmid": [error]}.get(kind, [])
        ends_well = kind in {"ok", "nodone"} or bool(broken)
        events = whole if kind in {"ok", "noend"} else [*whole[:2], *broken]
        self._stream(events, end=b"0\r\n\r\n" if ends_well else b"")
        if kind == "stall":
            self.server.faults.closing.wait(600)
        if not ends_well:
            self._drop()


FaultServer.handler = FaultHandler


def _retry_after(when: str) -> str:
    """Return the header for the WHEN of a model's name."""
    dates = {"date": 2, "datefar": 3600, "datepast": -3600}
    if when in dates:
        return formatdate(time.time() + dates[when], usegmt=True)
    return when.replace("minus", "-")
