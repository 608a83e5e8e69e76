"""Create the backend of a named model."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from pytest_llmeval.core.costs import FREE
from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.core.param_levels import laid_over
from pytest_llmeval.core.protocols import Backend
from pytest_llmeval.models.anthropic.backend import AnthropicBackend
from pytest_llmeval.models.chat.backend import OpenAIBackend
from pytest_llmeval.models.check import check_model
from pytest_llmeval.models.http.backend import HttpBackend
from pytest_llmeval.models.http.own_server import Served, WatchedTransport
from pytest_llmeval.models.http.proxies import proxy_secrets, usable_proxy
from pytest_llmeval.models.http.retry import RetryPolicy, Slot
from pytest_llmeval.models.http.transport import CHAT_PATH, RESPONSES_PATH, Transport, TransportName
from pytest_llmeval.models.keys import Account, find_account
from pytest_llmeval.models.local.backend import LocalBackend
from pytest_llmeval.models.local.host import EmbeddedModel
from pytest_llmeval.models.named import NamedModel
from pytest_llmeval.models.params import DEFAULT_MAX_TOKENS
from pytest_llmeval.models.redaction import Redactor
from pytest_llmeval.models.responses.backend import ResponsesBackend
from pytest_llmeval.models.vllm.host import VllmModels

if TYPE_CHECKING:
    from pytest_llmeval.models.hf.host import HfModels

__all__ = ["Hosts", "Slots", "TransportName", "open_model"]

Slots = Callable[[str], Slot]
"""Maps the id of an account to the factory of the context managers that are entered around each of its requests."""

_BACKENDS: Mapping[str, type[HttpBackend]] = {
    "anthropic": AnthropicBackend,
    "chat": OpenAIBackend,
    "responses": ResponsesBackend,
}
"""Backend classes of models behind servers, by protocol."""
_OWN_PARAMS: Mapping[str, object] = {"temperature": 0, "seed": 0}
"""Default parameters of models on this machine, besides a bound; models.yaml and the call override them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosts:
    """The objects that run the models of this machine in a session; None for a kind that was not created."""

    local: EmbeddedModel | None = None
    hf: "HfModels | None" = None
    vllm: VllmModels | None = None


def _no_limit(account: str) -> Slot:
    """Return the factory of a slot that is always free."""
    return nullcontext


def open_model(
    model: NamedModel,
    *,
    environ: Mapping[str, str],
    policy: RetryPolicy | None = None,
    slots: Slots = _no_limit,
    redactor: Redactor | None = None,
    hosts: Hosts = Hosts(),
    transport: TransportName = "auto",
    is_asked: bool = True,
) -> Backend:
    """Return the backend of ``model``; its HTTP client is imported now.

    Args:
        model: the model to call.
        environ: environment in which keys, addresses and proxies are looked up.
        policy: time limit and retries of each call; None for the defaults.
        slots: called once with the backend's ``account``; the result is entered around every request, so that all
            requests of an account together stay under a limit.
        redactor: gets the model's secrets, and is applied to its error messages.
        hosts: run the models of this machine; needed for such models only.
        transport: ``lean`` connects to the server directly, ``sdk`` uses the vendor's SDK and the proxy that
            ``environ`` names, ``auto`` is ``sdk`` if there is such a proxy, else ``lean``.
        is_asked: whether the model will be called; if only its cached answers are wanted, it needs no key.

    Raises:
        ModelError: as ``check_model`` does.
    """
    check_model(model, environ, transport=transport, is_asked=is_asked)
    policy, redactor = policy or RetryPolicy(), redactor or Redactor()
    if model.spec.kind == "hf":
        # Imported here because it loads torch.
        from pytest_llmeval.models.hf.backend import HfBackend

        assert hosts.hf is not None
        return HfBackend(_own_model(model), hosts.hf, timeout_s=policy.timeout_s, slot=slots("hf"))
    served = _served(model, hosts)
    if served is None:
        account = find_account(model, environ, is_asked=is_asked)
    else:
        model, account = _own_model(model, served.params), served.account
    redactor.add(*account.secrets)
    slot = slots(account.id)
    opened = _open_transport(model, transport, account, environ, redactor)
    if served is not None:
        return (LocalBackend if model.spec.kind == "local" else OpenAIBackend)(
            model,
            account,
            WatchedTransport(opened, served.why_gone),
            policy=policy,
            slot=slot,
            redactor=redactor,
            revision=served.revision,
            fields=served.fields,
        )
    made: type[HttpBackend] = _BACKENDS[model.api if model.spec.kind == "openai" else model.spec.kind]
    return made(model, account, opened, policy=policy, slot=slot, redactor=redactor)


def _open_transport(
    model: NamedModel, name: TransportName, account: Account, environ: Mapping[str, str], redact: Redactor
) -> Transport:
    """Return the transport for ``account``, which serves ``model``."""
    # Imported on first use: aiohttp takes 0.2 s and an SDK 1 s, which a session without models saves.
    if model.spec.kind == "anthropic":
        from pytest_llmeval.models.anthropic.sdk import ANTHROPIC_SDK
        from pytest_llmeval.models.http.sdk_transport import SdkTransport

        return SdkTransport(ANTHROPIC_SDK, account, redact, _proxy(account, environ, redact))
    path = RESPONSES_PATH if model.api == "responses" else CHAT_PATH
    proxy = None if name == "lean" else _proxy(account, environ, redact)
    if name == "sdk" or proxy is not None:
        from pytest_llmeval.models.http.openai_sdk import openai_sdk
        from pytest_llmeval.models.http.sdk_transport import SdkTransport

        return SdkTransport(openai_sdk(path), account, redact, proxy)
    from pytest_llmeval.models.http.lean_transport import LeanTransport

    return LeanTransport(account, redact, path)


def _proxy(account: Account, environ: Mapping[str, str], redactor: Redactor) -> str | None:
    """Return the URL of the proxy for ``account``, or None; its password is added to ``redactor``."""
    proxy = usable_proxy(account.base_url, environ)
    if proxy is not None:
        redactor.add(*proxy_secrets(proxy))
    return proxy


def _served(model: NamedModel, hosts: Hosts) -> Served | None:
    """Return how to reach a model that a server of this session runs; None for any other model."""
    if model.spec.kind == "local":
        if hosts.local is None:
            raise ModelError("local:smollm2 has no server in this process; give one as Hosts(local=EmbeddedModel(...))")
        return hosts.local.served(model.spec.weights)
    if model.spec.kind == "vllm":
        assert hosts.vllm is not None and model.spec.weights is not None
        return hosts.vllm.served(model.spec.weights)
    return None


def _own_model(model: NamedModel, params: Mapping[str, object] = MappingProxyType({})) -> NamedModel:
    """Return ``model`` with the defaults of a model on this machine: greedy, seeded, bounded length, free of charge.

    Args:
        model: the model as named.
        params: further default parameters; those of models.yaml and of the call override them.
    """
    own = {**_OWN_PARAMS, "max_tokens": DEFAULT_MAX_TOKENS[model.spec.kind], **params}
    return replace(model, params=laid_over(own, model.params), prices=FREE)
