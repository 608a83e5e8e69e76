"""Differences between the scores of two runs of the same cases: which flipped, and whose rows are gone."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.gate.decide import name_samples
from pytest_llmeval.core.ids import identity_of
from pytest_llmeval.core.stored import StoredCase
from pytest_llmeval.core.text import counted, one_line, printable
from pytest_llmeval.core.types import CaseKey
from pytest_llmeval.reports.numbers import short
from pytest_llmeval.reports.text_width import cut
from pytest_llmeval.store.records import Run

__all__ = ["GoneCase", "ScoreFlip", "ScoreFlips", "find_flips", "find_gone", "flip_lines", "gone_line"]

_CASE = "pass_rate"
"""Name for the outcome of a case beside its scores, as in the rules."""
_NAMED = 10
"""Largest number of cases listed for each kind of difference."""
_VALUES = {"passed": 1.0, "missed": 0.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreFlip:
    """One case whose value of a score differs between the runs."""

    sample_id: str
    model: str
    epoch: int
    before: float | None
    """Value of the score; None if there was none."""
    after: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreFlips:
    """The differences in one score of a suite, or in the outcomes of its cases."""

    suite: str
    score: str
    cases: int
    """Number of cases that have the score in both runs."""
    to_missed: tuple[ScoreFlip, ...] = ()
    """Cases that flipped from passed to missed. These and the following are sorted by sample id, model and epoch."""
    to_passed: tuple[ScoreFlip, ...] = ()
    moved: int = 0
    """Number of cases that did not flip but have another value."""
    lost: tuple[ScoreFlip, ...] = ()
    """Cases that had a value and lost it: the case or its scorer failed, or the score is no longer recorded."""
    gained: tuple[ScoreFlip, ...] = ()
    """Cases that have a value now and had none before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GoneCase:
    """One case of a run whose row is no longer in any dataset."""

    suite: str
    sample_id: str
    model: str
    epoch: int


@dataclass(frozen=True, slots=True)
class _Said:
    value: float | None
    passed: bool | None


def find_flips(before: Iterable[StoredCase], after: Iterable[StoredCase]) -> list[ScoreFlips]:
    """Return the differences by suite and score, in alphabetical order, outcomes before scores.

    Cases pair by suite, model, sample id and epoch; those that only one of the runs has are left out.
    """
    first = {identity_of(case.key): _said(case) for case in before}
    pairs: dict[tuple[str, bool, str], list[tuple[CaseKey, _Said, _Said]]] = {}
    nothing = _Said(None, None)
    for case in after:
        then, now = first.get(identity_of(case.key)), _said(case)
        if then is None:
            continue
        for name in {**then, **now}:
            pair = (case.key, then.get(name, nothing), now.get(name, nothing))
            pairs.setdefault((case.key.suite, name is not None, name or _CASE), []).append(pair)
    return [_compared(suite, score, pairs[suite, is_score, score]) for suite, is_score, score in sorted(pairs)]


def find_gone(old: Run, new: Run, before: Iterable[JudgedCase], after: Iterable[JudgedCase]) -> list[GoneCase]:
    """Return the cases of ``old`` whose rows are gone, in their order.

    Suites in which ``new`` left out cases or did not reach all of them are skipped, because a gone row looks the same
    there.

    Args:
        old: the run whose answers were scored again.
        new: the run that scored them.
        before: the cases of ``old``.
        after: the cases of ``new``.
    """
    had, has = [_gone(case) for case in before], {_gone(case) for case in after}
    lacks = {run.id: _lacking(run, cases) for run, cases in ((old, had), (new, has))}
    whole = {
        name
        for name, suite in new.suites.items()
        if suite.get("left_out") == old.suites.get(name, {}).get("left_out")
        and lacks[new.id][name] <= lacks[old.id][name]
    }
    return [case for case in had if case.suite in whole and case not in has]


def _gone(case: JudgedCase) -> GoneCase:
    return GoneCase(suite=case.suite, sample_id=case.sample_id, model=case.model, epoch=case.epoch)


def _lacking(run: Run, cases: Iterable[GoneCase]) -> Counter[str]:
    """Return, by suite, the number of expected cases that a run does not have."""
    expected = Counter[str]()
    for (suite, _), count in run.expected.items():
        expected[suite] += count
    return expected - Counter(case.suite for case in cases)


def gone_line(run_id: str, count: int, sample_ids: Collection[str]) -> str:
    """Return a line that says that ``count`` cases of a run are gone, with the ids of their rows."""
    stand = "stands" if count == 1 else "stand"
    names = name_samples(sample_ids)
    return f"{counted(count, 'case')} of run {printable(run_id)} {stand} in no dataset any more: {names}"


def flip_lines(flips: Sequence[ScoreFlips], width: int) -> list[str]:
    """Return the lines that show ``flips``, each of at most ``width`` columns."""
    lines: list[str] = []
    suite = None
    for each in flips:
        if each.suite != suite:
            suite = each.suite
            lines.append(cut(one_line(suite), width))
        lines += [cut(line, width) for line in _score_lines(each)]
    return lines


def _score_lines(flips: ScoreFlips) -> Iterator[str]:
    count = len(flips.to_missed) + len(flips.to_passed)
    message = f"{count or 'none'} of {flips.cases} flipped" if flips.cases or not flips.gained else "new"
    if flips.moved:
        message += f", {flips.moved} more with another value"
    yield f"  {one_line(flips.score, 60)}: {message}"
    for what, cases in (
        ("from passed to missed", flips.to_missed),
        ("from missed to passed", flips.to_passed),
        ("had a value and have none", flips.lost),
        ("have a value and had none", flips.gained),
    ):
        if cases:
            yield f"    {what}: {len(cases)}"
        yield from (f"      {_flip(case)}" for case in cases[:_NAMED])
        if len(cases) > _NAMED:
            yield f"      ... and {len(cases) - _NAMED} more"


def _flip(flip: ScoreFlip) -> str:
    epoch = f" (epoch {flip.epoch})" if flip.epoch > 1 else ""
    model = one_line(flip.model, 40)
    return f"{one_line(flip.sample_id, 60)} on {model}{epoch}: {_number(flip.before)} -> {_number(flip.after)}"


def _number(value: float | None) -> str:
    return "none" if value is None else short(value, 4)


def _said(case: StoredCase) -> Mapping[str | None, _Said]:
    """Return value and verdict of a case's outcome, under None, and of each of its scores, by name."""
    value = _VALUES.get(case.outcome)
    own = _Said(value, None if value is None else bool(value))
    return {None: own, **{score.name: _Said(score.value, score.passed) for score in case.scores}}


def _compared(suite: str, score: str, pairs: Sequence[tuple[CaseKey, _Said, _Said]]) -> ScoreFlips:
    kinds: dict[str, list[ScoreFlip]] = {"to_missed": [], "to_passed": [], "lost": [], "gained": []}
    both = moved = 0
    for key, then, now in sorted(pairs, key=lambda pair: (pair[0].sample_id, pair[0].model, pair[0].epoch)):
        kind = _kind(then, now)
        both += then.value is not None and now.value is not None
        moved += kind == "moved"
        if kind in kinds:
            flip = ScoreFlip(
                sample_id=key.sample_id, model=key.model, epoch=key.epoch, before=then.value, after=now.value
            )
            kinds[kind].append(flip)
    return ScoreFlips(
        suite=suite, score=score, cases=both, moved=moved, **{kind: tuple(found) for kind, found in kinds.items()}
    )


def _kind(then: _Said, now: _Said) -> str:
    if then.value is None or now.value is None:
        return "same" if then.value is now.value else "gained" if then.value is None else "lost"
    if None not in (then.passed, now.passed) and then.passed != now.passed:
        return "to_passed" if now.passed else "to_missed"
    return "same" if then.value == now.value else "moved"
