"""The protocols that are spoken over HTTP, each over a transport, with a server that speaks it too."""

from dataclasses import dataclass, field, replace
from typing import Any

from pytest_llmeval.core.errors import CallError
from pytest_llmeval.core.protocols import Backend
from pytest_llmeval.core.types import Response
from pytest_llmeval.models.named import Api, NamedModel, resolve_model
from pytest_llmeval.models.registry import TransportName, open_model
from tests.support.anthropic_server import AnthropicServer
from tests.support.asking import FAST, ask_model, failure
from tests.support.fault_server import FaultServer
from tests.support.responses_server import ResponsesServer

__all__ = ["VENDORS", "Vendor"]


@dataclass(frozen=True, kw_only=True)
class Vendor:
    """What is asked, and over which transport."""

    speaker: type[FaultServer] = FaultServer
    """What speaks the protocol."""
    transport: TransportName
    kind: str = "openai"
    api: Api = "chat"
    base: str = "/v1"
    """The path of a base URL."""
    path: str = "/v1/chat/completions"
    """Where a request goes."""
    is_key_sent_twice: bool = False
    """Whether ``x-api-key`` carries it, beside ``authorization``."""
    busy: int = 429
    """A status with which the vendor asks to wait."""
    params: dict[str, Any] = field(default_factory=dict)
    """What only its models take."""
    sent: dict[str, Any] = field(default_factory=dict)
    """What every request holds besides."""
    words: dict[str, str] = field(default_factory=dict)
    """Those of its requests that are not the words of chat completions, by these."""
    said: dict[str, str] = field(default_factory=dict)
    """What every message of them holds besides."""

    def body(self, **said: Any) -> dict[str, Any]:
        """Return what is sent where ``said`` is asked for."""
        said["messages"] = [{**self.said, **message} for message in said["messages"]]
        return {**self.sent, **{self.words.get(name, name): value for name, value in said.items()}}

    def spec(self, name: str, authority: str) -> str:
        """Return the spec of a model of a server."""
        return f"{self.kind}:{name}@http://{authority}{self.base}"

    def ask(self, model: NamedModel | str, text: str = "hello", **options: Any) -> Response:
        """Return the answer of ``model``."""
        return ask_model(self._asked(model), text, transport=self.transport, **options)

    def fail(self, model: NamedModel | str, text: str = "hello", **options: Any) -> CallError:
        """Return the error with which a call to ``model`` ends."""
        return failure(self._asked(model), text, transport=self.transport, **options)

    def open(self, spec: str, **options: Any) -> Backend:
        """Return the backend of a model."""
        given = {"environ": {}, "policy": FAST, **options}
        return open_model(self._asked(spec), transport=self.transport, **given)

    def _asked(self, model: NamedModel | str) -> NamedModel:
        return replace(resolve_model(model, {}) if isinstance(model, str) else model, api=self.api)

    def key_headers(self, key: str) -> dict[str, str]:
        """Return the headers with which ``key`` is sent."""
        return {"authorization": f"Bearer {key}", **({"x-api-key": key} if self.is_key_sent_twice else {})}


_SHAPE = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
VENDORS = {
    "lean": Vendor(transport="lean", params={"response_format": _SHAPE}),
    "sdk": Vendor(transport="sdk", params={"response_format": _SHAPE}),
    "anthropic": Vendor(
        speaker=AnthropicServer,
        transport="sdk",
        kind="anthropic",
        base="",
        path="/v1/messages",
        is_key_sent_twice=True,
        busy=529,
        params={"thinking": {"type": "adaptive"}},
    ),
    "responses": Vendor(
        speaker=ResponsesServer,
        transport="lean",
        api="responses",
        path="/v1/responses",
        params={"reasoning": {"effort": "low"}},
        sent={"store": False, "include": ["reasoning.encrypted_content"]},
        words={"messages": "input", "max_tokens": "max_output_tokens"},
        said={"type": "message"},
    ),
}
"""OpenAI's protocol over both transports, its Responses API, and the Messages API, for which there is one."""
