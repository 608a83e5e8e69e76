"""How a judge is asked for a form, and where its reply stands: by the best means that its server takes."""

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
"""From the strictest on. With each of them the same reply counts as a verdict."""
_TOOL = "verdict"
_REFUSED = 8
"""After so many requests that a server refused in all ways, and none that it took, each is made in one way only."""


class _Way(NamedTuple):
    """How a request is made."""

    means: str
    temperature: bool


_LEAST = _Way("text", temperature=False)


class Forms:
    """What one judge's server takes. It is asked for the most, and for less where it refuses something."""

    def __init__(self, *, binds_nonce: bool = False, own: Mapping[str, Any] | None = None) -> None:
        """Begin with the most.

        Args:
            binds_nonce: whether the schema of each call holds its nonce, which a very small model cannot copy. Servers
                that prepare every new schema at length are better not given one a call.
            own: the judge's own parameters; a temperature among them is asked for, else 0.
        """
        self.binds_nonce = binds_nonce
        self.temperature = {**JUDGE_PARAMS, **other_than_asked(own or {})}["temperature"]
        self._means = list(_MEANS)
        self._takes_temperature = True
        self._refused: int | None = 0  # requests that were refused in all ways; None once the server took one

    def asking(self, rubric: Rubric, nonce: str, room: Mapping[str, int] | None = None) -> "Asking":
        """Begin a request for a verdict that repeats ``nonce``; ``room`` are bounds above those that the judge has."""
        return Asking(self, rubric, nonce, room or {})

    def ways(self) -> list[_Way]:
        """Return the ways that the server has not refused so far, the best first; at least one.

        Words alone stand before all that asks for a form without the temperature: the two tell which was refused.
        """
        plain = [_Way(means, temperature=False) for means in self._means]
        if not self._takes_temperature:
            return plain
        return [*(_Way(means, temperature=True) for means in self._means), plain[-1], *plain[:-1]]

    def first(self) -> _Way:
        """Return the way in which a request is made first."""
        return self.best(self.ways())

    def best(self, ways: list[_Way]) -> _Way:
        """Return the way to take of several, the best first: the least, where all were refused time and again."""
        is_refused = self._refused is not None and self._refused >= _REFUSED
        return _LEAST if is_refused and _LEAST in ways else ways[0]

    def refuse(self, param: str, way: _Way) -> None:
        """Never again send what the server named."""
        if param == "temperature":
            self._takes_temperature = False
        else:
            self._drop({"strict tool", "tool"} if param == "tool_choice" else {way.means})

    def blame(self, doubted: list[_Way], taken: _Way) -> None:
        """Never again send what the server refused without a name, where the same request was taken without it."""
        self._drop({way.means for way in doubted if way.temperature == taken.temperature})
        if _Way(taken.means, temperature=True) in doubted:
            self._takes_temperature = False
        self._refused = None

    def acquit(self, way: _Way) -> bool:
        """Return whether neither form nor temperature can be why the server refused a request, and named nothing."""
        if way != _LEAST:
            return False
        self._refused = None if self._refused is None else self._refused + 1
        return True

    def _drop(self, means: set[str]) -> None:
        self._means = [each for each in self._means if each not in means]


class Asking:
    """One request for a verdict, made in one way after the other until the server takes it."""

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
        """The parameters of the request."""
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
        """Take the next way, where the server refused something; return whether to ask again.

        It is decided by the parameter that the server names, never by the text of its message, which may quote the
        request. Where it names none, or where only what is recorded may be used, one way is tried after the other.
        """
        named = (error.param or "").partition(".")[0].partition("[")[0]
        if self._room and error.kind == ErrorKind.BAD_REQUEST and named in ("", *BOUND_NAMES):
            self._room = {}  # it may be more than the model has
            return True
        if error.kind == ErrorKind.BAD_REQUEST and named in self.params:
            self._forms.refuse(named, self._way)
        elif error.kind == ErrorKind.BAD_REQUEST and not named:
            self._doubted.append(self._way)
            if self._forms.acquit(self._way):
                return False
        elif error.kind != ErrorKind.NOT_CACHED:
            return False
        self._passed.append(self._way)
        left = [way for way in self._forms.ways() if way not in self._passed]
        if (
            not left and self._room and error.kind == ErrorKind.NOT_CACHED
        ):  # recorded without it, as where it was refused
            self._room, self._passed = {}, []
            left = self._forms.ways()
        if left:
            self._way = self._forms.best(left)
        return bool(left)

    def taken(self) -> None:
        """Remember what the server refused before it took this request."""
        self._forms.blame(self._doubted, self._way)


def verdict_of(response: Response, sent: Mapping[str, Any], wanted: Wanted) -> Verdict:
    """Return the verdict that a response to the parameters ``sent`` is, or raise MalformedVerdictError."""
    reply = reply_of(response, sent)
    return read_verdict(reply, wanted.rubric, wanted.nonce, finish_reason=response.finish_reason)


def came_at_once(response: Response, sent: Mapping[str, Any], wanted: Wanted) -> bool:
    """Return whether the first reply is a verdict: no other may be taken for one in a later run."""
    try:
        verdict_of(response, sent, wanted)
    except MalformedVerdictError:
        return False
    return not wanted.again


def reply_of(response: Response, sent: Mapping[str, Any]) -> str:
    """Return what may be the verdict: the arguments of the one tool that was to be called, else the text.

    Args:
        response: of the judge.
        sent: the parameters of the request.

    Raises:
        MalformedVerdictError: the judge refused, or it called no tool, another one, or more than one.
    """
    if response.refusal is not None:
        raise MalformedVerdictError(f"the judge refused: {one_line(repr(response.refusal), 120)}")
    if "tools" not in sent or is_cut(response.finish_reason):  # a reply that was cut is none, whatever it holds
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
    """Return what a judge said, or why it refused, as a text that every server takes back: a call by its arguments."""
    return "\n".join(call.arguments for call in response.tool_calls) or response.text or response.refusal or ""
