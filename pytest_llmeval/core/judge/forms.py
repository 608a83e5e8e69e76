"""How a judge is asked for a form: by the best means that its server takes, which is remembered."""

from typing import Any

from pytest_llmeval.core.errors import CallError, ErrorKind
from pytest_llmeval.core.judge.asking import verdict_schema
from pytest_llmeval.core.judge.rubric import Rubric

__all__ = ["Forms"]

_MEANS = ("json_schema", "json_object", "text")
"""From the strictest on. With each of them the same reply counts as a verdict."""


class Forms:
    """What one judge's server takes. It is asked for the most, and for less where it names what it does not take."""

    def __init__(self, *, binds_nonce: bool = False) -> None:
        """Begin with the most.

        Args:
            binds_nonce: whether the schema of each call holds its nonce, which a very small model cannot copy. Servers
                that prepare every new schema at length are better not given one a call.
        """
        self._binds_nonce = binds_nonce
        self._means = 0
        self._takes_temperature = True

    @property
    def means(self) -> str:
        """How a verdict is asked for now: ``json_schema``, ``json_object`` or ``text``."""
        return _MEANS[self._means]

    def params(self, rubric: Rubric, nonce: str) -> dict[str, Any]:
        """Return the parameters of a request for a verdict that repeats ``nonce``."""
        params: dict[str, Any] = {"temperature": 0} if self._takes_temperature else {}
        if self.means == "json_schema":
            bound = verdict_schema(rubric, nonce if self._binds_nonce else None)
            schema = {"name": "verdict", "strict": True, "schema": bound}
            params["response_format"] = {"type": "json_schema", "json_schema": schema}
        elif self.means == "json_object":
            params["response_format"] = {"type": "json_object"}
        return params

    def yield_to(self, error: CallError, sent: dict[str, Any]) -> bool:
        """Ask for less from now on, where a server refused something; return whether to ask again.

        It is decided by the parameter that the server names, never by the text of its message, which may quote the
        request. A server that names none is asked for less of a form, step by step.

        Args:
            error: what came of the request.
            sent: its parameters; another request may have asked for less meanwhile.
        """
        if error.kind != ErrorKind.BAD_REQUEST:
            return False
        named = (error.param or "").partition(".")[0].partition("[")[0]
        if named == "temperature":
            self._takes_temperature = False
            return "temperature" in sent
        if named not in ("", "response_format") or "response_format" not in sent:
            return False
        self._means = max(self._means, _MEANS.index(sent["response_format"]["type"]) + 1)
        return True
