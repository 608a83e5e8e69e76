"""API keys and accounts: which key is sent to which server.

``OPENAI_API_KEY``, like OpenAI's organisation, project and custom headers, goes only to ``OPENAI_BASE_URL``
or OpenAI's own address. A spec with ``@URL`` sends the key in the variable that its ``api_key_env`` names,
else the one in ``LLMEVAL_API_KEY``, else a dummy: a base URL that came with a pull request never sees the key
of the environment. ``ANTHROPIC_API_KEY`` and the headers in ``ANTHROPIC_CUSTOM_HEADERS`` follow the same rules.
"""

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.core.ids import digest
from pytest_llmeval.core.strict_json import canonical
from pytest_llmeval.models.base_url import BaseUrl
from pytest_llmeval.models.named import NamedModel
from pytest_llmeval.models.redaction import secret_values, secrets_in, tells_who_asks, values_within
from pytest_llmeval.models.vendors import ANTHROPIC, VENDORS, Vendor, api_key_of, refuse_foreign_key

__all__ = [
    "Account",
    "account_with_key",
    "find_account",
    "is_usual_name",
    "known_secrets",
]

_DUMMY_KEY = "no-key"
ID_DIGITS = 12
_USUAL_NAME = re.compile(r"[A-Z][A-Z0-9]{0,15}(?:_[A-Z0-9]{1,16})*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A server, with the headers and query sent to it with every request; equal accounts share one limit."""

    base_url: BaseUrl
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    """Names and values of the headers, including the authorization."""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """Values that no message may show."""
    echoed: tuple[str, ...] = field(default=(), repr=False)
    """Those secrets that no answer may contain either: the key, and values with names like a key's."""
    told: str = field(default="", compare=False)
    """Sentence for error messages that says in which variable the key is; empty if there is nothing to say."""
    fixed_id: str = ""
    """The account's id, if it has a fixed one; empty if the id is derived from address and headers."""

    @property
    def id(self) -> str:
        """Id that is equal for equal accounts in every process: ``fixed_id``, or 12 hex digits that reveal no key."""
        text = repr((self.base_url.url, self.base_url.query, self.headers))
        return self.fixed_id or hashlib.sha256(text.encode()).hexdigest()[:ID_DIGITS]

    @property
    def address(self) -> str:
        """The base URL, and a digest of the query and headers by which a gateway may choose deployment or provider.

        Keys and other values that only identify the caller are left out: they may change while the model stays.
        """
        query = [pair for pair in self.base_url.query if not tells_who_asks(pair[0])]
        headers = sorted((name.lower(), value) for name, value in self.headers if not tells_who_asks(name))
        beside = f"#{digest(canonical([query, headers]))}" if query or headers else ""
        return f"{self.base_url.url}{beside}"


def find_account(model: NamedModel, environ: Mapping[str, str], *, is_asked: bool = True) -> Account:
    """Return the account for calls to a model behind a server; without a key if ``is_asked`` is False.

    Raises:
        ModelError: a variable that must hold a key is not set, a key would go to a server it is not meant for, or
            the address already includes the path that is appended for each request.
    """
    vendor = VENDORS[model.spec.kind]
    base_url = model.spec.base_url or vendor.base_url(environ)
    if vendor is ANTHROPIC and base_url.url.endswith("/v1"):
        where = f"model {model.name!r}" if model.spec.base_url else vendor.url_variable
        raise ModelError(f"{where}: the address of an Anthropic server ends before /v1: {base_url.url[:-3]}")
    by_userinfo = model.api_key_env is None and bool(base_url.userinfo)
    extra = () if by_userinfo or model.spec.base_url is not None else _extra_headers(vendor, environ)
    if not is_asked:
        return _with_key(vendor, base_url, None, extra)
    key = _key_of_model(model, base_url, environ)
    if by_userinfo:
        return _with_userinfo(base_url)
    variable = vendor.key_variable if model.spec.base_url is None else "LLMEVAL_API_KEY"
    key = key or api_key_of(variable, environ)
    if key is None and model.spec.base_url is None and base_url.hostname == vendor.host:
        raise ModelError(
            f"model {model.name!r} is served by {vendor.host}, but {vendor.key_variable} is not set; set it, name"
            f" another server ({model.spec.kind}:{model.spec.name}@{vendor.example}), or use local:smollm2, which"
            " needs no key"
        )
    told = _told(model, key, variable, is_bare=not (extra or base_url.query))
    return replace(_with_key(vendor, base_url, key, extra), told=told)


def _told(model: NamedModel, key: str | None, variable: str, *, is_bare: bool) -> str:
    """Return which key is sent, in words; ``is_bare`` says that no other header or query may hold a key."""
    if key is not None:
        sent = model.api_key_env or variable
        return f"the key in {sent} was sent" if is_usual_name(sent) else ""
    return f"no key was sent: set {variable}, or api_key_env in models.yaml" if is_bare else ""


def account_with_key(base_url: BaseUrl, key: str | None, extra: tuple[tuple[str, str], ...] = ()) -> Account:
    """Return the account that sends ``key`` (None: a dummy) as a bearer token, and ``extra`` headers."""
    headers = (("Authorization", f"Bearer {key or _DUMMY_KEY}"), *extra)
    named, keys = (*extra, *base_url.query), (key,) if key else ()
    secrets = (*(value for _, value in named), *keys)
    return Account(base_url=base_url, headers=headers, secrets=secrets, echoed=(*secret_values(named), *keys))


def _key_of_model(model: NamedModel, address: BaseUrl, environ: Mapping[str, str]) -> str | None:
    """Return the key that ``api_key_env`` names, for the server at ``address``; None without ``api_key_env``.

    Raises:
        ModelError: the variable is not set, or holds the key of a vendor that is not at ``address``.
    """
    if model.api_key_env is None:
        return None
    refuse_foreign_key(model, address, environ)
    key = api_key_of(model.api_key_env, environ)
    if key is None and not is_usual_name(model.api_key_env):
        raise ModelError(
            f"model {model.name!r}: api_key_env holds the NAME of a variable (such as MY_KEY), not the key, and no"
            " variable of the name that stands there is set"
        )
    if key is None:
        raise ModelError(
            f"model {model.name!r}: api_key_env names {model.api_key_env}, which is not set; set it or remove"
            " api_key_env"
        )
    return key


def known_secrets(environ: Mapping[str, str], models: Iterable[NamedModel]) -> list[str]:
    """Return the secrets of the environment, and the keys of ``models``, whatever their variables are called."""
    named = (environ.get(model.api_key_env, "") for model in models if model.api_key_env)
    return [*secrets_in(environ), *(each for value in named for each in values_within(value))]


def is_usual_name(variable: str) -> bool:
    """Return whether ``variable`` looks like a variable's name; anything else may be a key and is not shown."""
    return _USUAL_NAME.fullmatch(variable) is not None


def _with_userinfo(base_url: BaseUrl) -> Account:
    """Return the account that sends user name and password of the URL by HTTP Basic authentication."""
    token = base64.b64encode(base_url.userinfo.encode()).decode("ascii")
    keys = (base_url.userinfo, base_url.userinfo.partition(":")[2], token)
    secrets = (*keys, *(value for _, value in base_url.query))
    echoed = (*keys, *secret_values(base_url.query))
    return Account(base_url=base_url, headers=(("Authorization", f"Basic {token}"),), secrets=secrets, echoed=echoed)


def _with_key(vendor: Vendor, base_url: BaseUrl, key: str | None, extra: tuple[tuple[str, str], ...]) -> Account:
    """Return the account that sends ``key`` (None: a dummy) in the vendor's header, and ``extra`` headers.

    Anthropic documents ``x-api-key``, https://docs.claude.com/en/api/overview. Compatible servers look for that
    header, for a bearer token, or for either, so they get both.
    """
    account = account_with_key(base_url, key, extra)
    if vendor.key_header is None:
        return account
    named = (vendor.key_header, key or _DUMMY_KEY)
    return replace(account, headers=(named, *(extra if vendor.owns(base_url) else account.headers)))


def _extra_headers(vendor: Vendor, environ: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Return the headers that the environment sets: organisation and project, and custom ``Name: value`` lines.

    Raises:
        ModelError: a header contains characters that HTTP headers cannot hold.
    """
    named = [(header, environ[variable].strip()) for variable, header in vendor.identity if environ.get(variable)]
    _check_sendable(" or ".join(variable for variable, _ in vendor.identity), named)
    lines = (line.partition(":") for line in environ.get(vendor.headers_variable, "").splitlines())
    custom = [(name.strip(), value.strip()) for name, colon, value in lines if colon and name.strip()]
    _check_sendable(vendor.headers_variable, custom)
    keys = {"authorization", (vendor.key_header or "").lower()}
    return (*named, *((name, value) for name, value in custom if name.lower() not in keys))


def _check_sendable(where: str, headers: Iterable[tuple[str, str]]) -> None:
    if not all(part.isascii() and part.isprintable() for header in headers for part in header):
        raise ModelError(f"{where} holds characters that a header cannot have")
