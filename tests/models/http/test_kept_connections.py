"""Bytes behind an answer, which nobody asked for, are no answer to the next request; over both transports."""

import asyncio
import itertools
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpcore2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmeval.core.types import Request
from pytest_llmeval.models.http.kept_connections import _Stream
from pytest_llmeval.models.named import resolve_model
from pytest_llmeval.models.registry import TransportName, open_model
from tests.support.asking import FAST
from tests.support.chat_bodies import completion, encoded
from tests.support.fault_server import Entry, FaultHandler, FaultServer

SUBJECT = ["-subj", "/CN=llm.test", "-addext", "subjectAltName=IP:127.0.0.1,DNS:llm.test"]
TEXTS = ["one", "two", "three"]


class _TwiceHandler(FaultHandler):
    """Sends each answer and a second one with it, in one; its model's name says how an answer's length is told."""

    def _normal(self, entry: Entry) -> None:
        frame = _chunked if entry.model.startswith("chunked") else _counted
        self._end()
        self._cork(1)
        self.wfile.write(frame(self._answer(entry)))
        self.wfile.write(frame(encoded(completion("STALE"))))  # behind TLS a record of its own
        self._cork(0)

    def _cork(self, is_shut: int) -> None:
        if hasattr(socket, "TCP_CORK"):  # elsewhere the second one may come a little later
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, is_shut)

    def do_CONNECT(self) -> None:
        """Answer as the server of that name would, behind TLS."""
        self.send_response(200)
        self.end_headers()
        assert isinstance(self.server.faults, _TwiceServer) and self.server.faults.tunnel is not None
        self.connection = self.request = self.server.faults.tunnel.wrap_socket(self.connection, server_side=True)
        self.rfile.close()
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", buffering=0)

    def finish(self) -> None:
        super().finish()
        self.connection.close()


class _TwiceServer(FaultServer):
    handler = _TwiceHandler
    tunnel: ssl.SSLContext | None = None
    """What the tunnels through it end in, as a proxy."""


def _counted(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def _chunked(body: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """What a server that is trusted here speaks TLS by."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs the openssl command")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    command = [openssl, "req", "-x509", *kind, *SUBJECT, "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


def answers(spec: str, transport: TransportName, environ: dict[str, str] | None = None) -> list[str]:
    """Return the answers to ``TEXTS``, asked one after another."""
    backend = open_model(resolve_model(spec, {}), environ=environ or {}, transport=transport, policy=FAST)

    async def ask() -> list[str]:
        try:
            requests = [Request(messages=({"role": "user", "content": text},)) for text in TEXTS]
            return [(await backend.complete(request)).text for request in requests]
        finally:
            await backend.aclose()

    return asyncio.run(ask())


@pytest.fixture
def twice() -> Iterator[_TwiceServer]:
    with _TwiceServer() as running:
        yield running


@pytest.mark.parametrize("model", ["counted", "chunked"])
def test_a_second_answer_is_not_the_next_one(twice: _TwiceServer, model: str, transport: TransportName) -> None:
    """The connection is given up, and no request goes out on it."""
    assert answers(twice.spec(model), transport) == TEXTS
    assert len(twice.ledger) == twice.connections == len(TEXTS)


def test_a_second_answer_behind_tls_is_not_the_next_one(tls: ssl.SSLContext) -> None:
    """Whether it came in the record of the answer or in its own."""
    with _TwiceServer(tls=tls) as server:
        assert answers(server.spec("counted"), "sdk") == TEXTS
        assert len(server.ledger) == server.connections == len(TEXTS)


def test_a_second_answer_of_a_proxy_is_not_the_next_one(twice: _TwiceServer) -> None:
    environ = {"HTTP_PROXY": f"http://127.0.0.1:{twice.port}"}
    assert answers("openai:counted@http://llm.test:8000/v1", "auto", environ) == TEXTS
    assert len(twice.ledger) == twice.connections == len(TEXTS)


def test_a_second_answer_through_a_tunnel_is_not_the_next_one(twice: _TwiceServer, tls: ssl.SSLContext) -> None:
    twice.tunnel = tls
    environ = {"HTTPS_PROXY": f"http://127.0.0.1:{twice.port}"}
    assert answers("openai:counted@https://llm.test:8000/v1", "auto", environ) == TEXTS
    assert len(twice.ledger) == twice.connections == len(TEXTS)


class _Came(httpcore2.AsyncNetworkStream):
    """Gives what came, a piece at a time."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = pieces

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._pieces.pop(0) if self._pieces else b""


@given(st.lists(st.binary(min_size=1), min_size=1), st.data())
def test_what_an_answer_did_not_take_is_told(pieces: list[bytes], data: st.DataObject) -> None:
    """For any pieces, wherever the answer ends and however much is read at once; and nothing is lost on the way."""
    pieces = [b"HTTP/" + pieces[0], *pieces[1:]]
    came = b"".join(pieces)
    length, most = data.draw(st.integers(1, len(came))), data.draw(st.integers(1, len(came)))
    stream, taken = _Stream(_Came(list(pieces))), b""

    async def take() -> None:
        nonlocal taken
        while len(taken) < length:
            taken += await stream.read(most)
        ends = list(itertools.accumulate(map(len, pieces)))
        assert bool(stream.get_extra_info("is_readable")) == (length not in ends)
        while more := await stream.read(most):
            taken += more

    asyncio.run(take())
    assert taken == came


def test_what_is_no_http_comes_whole() -> None:
    """A SOCKS proxy's words, each of which is read in one."""
    stream = _Stream(_Came([b"\x05\x00", b"\x05\x00\x00\x01\x7f\x00\x00\x01\x1f\x90", b"HTTP/1.1"]))

    async def read() -> list[bytes]:
        return [await stream.read(4096) for _ in range(4)]

    assert [len(each) for each in asyncio.run(read())] == [2, 10, 7, 1]
