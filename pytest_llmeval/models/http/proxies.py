"""Proxies from the environment: ``HTTP_PROXY``, ``HTTPS_PROXY``, ``ALL_PROXY`` and ``NO_PROXY``."""

from collections.abc import Mapping
from importlib.util import find_spec
from ipaddress import ip_address, ip_network
from urllib.parse import unquote, urlsplit

from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.models.base_url import UNREADABLE, BaseUrl

__all__ = ["UNUSABLE", "proxy_for", "proxy_secrets", "usable_proxy"]

_SCHEMES = frozenset({"http", "https", "socks5", "socks5h"})
UNUSABLE = f"the proxy of the environment cannot be used ({UNREADABLE}); expected http://host:port"
"""Message that leaves out the variable's value, as any part of an unreadable address may be a password."""


def usable_proxy(base_url: BaseUrl, environ: Mapping[str, str]) -> str | None:
    """Return the proxy of ``proxy_for`` after a check that it can be used.

    Raises:
        ModelError: its URL cannot be read, or its scheme is not supported.
    """
    proxy = proxy_for(base_url, environ)
    if proxy is None:
        return None
    try:
        parts = urlsplit(proxy)
        is_readable = bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise ModelError(UNUSABLE) from None
    if not is_readable or "@" in f"{parts.path}{parts.query}{parts.fragment}":  # part of a password, taken for a path
        raise ModelError(UNUSABLE)
    if parts.scheme not in _SCHEMES:
        kinds = "http://, https://, socks5:// or socks5h://"
        raise ModelError(f"the proxy of the environment cannot be used: it begins with none of {kinds}")
    if parts.scheme.startswith("socks") and find_spec("socksio") is None:
        raise ModelError("the proxy of the environment speaks SOCKS, which needs: pip install 'httpx2[socks]'")
    return proxy


def proxy_secrets(proxy: str) -> tuple[str, ...]:
    """Return the secrets in the URL of a usable proxy: its user name and password, as given and decoded."""
    given = urlsplit(proxy).netloc.rpartition("@")[0]
    users = (given, unquote(given))
    return tuple(dict.fromkeys([*users, *(user.partition(":")[2] for user in users)]))


def proxy_for(base_url: BaseUrl, environ: Mapping[str, str]) -> str | None:
    """Return the URL of the proxy for requests to ``base_url``; None for a direct connection.

    The rules are those of ``urllib.request.getproxies_environment``: a lower-case name wins, even if it is empty, and
    HTTP_PROXY is not read in a CGI script, whose client can set it. ALL_PROXY is used if the variable of the scheme is
    missing or empty. NO_PROXY lists hosts, domains (``corp.example``, ``.corp.example`` or ``*.corp.example``),
    networks (``10.0.0.0/8``, for hosts given by address) or ``*``, separated by commas or spaces. Requests to this
    machine never use a proxy.
    """
    if base_url.is_loopback or _is_exempt(base_url, environ):
        return None
    scheme = base_url.url.partition(":")[0]
    proxy = _setting(scheme, environ) or _setting("all", environ)
    return (proxy if "://" in proxy else f"http://{proxy}") if proxy else None


def _is_exempt(base_url: BaseUrl, environ: Mapping[str, str]) -> bool:
    """Return whether NO_PROXY names the host, one of its parent domains, its network or all hosts."""
    spellings = (base_url.hostname, f"[{base_url.hostname}]", base_url.host)
    names = _setting("no", environ).lower().replace(",", " ").split()
    domains = [name.removeprefix("*").lstrip(".") for name in names]
    return (
        "*" in names
        or any(f".{host}".endswith(f".{domain}") for domain in domains if domain for host in spellings)
        or any(_holds(name, base_url.hostname) for name in names if "/" in name)
    )


def _holds(network: str, host: str) -> bool:
    """Return whether ``host`` is an address in ``network``."""
    try:
        return ip_address(host) in ip_network(network, strict=False)
    except ValueError:  # ``host`` is a name, or ``network`` is not a network
        return False


def _setting(name: str, environ: Mapping[str, str]) -> str:
    """Return the value of the variable ``name`` + ``_proxy``; an empty string if it is not set."""
    upper = "" if name == "http" and "REQUEST_METHOD" in environ else environ.get(f"{name.upper()}_PROXY", "")
    return environ.get(f"{name}_proxy", upper).strip()
