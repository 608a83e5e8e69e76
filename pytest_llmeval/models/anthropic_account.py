"""Which key an ``anthropic:`` model sends, and where to; imports nothing of the SDK.

The rules are those of the OpenAI protocol: ``ANTHROPIC_API_KEY`` and the headers in ``ANTHROPIC_CUSTOM_HEADERS`` go
only to ``ANTHROPIC_BASE_URL`` or Anthropic's own address, and a spec with ``@URL`` sends the key in the variable that
its ``api_key_env`` names, else the one in ``LLMEVAL_API_KEY``, else a dummy.
"""

import importlib.util
from collections.abc import Mapping
from dataclasses import replace

from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.models.base_url import BaseUrl
from pytest_llmeval.models.keys import (
    DUMMY_KEY,
    Account,
    account_with_key,
    account_with_userinfo,
    custom_headers,
    key_of_model,
)
from pytest_llmeval.models.named import NamedModel
from pytest_llmeval.models.vendors import ANTHROPIC, api_key_of

__all__ = ["find_anthropic_account", "require_anthropic_extra"]

_KEY_HEADERS = frozenset({"authorization", "x-api-key"})


def require_anthropic_extra() -> None:
    """Return where the SDK is installed.

    Raises:
        ModelError: the extra is not installed.
    """
    if importlib.util.find_spec("anthropic") is None:
        raise ModelError("anthropic: models need an extra: pip install 'pytest-llmeval[anthropic]'")


def find_anthropic_account(model: NamedModel, environ: Mapping[str, str], *, is_asked: bool = True) -> Account:
    """Return the account under which an ``anthropic:`` model is asked; where it is not, one without a key.

    Raises:
        ModelError: a variable that must hold a key is not set, a key would go to a server it is not meant for, or
            the address includes the path that is added to it.
    """
    base_url = model.spec.base_url or ANTHROPIC.base_url(environ)
    if base_url.url.endswith("/v1"):
        where = f"model {model.name!r}" if model.spec.base_url else ANTHROPIC.url_variable
        raise ModelError(f"{where}: the address of an Anthropic server ends before /v1: {base_url.url[:-3]}")
    by_userinfo, variable = model.api_key_env is None and bool(base_url.userinfo), "ANTHROPIC_CUSTOM_HEADERS"
    is_bare = by_userinfo or model.spec.base_url is not None
    extra = () if is_bare else custom_headers(variable, environ, but=_KEY_HEADERS)
    if not is_asked:
        return _with_key(base_url, None, extra)
    key = key_of_model(model, base_url, environ)
    if by_userinfo:
        return account_with_userinfo(base_url)
    if model.spec.base_url is not None:
        return _with_key(base_url, key or api_key_of("LLMEVAL_API_KEY", environ), ())
    key = key or api_key_of(ANTHROPIC.key_variable, environ)
    if key is None and base_url.hostname == ANTHROPIC.host:
        raise ModelError(
            f"model {model.name!r} is served by {ANTHROPIC.host}, but {ANTHROPIC.key_variable} is not set; set it, name"
            f" another server (anthropic:{model.spec.name}@{ANTHROPIC.example}), or use local:smollm2 without a key"
        )
    return _with_key(base_url, key, extra)


def _with_key(base_url: BaseUrl, key: str | None, extra: tuple[tuple[str, str], ...]) -> Account:
    """Return the account that sends ``key`` (None: a dummy) and ``extra`` headers.

    Anthropic documents ``x-api-key``, https://docs.claude.com/en/api/overview. Compatible servers look for that
    header, for a bearer token, or for either, and are sent both.
    """
    account = account_with_key(base_url, key, extra)
    named = ("X-Api-Key", key or DUMMY_KEY)
    own = ANTHROPIC.owns(base_url)
    return replace(account, headers=(named, *extra) if own else (named, *account.headers))
