"""Structured output from a judge: requests for a verdict in the strictest form that its server accepts."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from pytest_llmeval.core.errors import CallError, ErrorKind
from pytest_llmeval.core.judge.asking import verdict_schema
from pytest_llmeval.core.judge.rubric import Rubric
from pytest_llmeval.core.judge.verdict import MalformedVerdictError, Verdict, Wanted, is_cut, read_verdict
from pytest_llmeval.core.param_levels import BOUND_NAMES, JUDGE_PARAMS, other_than_asked
from pytest_llmeval.core.text import one_line
from pytest_llmeval.core.types import Response

__all__ = ["Asking", "Forms", "came_at_once", "reply_of", "told", "verdict_of"]

_MEANS = ("json_schema", "strict tool", "tool", "json_object", "text")
"""Means of asking for the form, the strictest first. The same reply counts as a verdict with each of them."""
_TOOL = "verdict"
_REFUSED = 8
"""Number of requests refused in every way, without one that was accepted, after which only one way is tried."""


class _Way(NamedTuple):
    """One way to make a request: the means of asking for the form, and whether a temperature is sent."""

    means: str
    temperature: bool


_LEAST = _Way("text", temperature=False)


class Forms:
    """What one judge's server accepts. Requests start with everything and leave out what the server refuses."""

    def __init__(self, *, binds_nonce: bool = False, own: Mapping[str, Any] | None = None) -> None:
        """Start with all means and a temperature.

        Args:
            binds_nonce: whether each call's schema fixes its nonce, for very small models, which cannot copy it. Better
                not for servers that take long to prepare a new schema, as every call then has its own.
            own: the judge's own parameters; their temperature is used if given, else 0.
        """
        self.binds_nonce = binds_nonce
        self.temperature = {**JUDGE_PARAMS, **other_than_asked(own or {})}["temperature"]
        self._means = list(_MEANS)
        self._takes_temperature = True
        self._refused: int | None = 0  # requests refused in every way; None once the server has accepted one

    def asking(self, rubric: Rubric, nonce: str, room: Mapping[str, int] | None = None) -> "Asking":
        """Start a request for a verdict that repeats ``nonce``; ``room`` are bounds that replace the judge's own."""
        return Asking(self, rubric, nonce, room or {})

    def ways(self) -> list[_Way]:
        """Return the ways that the server has not refused so far, the best first; at least one.

        The plain text request without temperature comes before the other ways without temperature. Its result shows
        whether the form or the temperature was refused.
        """
        plain = [_Way(means, temperature=False) for means in self._means]
        if not self._takes_temperature:
            return plain
        return [*(_Way(means, temperature=True) for means in self._means), plain[-1], *plain[:-1]]

    def first(self) -> _Way:
        """Return the way to try first."""
        return self.best(self.ways())

    def best(self, ways: list[_Way]) -> _Way:
        """Return the first of ``ways``; the plain text request instead if all ways were refused time and again."""
        is_refused = self._refused is not None and self._refused >= _REFUSED
        return _LEAST if is_refused and _LEAST in ways else ways[0]

    def refuse(self, param: str, way: _Way) -> None:
        """Never again send the parameter that the server refused by name."""
        if param == "temperature":
            self._takes_temperature = False
        else:
            self._drop({"strict tool", "tool"} if param == "tool_choice" else {way.means})

    def blame(self, doubted: list[_Way], taken: _Way) -> None:
        """Never again send what the server refused without naming it, if it accepted the same request without it."""
        self._drop({way.means for way in doubted if way.temperature == taken.temperature})
        if _Way(taken.means, temperature=True) in doubted:
            self._takes_temperature = False
        self._refused = None

    def rules_out(self, way: _Way) -> bool:
        """Return whether neither form nor temperature can be why a request was refused; if so, count the refusal."""
        if way != _LEAST:
            return False
        self._refused = None if self._refused is None else self._refused + 1
        return True

    def _drop(self, means: set[str]) -> None:
        self._means = [each for each in self._means if each not in means]


class Asking:
    """One request for a verdict, made in one way after another until the server accepts it."""

    def __init__(self, forms: Forms, rubric: Rubric, nonce: str, room: Mapping[str, int]) -> None:
        self._forms = forms
        self._rubric = rubric
        self._nonce = nonce
        self._room = room
        self._way = forms.first()
        self._passed: list[_Way] = []
        self._doubted: list[_Way] = []

    @property
    def params(self) -> dict[str, Any]:
        """Parameters of the request."""
        means = self._way.means
        temperature = {"temperature": self._forms.temperature} if self._way.temperature else {}
        params: dict[str, Any] = {**temperature, **self._room}
        if means == "text":
            return params
        if means == "json_object":
            return {**params, "response_format": {"type": "json_object"}}
        schema = verdict_schema(self._rubric, self._nonce if self._forms.binds_nonce else None)
        if means == "json_schema":
            named = {"name": _TOOL, "strict": True, "schema": schema}
            return {**params, "response_format": {"type": "json_schema", "json_schema": named}}
        strict = {"strict": True} if means == "strict tool" else {}
        function = {"name": _TOOL, "description": "Give the verdict.", **strict, "parameters": schema}
        choice = {"type": "function", "function": {"name": _TOOL}}
        return {**params, "tools": [{"type": "function", "function": function}], "tool_choice": choice}

    def give_way(self, error: CallError) -> bool:
        """Switch to the next way if the server refused something; return whether to ask again.

        The decision depends on the parameter that the server names, never on the text of its message, which may quote
        the request. If it names none, or only recorded answers may be used, the ways are tried one after another.
        """
        named = (error.param or "").partition(".")[0].partition("[")[0]
        if self._room and error.kind == ErrorKind.BAD_REQUEST and named in ("", *BOUND_NAMES):
            self._room = {}  # the bound may exceed the model's limit
            return True
        if error.kind == ErrorKind.BAD_REQUEST and named in self.params:
            self._forms.refuse(named, self._way)
        elif error.kind == ErrorKind.BAD_REQUEST and not named:
            self._doubted.append(self._way)
            if self._forms.rules_out(self._way):
                return False
        elif error.kind != ErrorKind.NOT_CACHED:
            return False
        self._passed.append(self._way)
        left = [way for way in self._forms.ways() if way not in self._passed]
        if (
            not left and self._room and error.kind == ErrorKind.NOT_CACHED
        ):  # the answer was recorded without it, for example because it was refused
            self._room, self._passed = {}, []
            left = self._forms.ways()
        if left:
            self._way = self._forms.best(left)
        return bool(left)

    def taken(self) -> None:
        """Remember what the server had refused before it accepted this request."""
        self._forms.blame(self._doubted, self._way)


def verdict_of(response: Response, sent: Mapping[str, Any], wanted: Wanted) -> Verdict:
    """Return the verdict in a response to a request with the parameters ``sent``, or raise MalformedVerdictError."""
    reply = reply_of(response, sent)
    return read_verdict(reply, wanted.rubric, wanted.nonce, finish_reason=response.finish_reason)


def came_at_once(response: Response, sent: Mapping[str, Any], wanted: Wanted) -> bool:
    """Return whether the judge's first reply is a verdict; only such a reply may be reused in a later run."""
    try:
        verdict_of(response, sent, wanted)
    except MalformedVerdictError:
        return False
    return not wanted.again


def reply_of(response: Response, sent: Mapping[str, Any]) -> str:
    """Return the part of a response that should be the verdict: the arguments of the requested tool call, or the text.

    Args:
        response: response of the judge.
        sent: parameters of the request.

    Raises:
        MalformedVerdictError: the judge refused, or called no tool, another tool, or more than one.
    """
    if response.refusal is not None:
        raise MalformedVerdictError(f"the judge refused: {one_line(repr(response.refusal), 120)}")
    if "tools" not in sent or is_cut(response.finish_reason):  # ``read_verdict`` rejects a truncated reply
        return response.text
    names = [call.name for call in response.tool_calls]
    if names == [_TOOL]:
        return response.tool_calls[0].arguments
    if not names:
        raise MalformedVerdictError(f'the function "{_TOOL}" was not called')
    if set(names) == {_TOOL}:
        raise MalformedVerdictError(f'the function "{_TOOL}" was called {len(names)} times; call it once')
    raise MalformedVerdictError(f'another function than "{_TOOL}" was called')


def told(response: Response) -> str:
    """Return a judge's reply as plain text, which every server accepts in a chat: call arguments, text or refusal."""
    return "\n".join(call.arguments for call in response.tool_calls) or response.text or response.refusal or ""
