"""From a model's description to something that can be asked."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from pytest_llmeval.core.costs import FREE
from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.core.param_levels import laid_over
from pytest_llmeval.core.protocols import Backend
from pytest_llmeval.models.anthropic.backend import AnthropicBackend
from pytest_llmeval.models.base_url import parse_base_url
from pytest_llmeval.models.chat.backend import OpenAIBackend
from pytest_llmeval.models.check import check_model
from pytest_llmeval.models.http.proxies import proxy_secrets, usable_proxy
from pytest_llmeval.models.http.retry import RetryPolicy, Slot
from pytest_llmeval.models.http.transport import CHAT_PATH, RESPONSES_PATH, Transport, TransportName
from pytest_llmeval.models.http.watched import WatchedTransport, WhyGone
from pytest_llmeval.models.keys import Account, account_with_key, find_account
from pytest_llmeval.models.local.adapters import local_engine, local_revision
from pytest_llmeval.models.local.backend import LocalBackend
from pytest_llmeval.models.local.server import slot_of
from pytest_llmeval.models.named import NamedModel
from pytest_llmeval.models.params import DEFAULT_MAX_TOKENS
from pytest_llmeval.models.redaction import Redactor
from pytest_llmeval.models.responses.backend import ResponsesBackend
from pytest_llmeval.models.vllm.host import VllmModels
from pytest_llmeval.models.vllm.server import VllmServer
from pytest_llmeval.models.weights_spec import WeightsSpec

if TYPE_CHECKING:
    from pytest_llmeval.models.hf.host import HfModels

__all__ = ["LOCAL_ACCOUNT", "LocalAddress", "Slots", "TransportName", "open_model"]

LocalAddress = Callable[[], tuple[str, str]]
"""Returns base URL and key of the running LocalServer."""

Slots = Callable[[str], Slot]
"""From the id of an account to what is entered around each of its requests."""

LOCAL_ACCOUNT = "local"
"""The account of all ``local:`` models."""

_OWN_PARAMS: Mapping[str, object] = {"temperature": 0, "seed": 0}
"""What a model on this machine is sent where neither models.yaml nor the call says otherwise, beside a bound."""


def _no_limit(account: str) -> Slot:
    """Return a slot that is always free."""
    return nullcontext


def open_model(
    model: NamedModel,
    *,
    environ: Mapping[str, str],
    policy: RetryPolicy | None = None,
    slots: Slots = _no_limit,
    redactor: Redactor | None = None,
    local_address: LocalAddress | None = None,
    local_why_gone: WhyGone | None = None,
    local_adapters: Sequence[WeightsSpec] = (),
    hf_models: "HfModels | None" = None,
    vllm_models: VllmModels | None = None,
    transport: TransportName = "auto",
    is_asked: bool = True,
) -> Backend:
    """Return the backend that asks ``model``; its HTTP client is imported now.

    Args:
        model: what to ask.
        environ: where keys, addresses and proxies are looked up.
        policy: time limit and retries of each call; None for the defaults.
        slots: called once, with the backend's ``account``; what it returns is entered around every request, so that
            all of an account together stay under a limit.
        redactor: told the model's secrets, and applied to its error messages.
        local_address: where the embedded model is served; needed for ``local:`` models, called now.
        local_why_gone: tells whether that server has ended; None where nobody knows.
        local_adapters: those that its server holds, in its order.
        hf_models: holds the ``hf:`` models of this process; needed for those.
        vllm_models: the servers of ``vllm:`` models; needed for those.
        transport: ``lean`` asks the server directly, ``sdk`` through the vendor's SDK and the proxy that ``environ``
            names, ``auto`` is ``sdk`` where there is such a proxy, else ``lean``.
        is_asked: whether it will be called; where only its cached answers are wanted, it needs no key.

    Raises:
        ModelError: as ``check_model`` does.
    """
    check_model(model, environ, transport=transport, is_asked=is_asked)
    policy, redactor = policy or RetryPolicy(), redactor or Redactor()
    if model.spec.kind == "hf":
        # Imported here because it loads torch.
        from pytest_llmeval.models.hf.backend import HfBackend

        assert hf_models is not None
        return HfBackend(_own_model(model), hf_models, timeout_s=policy.timeout_s, slot=slots("hf"))
    revision, why_gone, fields = None, None, None
    if model.spec.kind == "local":
        revision, why_gone = f"{local_engine()} {local_revision(model.spec.weights)}", local_why_gone
        model, account = _own_model(model), _local_account(local_address)
        adapter = local_adapters.index(model.spec.weights) if model.spec.weights is not None else None
        fields = slot_of(adapter, len(local_adapters))
    elif model.spec.kind == "vllm":
        assert vllm_models is not None and model.spec.weights is not None
        revision, server = vllm_models.identity(model.spec.weights), vllm_models.server(model.spec.weights)
        model, account = _own_model(model, vllm_models.params(model.spec.weights)), _vllm_account(server)
        why_gone = server.why_gone if server is not None else None
    else:
        account = find_account(model, environ, is_asked=is_asked)
    redactor.add(*account.secrets)
    slot = slots(account.id)
    opened = _open_transport(model, transport, account, environ, redactor)
    opened = WatchedTransport(opened, why_gone) if why_gone is not None else opened
    if model.spec.kind == "anthropic":
        return AnthropicBackend(model, account, opened, policy=policy, slot=slot, redactor=redactor)
    if model.api == "responses":
        return ResponsesBackend(model, account, opened, policy=policy, slot=slot, redactor=redactor)
    made = LocalBackend if model.spec.kind == "local" else OpenAIBackend
    return made(model, account, opened, policy=policy, slot=slot, redactor=redactor, revision=revision, fields=fields)


def _open_transport(
    model: NamedModel, name: TransportName, account: Account, environ: Mapping[str, str], redact: Redactor
) -> Transport:
    """Return the transport for ``account``, which serves ``model``."""
    # Imported where they are needed: aiohttp takes 0.2 s and an SDK 1 s, which a session without models saves.
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
    """Return the URL of the proxy before ``account``, its password kept out of messages; None where there is none."""
    proxy = usable_proxy(account.base_url, environ)
    if proxy is not None:
        redactor.add(*proxy_secrets(proxy))
    return proxy


def _local_account(local_address: LocalAddress | None) -> Account:
    """Return the account of the embedded model's server."""
    if local_address is None:
        raise ModelError("local:smollm2 has no server in this process; start one with LocalServer.start")
    base_url, key = local_address()
    return replace(account_with_key(parse_base_url(base_url, where="local:smollm2"), key), fixed_id=LOCAL_ACCOUNT)


def _vllm_account(server: VllmServer | None) -> Account:
    """Return the account of a server of this session; where none runs, no call is to be made."""
    base_url, key = (server.base_url, server.api_key) if server is not None else ("http://127.0.0.1/v1", None)
    return account_with_key(parse_base_url(base_url, where="vllm:"), key)


def _own_model(model: NamedModel, params: Mapping[str, object] = MappingProxyType({})) -> NamedModel:
    """Return ``model`` as a model on this machine: greedy, seeded, of bounded length, free of charge.

    Args:
        model: its description.
        params: what it is sent besides where neither models.yaml nor the call says otherwise.
    """
    own = {**_OWN_PARAMS, "max_tokens": DEFAULT_MAX_TOKENS[model.spec.kind], **params}
    return replace(model, params=laid_over(own, model.params), prices=FREE)
