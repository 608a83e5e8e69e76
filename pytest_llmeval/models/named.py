"""What ``--model`` names: a model of models.yaml, or a spec."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_llmeval.core.costs import Prices
from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.core.likelihood import LOGPROB_OF
from pytest_llmeval.core.param_levels import BOUND_NAMES
from pytest_llmeval.models.params import DEFAULT_MAX_TOKENS, wrong_params
from pytest_llmeval.models.specs import ModelSpec, parse_spec

__all__ = ["NamedModel", "Prices", "resolve_model", "why_unsendable"]


def why_unsendable(params: Mapping[str, Any]) -> str | None:
    """Return what is wrong with the parameters of a request to a server; None where each may be one that it knows."""
    if LOGPROB_OF in params:
        return "the likelihood of a text is what only hf: models can tell"
    return next((told for _, told in wrong_params(params)), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedModel:
    """A model to be asked: what ``--model`` resolves to."""

    name: str
    """The name in models.yaml, else NAME of the spec; never a URL."""
    spec: ModelSpec
    params: Mapping[str, Any] = field(default_factory=dict)
    """Sampling parameters sent with every request, as they are."""
    prices: Prices | None = None
    """None where they are not known; the cost of a call is then None too."""
    api_key_env: str | None = None
    """Name of the environment variable that holds the key."""

    @property
    def bounds(self) -> dict[str, int]:
        """The bound of an answer where a call states none, by each name that it is sent under; empty without one."""
        stated = {name: self.params[name] for name in BOUND_NAMES if isinstance(self.params.get(name), int)}
        default = DEFAULT_MAX_TOKENS.get(self.spec.kind)
        return stated if stated or default is None else {"max_tokens": default}


def resolve_model(text: str, named: Mapping[str, NamedModel]) -> NamedModel:
    """Return the model that ``--model TEXT`` means: a name of models.yaml, else a spec.

    Raises:
        ModelError: ``text`` is neither, or nearly a name of models.yaml.
    """
    if text in named:
        return named[text]
    close = difflib.get_close_matches(text, named, n=1, cutoff=0.8) if ":" not in text else []
    if close:
        raise ModelError(
            f"model {text!r} is not in models.yaml; did you mean {close[0]!r}? (A model of that name at"
            f" OpenAI is 'openai:{text}')"
        )
    spec = parse_spec(text)
    return NamedModel(name=spec.name, spec=spec)
