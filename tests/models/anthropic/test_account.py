"""Which key an ``anthropic:`` model sends where, seen by the server."""

import importlib.util
import subprocess
import sys
from collections.abc import Iterator

import pytest

from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.models.check import check_model
from pytest_llmeval.models.keys import find_account
from pytest_llmeval.models.named import NamedModel, resolve_model
from pytest_llmeval.models.specs import parse_spec
from tests.support.anthropic_server import AnthropicServer
from tests.support.asking import ask_model, sent
from tests.support.fault_server import FaultServer

KEY = "sk-ant-CANARY/0123+456789abcdef"


@pytest.fixture
def server() -> Iterator[AnthropicServer]:
    with AnthropicServer() as running:
        yield running


@pytest.fixture(autouse=True)
def sdk_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set what the SDK reads by itself: none of it may decide anything."""
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_PROFILE", "ANTHROPIC_WEBHOOK_SIGNING_KEY"):
        monkeypatch.setenv(name, "ambient-CANARY")
    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", "X-Gateway: ambient-CANARY")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")


def keys(server: FaultServer) -> tuple[str | None, str | None]:
    return sent(server).get("x-api-key"), sent(server).get("authorization")


def test_anthropic_base_url_gets_the_key_and_the_custom_headers(server: AnthropicServer) -> None:
    """The user's own address for the protocol; a key in the custom headers does not replace the key."""
    environ = {
        "ANTHROPIC_API_KEY": KEY,
        "ANTHROPIC_BASE_URL": f"http://127.0.0.1:{server.port}/",
        "ANTHROPIC_CUSTOM_HEADERS": "anthropic-beta: context-1m\nX-Api-Key: other\nno header",
        "LLMEVAL_API_KEY": "sk-no",
    }
    ask_model("anthropic:echo", environ=environ)
    assert keys(server) == (KEY, f"Bearer {KEY}")
    assert sent(server)["anthropic-beta"] == "context-1m"
    server.ledger.clear()
    del environ["ANTHROPIC_API_KEY"]
    ask_model("anthropic:echo", environ=environ)
    assert keys(server) == ("no-key", "Bearer no-key")


def test_a_custom_header_replaces_ours_whatever_its_case(server: AnthropicServer) -> None:
    """And one of two equal names wins: no header goes out twice."""
    custom = "anthropic-version: 2099-01-01\nuser-agent: mine\nhost: gate.test\nX-Team: a\nx-team: b"
    environ = {"ANTHROPIC_BASE_URL": f"http://127.0.0.1:{server.port}", "ANTHROPIC_CUSTOM_HEADERS": custom}
    ask_model("anthropic:echo", environ=environ)
    headers = sent(server)
    assert (headers["anthropic-version"], headers["user-agent"]) == ("2099-01-01", "mine")
    assert (headers["host"], headers["x-team"]) == ("gate.test", "b")


def test_anthropics_own_address_gets_the_documented_header_alone() -> None:
    """One key, in one header."""
    account = find_account(resolve_model("anthropic:claude", {}), {"ANTHROPIC_API_KEY": KEY})
    assert (account.base_url.url, account.headers) == ("https://api.anthropic.com", (("X-Api-Key", KEY),))


@pytest.mark.parametrize(
    ("spec", "variable", "allowed"),
    [
        ("anthropic:m@http://h:1", "ANTHROPIC_API_KEY", False),
        ("openai:m@http://h:1/v1", "ANTHROPIC_API_KEY", False),
        ("anthropic:m@http://h:1", "OPENAI_API_KEY", False),
        ("anthropic:m", "OPENAI_API_KEY", False),
        ("openai:m", "ANTHROPIC_API_KEY", False),
        ("anthropic:m@http://api.anthropic.com", "ANTHROPIC_API_KEY", False),
        ("anthropic:m@https://api.anthropic.com", "ANTHROPIC_API_KEY", True),
        ("openai:m@https://api.anthropic.com/v1", "ANTHROPIC_API_KEY", True),
        ("anthropic:m@http://gate:2", "ANTHROPIC_API_KEY", True),
        ("anthropic:m@http://h:1", "MINE", True),
    ],
)
def test_a_vendors_key_cannot_be_named_for_another_server(spec: str, variable: str, allowed: bool) -> None:
    """models.yaml cannot send the keys of vendors elsewhere, whatever the protocol."""
    model = NamedModel(name="m", spec=parse_spec(spec), api_key_env=variable)
    environ = {variable: KEY, "ANTHROPIC_BASE_URL": "http://gate:2"}
    if allowed:
        check_model(model, environ)
        return
    with pytest.raises(ModelError, match=f"{variable} goes only to") as caught:
        check_model(model, {variable: KEY})
    assert "CANARY" not in str(caught.value)


def test_a_missing_extra_is_a_usage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Said at the start, with the command that installs it."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"pip install 'pytest-llmeval\[anthropic\]'"):
        check_model(resolve_model("anthropic:claude", {}), {"ANTHROPIC_API_KEY": KEY})


def test_checking_a_model_does_not_import_the_sdk() -> None:
    """Opening it does, and opening it does not import OpenAI's."""
    code = (
        "import sys; from pytest_llmeval.models.check import check_model;"
        "from pytest_llmeval.models.named import resolve_model; from pytest_llmeval.models.registry import open_model;"
        "model = resolve_model('anthropic:m@http://h:1', {}); check_model(model, {});"
        "print('anthropic' in sys.modules);"
        "open_model(model, environ={}); print('anthropic' in sys.modules, 'openai' in sys.modules)"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.split() == ["False", "True", "False"]
