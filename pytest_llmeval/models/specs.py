"""Model specs: parse the text behind ``--model``."""

import re
from dataclasses import dataclass
from typing import Literal, cast, get_args

from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.core.names import closest
from pytest_llmeval.models.base_url import ONE_EACH, BaseUrl, parse_base_url
from pytest_llmeval.models.weights_spec import WeightsKind, WeightsSpec, parse_weights

__all__ = ["Kind", "ModelSpec", "check_typed", "parse_spec", "storable_spec", "without_secrets"]

Kind = Literal["openai", "local", "anthropic", "hf", "vllm"]

_LOCAL_NAMES = ("smollm2",)
_KINDS: tuple[str, ...] = get_args(Kind)
_AT_URL = re.compile(r"@(?=https?://)", re.IGNORECASE)
# Signs of several specs joined by commas, which would be taken for one model at the last address.
_LISTED = re.compile(rf"@https?://[^,]*,|,({'|'.join(_KINDS)}):", re.IGNORECASE)
_BARE_ADDRESS = re.compile(r"@(localhost|[\w.-]+:\d+)([/?#]|$)|@[\w-]+(\.[\w-]+)+/|@$|@[^@/:]+:[^@]*@")
_USERINFO = re.compile(r"(@|://).*@")
_EXAMPLES = "gpt-4o-mini, openai:NAME@http://host:port/v1 or local:smollm2"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """One parsed model spec."""

    kind: Kind
    name: str
    """NAME of the spec: the model requested from the server, and the model part of node ids."""
    base_url: BaseUrl | None = None
    """The server that the spec names with ``@URL``; None without one."""
    weights: WeightsSpec | None = None
    """The weights of an ``hf:`` or ``vllm:`` spec, or of a ``local:`` one with an adapter; None for others."""
    text: str
    """The whole spec without user name, password and query of its URL: safe to show and to store."""


def parse_spec(text: str) -> ModelSpec:
    """Return the parsed spec.

    ``NAME`` alone is ``openai:NAME``. NAME may contain ``/``, ``:`` and ``@``: the URL begins after the last ``@``
    that is followed by ``http://`` or ``https://``.

    Raises:
        ModelError: the text is empty or malformed, or names an unknown local model.
    """
    name, url = _split_url(text)
    shown = without_secrets(name) if url is None else f"{name}@…"
    may_have_spaces = name.startswith(("hf:", "local:", "vllm:"))  # they may name a path
    if not name or not name.isprintable() or (any(char.isspace() for char in name) and not may_have_spaces):
        raise ModelError(f"model {shown!r}: a spec is one word without spaces, such as {_EXAMPLES}")
    kind, name = _split_kind(name, shown)
    if not name:
        raise ModelError(f"model {shown!r}: no name after {kind + ':'!r}; expected for example {_EXAMPLES}")
    if kind == "local":
        return _local(name, url, shown)
    if kind == "hf" or kind == "vllm":
        return _of_weights(kind, name, url, shown)
    return _remote(kind, name, url, shown)


def check_typed(name: str) -> None:
    """Raise ModelError if a bare name, which would go to OpenAI, cannot be a model there.

    That is a name close to the embedded model's, the name of a kind, a name with an unknown kind before a colon, or a
    list of names. At OpenAI only fine-tuned models (``ft:...``) have a colon in their names.
    """
    base, plus, adapter = name.partition("+")
    local = _LOCAL_NAMES[0] if base.casefold() == "local" else closest(base, _LOCAL_NAMES, cutoff=0.9)
    if local or name.casefold() in _KINDS:
        meant = f"local:{local}{plus}{adapter}" if local else f"{name.casefold()}:NAME"
        raise ModelError(f"model {name!r}: did you mean {meant!r}? (A model of that name at OpenAI is 'openai:{name}')")
    if "," in name:
        each = " ".join(f"--model {part}" for part in name.split(",") if part)
        raise ModelError(f"model {name!r}: an option names one model; name several as {each}")
    kind, colon, _ = name.partition(":")
    if colon and kind != "ft":
        raise ModelError(
            f"model {name!r}: there is no kind {kind!r} (there are {', '.join(_KINDS)}); a server that speaks OpenAI's"
            f" protocol is openai:NAME@http://HOST:PORT/v1. (A model of that name at OpenAI is 'openai:{name}')"
        )


def storable_spec(text: str) -> str:
    """Return a spec, or a name of models.yaml, without user name, password and query of its URL.

    Raises:
        ModelError: the URL is malformed.
    """
    name, url = _split_url(text)
    return text if url is None else f"{name}@{parse_base_url(url, where=f'model {name}@…').url}"


def has_secrets(text: str) -> bool:
    """Return whether the URL of a spec has a user name, password or query, all of which ``storable_spec`` removes.

    Raises:
        ModelError: the URL is malformed.
    """
    name, url = _split_url(text)
    address = None if url is None else parse_base_url(url, where=f"model {name}@…")
    return address is not None and bool(address.userinfo or address.query)


def without_secrets(text: str) -> str:
    """Return any text, a spec or not, without the user name, password and query of an address that it may hold."""
    if "@" not in text and "://" not in text:
        return text
    address, query, _ = _USERINFO.sub(r"\1…@", text).partition("?")
    return address + (query and "?…")


def _split_url(text: str) -> tuple[str, str | None]:
    """Return the part before the last ``@http(s)://``, and the URL after that ``@``, or None without one."""
    ats = [match.start() for match in _AT_URL.finditer(text)]
    return (text[: ats[-1]], text[ats[-1] + 1 :]) if ats else (text, None)


def _split_kind(name: str, shown: str) -> tuple[Kind, str]:
    """Return kind and NAME; a prefix that is not a kind (``llama3:8b``, ``ft:…``) is part of the name."""
    prefix, colon, rest = name.partition(":")
    if colon and prefix in _KINDS:
        return cast(Kind, prefix), rest
    close = closest(prefix, _KINDS, cutoff=0.75) if colon else None
    if close:
        meant = f"{close}:{without_secrets(rest)}"
        raise ModelError(f"model {shown!r}: unknown kind {prefix!r}; did you mean {meant!r}?")
    return "openai", name


def _local(name: str, url: str | None, shown: str) -> ModelSpec:
    """Return the spec of an embedded model."""
    if url is not None:
        raise ModelError(f"model {shown!r}: local: takes no URL; a server of your own is openai:NAME@http://…")
    if name in _LOCAL_NAMES:
        return ModelSpec(kind="local", name=name, text=f"local:{name}")
    weights = parse_weights(name, shown, "local")
    if weights.base in _LOCAL_NAMES and weights.adapter is not None:
        return ModelSpec(kind="local", name=str(weights), weights=weights, text=f"local:{weights}")
    if weights.base in _LOCAL_NAMES:
        raise ModelError(f"model {shown!r}: its options are those of an adapter: local:{weights.base}+ADAPTER_PATH")
    raise ModelError(
        f"model {shown!r}: unknown local model {without_secrets(name)!r}; did you mean 'local:{_LOCAL_NAMES[0]}'?"
    )


def _of_weights(kind: WeightsKind, name: str, url: str | None, shown: str) -> ModelSpec:
    """Return the spec of weights that this session runs itself, with transformers or in a vLLM server."""
    if url is not None:
        raise ModelError(f"model {shown!r}: {kind}: takes no URL; a server of your own is openai:NAME@http://…")
    weights = parse_weights(name, shown, kind)
    return ModelSpec(kind=kind, name=str(weights), weights=weights, text=f"{kind}:{weights}")


def _remote(kind: Kind, name: str, url: str | None, shown: str) -> ModelSpec:
    """Return the spec of a model behind a server: ``openai:`` or ``anthropic:``."""
    example = "http://host:port" if kind == "anthropic" else "http://host:port/v1"
    if url is None:
        found = _BARE_ADDRESS.search(name)
        if found or "://" in name:
            if name.startswith(("http://", "https://")):
                raise ModelError(
                    f"model {shown!r}: the name of a model stands before the address: {kind}:NAME@{example}"
                )
            meant = f"{kind}:NAME@{example}"
            raise ModelError(f"model {shown!r}: an address needs its scheme, http:// or https://: {meant}")
        return ModelSpec(kind=kind, name=name, text=f"{kind}:{name}")
    if _LISTED.search(name):
        raise ModelError(f"model {without_secrets(shown)!r}: a comma stands between two of them; {ONE_EACH}")
    base_url = parse_base_url(url, where=f"model {shown!r}", example=example)
    return ModelSpec(kind=kind, name=name, base_url=base_url, text=f"{kind}:{name}@{base_url.url}")
