"""From a model's description to something that can be asked."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import replace

from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.core.types import Backend
from pytest_llmeval.models.anthropic_account import find_anthropic_account
from pytest_llmeval.models.base_url import parse_base_url
from pytest_llmeval.models.check import check_model
from pytest_llmeval.models.keys import Account, account_with_key, find_account
from pytest_llmeval.models.local_slot import one_at_a_time
from pytest_llmeval.models.named import NamedModel, Prices
from pytest_llmeval.models.redaction import Redactor
from pytest_llmeval.models.retry import RetryPolicy, Slot

__all__ = ["LOCAL_PARAMS", "LocalAddress", "open_model"]

LocalAddress = Callable[[], tuple[str, str]]
"""Returns base URL and key of the running LocalServer."""

LOCAL_PARAMS: Mapping[str, object] = {"temperature": 0, "seed": 0, "max_tokens": 256}
"""What a ``local:`` model is sent where neither models.yaml nor the call says otherwise."""


def open_model(
    model: NamedModel,
    *,
    environ: Mapping[str, str],
    policy: RetryPolicy | None = None,
    slots: Callable[[str], Slot] = lambda account: nullcontext,
    transport: str = "auto",
    redactor: Redactor | None = None,
    local_address: LocalAddress | None = None,
) -> Backend:
    """Return the backend that asks ``model``; its vendor's SDK is imported now.

    Args:
        model: what to ask.
        environ: where keys and addresses are looked up.
        policy: time limit and retries of each call; None for the defaults.
        slot: entered around every request, so that all of them together stay under a limit.
        redactor: told the model's secrets, and applied to its error messages.
        local_address: where the embedded model is served; needed for ``local:`` models, called now.

    Raises:
        ModelError: as ``check_model`` does.
    """
    check_model(model, environ)
    policy, redactor = policy or RetryPolicy(), redactor or Redactor()
    if model.spec.kind == "anthropic":
        # Imported here for the same reason as the module below.
        from pytest_llmeval.models.anthropic_messages import AnthropicBackend

        anthropic_account = find_anthropic_account(model, environ)
        return AnthropicBackend(
            model, anthropic_account, policy=policy, slot=slots(anthropic_account.base_url.url), redactor=redactor
        )
    # Imported here because it loads the SDK (0.5 s and more), which a session without a call does not need.
    from pytest_llmeval.models.openai_chat import OpenAIBackend

    if model.spec.kind == "local":
        account, model, slot = _local_account(local_address), _local_model(model), one_at_a_time(slots("local"))
    else:
        account = find_account(model, environ)
        slot = slots(account.base_url.url)
    return OpenAIBackend(model, account, policy=policy, slot=slot, redactor=redactor)


def _local_account(local_address: LocalAddress | None) -> Account:
    """Return the account of the embedded model's server."""
    if local_address is None:
        raise ModelError("local:smollm2 has no server in this process; start one with LocalServer.start")
    base_url, key = local_address()
    return account_with_key(parse_base_url(base_url, where="local:smollm2"), key)


def _local_model(model: NamedModel) -> NamedModel:
    """Return ``model`` as an embedded model: greedy, seeded, of bounded length, free of charge."""
    defaults = dict(LOCAL_PARAMS)
    if "max_completion_tokens" in model.params:
        del defaults["max_tokens"]
    free = Prices(input_usd_per_million=0, output_usd_per_million=0)
    return replace(model, params={**defaults, **model.params}, prices=free)
