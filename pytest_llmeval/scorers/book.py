"""The scores of one case: the object behind the ``score`` fixture."""

import functools
import inspect
import os
import traceback
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn

from pytest_llmeval.core.errors import ScorerError
from pytest_llmeval.core.names import closest
from pytest_llmeval.core.text import storable
from pytest_llmeval.core.types import Response, Score
from pytest_llmeval.scorers.answers import with_circumstance
from pytest_llmeval.scorers.begun_calls import BegunCalls, watched
from pytest_llmeval.scorers.digests import scorer_digest
from pytest_llmeval.scorers.display import number, tidy, visible_line
from pytest_llmeval.scorers.judged_how import Judging, judged_how, refuse_metric, score_name, truth
from pytest_llmeval.scorers.registry import REGISTRY, Registry, Scorer, settings_of, short_path
from pytest_llmeval.scorers.scored import Scored, finite, is_number, unit_interval

__all__ = ["ScoreBook", "begun_of", "check_free", "keep_split", "recorded_twice"]


class ScoreBook:
    """Records the scores of one case in the order in which the test asks for them.

    ``book.<scorer>(response, target, *, name=None, pass_mark=..., **settings)`` calls a scorer, records the result
    under ``name`` (the scorer's name by default) and returns it as a ``Score``. A bad answer or a broken scorer raises
    nothing: the case becomes a miss or an error once its body has ended.
    """

    def __init__(
        self,
        registry: Registry = REGISTRY,
        *,
        judge: Judging | None = None,
        check: Callable[[], object] | None = None,
        is_fault: Callable[[BaseException], bool] = lambda error: isinstance(error, Exception),
        answers: Callable[[], Sequence[Response]] = tuple,
    ) -> None:
        """Begin without scores.

        Args:
            registry: the scorers that can be called by name.
            judge: answers ``judge`` and ``prefer``; None where the book has no judge, and both raise RuntimeError.
            check: called before anything is scored or recorded; raises where recording is not allowed.
            is_fault: whether an exception of a scorer is recorded as an error; any other propagates.
            answers: returns the responses that the case has received so far, the latest last.
        """
        self._registry = registry
        self._judge = judge
        self._check = check
        self._is_fault = is_fault
        self._answers = answers
        self._scores: dict[str, Score] = {}
        """The recorded scores, keyed by name in the form in which the database stores it."""
        self._split: dict[str, Score] = {}
        """Scores without a value from an evenly split panel, keyed likewise; their names may still be recorded."""
        self._begun = BegunCalls()
        self._doubled: list[str] = []

    @property
    def scores(self) -> tuple[Score, ...]:
        """All scores: those without a value from a split panel first, then the others in the order of recording."""
        return tuple({**self._split, **self._scores}.values())

    @property
    def misses(self) -> tuple[Score, ...]:
        """The scores that make the case a miss."""
        return tuple(score for score in self._scores.values() if score.passed is False)

    @property
    def errors(self) -> tuple[Score, ...]:
        """The scores that have no value because the scorer failed."""
        return tuple(score for score in self._scores.values() if score.status == "error")

    def __getattr__(self, name: str) -> Callable[..., Score]:
        if name.startswith("_"):  # copy and inspect probe such names; load no entry point for them
            raise AttributeError(name)
        if (found := self._registry.find(name)) is None:
            raise AttributeError(self._unknown(name))
        return functools.partial(self._counted, found)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._registry.names()]

    def record(self, name: str, value: Any, *, passed: bool | None = None, reason: str | None = None) -> Score:
        """Record a number that the test computed itself.

        Args:
            name: the name of the score; unique within the case.
            value: any finite number; a bool counts as 0 or 1.
            passed: False makes the case a miss; True and None do not.
            reason: an explanation for the reader of the report.

        Returns:
            The recorded score. A value that is not a finite number is recorded as an error.

        Raises:
            ScorerError: if the case already has a score of this name.
            ValueError: if ``name`` is not a non-blank text or is the name of a metric of every run, if ``passed`` is
                neither a bool nor None, or if ``reason`` is neither a text nor None.
        """
        name, verdict = score_name(name), truth(passed)
        if reason is not None and not isinstance(reason, str):
            raise ValueError(f"reason must be a string or None, found {reason!r:.60}")
        try:
            score = _recorded(name, finite(value), verdict, reason)
        except ScorerError as error:
            score = Score(name=name, value=None, passed=None, status="error", reason=tidy(str(error)))
        self._check_free(name)
        return self._keep(score)

    @watched
    async def judge(
        self,
        response: Response | str,
        target: Any = None,
        *,
        rubric: str | os.PathLike[str],
        name: str | None = None,
        question: str | None = None,
        reference: bool = True,
        gates: bool = True,
        per_dimension: bool = False,
        right_if: Score | bool | None = None,
        wrong_unless: Score | bool | None = None,
    ) -> Score:
        """Ask the judge model to grade an answer by a rubric, and return the score of the whole rubric.

        Each dimension of the rubric is recorded as a score of its own. Where the session has no judge, all of these
        scores are recorded as None with the reason ``no judge``.

        Args:
            response: the answer, a Response or a str.
            target: the reference answer; the row's target when None.
            rubric: the name of a shipped rubric, or the path of one of your own.
            name: the name of the score; the rubric's name when None. The scores of the dimensions are called
                ``DIMENSION``, or ``NAME_DIMENSION`` where ``name`` is given.
            question: the question that the answer responds to; the row's input when None.
            reference: False withholds the target from the judge.
            gates: False never makes the case a miss.
            per_dimension: True asks about each dimension in a call of its own, so that the grade of one does not
                influence another.
            right_if: a score of this case, or a bool. Where it is 1 or True, the answer gets the best level in every
                dimension without asking the judge.
            wrong_unless: a score of this case, or a bool. Where it is below 1 or False, the answer gets the worst level
                in every dimension without asking the judge.

        Raises:
            JudgeError: no reply of the judge was a valid verdict, even after asking again, or a panel of judges is
                evenly split.
            CallError: the call to the judge failed.
            RubricError: the rubric does not exist or is invalid, or two of its scores would have the same name.
            ScorerError: there is no answer to judge or nothing to judge it by, or one of the names is already recorded.
            ValueError: ``name`` is not a non-blank text or is the name of a metric of every run, or ``right_if`` or
                ``wrong_unless`` is neither a score from 0 to 1 nor a bool.
        """
        how = judged_how(
            rubric,
            name,
            question,
            reference=reference,
            gates=gates,
            per_dimension=per_dimension,
            right_if=right_if,
            wrong_unless=wrong_unless,
        )
        return self._keep(*await self._judging.judge(response, target, how))

    def judge_sync(
        self,
        response: Response | str,
        target: Any = None,
        *,
        rubric: str | os.PathLike[str],
        name: str | None = None,
        question: str | None = None,
        reference: bool = True,
        gates: bool = True,
        per_dimension: bool = False,
        right_if: Score | bool | None = None,
        wrong_unless: Score | bool | None = None,
    ) -> Score:
        """Ask the judge model to grade an answer, as ``judge`` does, from a test that is not async."""
        how = judged_how(
            rubric,
            name,
            question,
            reference=reference,
            gates=gates,
            per_dimension=per_dimension,
            right_if=right_if,
            wrong_unless=wrong_unless,
        )
        with self._begun.running("judge_sync"):
            return self._keep(*self._judging.judge_sync(response, target, how))

    @watched
    async def prefer(
        self,
        a: Response | str,
        b: Response | str,
        target: Any = None,
        *,
        rubric: str | os.PathLike[str],
        name: str | None = None,
        question: str | None = None,
        reference: bool = True,
    ) -> Score:
        """Ask the judge model which of two answers is better: 1 for ``a``, 0 for ``b``, 0.5 for neither.

        The judge is asked in both orders, because judges favour the answer that they read first; an answer wins only if
        it wins in both. ``target``, ``rubric``, ``question`` and ``reference`` are those of ``judge``. The score is
        called ``name``, or RUBRIC_preference when None, and never makes the case a miss.

        Raises:
            as ``judge`` does.
        """
        how = judged_how(rubric, name, question, reference=reference)
        return self._keep(*await self._judging.prefer(a, b, target, how))

    def prefer_sync(
        self,
        a: Response | str,
        b: Response | str,
        target: Any = None,
        *,
        rubric: str | os.PathLike[str],
        name: str | None = None,
        question: str | None = None,
        reference: bool = True,
    ) -> Score:
        """Ask the judge model which of two answers is better, as ``prefer`` does, from a test that is not async."""
        how = judged_how(rubric, name, question, reference=reference)
        with self._begun.running("prefer_sync"):
            return self._keep(*self._judging.prefer_sync(a, b, target, how))

    @property
    def _judging(self) -> Judging:
        if self._judge is None:
            raise RuntimeError("this ScoreBook has no judge; the one of the fixture `score` has")
        return self._judge

    def _counted(self, scorer: Scorer, /, *args: Any, **kwargs: Any) -> Score:
        __tracebackhide__ = True  # a wrong call is a line of the test
        with self._begun.running(scorer.name):
            return self._call(scorer, *args, **kwargs)

    def _call(self, scorer: Scorer, /, *args: Any, **kwargs: Any) -> Score:
        __tracebackhide__ = True
        name = score_name(kwargs.pop("name", None), scorer.name)
        mark = _pass_mark(kwargs.pop("pass_mark", scorer.pass_mark))
        bound = _bound(scorer, args, kwargs)
        self._check_free(name)
        digest = scorer_digest(scorer, {**settings_of(scorer, bound.arguments), "pass_mark": mark})
        try:
            result = _checked(scorer.function(*bound.args, **bound.kwargs))
        except BaseException as error:  # a user's scorer may raise anything: it becomes a recorded error
            if not self._is_fault(error):
                raise
            reason = tidy(_blame(scorer, error))
            return self._keep(
                Score(name=name, value=None, passed=None, status="error", reason=reason, scorer_digest=digest)
            )
        stem = scorer.stem if name == scorer.name else name
        return self._keep(
            _judged(name, result, mark, digest, self._behind(next(iter(bound.arguments.values()), None))),
            *(
                Score(name=f"{stem}_{key}", value=value, passed=None, scorer_digest=digest)
                for key, value in result.companions.items()
            ),
        )

    def _behind(self, said: object) -> object:
        """Return the case's latest response if ``said`` is its text, as an application returns it; else ``said``."""
        last = self._answers()[-1:] if isinstance(said, str) else ()
        return next((each for each in last if each.text == said), said)

    def _keep(self, score: Score, *companions: Score) -> Score:
        found: dict[str, Score] = {}
        for each in (score, *companions):
            self._check_name(each.name)
            if (name := storable(each.name)) in found:
                self._refuse(each.name)
            found[name] = each
        self._scores.update(found)
        return score

    def _check_free(self, name: str) -> None:
        """Raise if nothing may be recorded or the name is taken. A long call checks this before it starts."""
        if self._check is not None:
            self._check()
        self._check_name(name)

    def _check_name(self, name: str) -> None:
        refuse_metric(name)
        if storable(name) in self._scores:
            self._refuse(name)

    def _refuse(self, name: str) -> NoReturn:
        """Raise ScorerError for a taken name, and remember the name in case the test swallows the exception."""
        self._doubled.append(name)
        raise _twice(name)

    def _unknown(self, name: str) -> str:
        known = self._registry.names()
        close = closest(name, [*known, "record", "judge", "judge_sync", "prefer", "prefer_sync"])
        hint = f"; did you mean {close!r}?" if close else "."
        broken = "".join(f" ({problem})" for problem in self._registry.broken_entry_points())
        return f"there is no scorer {name!r}{hint} Scorers: {', '.join(known)}{broken}"


def begun_of(book: ScoreBook) -> BegunCalls:
    """Return the tracker of a book's calls in progress."""
    return book._begun


def check_free(book: ScoreBook, *names: str) -> None:
    """Raise ScorerError if one of ``names`` is already recorded, before a judge is asked for that score."""
    for name in names:
        book._check_free(name)


def keep_split(book: ScoreBook, scores: Iterable[Score]) -> None:
    """Keep the scores that carry the votes of a split panel, whose JudgeError the book raises as well."""
    book._split.update({storable(each.name): each for each in scores})


def recorded_twice(book: ScoreBook) -> ScorerError | None:
    """Return the error for the first score that was recorded twice; None if there was none."""
    return _twice(book._doubled[0]) if book._doubled else None


def _twice(name: str) -> ScorerError:
    return ScorerError(f"the score {name!r} is recorded twice in one case; name one of the calls: name='...'")


def _pass_mark(mark: object) -> float:
    __tracebackhide__ = True
    if is_number(mark) and 0 <= mark <= 1:
        return float(mark)
    raise ValueError(f"pass_mark must be a number from 0 to 1, found {mark!r}")


def _bound(scorer: Scorer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> inspect.BoundArguments:
    __tracebackhide__ = True
    try:
        bound = scorer.signature.bind(*args, **kwargs)
    except TypeError as error:
        settings = [*settings_of(scorer, scorer.signature.parameters), "name", "pass_mark"]
        raise TypeError(f"score.{scorer.name}: {error}; its settings are {', '.join(settings)}") from None
    bound.apply_defaults()
    return bound


def _checked(result: object) -> Scored:
    if not isinstance(result, Scored):
        return Scored(unit_interval(result))
    companions = {key: unit_interval(value) for key, value in result.companions.items()}
    if result.reason is not None and not isinstance(result.reason, str):
        raise ScorerError(f"the reason of Scored must be a string or None, found {type(result.reason).__name__}")
    return Scored(unit_interval(result.value), result.reason, companions)


def _judged(name: str, result: Scored, mark: float, digest: str, response: object) -> Score:
    reason, passed = result.reason, result.value >= mark if mark > 0 else None
    if passed is False:
        value = number(result.value) if number(result.value) != number(mark) else repr(result.value)
        reason = "\n".join(
            filter(None, (f"{value} is under the pass mark {mark:g}", with_circumstance(reason, response)))
        )
    return Score(
        name=name,
        value=result.value,
        passed=passed,
        reason=None if reason is None else tidy(reason),
        scorer_digest=digest,
    )


def _recorded(name: str, value: float, passed: bool | None, reason: str | None) -> Score:
    if passed is False:
        reason = f"{value:,.10g} was recorded as not passed" + (f"\n{reason}" if reason else "")
    return Score(name=name, value=value, passed=passed, reason=None if reason is None else tidy(reason))


def _blame(scorer: Scorer, error: BaseException) -> str:
    if isinstance(error, ScorerError):
        return str(error)
    code = getattr(inspect.unwrap(scorer.function), "__code__", None)
    frames = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    own = [each for each in frames if code is not None and each[0] == code.co_filename] or frames
    message = visible_line(str(error))
    return f"{type(error).__name__}{': ' if message else ''}{message} ({short_path(own[-1][0])}:{own[-1][1]})"
