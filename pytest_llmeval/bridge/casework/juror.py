"""One judge, asked until its reply is a verdict."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_llmeval.core.errors import CallError, ErrorKind, JudgeError
from pytest_llmeval.core.judge.asking import ask_again
from pytest_llmeval.core.judge.forms import Forms, told, verdict_of
from pytest_llmeval.core.judge.verdict import MalformedVerdictError, Verdict, Wanted, is_cut
from pytest_llmeval.core.param_levels import identifying, other_than_asked
from pytest_llmeval.core.text import one_line
from pytest_llmeval.core.transport import plain
from pytest_llmeval.core.types import CaseKey, Message, Request, Response

if TYPE_CHECKING:
    from pytest_llmeval.bridge.casework.cases import CaseRun
    from pytest_llmeval.bridge.casework.handles import CaseModel
    from pytest_llmeval.core.judge.rubric import Rubric
    from pytest_llmeval.models.named import NamedModel

__all__ = ["Juror", "JurorInCase"]

_REPLIES = 3
"""Replies to ask for until one is a verdict: the first, and two more after being told what was wrong."""
_VERDICTS = 8
"""Number of invalid verdicts by a rubric, without a valid one, after which a judge is not asked by that rubric any
more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Juror:
    """One judge of a session, in a process that runs cases."""

    model: "NamedModel"
    forms: Forms
    only_recorded: bool = False
    """Whether all replies come from another run, so that nothing can be asked anew."""
    _unjudged: "dict[Rubric, set[tuple[CaseKey, str]] | None]" = field(default_factory=dict, repr=False, compare=False)
    """The verdicts by rubric that stayed invalid to the end, while none was valid; None once one was valid."""

    @property
    def params(self) -> Any:
        """The judge's own parameters, as JSON can hold them, without those that are the default."""
        return plain(other_than_asked(self.model.params))

    @property
    def identity(self) -> list[Any]:
        """Everything that distinguishes the judge from others, as JSON can hold it."""
        return [self.model.spec.text, plain(identifying(self.model.params)), *self.model.other_api]

    def book(self, rubric: "Rubric", verdict: tuple[CaseKey, str], *, is_valid: bool) -> None:
        """Note whether a verdict was valid in the end; one asked for both ahead and in the turn counts once."""
        unjudged = self._unjudged.setdefault(rubric, set())
        if is_valid:
            self._unjudged[rubric] = None
        elif unjudged is not None:
            unjudged.add(verdict)

    def is_given_up(self, rubric: "Rubric") -> bool:
        """Whether the judge gave no valid verdict by ``rubric`` in as many attempts as it gets."""
        unjudged = self._unjudged.get(rubric)
        return unjudged is not None and len(unjudged) >= _VERDICTS and not self.only_recorded

    def not_asked(self, rubric: "Rubric") -> JudgeError:
        """Return the error of a verdict that the judge is no longer asked for."""
        return JudgeError(
            f"judge {self.model.name}: not asked: by rubric {rubric.name} none of"
            f" {_VERDICTS} verdicts was valid, in {_VERDICTS * _REPLIES} replies; see what is wrong with those, and"
            " try it with --limit 1"
        )


class JurorInCase:
    """A judge in one case."""

    def __init__(self, juror: Juror, model: "CaseModel", run: "CaseRun") -> None:
        self._juror = juror
        self._model = model
        self._run = run

    async def verdict(self, rubric: "Rubric", messages: Sequence[Message], nonce: str) -> tuple[Verdict, bool]:
        """Return the judge's verdict, and whether it had to be asked again for it.

        Raises:
            JudgeError: no reply was a valid verdict, or the judge is given up and no reply was under way.
            CallError: the judge could not be asked.
        """
        asked, problem, replies, is_known, room = tuple(messages), "", 0, True, 1
        while replies < _REPLIES:
            only_known = self._juror.is_given_up(rubric)
            wanted = Wanted(rubric=rubric, nonce=nonce, again=replies > 0, only_known=only_known)
            try:
                response, sent = await self._reply(asked, wanted, room)
            except CallError as error:
                if not problem or not self._is_unrecorded(error):
                    raise
                break
            try:
                verdict = verdict_of(response, sent, wanted)
                self._juror.book(rubric, (self._run.key, nonce), is_valid=True)
                return verdict, wanted.again
            except MalformedVerdictError as error:
                problem = str(error)
            replies += 1
            room *= 2 if is_cut(response.finish_reason) else 1
            asked = ask_again(messages, told(response), problem)
            is_known = is_known and (response.cached or response.earlier)
            if is_known and replies == _REPLIES:  # that known replies held no verdict is no reason to give up now
                asked, replies, room = tuple(messages), 0, 1
        self._juror.book(rubric, (self._run.key, nonce), is_valid=False)
        raise JudgeError(
            f"judge {self._juror.model.name}: no valid verdict by rubric {rubric.name} in {_REPLIES} replies;"
            f" the last: {one_line(problem, 200)}"
        )

    def _is_unrecorded(self, error: CallError) -> bool:
        """Whether a call failed because the run whose replies are reused never made it."""
        return self._juror.only_recorded and error.kind == ErrorKind.NOT_CACHED

    async def _reply(self, messages: tuple[Message, ...], wanted: Wanted, room: int) -> tuple[Response, dict[str, Any]]:
        """Return the judge's reply in the best form that its server takes, and the parameters of that request."""
        bounds = {name: room * most for name, most in self._juror.model.bounds.items()} if room > 1 else {}
        asking = self._juror.forms.asking(wanted.rubric, wanted.nonce, bounds)
        while True:
            params = asking.params
            try:
                response = await self._model.answer(Request(messages=messages, params=params), wanted)
            except CallError as error:
                is_unknown = wanted.only_known and error.kind == ErrorKind.NOT_CACHED
                if not is_unknown and not asking.give_way(error):
                    raise
                self._run.calls.forget_last()  # nothing was answered, and nothing paid
                if is_unknown:
                    raise self._juror.not_asked(wanted.rubric) from None
            else:
                asking.taken()
                return response, params
