"""Which proxy the environment puts in front of a server."""

from collections.abc import Mapping

from pytest_llmeval.models.base_url import BaseUrl

__all__ = ["proxy_for"]


def proxy_for(base_url: BaseUrl, environ: Mapping[str, str]) -> str | None:
    """Return the URL of the proxy through which ``base_url`` is asked; None where it is asked directly.

    The rules are those of ``urllib.request.getproxies_environment`` (a name in lower case wins, also where it is
    empty; HTTP_PROXY is not read in a CGI script, whose client can set it), and ALL_PROXY is what other schemes and
    names leave over. This machine is always asked directly.
    """
    if base_url.is_loopback or _is_exempt(base_url, environ):
        return None
    scheme = base_url.url.partition(":")[0]
    proxy = _setting(scheme, environ) or _setting("all", environ)
    return (proxy if "://" in proxy else f"http://{proxy}") if proxy else None


def _is_exempt(base_url: BaseUrl, environ: Mapping[str, str]) -> bool:
    """Return whether NO_PROXY names the host, one of its parent domains or all hosts."""
    spellings = (base_url.hostname, f"[{base_url.hostname}]", base_url.host)
    names = [name.strip().lower().lstrip(".") for name in _setting("no", environ).split(",")]
    return "*" in names or any(f".{host}".endswith(f".{name}") for name in names if name for host in spellings)


def _setting(name: str, environ: Mapping[str, str]) -> str:
    """Return the variable ``name`` + ``_proxy``; empty where it is not set."""
    upper = "" if name == "http" and "REQUEST_METHOD" in environ else environ.get(f"{name.upper()}_PROXY", "")
    return environ.get(f"{name}_proxy", upper).strip()
