"""The log-likelihood of a text, and its form as the text of a model's response."""

import math
from dataclasses import dataclass
from json import loads

from pytest_llmeval.core.strict_json import canonical

__all__ = ["LOGPROB_OF", "Likelihood"]

LOGPROB_OF = "logprob_of"
"""Parameter that asks for the likelihood of its value instead of an answer; sent by ``model.logprob``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Likelihood:
    """Likelihood of a text after a prompt, according to a model."""

    logprob: float
    """Natural logarithm of the text's probability: the sum over its tokens, at most 0."""
    tokens: int
    """Number of tokens of the text, at least 1."""

    @property
    def perplexity(self) -> float:
        """Exponential of the mean negative log-probability per token, at least 1."""
        return math.exp(-self.logprob / self.tokens)

    def as_text(self) -> str:
        """Return the likelihood as the text of a response."""
        return canonical({"logprob": self.logprob, "tokens": self.tokens})

    @classmethod
    def from_text(cls, text: str) -> "Likelihood":
        """Return the likelihood that ``as_text`` wrote."""
        data = loads(text)
        return cls(logprob=data["logprob"], tokens=data["tokens"])
