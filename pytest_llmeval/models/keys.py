"""Which key goes to which server.

``OPENAI_API_KEY``, like OpenAI's organisation, project and custom headers, goes only to ``OPENAI_BASE_URL``
or OpenAI's own address. A spec with ``@URL`` sends the key in the variable that its ``api_key_env`` names,
else the one in ``LLMEVAL_API_KEY``, else a dummy: a base URL that came with a pull request never sees the key
of the environment.
"""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.models.base_url import BaseUrl, parse_base_url
from pytest_llmeval.models.named import NamedModel

__all__ = ["DUMMY_KEY", "Account", "account_with_key", "find_account"]

DUMMY_KEY = "no-key"
ID_DIGITS = 12
OPENAI_URL = "https://api.openai.com/v1"
OPENAI_HOST = "api.openai.com"
_IDENTITY = {"OPENAI_ORG_ID": "OpenAI-Organization", "OPENAI_PROJECT_ID": "OpenAI-Project"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A server and what it is sent beside the request; equal accounts share one client."""

    base_url: BaseUrl
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    """Names and values, the authorization among them."""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """Values that no text may show."""
    fixed_id: str = ""
    """The id where it has one of its own; empty where address and headers decide it."""

    @property
    def id(self) -> str:
        """The same for equal accounts in every process: 12 hex digits that tell nothing of a key, or ``fixed_id``."""
        text = repr((self.base_url.url, self.base_url.query, self.headers))
        return self.fixed_id or hashlib.sha256(text.encode()).hexdigest()[:ID_DIGITS]


def find_account(model: NamedModel, environ: Mapping[str, str]) -> Account:
    """Return the account under which an ``openai:`` model is asked.

    Raises:
        ModelError: a variable that must hold a key is not set, or a key would go to a server it is not meant
            for.
    """
    own = _own_base_url(environ)
    base_url = model.spec.base_url or own
    key = _chosen_key(model, own, environ)
    if key is None and base_url.userinfo:
        return _with_userinfo(base_url)
    if model.spec.base_url is not None:
        return account_with_key(base_url, key or _clean("LLMEVAL_API_KEY", environ))
    key = key or _clean("OPENAI_API_KEY", environ)
    if key is None and base_url.hostname == OPENAI_HOST:
        raise ModelError(
            f"model {model.name!r} is asked at {OPENAI_HOST}, and OPENAI_API_KEY is not set; set it, name"
            f" another server (openai:{model.spec.name}@http://host:port/v1), or use local:smollm2, which"
            " needs none"
        )
    return account_with_key(base_url, key, _identity(environ))


def account_with_key(base_url: BaseUrl, key: str | None, extra: tuple[tuple[str, str], ...] = ()) -> Account:
    """Return the account that sends ``key`` (None: a dummy) as a bearer token, and ``extra`` headers."""
    headers = (("Authorization", f"Bearer {key or DUMMY_KEY}"), *extra)
    secrets = tuple(value for _, value in (*extra, *base_url.query)) + ((key,) if key else ())
    return Account(base_url=base_url, headers=headers, secrets=secrets)


def _own_base_url(environ: Mapping[str, str]) -> BaseUrl:
    """Return ``OPENAI_BASE_URL``, else OpenAI's own address."""
    return parse_base_url(environ.get("OPENAI_BASE_URL", "").strip() or OPENAI_URL, where="OPENAI_BASE_URL")


def _chosen_key(model: NamedModel, own: BaseUrl, environ: Mapping[str, str]) -> str | None:
    """Return the key that ``api_key_env`` names; None where the model names no variable."""
    if model.api_key_env is None:
        return None
    address = model.spec.base_url
    if model.api_key_env == "OPENAI_API_KEY" and address and address.url not in {own.url, OPENAI_URL}:
        raise ModelError(
            f"model {model.name!r}: OPENAI_API_KEY goes only to OPENAI_BASE_URL or {OPENAI_HOST}, not to"
            f" {address.host}; put that server's key in a variable of its own and name it in api_key_env"
        )
    key = _clean(model.api_key_env, environ)
    if key is None:
        raise ModelError(
            f"model {model.name!r}: api_key_env names {model.api_key_env}, which is not set; set it or remove"
            " api_key_env"
        )
    return key


def _clean(variable: str, environ: Mapping[str, str]) -> str | None:
    """Return the key in ``variable`` without outer spaces; None where it is not set or empty."""
    key = environ.get(variable, "").strip()
    if not (key.isascii() and key.isprintable()):
        raise ModelError(f"{variable} holds characters that no key holds (a line break, or not ASCII); set it again")
    return key or None


def _with_userinfo(base_url: BaseUrl) -> Account:
    """Return the account that sends user name and password of the URL, as HTTP prescribes for it."""
    token = base64.b64encode(base_url.userinfo.encode()).decode("ascii")
    secrets = (
        base_url.userinfo,
        base_url.userinfo.partition(":")[2],
        token,
        *(value for _, value in base_url.query),
    )
    return Account(base_url=base_url, headers=(("Authorization", f"Basic {token}"),), secrets=secrets)


def _identity(environ: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Return the headers that the environment asks for: organisation, project, custom ones."""
    named = [(header, environ[variable].strip()) for variable, header in _IDENTITY.items() if environ.get(variable)]
    lines = (line.partition(":") for line in environ.get("OPENAI_CUSTOM_HEADERS", "").splitlines())
    custom = [(name.strip(), value.strip()) for name, colon, value in lines if colon and name.strip()]
    headers = [(name, value) for name, value in (*named, *custom) if name.lower() != "authorization"]
    if not all(part.isascii() and part.isprintable() for header in headers for part in header):
        raise ModelError(
            "OPENAI_ORG_ID, OPENAI_PROJECT_ID or OPENAI_CUSTOM_HEADERS holds characters that no header takes"
        )
    return tuple(headers)
