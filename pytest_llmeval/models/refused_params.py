"""Parameters that a server refuses: a bound goes out under its other name, all else is for the user to change."""

from collections.abc import Mapping
from typing import Any

from pytest_llmeval.core.errors import ErrorKind
from pytest_llmeval.core.param_levels import other_bound
from pytest_llmeval.models.attempt_error import AttemptError

__all__ = ["RefusedParams"]

_OF_FORMS = frozenset({"response_format", "tools", "tool_choice"})
"""What a judge sends of its own accord, and what it does without where that is refused."""


class RefusedParams:
    """What one server refused to take for one model."""

    def __init__(self) -> None:
        self._bounds: set[str] = set()

    def as_taken(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return ``params`` with the bound of the answer under a name that the server did not refuse."""
        taken = dict(params)
        for name in self._bounds & params.keys():
            taken.setdefault(str(other_bound(name)), taken.pop(name))
        return taken

    def is_other_name(self, error: AttemptError, params: Mapping[str, Any]) -> bool:
        """Return whether one of ``params`` is to be sent by its other name, so that the error is retryable now.

        Of any other that was refused the error then says what to do.

        It is decided by the parameter that the server names: a message may quote the request. Reasoning models of
        OpenAI refuse ``max_tokens``: "... is not supported with this model. Use 'max_completion_tokens' instead."
        Nothing else is left out, as that would change what is measured.
        """
        name = error.param
        if error.kind != ErrorKind.BAD_REQUEST or name is None or name not in params:
            return False
        other = other_bound(name)
        if other is not None and other not in self._bounds and other in error.message and "support" in error.message:
            self._bounds.add(name)
            error.retryable = True
            return True
        if name not in _OF_FORMS:
            error.message += f"; take {name!r} out of the params of models.yaml, the marker or the call, or change it"
        return False
