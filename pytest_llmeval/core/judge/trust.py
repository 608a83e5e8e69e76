"""Whether a judge may gate: what people said of its answers in any run, held against what a rule demands of it.

A judge is the same where its judge_id is: the rubric, the template, the schema, and who is asked how. What people say
of the answers of another one says nothing of it.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from pytest_llmeval.core.judge.asking import JUDGES_DIFFER, compares
from pytest_llmeval.core.judge.calibration import Calibration, calibrate
from pytest_llmeval.core.judge.judged_answer import JudgedAnswer, Scale
from pytest_llmeval.core.judge.judged_text import JudgedTexts
from pytest_llmeval.core.judge.label_sample import RANDOM, kept_draw
from pytest_llmeval.core.judge.rubric import Rubric
from pytest_llmeval.core.judge.scored import Labels, Said, judged_run
from pytest_llmeval.core.rules import JudgeDemands
from pytest_llmeval.core.stats.agreement import Rate
from pytest_llmeval.core.stats.kappa import Kappa
from pytest_llmeval.core.stats.means import ROUNDING
from pytest_llmeval.core.stored import Label, StoredCase
from pytest_llmeval.core.types import JudgeRecord

__all__ = ["UNKNOWN", "Trust"]

_OLDER = (
    "the database has no rubric of it, as an older version recorded the run, or it was made elsewhere; score its"
    " answers again: llmeval rescore RUN"
)
_TO_DO = "have people label more: llmeval labels export, labels import, calibrate"
_MEND = "mend its rubric where people and judge differ, or "
"""What comes before that where people said enough to know that the judge is not as they are."""
_LOOK_AGAIN = "where people look again at older labels, fill in the column at"


class _Answer(NamedTuple):
    """An answer that a judge judged for a score, in whatever run."""

    judge_id: str
    name: str
    """Of the score."""
    text: Hashable
    """What tells it from others."""


class Trust:
    """What judges are worth by the labels of their answers."""

    def __init__(
        self,
        cases: Iterable[StoredCase],
        labels: Iterable[Label],
        judges: Iterable[JudgeRecord],
        *,
        now: datetime,
        texts: Mapping[str, JudgedTexts] | None = None,
    ) -> None:
        """Take what is known.

        Args:
            cases: those that have labels, of all runs; one that an older version recorded, without a rubric, tells
                nothing.
            labels: all of them.
            judges: what stands behind the judge_ids, each once.
            now: what the age of a label is told by.
            texts: what was judged, by case; None where that is the responses.
        """
        known = list(judges)
        ids = {None, *(judge.judge_id for judge in known)}
        told = [case for case in cases if ids.issuperset(score.judge_id for score in case.scores)]
        self._judged = judged_run("", told, known, texts)
        self._answers_of = {
            (case.id, score.name): _Answer(score.judge_id or "", score.name, self._judged.answer(case, score.name))
            for case in self._judged.cases
            for score in self._judged.judged(case)
        }
        self._labels = sorted(labels, key=lambda label: datetime.fromisoformat(label.at))
        self._now = now

    def missed(self, demands: JudgeDemands, judge_id: str, metric: str) -> str | None:
        """Return which demands the judge of a metric does not meet, and what to do; None where it meets all.

        Args:
            demands: of the rule.
            judge_id: of the judge.
            metric: the score's name.
        """
        if judge_id not in self._judged.rubrics:
            return _OLDER
        name = self._labelled(judge_id, metric)
        found = self._calibration(judge_id, name, demands.max_age_days)
        told = list(_missed(demands, found))
        if not told:
            return None
        mend = _MEND if found is not None and _falls_short(demands, found) else ""
        look = [_LOOK_AGAIN] if self._has_older(judge_id, name, demands.max_age_days) else []
        return "; ".join([*told, *self._left_out(judge_id, name), mend + _TO_DO, *look])

    def compares(self, judge_id: str) -> bool:
        """Return whether a judge said which of two answers is better, of which people say nothing."""
        return judge_id in self._judged.rubrics and compares(self._judged.rubrics[judge_id])

    def _labelled(self, judge_id: str, metric: str) -> str:
        """Return the score that tells of a metric: of a rubric of one dimension that dimension, which is the whole."""
        rubric = self._judged.rubrics[judge_id]
        if len(rubric.dimensions) > 1:
            return metric
        parts = [rubric.score_names(name)[1] for name in _callings(rubric, metric)]
        known = {key.name for key in self._judged.scales if key.judge_id == judge_id}
        return next((name for name in (metric, *parts) if name in known), metric)

    def _calibration(self, judge_id: str, metric: str, max_age_days: int | None) -> Calibration | None:
        """Return how a judge agrees with the labels that count, over all suites; None without any."""
        found = list(self._answers(judge_id, metric, self._counting(max_age_days)))
        answers = [each for _, own in found for each in _labelled_once(own)]
        return calibrate(found[0][0], answers) if answers else None

    def _has_older(self, judge_id: str, metric: str, max_age_days: int | None) -> bool:
        """Return whether answers have labels that are too old, and no other ones."""
        if max_age_days is None:
            return False
        counting, all_ages = (
            sum(len(_labelled_once(own)) for _, own in self._answers(judge_id, metric, self._counting(age)))
            for age in (max_age_days, None)
        )
        return counting < all_ages

    def _answers(self, judge_id: str, metric: str, labels: Labels) -> Iterator[tuple[Scale, list[JudgedAnswer]]]:
        """Yield the answers of each suite that a score is of, be it of a dimension or of a rubric as a whole."""
        for key, scale in self._judged.scales.items():
            if key[1:] == (judge_id, metric):
                yield scale, self._judged.answers(key, labels)
        for key in self._judged.wholes():
            if key[1:] == (judge_id, metric):
                yield self._judged.whole(key, labels)[:2]

    def _counting(self, max_age_days: int | None) -> Labels:
        """Return the labels of answers that were drawn by chance, and that are no older than so many days.

        Those of one answer count in every run that repeats it.
        """
        said = self._said(max_age_days)
        return {
            place: {rater: each for rater, each in said[answer].items() if _is_random(each.draw)}
            for place, answer in self._answers_of.items()
            if answer in said
        }

    def _said(self, max_age_days: int | None = None) -> dict[_Answer, dict[str, Said]]:
        """Return what each rater said last of an answer, in whatever run.

        It was drawn as it was for the first label, however old that is; by chance where it once was.
        """
        found: dict[_Answer, dict[str, Said]] = defaultdict(dict)
        draws: dict[tuple[_Answer, str], str | None] = {}
        for each in self._labels:
            answer = self._answers_of.get((each.case_id, each.name))
            if answer is None:
                continue
            label = answer, each.rater
            draws[label] = kept_draw(draws.get(label, each.draw), each.draw)
            age_days = (self._now - datetime.fromisoformat(each.at)) / timedelta(days=1)
            if max_age_days is None or age_days <= max_age_days:
                found[answer][each.rater] = Said(each.value, draws[label])
        return found

    def _left_out(self, judge_id: str, metric: str) -> Iterator[str]:
        """Yield which labels of the same score, of a rubric as a whole those of its dimensions, do not count."""
        rubric = self._judged.rubrics[judge_id]
        names = {metric, *(name for own in _callings(rubric, metric) for name in rubric.score_names(own)[1:])}
        said = {answer: by_rater for answer, by_rater in self._said().items() if answer.name in names}
        by_verdict = {
            answer.text
            for answer, by_rater in said.items()
            if answer.judge_id == judge_id and not all(_is_random(each.draw) for each in by_rater.values())
        }
        drawn = len(by_verdict)
        if drawn:
            many = "1 answer that was" if drawn == 1 else f"{drawn} answers that were"
            yield f"labels of {many} drawn by the verdict do not count"
        others = {answer.judge_id for answer in said} - {judge_id}
        if others:
            many = "another judge" if len(others) == 1 else f"{len(others)} other judges"
            yield f"labels of {many} ({JUDGES_DIFFER}) do not count"


UNKNOWN = Trust((), (), (), now=datetime.fromtimestamp(0, tz=UTC))
"""Nothing is known of any judge."""


def _callings(rubric: Rubric, metric: str) -> list[str | None]:
    """Return by which names of its whole a rubric may have been asked, where that is called ``metric``."""
    return [None, metric] if metric == rubric.name else [metric]


def _labelled_once(answers: Iterable[JudgedAnswer]) -> list[JudgedAnswer]:
    """Return those with labels, one of those that give the same answer to a row: runs repeat answers."""
    return list({each.text: each for each in answers if each.labels}.values())


def _missed(demands: JudgeDemands, found: Calibration | None) -> Iterator[str]:
    """Yield each demand that is not met: found against asked."""
    age = "" if demands.max_age_days is None else f" in the last {demands.max_age_days} days"
    if found is None:
        yield f"people labelled none of its answers{age}{_asked(demands)}"
        return
    count = f"{found.n} labelled {'answer' if found.n == 1 else 'answers'}{age}"
    if demands.min_labels is not None and found.n < demands.min_labels:
        yield f"{count}, min_labels asks {demands.min_labels}"
    failing = found.rates.specificity
    which = "" if failing is None else f"the {failing.n} that people fail, of "
    for measure, least, seen in _demanded(demands, found):
        if seen is None or seen.value < least - ROUNDING:
            told = f"unknown ({found.reasons.get(measure)})" if seen is None else _shown(seen, least)
            over = f"{which}{count}" if measure == "specificity" else count
            yield f"{measure} {told} over {over}, min_{measure} asks {least:g}"


def _demanded(demands: JudgeDemands, found: Calibration) -> Iterator[tuple[str, float, Kappa | Rate | None]]:
    """Yield each measure of agreement of which a rule demands something: at least how much, and what was found."""
    if demands.min_kappa is not None:
        yield "kappa", demands.min_kappa, found.kappa
    if demands.min_specificity is not None:
        yield "specificity", demands.min_specificity, found.rates.specificity


def _falls_short(demands: JudgeDemands, found: Calibration) -> bool:
    """Return whether the judge is known to agree less than is demanded."""
    known = ((least, seen) for _, least, seen in _demanded(demands, found) if seen is not None)
    return any(seen.value < least - ROUNDING for least, seen in known)


def _asked(demands: JudgeDemands) -> str:
    wanted: Mapping[str, float | None] = {
        "min_labels": demands.min_labels,
        "min_kappa": demands.min_kappa,
        "min_specificity": demands.min_specificity,
    }
    told = ", ".join(f"{key} asks {value:g}" for key, value in wanted.items() if value is not None)
    return f", {told}" if told else ""


def _shown(seen: Kappa | Rate, least: float) -> str:
    """Return what was found, which lies below ``least`` as it is shown, too, with its 95 % interval."""
    ends = seen.interval
    digits = next((some for some in (3, 6) if float(f"{seen.value:.{some}g}") < least), 12)
    return f"{seen.value:.{digits}g}" + (f" (95% interval {ends.low:.3g}..{ends.high:.3g})" if ends is not None else "")


def _is_random(draw: str | None) -> bool:
    """Return whether an answer was not chosen by what the judge said of it; else the labels would flatter the judge."""
    return draw in (None, RANDOM)
