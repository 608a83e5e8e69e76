"""Named models: what ``--model`` resolves to, a model of models.yaml or a spec."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pytest_llmeval.core.costs import Prices
from pytest_llmeval.core.errors import CallError, ErrorKind, ModelError
from pytest_llmeval.core.likelihood import LOGPROB_OF
from pytest_llmeval.core.names import closest
from pytest_llmeval.core.param_levels import BOUND_NAMES
from pytest_llmeval.models.params import DEFAULT_MAX_TOKENS, wrong_params
from pytest_llmeval.models.specs import ModelSpec, check_typed, parse_spec

__all__ = ["Api", "NamedModel", "Prices", "resolve_model", "unsendable", "why_unsendable"]

Api = Literal["chat", "responses"]
"""APIs of OpenAI's protocol: chat completions, and the Responses API, the only one that some models support."""


def unsendable(name: str, problem: str, param: str | None = None) -> CallError:
    """Return the error of a request that cannot be sent to a model.

    Args:
        name: the model's name.
        problem: what is wrong with the request.
        param: the parameter at fault; None if there is no single one.
    """
    return CallError(f"{name}: {problem}", kind=ErrorKind.BAD_REQUEST, attempts=0, param=param)


def why_unsendable(params: Mapping[str, Any]) -> str | None:
    """Return what is wrong with the parameters of a request to a server; None if the server may know each of them."""
    if LOGPROB_OF in params:
        return "only hf: models can compute the likelihood of a text"
    return next((told for _, told in wrong_params(params)), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedModel:
    """A model to call: what ``--model`` resolves to."""

    name: str
    """The name in models.yaml, else NAME of the spec; never a URL."""
    spec: ModelSpec
    params: Mapping[str, Any] = field(default_factory=dict)
    """Sampling parameters, sent unchanged with every request."""
    prices: Prices | None = None
    """Prices of tokens; None if they are not known, and then the cost of a call is None too."""
    api_key_env: str | None = None
    """Name of the environment variable that holds the key."""
    api: Api = "chat"
    """API by which the model is called; it has no meaning for models other than ``openai:`` ones."""

    @property
    def other_api(self) -> tuple[str, ...]:
        """The API as part of the model's identity; empty for chat completions, once the only API."""
        return () if self.api == "chat" else (self.api,)

    @property
    def bounds(self) -> dict[str, int]:
        """The default bound of an answer in tokens, by each parameter name it is sent under; empty without a bound."""
        stated = {name: self.params[name] for name in BOUND_NAMES if isinstance(self.params.get(name), int)}
        default = DEFAULT_MAX_TOKENS.get(self.spec.kind)
        return stated if stated or default is None else {"max_tokens": default}


def resolve_model(text: str, named: Mapping[str, NamedModel], *, at_openai: bool = True) -> NamedModel:
    """Return the model that ``--model TEXT`` means: a name of models.yaml, else a spec.

    Args:
        text: the text that was typed.
        named: the models of models.yaml.
        at_openai: whether a bare name goes to OpenAI itself, whose models' names follow a known form.

    Raises:
        ModelError: ``text`` is neither, is a likely misspelling of a name of models.yaml, or cannot be the name of a
            model at OpenAI.
    """
    if text in named:
        return named[text]
    near = _near(text, named) if ":" not in text else None
    if near is not None:
        raise ModelError(
            f"model {text!r} is not in models.yaml; did you mean {near!r}? (A model of exactly that"
            f" name is 'openai:{text}')"
        )
    spec = parse_spec(text)
    if at_openai and spec.base_url is None and spec.text == f"openai:{text}":
        check_typed(text)
    return NamedModel(name=spec.name, spec=spec)


def _near(text: str, named: Iterable[str]) -> str | None:
    """Return the name that ``text`` is a likely misspelling of, in letters or their case; None if there is none."""
    return closest(text, named, cutoff=0.8) or next((name for name in named if _is_slip(text, name)), None)


def _is_slip(text: str, name: str) -> bool:
    """Return whether two names differ by the order of their letters, or by one letter.

    In a short name that letter is a fifth or more of it, and ``closest`` finds the two too different.
    """
    one, other = text.casefold(), name.casefold()
    apart = [pair for pair in zip(one, other, strict=False) if pair[0] != pair[1]]
    is_one_letter = len(one) == len(other) > 2 and len(apart) == 1 and "".join(apart[0]).isalpha()
    return is_one_letter or sorted(one) == sorted(other)
