"""Which proxy the environment puts in front of a server, and that calls go through it."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from pytest_llmeval.core.errors import ErrorKind, ModelError
from pytest_llmeval.models.base_url import parse_base_url
from pytest_llmeval.models.check import check_model
from pytest_llmeval.models.http.proxies import proxy_for
from pytest_llmeval.models.http.retry import RetryPolicy
from pytest_llmeval.models.named import resolve_model
from pytest_llmeval.models.redaction import Redactor
from pytest_llmeval.models.registry import TransportName
from tests.support.anthropic_server import AnthropicServer
from tests.support.asking import ask_model, failure
from tests.support.fault_server import FaultServer

P, Q = "http://p:1", "http://q:2"
BEHIND = "openai:echo@http://llm.test:8000/v1"  # a host that only a proxy can know
ANTHROPIC = "anthropic:echo@http://llm.test:8000"
_ODD_PASSWORDS = ("pw#CANARY", "pw/CANARY", "12/CANARY", "pw?CANARY", "pw[CANARY", "pw CANARY#")


@pytest.mark.parametrize(
    ("url", "environ", "proxy"),
    [
        ("http://h/v1", {}, None),
        ("http://h/v1", {"HTTP_PROXY": P}, P),
        ("http://h/v1", {"HTTPS_PROXY": P}, None),
        ("https://h/v1", {"HTTPS_PROXY": P, "HTTP_PROXY": Q}, P),
        ("https://h/v1", {"ALL_PROXY": P}, P),
        ("https://h/v1", {"ALL_PROXY": P, "HTTPS_PROXY": Q}, Q),
        ("http://h/v1", {"HTTP_PROXY": P, "http_proxy": Q}, Q),
        ("http://h/v1", {"HTTP_PROXY": P, "http_proxy": ""}, None),
        ("http://h/v1", {"HTTP_PROXY": P, "REQUEST_METHOD": "GET"}, None),
        ("http://h/v1", {"http_proxy": P, "REQUEST_METHOD": "GET"}, P),
        ("http://h/v1", {"HTTP_PROXY": "p:1"}, P),
        ("http://h/v1", {"ALL_PROXY": "socks5://p:1"}, "socks5://p:1"),
        ("http://h/v1", {"HTTP_PROXY": P, "NO_PROXY": "*"}, None),
        ("http://h/v1", {"HTTP_PROXY": P, "NO_PROXY": " x , H "}, None),
        ("http://a.h/v1", {"HTTP_PROXY": P, "NO_PROXY": "h"}, None),
        ("http://a.h/v1", {"HTTP_PROXY": P, "NO_PROXY": ".h"}, None),
        ("http://ah/v1", {"HTTP_PROXY": P, "NO_PROXY": "h,,"}, P),
        ("http://h:8/v1", {"HTTP_PROXY": P, "NO_PROXY": "h:8"}, None),
        ("http://h:8/v1", {"HTTP_PROXY": P, "NO_PROXY": "h:9"}, P),
        ("http://[fe80::1]/v1", {"HTTP_PROXY": P, "NO_PROXY": "fe80::1"}, None),
        ("http://[fe80::1]:8/v1", {"HTTP_PROXY": P, "NO_PROXY": "[fe80::1]"}, None),
        ("http://10.1.2.3:8/v1", {"HTTP_PROXY": P, "NO_PROXY": "10.0.0.0/8"}, None),
        ("http://11.1.2.3:8/v1", {"HTTP_PROXY": P, "NO_PROXY": "10.0.0.0/8"}, P),
        ("http://10.1.2.3/v1", {"HTTP_PROXY": P, "NO_PROXY": "10.9.9.9/8,"}, None),
        ("http://[fd00::7]/v1", {"HTTP_PROXY": P, "NO_PROXY": "10.0.0.0/8,fd00::/8"}, None),
        ("http://h/v1", {"HTTP_PROXY": P, "NO_PROXY": "10.0.0.0/8 h/8 /"}, P),
        ("http://a.h/v1", {"HTTP_PROXY": P, "NO_PROXY": "*.h"}, None),
        ("http://ah/v1", {"HTTP_PROXY": P, "NO_PROXY": "*.h"}, P),
        ("http://h/v1", {"HTTP_PROXY": P, "NO_PROXY": "x h  y"}, None),
        ("http://127.0.0.1:8/v1", {"HTTP_PROXY": P}, None),
        ("http://localhost:8/v1", {"ALL_PROXY": P}, None),
        ("http://[::1]:8/v1", {"ALL_PROXY": P}, None),
    ],
)
def test_the_environment_decides(url: str, environ: dict[str, str], proxy: str | None) -> None:
    """By scheme and host, as urllib.request reads it; never for this machine."""
    assert proxy_for(parse_base_url(url, where="test"), environ) == proxy


@pytest.mark.parametrize("transport", ["auto", "sdk"])
def test_a_proxy_is_asked(server: FaultServer, transport: TransportName) -> None:
    """It gets the whole address, and user name and password of its own."""
    environ = {"HTTP_PROXY": f"http://user:pw-CANARY@127.0.0.1:{server.port}", "LLMEVAL_API_KEY": "sk-mine"}
    assert ask_model(BEHIND, "x", environ=environ, transport=transport).text == "x"
    (entry,) = server.ledger
    assert entry.path == "http://llm.test:8000/v1/chat/completions"
    assert entry.headers["host"] == "llm.test:8000" and entry.headers["authorization"] == "Bearer sk-mine"
    assert entry.headers["proxy-authorization"].startswith("Basic ")


def test_a_proxy_is_asked_for_a_model_of_anthropic() -> None:
    """By the same rules, whatever the HTTP client of its SDK makes of the variables."""
    with AnthropicServer() as server:
        proxy = f"127.0.0.1:{server.port}"
        assert ask_model(ANTHROPIC, "x", environ={"HTTP_PROXY": f"http://user:pw-CANARY@{proxy}"}).text == "x"
        assert ask_model(ANTHROPIC, "y", environ={"ALL_PROXY": proxy}).text == "y"
        first, second = server.ledger
        assert first.path == second.path == "http://llm.test:8000/v1/messages"
        assert first.headers["proxy-authorization"].startswith("Basic ")
        once = RetryPolicy(max_attempts=1)
        error = failure(ANTHROPIC, environ={"HTTP_PROXY": proxy, "NO_PROXY": "llm.test:8000"}, policy=once)
        assert error.kind is ErrorKind.CONNECTION and len(server.ledger) == 2


def test_a_proxy_that_fails_keeps_its_password(server: FaultServer) -> None:
    """The error names no credentials."""
    with FaultServer() as gone:
        environ = {"ALL_PROXY": f"http://user:pw-CANARY@127.0.0.1:{gone.port}"}
    error = failure(BEHIND, environ=environ, policy=RetryPolicy(max_attempts=1))
    assert error.kind is ErrorKind.CONNECTION and "CANARY" not in str(error)


class RefusingProxy(BaseHTTPRequestHandler):
    """Takes nobody's credentials."""

    asked: list[str]

    def do_CONNECT(self) -> None:
        self.asked.append(self.path)
        self.send_error(407)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.do_CONNECT()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def refusing_proxy() -> Iterator[tuple[str, list[str]]]:
    """Its address, and what it was asked for."""
    asked: list[str] = []
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (RefusingProxy,), {"asked": asked})) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}", asked
        server.shutdown()


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("spec", [BEHIND, ANTHROPIC])
def test_a_proxy_that_refuses_the_credentials_is_asked_once(
    refusing_proxy: tuple[str, list[str]], spec: str, scheme: str
) -> None:
    """It may lock the account after some tries; a tunnel to a server behind TLS is refused as a request is."""
    address, asked = refusing_proxy
    environ = {"ALL_PROXY": f"http://user:pw-CANARY@{address}"}
    error = failure(spec.replace("http:", f"{scheme}:"), environ=environ)
    assert (error.kind, error.attempts, len(asked)) == (ErrorKind.BAD_REQUEST, 1, 1)
    assert "HTTP 407: " in str(error) and "CANARY" not in str(error)


@pytest.mark.parametrize(("transport", "no_proxy"), [("lean", ""), ("auto", "llm.test"), ("sdk", "llm.test")])
def test_a_proxy_is_left_out(server: FaultServer, transport: TransportName, no_proxy: str) -> None:
    """Where NO_PROXY says so, and by the lean transport in any case."""
    environ = {"HTTP_PROXY": f"http://127.0.0.1:{server.port}", "NO_PROXY": no_proxy}
    error = failure(BEHIND, environ=environ, transport=transport, policy=RetryPolicy(max_attempts=1))
    assert error.kind is ErrorKind.CONNECTION and server.ledger == []


def test_only_the_given_environment_counts(server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process's own variables are the caller's to pass on."""
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{server.port}")
    for transport in ("auto", "sdk"):
        failure(BEHIND, transport=transport, policy=RetryPolicy(max_attempts=1))
    failure(ANTHROPIC, policy=RetryPolicy(max_attempts=1))
    assert server.ledger == []


@pytest.mark.parametrize(
    ("proxy", "message"),
    [
        ("ftp://me:pw-CANARY@p:1", "cannot be used"),
        ("http://p:port", "cannot be used"),
        ("http://:1", "cannot be used"),
        ("socks5://p:1", "SOCKS"),
        *((f"http://me:{password}@p:1", "write %2F for /") for password in _ODD_PASSWORDS),
        ("me:pw#CANARY@p:1", "write %2F for /"),
    ],
)
@pytest.mark.parametrize("spec", [BEHIND, ANTHROPIC])
def test_a_proxy_that_cannot_be_used_is_a_usage_error(spec: str, proxy: str, message: str) -> None:
    """Said before the model is opened, without the proxy's password, whatever part of the address that looks like."""
    environ = {"ALL_PROXY": proxy}
    for look in (lambda: ask_model(spec, environ=environ), lambda: check_model(resolve_model(spec, {}), environ)):
        with pytest.raises(ModelError, match=message) as caught:
            look()
        assert "CANARY" not in str(caught.value)


def test_a_proxy_that_is_not_followed_may_be_any() -> None:
    environ = {"ALL_PROXY": "http://me:pw#CANARY@p:1"}
    check_model(resolve_model(BEHIND, {}), environ, transport="lean")
    check_model(resolve_model(BEHIND, {}), {**environ, "NO_PROXY": "llm.test"})


@pytest.mark.parametrize("spec", [BEHIND, ANTHROPIC])
def test_user_and_password_of_a_proxy_are_secrets(spec: str) -> None:
    redactor = Redactor()
    environ = {"ALL_PROXY": "http://bob:hunter%2322@127.0.0.1:9"}
    failure(spec, environ=environ, redactor=redactor, policy=RetryPolicy(max_attempts=1))
    assert redactor("it is hunter#22, hunter%2322 or bob:hunter#22") == "it is ***, *** or ***"


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "LocalHost", "[::1]", "[0:0:0:0:0:0:0:1]", "127.1.2.3", "127.1"]
)
def test_this_machine_is_asked_directly(host: str) -> None:
    found = parse_base_url(f"http://{host}:8000/v1", where="here")
    assert proxy_for(found, {"http_proxy": "http://proxy:3128"}) is None


@pytest.mark.parametrize("host", ["0.0.0.0", "[::]", "10.0.0.1", "box", "localhost.example", "127.corp.example"])
def test_any_other_is_asked_through_its_proxy(host: str) -> None:
    found = parse_base_url(f"http://{host}:8000/v1", where="here")
    assert proxy_for(found, {"http_proxy": "http://proxy:3128"}) == "http://proxy:3128"
