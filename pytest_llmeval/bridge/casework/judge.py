"""``score.judge`` and ``score.prefer``: answers judged by models, through the same engine as every other call."""

import asyncio
import os
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar

from pytest_llmeval.bridge.casework.handles import CaseModel
from pytest_llmeval.bridge.casework.juror import Juror, JurorInCase
from pytest_llmeval.core.errors import CallError, CaseError, JudgeError, ScorerError
from pytest_llmeval.core.ids import identity_of
from pytest_llmeval.core.judge.asking import comparison, preference_rubric, questions
from pytest_llmeval.core.judge.panel import Ballot, is_probed, is_unsure
from pytest_llmeval.core.judge.shown import shown_answer, shown_input, shown_reference
from pytest_llmeval.core.judge.verdict import Finding, Verdict
from pytest_llmeval.core.types import Response, Score
from pytest_llmeval.scorers.answers import text_of
from pytest_llmeval.scorers.book import check_free, keep_split
from pytest_llmeval.scorers.judged import (
    judged_scores,
    orders_disagree,
    preference_name,
    preference_score,
    settled_scores,
    unjudged_scores,
)
from pytest_llmeval.scorers.judged_how import JudgedHow

if TYPE_CHECKING:
    from pytest_llmeval.bridge.casework.cases import CaseRun, Eval
    from pytest_llmeval.bridge.casework.runtime import Runtime
    from pytest_llmeval.core.judge.rubric import Rubric

__all__ = ["CaseJudge"]

T = TypeVar("T")
Poll = Callable[[Juror, int], Coroutine[Any, Any, T]]
"""Asks a judge; a number from 1 on asks the same judge again."""
Begin = Callable[[], Coroutine[Any, Any, T]]
"""Makes a coroutine when it is to start: Python would warn of a coroutine that was made earlier and never awaited."""
Work = list[Score] | Coroutine[Any, Any, list[Score]]
"""Scores that need no call, or the coroutine that makes the calls for them."""


class _Shown(TypedDict):
    """The texts that a judge is shown with an answer."""

    question: str
    reference: str | None


class CaseJudge:
    """The judges in one case; if the session has none, the scores say so."""

    def __init__(self, run: "CaseRun", eval_: "Eval", runtime: "Runtime") -> None:
        self._run = run
        self._eval = eval_
        self._runtime = runtime

    async def judge(self, answer: Response | str, target: Any, how: JudgedHow) -> list[Score]:
        """Return the scores of an answer: that of the rubric, then one for each dimension.

        Raises:
            JudgeError: no reply was a valid verdict, or a panel is split evenly.
            CallError: a judge could not be asked.
            RubricError: there is no such rubric, or two of its scores would have one name.
            ScorerError: there is nothing to judge, or nothing to judge it by.
        """
        return await self._awaited(self._of_judge(answer, target, how))

    def judge_sync(self, answer: Response | str, target: Any, how: JudgedHow) -> list[Score]:
        """Return the scores of an answer, as ``judge`` does, to a test that is not async."""
        return self._waited(self._of_judge(answer, target, how))

    async def prefer(self, a: Response | str, b: Response | str, target: Any, how: JudgedHow) -> list[Score]:
        """Return the score of a comparison: 1 if ``a`` is better in both orders, 0 if ``b`` is, else 0.5.

        Raises:
            as ``judge`` does.
        """
        return await self._awaited(self._of_preference(a, b, target, how))

    def prefer_sync(self, a: Response | str, b: Response | str, target: Any, how: JudgedHow) -> list[Score]:
        """Return the score of a comparison, as ``prefer`` does, to a test that is not async."""
        return self._waited(self._of_preference(a, b, target, how))

    def _of_judge(self, answer: Response | str, target: Any, how: JudgedHow) -> Work:
        found = self._rubric(how.rubric)
        self._check_names(found, how)
        ready = self._without_asking(found, how)
        return ready if ready is not None else self._judged(found, answer, target, how)

    def _of_preference(self, a: Response | str, b: Response | str, target: Any, how: JudgedHow) -> Work:
        found = self._rubric(how.rubric)
        check_free(self._run.book, preference_name(found, how.name))
        if not self._runtime.judges.jurors:
            return unjudged_scores([preference_name(found, how.name)])
        return self._preferred(found, a, b, target, how)

    async def _awaited(self, work: Work) -> list[Score]:
        """Run ``work`` on the event loop of the calls and return its scores."""
        if isinstance(work, list):
            return work
        with self._failing():
            if self._runtime.loop.is_current():
                return await work
            return await self._run.awaited(self._runtime.loop.submit(work))

    def _waited(self, work: Work) -> list[Score]:
        """Run ``work`` and return its scores to a sync body, which waits for them."""
        if isinstance(work, list):
            return work
        with self._failing(), self._run.body_waiting():
            return self._runtime.loop.run(work)

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """Record the error of a judgement, and the votes of a panel that was split."""
        try:
            yield
        except (CallError, JudgeError) as error:
            if isinstance(error, JudgeError):
                keep_split(self._run.book, error.scores)
            self._run.fail(error)
            raise

    def _check_names(self, found: "Rubric", how: JudgedHow) -> None:
        """Raise if a score could not be recorded under its name, before any judge is asked for it."""
        found.check_names(how.rubric, how.name)
        check_free(self._run.book, *found.score_names(how.name))

    def _without_asking(self, found: "Rubric", how: JudgedHow) -> list[Score] | None:
        """Return the scores if no judge needs to be asked; None otherwise."""
        if not self._runtime.judges.jurors:
            return unjudged_scores(found.score_names(how.name))
        if how.settled is None:
            return None
        identity = self._judge_id(found, how)
        return _checked(how, settled_scores(found, how.settled, name=how.name, gates=how.gates, judge_id=identity))

    async def _judged(self, found: "Rubric", answer: Response | str, target: Any, how: JudgedHow) -> list[Score]:
        shown, text = self._shown(found, target, how), _judged_text(answer)
        parts = [replace(found, dimensions=(each,)) for each in found.dimensions] if how.per_dimension else [found]
        names = list(dict.fromkeys(found.score_names(how.name)))

        async def poll(juror: Juror, repeat: int) -> Ballot:
            asked = [questions(part, answer=text, repeat=self._repeat(repeat), **shown) for part in parts]
            pairs = zip(parts, asked, strict=True)
            ballots = await _all([partial(self._ballot, juror, part, each, repeat, names) for part, each in pairs])
            return _joined(ballots)

        ballots = await self._polled(poll, partial(is_unsure, found))
        identity = self._judge_id(found, how)
        return _checked(how, judged_scores(found, ballots, name=how.name, gates=how.gates, judge_id=identity))

    async def _preferred(
        self, found: "Rubric", a: Response | str, b: Response | str, target: Any, how: JudgedHow
    ) -> list[Score]:
        rubric, shown = preference_rubric(found), self._shown(found, target, how)
        name = preference_name(found, how.name)
        one, other = _judged_text(a), _judged_text(b)
        orders = [(one, other), (other, one)]

        async def poll(juror: Juror, repeat: int) -> tuple[Ballot, Ballot]:
            asked = [
                comparison(rubric, first=first, second=second, repeat=self._repeat(repeat), **shown)
                for first, second in orders
            ]
            one, other = await _all([partial(self._ballot, juror, rubric, each, repeat, [name]) for each in asked])
            return one, other

        def unsure(both: tuple[Ballot, Ballot]) -> bool:
            return orders_disagree(rubric, both) or any(is_unsure(rubric, each) for each in both)

        ballots = await self._polled(poll, unsure)
        return [preference_score(name, rubric, ballots, judge_id=self._judge_id(rubric, how))]

    async def _polled(self, poll: Poll[T], unsure: Callable[[T], bool]) -> list[T]:
        """Return the ballots of all judges, or those of the first and, if that is unsure, of the others."""
        judges = self._runtime.judges
        is_twice = is_probed(judges.probe, *identity_of(self._run.key))

        async def round_of(jurors: Sequence[Juror]) -> list[T]:
            repeated = partial(_spared, [partial(poll, each, 1) for each in jurors if is_twice])
            found, others = await _all([partial(_all, [partial(poll, each, 0) for each in jurors]), repeated])
            return [*found, *others]

        if judges.panel == "all":
            return await round_of(judges.jurors)
        ballots = await round_of(judges.jurors[:1])
        if len(judges.jurors) > 1 and unsure(ballots[0]):
            ballots += await round_of(judges.jurors[1:])
        return ballots

    async def _ballot(
        self, juror: Juror, rubric: "Rubric", asked: tuple[Any, str], repeat: int, scores: Sequence[str]
    ) -> Ballot:
        model = CaseModel(juror.model.name, self._runtime, eval_=self._eval, run=self._run, role="judge", scores=scores)
        verdict, again = await JurorInCase(juror, model, self._run).verdict(rubric, *asked)
        return Ballot(judge=juror.model.name, verdict=verdict, repeat=repeat, was_asked_again=again)

    def _repeat(self, repeat: int) -> int | str:
        """Return the key that distinguishes several judgements of the same answer."""
        return f"{self._run.key.epoch} again" if repeat else self._run.key.epoch

    def _shown(self, found: "Rubric", target: Any, how: JudgedHow) -> _Shown:
        """Return the texts that a judge is shown with the answer."""
        right = target if target is not None else self._run.sample.target
        if found.needs_reference and not how.reference:
            raise ScorerError(
                f"rubric {found.name} compares with a reference, which reference=False keeps back: leave that out, or"
                " take a rubric with needs_reference: false"
            )
        if found.needs_reference and right is None:
            raise ScorerError(
                f"rubric {found.name} compares with a reference: give the row a target, or pass one; in a rubric that"
                " needs none write needs_reference: false"
            )
        return {
            "question": how.question if how.question is not None else shown_input(self._run.sample.input),
            "reference": shown_reference(right) if how.reference else None,
        }

    def _judge_id(self, rubric: "Rubric", how: JudgedHow) -> str:
        """Return the judge_id of the scores, and keep the judges' record for that of the case."""
        record = self._runtime.judges.record(rubric, how)
        self._run.judges[record.judge_id] = record
        return record.judge_id

    def _rubric(self, rubric: str | os.PathLike[str]) -> "Rubric":
        from pytest_llmeval.loaders.rubrics import load_rubric

        rootdir = self._runtime.rootdir
        return load_rubric(rubric, rootdir=rootdir, test_file=rootdir / self._eval.where.partition("::")[0])


def _checked(how: JudgedHow, scores: Sequence[Score]) -> list[Score]:
    """Return scores with the digest of the checks before the judge: scores with different checks do not compare."""
    return [replace(score, scorer_digest=how.checks_digest) for score in scores]


def _judged_text(answer: Response | str) -> str:
    """Return the text of an answer that a judge is shown; raise ScorerError if it has none."""
    return shown_answer(answer) if isinstance(answer, Response) else text_of(answer)


async def _all(work: Sequence[Begin[T]]) -> list[T]:
    """Return all results; if one fails, raise after the others were awaited, as they are paid for."""
    if len(work) == 1:
        return [await work[0]()]
    found = await asyncio.gather(*(begin() for begin in work), return_exceptions=True)
    for each in found:
        if isinstance(each, BaseException):
            raise each
    return [each for each in found if not isinstance(each, BaseException)]


async def _spared(work: Sequence[Begin[T]]) -> list[T]:
    """Return the results of those that did not raise CaseError: nothing depends on the others."""
    found = await asyncio.gather(*(begin() for begin in work), return_exceptions=True)
    for each in found:
        if isinstance(each, BaseException) and not isinstance(each, CaseError):
            raise each
    return [each for each in found if not isinstance(each, BaseException)]


def _joined(ballots: Sequence[Ballot]) -> Ballot:
    """Merge the ballots on single dimensions into one."""
    if len(ballots) == 1:
        return ballots[0]
    findings: dict[str, Finding] = {}
    for ballot in ballots:
        findings |= ballot.verdict.findings
    again = any(ballot.was_asked_again for ballot in ballots)
    return replace(ballots[0], verdict=Verdict(findings=findings), was_asked_again=again)
