"""``score.judge``: an answer judged by a model, through the same engine as every other call."""

import asyncio
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

from pytest_llmeval.bridge.handles import CaseModel
from pytest_llmeval.core.errors import CallError, JudgeError, ScorerError
from pytest_llmeval.core.judge.asking import ask_again, comparison, judge_id, preference_rubric, questions
from pytest_llmeval.core.judge.forms import Forms
from pytest_llmeval.core.judge.shown import shown_input, shown_reference
from pytest_llmeval.core.judge.verdict import MalformedVerdictError, Verdict, read_verdict
from pytest_llmeval.core.strict_json import canonical
from pytest_llmeval.core.text import one_line
from pytest_llmeval.core.transport import plain
from pytest_llmeval.core.types import Message, Request, Response, Score
from pytest_llmeval.scorers.answers import text_of
from pytest_llmeval.scorers.book import JudgedHow
from pytest_llmeval.scorers.display import tidy

if TYPE_CHECKING:
    from pytest_llmeval.bridge.calls import Calls
    from pytest_llmeval.bridge.cases import CaseRun, Eval
    from pytest_llmeval.core.judge.rubric import Dimension, Rubric
    from pytest_llmeval.models.named import NamedModel

__all__ = ["CaseJudge", "Judges"]

_REPLIES = 3
"""How often a verdict is asked for: once, and twice again with what was wrong."""


class _Shown(TypedDict):
    """What a judge is shown beside an answer, and the number of its judgement."""

    question: str
    reference: str | None
    repeat: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Judges:
    """The judge of a session, in a process that runs cases."""

    model: "NamedModel"
    only_recorded: bool = False
    """Whether all replies are those of another run, so that nothing can be asked anew."""
    forms: Forms

    @property
    def identity(self) -> str:
        """All that decides what the judge says, beside what it is asked."""
        return canonical([self.model.spec.text, plain(self.model.params)])


class CaseJudge:
    """The judge in one case; without a judge model it says so."""

    def __init__(self, run: "CaseRun", eval_: "Eval", calls: "Calls") -> None:
        self._run = run
        self._eval = eval_
        self._calls = calls

    async def judge(self, answer: Any, target: Any, how: JudgedHow) -> list[Score]:
        """Return the scores of an answer: that of the rubric, then one for each dimension.

        Raises:
            JudgeError: no reply was a valid verdict.
            CallError: the judge could not be asked.
            RubricError: there is no such rubric.
            ScorerError: there is nothing to judge, or nothing to judge it by.
        """
        found, judges = self._rubric(how.rubric), self._calls.judges
        if judges is None:
            return _unjudged(found, how.name)
        return await self._awaited(self._judged(judges, found, answer, target, how))

    def judge_sync(self, answer: Any, target: Any, how: JudgedHow) -> list[Score]:
        """Return the scores of an answer, as ``judge`` does, to a test that is not async."""
        found, judges = self._rubric(how.rubric), self._calls.judges
        if judges is None:
            return _unjudged(found, how.name)
        return self._waited(self._judged(judges, found, answer, target, how))

    async def prefer(self, a: Any, b: Any, target: Any, how: JudgedHow) -> list[Score]:
        """Return the score of a comparison: 1 where ``a`` is better in both orders, 0 where ``b`` is, else 0.5.

        Raises:
            as ``judge`` does.
        """
        found, judges = self._rubric(how.rubric), self._calls.judges
        if judges is None:
            return [_no_judge(_preference(found, how))]
        return await self._awaited(self._preferred(judges, found, a, b, target, how))

    def prefer_sync(self, a: Any, b: Any, target: Any, how: JudgedHow) -> list[Score]:
        """Return the score of a comparison, as ``prefer`` does, to a test that is not async."""
        found, judges = self._rubric(how.rubric), self._calls.judges
        if judges is None:
            return [_no_judge(_preference(found, how))]
        return self._waited(self._preferred(judges, found, a, b, target, how))

    async def _awaited(self, work: Coroutine[Any, Any, list[Score]]) -> list[Score]:
        """Return what comes of ``work`` on the loop of the calls."""
        if self._calls.loop.is_current():
            return await work
        return await asyncio.wrap_future(self._calls.loop.submit(work))

    def _waited(self, work: Coroutine[Any, Any, list[Score]]) -> list[Score]:
        """Return what comes of ``work``, for which the case waits in its turn."""
        start = time.monotonic()
        try:
            return self._calls.loop.run(work)
        finally:
            self._run.waited_s += time.monotonic() - start

    async def _preferred(
        self, judges: Judges, found: "Rubric", a: Any, b: Any, target: Any, how: JudgedHow
    ) -> list[Score]:
        rubric, shown = preference_rubric(found), self._shown(found, target, how)
        orders = [(text_of(a), text_of(b)), (text_of(b), text_of(a))]
        asked = [comparison(rubric, first=first, second=second, **shown) for first, second in orders]
        one, other = await asyncio.gather(*(self._verdict(judges, rubric, *each) for each in asked))
        winners = [_winner(rubric, one, "ab"), _winner(rubric, other, "ba")]
        agree = winners[0] == winners[1]
        value = {"a": 1.0, "b": 0.0}.get(winners[0], 0.5) if agree else 0.5
        told = f"{winners[0]} in both orders" if agree else f"the orders disagree: {winners[0]}, then {winners[1]}"
        reasons = [finding.reason for verdict in (one, other) for finding in verdict.findings.values()]
        return [
            Score(
                name=_preference(found, how),
                value=value,
                passed=None,
                reason=tidy("\n".join([told, *reasons])),
                judge_id=judge_id(rubric, judges.identity),
            )
        ]

    def _shown(self, found: "Rubric", target: Any, how: JudgedHow) -> "_Shown":
        """Return what a judge is shown beside the answer."""
        right = target if target is not None else self._run.sample.target
        if found.needs_reference and (right is None or not how.reference):
            raise ScorerError(f"rubric {found.name} judges beside a reference: give the row a target, or pass one")
        return {
            "question": how.question if how.question is not None else shown_input(self._run.sample.input),
            "reference": shown_reference(right) if how.reference else None,
            "repeat": self._run.key.epoch,
        }

    async def _judged(self, judges: Judges, found: "Rubric", answer: Any, target: Any, how: JudgedHow) -> list[Score]:
        messages, nonce = questions(found, answer=text_of(answer), **self._shown(found, target, how))
        verdict = await self._verdict(judges, found, messages, nonce)
        return _scores(found, verdict, how, judge_id(found, judges.identity))

    def _rubric(self, rubric: Any) -> "Rubric":
        if rubric is None:
            raise ScorerError("score.judge needs a rubric: a shipped one such as rubric='qa', or a path to your own")
        from pytest_llmeval.loaders.rubrics import load_rubric

        rootdir = self._calls.rootdir
        return load_rubric(rubric, rootdir=rootdir, test_file=rootdir / self._eval.where.partition("::")[0])

    async def _verdict(self, judges: Judges, rubric: "Rubric", messages: tuple[Message, ...], nonce: str) -> Verdict:
        problem, replies = "", 0
        while replies < _REPLIES:
            response = await self._reply(judges, rubric, messages, nonce)
            try:
                return read_verdict(response.text, rubric, nonce, finish_reason=response.finish_reason)
            except MalformedVerdictError as error:
                problem = str(error)
            if (response.cached or response.earlier) and not judges.only_recorded:
                continue  # what was no verdict then is no reason to give up now: the same is asked anew
            replies += 1
            messages = ask_again(messages[:2], response.text, problem)
        raise JudgeError(
            f"judge {judges.model.name}: no valid verdict by rubric {rubric.name} in {_REPLIES} replies;"
            f" of the last one {one_line(problem, 200)}"
        )

    async def _reply(self, judges: Judges, rubric: "Rubric", messages: Sequence[Message], nonce: str) -> Response:
        """Return what the judge replies, by the best form that its server takes."""
        model = CaseModel(
            judges.model.name, self._calls.asker, eval_=self._eval, run=self._run, loop=self._calls.loop, role="judge"
        )
        while True:
            params = judges.forms.params(rubric, nonce)
            try:
                return await model.answer(Request(messages=tuple(messages), params=params))
            except CallError as error:
                if not judges.forms.yield_to(error, params):
                    raise
                self._run.calls.pop()  # nothing was answered, and nothing paid


def _names(rubric: "Rubric", name: str | None) -> list[str]:
    """Return the names of the scores: of the rubric, then of its dimensions."""
    parts = [each.name if name is None else f"{name}_{each.name}" for each in rubric.dimensions]
    return [name if name is not None else rubric.name, *parts]


def _preference(rubric: "Rubric", how: JudgedHow) -> str:
    return how.name if how.name is not None else f"{rubric.name}_preference"


def _winner(rubric: "Rubric", verdict: Verdict, order: str) -> str:
    """Return which of ``a`` and ``b`` won over all dimensions, or ``tie``; ``order`` says who was shown first."""
    value = rubric.value(verdict.levels)
    if abs(value - 0.5) < 1e-9:
        return "tie"
    return order[0] if value > 0.5 else order[1]


def _no_judge(name: str) -> Score:
    return Score(name=name, value=None, passed=None, status="none", reason="no judge")


def _unjudged(rubric: "Rubric", name: str | None) -> list[Score]:
    return [_no_judge(each) for each in _names(rubric, name)]


def _scores(rubric: "Rubric", verdict: Verdict, how: JudgedHow, judge: str) -> list[Score]:
    whole, *parts = _names(rubric, how.name)
    found = [
        _score(part, dimension, verdict, judge, gates=how.gates and dimension.gates)
        for part, dimension in zip(parts, rubric.dimensions, strict=True)
    ]
    failed = [score.name for score in found if score.passed is False]
    return [
        Score(
            name=whole,
            value=rubric.value(verdict.levels),
            passed=not failed if how.gates else None,
            reason=", ".join(f"{key}: {level.name}" for key, level in verdict.levels.items()),
            judge_id=judge,
        ),
        *found,
    ]


def _score(name: str, dimension: "Dimension", verdict: Verdict, judge: str, *, gates: bool) -> Score:
    finding = verdict.findings[dimension.name]
    passed = finding.level.value >= dimension.pass_mark if gates else None
    return Score(
        name=name,
        value=finding.level.value,
        passed=passed,
        reason=tidy(f"{finding.level.name}\n{finding.reason}"),
        judge_id=judge,
    )
