"""Connections: how many there are, what they carry, and what happens when they break; against a real server."""

import asyncio
import os
import shutil
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from pytest_llmeval.core.attempt_error import AttemptError
from pytest_llmeval.core.errors import CallError, ErrorKind
from pytest_llmeval.core.protocols import Backend
from pytest_llmeval.core.types import Request, Response
from pytest_llmeval.models.http.retry import RetryPolicy
from pytest_llmeval.models.named import resolve_model
from pytest_llmeval.models.registry import TransportName, open_model
from tests.support.asking import FAST, Ask, Fail, failure
from tests.support.fault_server import FaultServer
from tests.support.sessions import has_arrived, together, wait_until

SUBJECT = ["-subj", "/CN=llm.test", "-addext", "subjectAltName=IP:127.0.0.1"]
HEAVY = ("openai", "httpx2", "httpcore2", "pydantic", "anyio", "jinja2", "yaml", "pytest")
FRESH = """
import asyncio, resource, sys
from pytest_llmeval.core.errors import CallError
from pytest_llmeval.core.types import Request
from pytest_llmeval.models.named import resolve_model
from pytest_llmeval.models.registry import open_model
from pytest_llmeval.models.http.retry import RetryPolicy

async def ask(spec, **options):
    backend = open_model(resolve_model(spec, {{}}), environ={{}}, policy=RetryPolicy(max_attempts=1), **options)
    try:
        return str(await backend.complete(Request(messages=({{"role": "user", "content": "hello"}},))))
    except CallError as error:
        return error.kind
    finally:
        await backend.aclose()

def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

{code}
"""


def in_fresh_python(code: str, **environ: str) -> list[str]:
    """Return the words that ``code`` prints in a Python of its own, where ``ask`` asks a model."""
    command = [sys.executable, "-W", "error", "-c", FRESH.format(code=code)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, env=os.environ | environ)
    assert done.stderr == ""
    return done.stdout.split()


def with_backend(spec: str, use: Callable[[Backend], Awaitable[None]], transport: TransportName) -> None:
    """Run ``use`` in an event loop of its own, and close the backend there."""
    backend = open_model(resolve_model(spec, {}), environ={}, transport=transport, policy=RetryPolicy(timeout_s=10))

    async def run() -> None:
        try:
            await use(backend)
        finally:
            await backend.aclose()

    asyncio.run(run())


def request(text: str) -> Request:
    return Request(messages=({"role": "user", "content": text},))


def test_a_call_loads_no_sdk(server: FaultServer) -> None:
    """Opening a model and asking it imports neither the vendor's SDK nor what that brings along."""
    code = f"print(asyncio.run(ask({server.spec('echo')!r})), *set(sys.modules) & set({HEAVY!r}))"
    assert in_fresh_python(code) == ["hello"]


def test_a_gzip_bomb_stays_small(server: FaultServer) -> None:
    """150 MB in 0.15 MB of gzip: the client keeps to its 8 MiB."""
    code = (
        f"asyncio.run(ask({server.spec('echo')!r})); before = peak_mb();"
        f"print(asyncio.run(ask({server.spec('fault-gzipbomb')!r})), peak_mb() - before)"
    )
    kind, growth = in_fresh_python(code)
    assert kind == ErrorKind.TOO_LARGE and int(growth) < 60


def test_a_connection_is_kept(server: FaultServer, transport: TransportName) -> None:
    """Calls one after another need one connection."""

    async def three(backend: Backend) -> None:
        for number in range(3):
            assert (await backend.complete(request(str(number)))).text == str(number)

    with_backend(server.spec("echo"), three, transport)
    assert (len(server.ledger), server.connections) == (3, 1)


def test_a_connection_that_the_server_closed_costs_an_attempt(server: FaultServer, transport: TransportName) -> None:
    """A request that meets a closed connection is sent again by the retries, over a new one."""
    attempts: list[int] = []

    async def twice(backend: Backend) -> None:
        attempts.extend([(await backend.complete(request(text))).attempts for text in ("a", "b")])

    with_backend(server.spec("fault-stale"), twice, transport)
    assert attempts == [1, 2] and server.connections == 2


def test_a_connection_whose_end_was_seen_costs_none(server: FaultServer, transport: TransportName) -> None:
    """What the server closed while nobody asked is not used again."""
    attempts: list[int] = []

    async def twice(backend: Backend) -> None:
        attempts.append((await backend.complete(request("a"))).attempts)
        server.drop_connections()
        await asyncio.sleep(0.2)
        attempts.append((await backend.complete(request("b"))).attempts)

    with_backend(server.spec("echo"), twice, transport)
    assert attempts == [1, 1] and server.connections == 2


def test_as_many_connections_as_there_are_calls(server: FaultServer, transport: TransportName) -> None:
    """Nothing of ours queues, and all connections are used again."""

    async def two_waves(backend: Backend) -> None:
        for wave in range(2):
            texts = [f"{wave} {number}" for number in range(200)]
            responses: list[Response] = await asyncio.gather(*(backend.complete(request(text)) for text in texts))
            assert [response.text for response in responses] == texts

    server.reply = together(200)
    with_backend(server.spec("echo"), two_waves, transport)
    assert server.max_in_flight == 200
    assert server.connections == 200 if transport == "lean" else server.connections < 400


def test_backends_may_outlive_their_loop(server: FaultServer, transport: TransportName) -> None:
    """A backend that is asked in one loop after another opens connections in each."""
    backend = open_model(resolve_model(server.spec("fault-close"), {}), environ={}, transport=transport, policy=FAST)
    again = open_model(resolve_model(server.spec("echo"), {}), environ={}, transport=transport, policy=FAST)

    async def fail() -> None:
        with pytest.raises(Exception, match="gave up after 6 attempts"):
            await backend.complete(request("x"))

    async def ask_and_close() -> None:
        assert (await again.complete(request("x"))).text == "x"
        await backend.aclose()
        await again.aclose()

    asyncio.run(fail())
    asyncio.run(ask_and_close())


def test_a_backend_that_nobody_closed_keeps_nothing_open_in_a_later_loop(
    server: FaultServer, transport: TransportName
) -> None:
    """Another one that is closed in a later loop leaves nothing open there."""
    lost = open_model(resolve_model(server.spec("fault-close"), {}), environ={}, transport=transport, policy=FAST)
    used = open_model(resolve_model(server.spec("echo"), {}), environ={}, transport=transport, policy=FAST)

    async def fail() -> None:
        with pytest.raises(Exception, match="gave up after 6 attempts"):
            await lost.complete(request("x"))

    async def ask_and_close() -> None:
        assert (await used.complete(request("x"))).text == "x"
        await used.aclose()

    asyncio.run(fail())
    asyncio.run(ask_and_close())
    wait_until(lambda: all(each.fileno() < 0 for each in server._open), "all connections are closed")
    asyncio.run(lost.aclose())


def test_a_closed_backend_opens_no_connection_again(server: FaultServer, transport: TransportName) -> None:
    """A call that is still under way when its session ends."""
    backend = open_model(resolve_model(server.spec("echo"), {}), environ={}, transport=transport, policy=FAST)

    async def close_and_ask() -> None:
        await backend.aclose()
        with pytest.raises(Exception, match="the model was closed while the call was under way"):
            await backend.complete(request("x"))

    asyncio.run(close_and_ask())
    assert server.connections == 0


def test_no_http_is_a_connection_error_of_one_line(server: FaultServer, fail: Fail) -> None:
    """What an HTTP library quotes of the garbage is escaped and cut."""
    error = fail(server.spec("fault-nohttp"))
    assert (error.kind, error.attempts) == (ErrorKind.CONNECTION, 6)
    assert str(error).isprintable() and len(str(error)) < 400


def test_no_tls_is_a_connection_error(server: FaultServer, fail: Fail) -> None:
    """A server that speaks plain HTTP where TLS was asked for."""
    error = fail(server.spec("echo").replace("http:", "https:"), policy=RetryPolicy(max_attempts=2, base_s=0.01))
    assert (error.kind, error.attempts) == (ErrorKind.CONNECTION, 2)
    assert str(error).isprintable() and len(str(error)) < 400


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate that signs itself, for 127.0.0.1, and its key in the same file."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs the openssl command")
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    command = [openssl, "req", "-x509", *kind, *SUBJECT, "-keyout", str(file), "-out", str(file) + ".crt"]
    subprocess.run(command, check=True, capture_output=True)
    file.write_text(file.read_text() + Path(f"{file}.crt").read_text())
    return file


@pytest.fixture
def tls_server(certificate: Path) -> Iterator[FaultServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with FaultServer(tls=context) as running:
        yield running


def test_tls_trusts_whom_the_system_trusts(
    tls_server: FaultServer, certificate: Path, transport: TransportName
) -> None:
    """A certificate that the system knows is good; any other is a connection error, and nothing is sent."""
    call = f"print(asyncio.run(ask({tls_server.spec('echo')!r}, transport={transport!r})))"
    assert in_fresh_python(call) == [ErrorKind.CONNECTION] and tls_server.ledger == []
    assert in_fresh_python(call, SSL_CERT_FILE=str(certificate)) == ["hello"]


def test_a_certificate_that_is_not_trusted_is_said_at_once(
    tls_server: FaultServer, certificate: Path, fail: Fail, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No further attempt would trust it; where its issuer is unknown, the message says where to name that."""
    error = fail(tls_server.spec("echo"))
    assert (error.kind, error.attempts) == (ErrorKind.CONNECTION, 1)
    assert "is not trusted: self-signed certificate; put that of its issuer" in str(error)
    assert "SSL_CERT_FILE" in str(error)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    error = fail(tls_server.spec("echo").replace("127.0.0.1", "localhost"))
    assert (error.kind, error.attempts) == (ErrorKind.CONNECTION, 1)
    assert "ostname mismatch" in str(error) and "SSL_CERT_FILE" not in str(error)


def test_certificates_that_cannot_be_read_are_an_error_of_the_call(
    server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That names the variables, in place of whatever the HTTP client raises."""
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere")
    error = failure(server.spec("echo"), transport="sdk")
    assert (error.kind, error.attempts) == (ErrorKind.CONNECTION, 1)
    assert "SSL_CERT_FILE" in str(error) and "No such file" in str(error)


def test_tls_looks_in_the_usual_places(tls_server: FaultServer, certificate: Path) -> None:
    """Where OpenSSL's own paths lead nowhere, as in a Python that was built on another machine."""
    code = (
        f"import pytest_llmeval.models.http.lean_transport as lean; lean.CA_FILES = ['/nowhere', {str(certificate)!r}];"
        f"print(asyncio.run(ask({tls_server.spec('echo')!r})))"
    )
    assert in_fresh_python(code, SSL_CERT_FILE="/nowhere", SSL_CERT_DIR="/nowhere") == ["hello"]


def test_a_call_whose_model_is_closed_ends(server: FaultServer, transport: TransportName) -> None:
    """It neither goes on nor opens connections that nobody would close."""
    backend = open_model(resolve_model(server.spec("fault-hang"), {}), environ={}, transport=transport, policy=FAST)

    async def close_meanwhile() -> None:
        call = asyncio.create_task(backend.complete(request("x")))
        await has_arrived(server)
        await backend.aclose()
        with pytest.raises(CallError) as caught:
            await call
        assert caught.value.kind is ErrorKind.CONNECTION

    asyncio.run(close_meanwhile())
    assert len(server.ledger) == 1


def test_an_error_with_a_bad_body_keeps_its_status(server: FaultServer, fail: Fail) -> None:
    """The status says more than a body that cannot be decoded."""
    error = fail(server.spec("fault-badgzip-9-503"), policy=RetryPolicy(max_attempts=2, base_s=0.01))
    assert error.kind is ErrorKind.SERVER_ERROR and "HTTP 503: an empty body" in str(error)


def test_ipv6(ask: Ask) -> None:
    """An address in brackets, in the Host header too."""
    try:
        with FaultServer(host="::1") as server:
            assert ask(server.spec("echo"), "x").text == "x"
            assert server.ledger[0].headers["host"] == f"[::1]:{server.port}"
    except OSError as error:
        pytest.skip(f"this machine has no IPv6: {error}")


@pytest.mark.parametrize("host", ["127.1", "a..b"])
def test_a_host_that_is_none_is_said_at_once(host: str) -> None:
    """Another attempt would not help."""
    error = failure(f"m@http://{host}:9/v1", policy=FAST)
    assert (error.kind, error.attempts) == (ErrorKind.BAD_REQUEST, 1)
    assert "the address cannot be used" in str(error) and str(error).isprintable()


@pytest.mark.parametrize(("fault", "is_unsent"), [("", True), ("close", False), ("rst", False), ("truncate", False)])
def test_a_request_that_reached_nobody_is_told_from_one_that_was_cut_off(
    fail: Fail, fault: str, is_unsent: bool
) -> None:
    """Only the first says that nobody is there."""
    faults: list[AttemptError] = []

    @asynccontextmanager
    async def slot() -> AsyncIterator[None]:
        try:
            yield
        except AttemptError as error:
            faults.append(error)
            raise

    with FaultServer() as server:
        spec = server.spec(f"fault-{fault}")
        if fault:
            fail(spec, slots=lambda account: slot)
    if not fault:
        fail(spec, slots=lambda account: slot)
    assert {each.is_unsent for each in faults} == {is_unsent}


def test_a_large_body_is_sent_whole_at_every_attempt(server: FaultServer, ask: Ask) -> None:
    """Without a warning of the HTTP library, which is an error here, and with its length."""
    text = "x" * 3_000_000
    assert ask(server.spec("fault-status-503-1"), text).text == text
    assert [entry.body["messages"][0]["content"] == text for entry in server.ledger] == [True, True]
    for entry in server.ledger:
        assert int(entry.headers["content-length"]) > 3_000_000 and "transfer-encoding" not in entry.headers


def test_headers_are_ours_and_the_accounts(server: FaultServer, ask: Ask) -> None:
    """No HTTP library adds any."""
    ask(server.spec("echo"))
    ours = {"accept", "accept-encoding", "content-type", "user-agent", "authorization"}
    assert server.ledger[0].headers.keys() == {"host", "content-length", *ours}
    assert server.ledger[0].headers["user-agent"].startswith("pytest-llmeval (")


def test_no_cookie_is_kept(server: FaultServer, transport: TransportName) -> None:
    """What a server sets does not come back."""

    async def twice(backend: Backend) -> None:
        for text in ("a", "b"):
            await backend.complete(request(text))

    with_backend(server.spec("fault-cookie"), twice, transport)
    assert len(server.ledger) == 2 and not any("cookie" in entry.headers for entry in server.ledger)


@pytest.mark.parametrize("transport", ["lean", "sdk"])
@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("127.0.0.1:9", "connection refused (is the server running?)"),
        ("localhost:9", "connection refused (is the server running?)"),
        ("nowhere.invalid", "the host name cannot be resolved: "),
    ],
)
def test_what_makes_no_connection_is_told(transport: TransportName, address: str, told: str) -> None:
    """In a few words, which a line of 80 columns has room for."""
    once = RetryPolicy(max_attempts=1)
    error = failure(f"openai:m@http://{address}/v1", transport=transport, environ={}, policy=once)
    assert error.kind is ErrorKind.CONNECTION
    assert told in str(error)
