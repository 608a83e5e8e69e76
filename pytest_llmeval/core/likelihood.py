"""The log-likelihood of a text, and how it travels as a model's response."""

import math
from dataclasses import dataclass
from json import loads

from pytest_llmeval.core.strict_json import canonical

__all__ = ["LOGPROB_OF", "Likelihood"]

LOGPROB_OF = "logprob_of"
"""The parameter that asks for the likelihood of its text in place of an answer; ``model.logprob`` sends it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Likelihood:
    """How likely a model finds a text after a prompt."""

    logprob: float
    """Natural logarithm of its probability: the sum over its tokens, at most 0."""
    tokens: int
    """The tokens of the text, at least 1."""

    @property
    def perplexity(self) -> float:
        """The exponential of the mean negative logarithm over its tokens, at least 1."""
        return math.exp(-self.logprob / self.tokens)

    def as_text(self) -> str:
        """Return the text that a response carries."""
        return canonical({"logprob": self.logprob, "tokens": self.tokens})

    @classmethod
    def from_text(cls, text: str) -> "Likelihood":
        """Return what ``as_text`` wrote."""
        data = loads(text)
        return cls(logprob=data["logprob"], tokens=data["tokens"])
