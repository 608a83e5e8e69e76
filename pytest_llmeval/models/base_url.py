"""Base URLs of model servers, with their secrets kept apart from the part that is shown."""

import contextlib
import ipaddress
import re
import socket
from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit, urlunsplit

from pytest_llmeval.core.errors import ModelError

__all__ = ["ONE_EACH", "UNREADABLE", "BaseUrl", "is_loopback", "parse_base_url"]

UNREADABLE = "a port is a number up to 65535; in a password write %2F for /, %3F for ?, %23 for # and %5B for ["
ONE_EACH = "a spec is one model at one address: repeat the option (in a variable or ini key put blanks between them)"
_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+")
_REQUEST_PATH = re.compile("/(chat/completions|responses|messages)/?$")


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseUrl:
    """A base URL such as ``http://127.0.0.1:8000/v1``."""

    url: str
    """Scheme, host, port and path, without a trailing slash, user name, password and query."""
    host: str
    """The host, with its port if one was given; error messages show it."""
    userinfo: str = field(default="", repr=False)
    """``user:password`` of the URL, decoded; sent as Basic authorization, never shown or stored."""
    query: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Query parameters of the URL; sent with each request, never shown or stored."""

    @property
    def hostname(self) -> str:
        """The host in lower case, without its port."""
        return urlsplit(self.url).hostname or ""

    @property
    def is_loopback(self) -> bool:
        """Whether the address is this machine's."""
        return is_loopback(self.hostname)


def is_loopback(host: str) -> bool:
    """Return whether a host name or IP address always means this machine; no name is resolved."""
    if host.lower() == "localhost":
        return True
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    with contextlib.suppress(OSError):
        return socket.inet_aton(host)[0] == 127  # 127.1 and the like
    return False


def parse_base_url(text: str, *, where: str, example: str = "http://host:port/v1") -> BaseUrl:
    """Return the parsed base URL.

    Raises:
        ModelError: ``text`` is malformed; the message begins with ``where`` and ends with ``example``.
    """
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:  # its message quotes the text in the port's place, which may be a password
        raise ModelError(f"{where}: the base URL cannot be read ({UNREADABLE}); expected {example}") from None
    problem = _problem(text, parts)
    if problem:
        raise ModelError(f"{where}: the base URL {problem}; expected {example}")
    host = (parts.hostname or "").lower()
    host = f"[{host}]" if ":" in host else host
    netloc = host if port is None else f"{host}:{port}"
    userinfo = unquote(parts.netloc.rpartition("@")[0])
    url = urlunsplit((parts.scheme.lower(), netloc, parts.path.rstrip("/"), "", ""))
    query = tuple(parse_qsl(parts.query, keep_blank_values=True))
    return BaseUrl(url=url, host=netloc, userinfo=userinfo, query=query)


def _problem(text: str, parts: SplitResult) -> str | None:
    """Return what is wrong with the URL, without repeating it: it may hold a password."""
    if not text.isascii() or not text.isprintable() or " " in text:
        return "holds spaces or characters outside ASCII"
    if parts.scheme.lower() not in {"http", "https"}:
        return f"has the scheme {parts.scheme!r} instead of http or https"
    if not parts.hostname or not _HOST.fullmatch(parts.hostname):
        return f"has no usable host ({parts.hostname!r})"
    if "," in parts.path:
        return f"holds a comma; {ONE_EACH}"
    if found := _REQUEST_PATH.search(parts.path):
        return f"ends with {found[0]}, which is added for each request; leave it out"
    return "holds a fragment (#…)" if parts.fragment else None
