"""Parameters that a server refuses: a bound is sent under its other name, all others are for the user to change."""

import re
from collections.abc import Mapping
from typing import Any

from pytest_llmeval.core.attempt_error import AttemptError
from pytest_llmeval.core.errors import ErrorKind
from pytest_llmeval.core.param_levels import other_bound
from pytest_llmeval.models.http.errors import advise

__all__ = ["RefusedParams"]

_KIND = r"(?: the)?(?: param| parameter| argument| field| option)?"
_REFUSED = (
    rf"(?:unsupported|not support(?:ed)?){_KIND}\W{{1,3}}{{name}}\b"
    r"|\b{name}\W{1,3}(?:(?:param|parameter|argument|field) )?(?:is |are )?(?:not |isn't |no longer |un)supported"
    r"|\buse\W{1,3}{other}\b"
)
"""Phrases with which servers say that they do not know a bound by this name, and not that it is too large, say."""


class RefusedParams:
    """The names of bounds that one server refused for one model."""

    def __init__(self) -> None:
        self._bounds: set[str] = set()

    def as_taken(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return ``params`` with the bound of the answer under a name that the server has not refused."""
        taken = dict(params)
        for name in self._bounds & params.keys():
            taken.setdefault(str(other_bound(name)), taken.pop(name))
        return taken

    def learn(self, error: AttemptError, params: Mapping[str, Any]) -> bool:
        """Remember the name of a bound that the server refused; return whether ``error`` is such a refusal.

        If it is, the error becomes retryable: from now on ``as_taken`` uses the other name, for all calls. At most one
        of the two names is remembered. If another one of ``params`` was refused, advice is added to the error.

        The parameter that the server names decides, as a message may quote the request. OpenAI's reasoning models
        refuse ``max_tokens``: "... is not supported with this model. Use 'max_completion_tokens' instead." No other
        parameter is ever left out, as that would change what is measured.
        """
        name = error.param
        if error.kind != ErrorKind.BAD_REQUEST or name is None or name not in params:
            return False
        other = other_bound(name)
        if other is not None and other not in self._bounds and _is_unknown(name, other, error.message):
            self._bounds.add(name)
            error.retryable = True
            return True
        advise(error, params)
        return False


def _is_unknown(name: str, other: str, message: str) -> bool:
    """Return whether a server's message says that it takes a bound by its other name only."""
    pattern = _REFUSED.replace("{name}", name).replace("{other}", other)
    return other in message and re.search(pattern, message, re.IGNORECASE) is not None
