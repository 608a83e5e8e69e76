"""Whether a judge may gate: the agreement of its verdicts with labels from any run, against a rule's demands.

Two judges are the same if their ``judge_id`` is: rubric, template, schema, models and the way of asking. Labels of
another judge's answers say nothing about this one.
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
from pytest_llmeval.core.judge.scored import Labels, RaterLabel, judged_run
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
_FIX = "fix its rubric where people and judge differ, or "
"""Put before ``_TO_DO`` if there are enough labels to show that the judge disagrees with people."""
_LOOK_AGAIN = "where people look again at older labels, fill in the column at"


class _Answer(NamedTuple):
    """An answer that a judge judged for a score, in any run."""

    judge_id: str
    name: str
    """Name of the score."""
    text: Hashable
    """Identifies the answer; equal for the same answer in several runs."""


class Trust:
    """The judges' agreement with people, measured by labels of answers that they judged."""

    def __init__(
        self,
        cases: Iterable[StoredCase],
        labels: Iterable[Label],
        judges: Iterable[JudgeRecord],
        *,
        now: datetime,
        texts: Mapping[str, JudgedTexts] | None = None,
    ) -> None:
        """Collect the judged answers and their labels.

        Args:
            cases: cases with labels, from all runs; a case recorded by an older version without a rubric is ignored.
            labels: all labels.
            judges: descriptions of the judges, each once.
            now: time at which the age of a label is measured.
            texts: texts that were judged, by case id; None if these are the responses.
        """
        known = list(judges)
        ids = {None, *(judge.judge_id for judge in known)}
        own = [case for case in cases if ids.issuperset(score.judge_id for score in case.scores)]
        self._judged = judged_run("", own, known, texts)
        self._answers_of = {
            (case.id, score.name): _Answer(score.judge_id or "", score.name, self._judged.answer(case, score.name))
            for case in self._judged.cases
            for score in self._judged.judged(case)
        }
        self._labels = sorted(labels, key=lambda label: datetime.fromisoformat(label.at))
        self._now = now

    def missed(self, demands: JudgeDemands, judge_id: str, metric: str) -> str | None:
        """Return which demands the judge of a metric does not meet, and what to do; None if it meets all.

        Args:
            demands: demands of the rule.
            judge_id: id of the judge.
            metric: name of the score.
        """
        if judge_id not in self._judged.rubrics:
            return _OLDER
        name = self._labelled(judge_id, metric)
        found = self._calibration(judge_id, name, demands.max_age_days)
        missed = list(_missed(demands, found))
        if not missed:
            return None
        fix = _FIX if found is not None and _falls_short(demands, found) else ""
        look = [_LOOK_AGAIN] if self._has_older(judge_id, name, demands.max_age_days) else []
        return "; ".join([*missed, *self._left_out(judge_id, name), fix + _TO_DO, *look])

    def compares(self, judge_id: str) -> bool:
        """Return whether a judge compares two answers; such verdicts cannot be labelled by people."""
        return judge_id in self._judged.rubrics and compares(self._judged.rubrics[judge_id])

    def _labelled(self, judge_id: str, metric: str) -> str:
        """Return the score whose labels count for a metric: for a rubric with a single dimension, that dimension's."""
        rubric = self._judged.rubrics[judge_id]
        if len(rubric.dimensions) > 1:
            return metric
        parts = [rubric.score_names(name)[1] for name in _callings(rubric, metric)]
        known = {key.name for key in self._judged.scales if key.judge_id == judge_id}
        return next((name for name in (metric, *parts) if name in known), metric)

    def _calibration(self, judge_id: str, metric: str, max_age_days: int | None) -> Calibration | None:
        """Return how a judge agrees with the labels that count, over all suites; None without such labels."""
        found = list(self._answers(judge_id, metric, self._counting(max_age_days)))
        answers = [each for _, own in found for each in _labelled_once(own)]
        return calibrate(found[0][0], answers) if answers else None

    def _has_older(self, judge_id: str, metric: str, max_age_days: int | None) -> bool:
        """Return whether some answers have only labels that are too old."""
        if max_age_days is None:
            return False
        counting, all_ages = (
            sum(len(_labelled_once(own)) for _, own in self._answers(judge_id, metric, self._counting(age)))
            for age in (max_age_days, None)
        )
        return counting < all_ages

    def _answers(self, judge_id: str, metric: str, labels: Labels) -> Iterator[tuple[Scale, list[JudgedAnswer]]]:
        """Yield the scale and the answers of a score, of a dimension or of a whole rubric, for each suite."""
        for key, scale in self._judged.scales.items():
            if key[1:] == (judge_id, metric):
                yield scale, self._judged.answers(key, labels)
        for key in self._judged.wholes():
            if key[1:] == (judge_id, metric):
                yield self._judged.whole(key, labels)[:2]

    def _counting(self, max_age_days: int | None) -> Labels:
        """Return the labels of randomly drawn answers that are at most so many days old.

        A label counts for the same answer in every run.
        """
        said = self._said(max_age_days)
        return {
            place: {rater: each for rater, each in said[answer].items() if _is_random(each.draw)}
            for place, answer in self._answers_of.items()
            if answer in said
        }

    def _said(self, max_age_days: int | None = None) -> dict[_Answer, dict[str, RaterLabel]]:
        """Return each rater's latest label of each answer, over all runs.

        How the answer was drawn is taken from the rater's first label, however old; it counts as random if it ever was.
        """
        found: dict[_Answer, dict[str, RaterLabel]] = defaultdict(dict)
        draws: dict[tuple[_Answer, str], str | None] = {}
        for each in self._labels:
            answer = self._answers_of.get((each.case_id, each.name))
            if answer is None:
                continue
            label = answer, each.rater
            draws[label] = kept_draw(draws.get(label, each.draw), each.draw)
            age_days = (self._now - datetime.fromisoformat(each.at)) / timedelta(days=1)
            if max_age_days is None or age_days <= max_age_days:
                found[answer][each.rater] = RaterLabel(each.value, draws[label])
        return found

    def _left_out(self, judge_id: str, metric: str) -> Iterator[str]:
        """Yield in words which labels of a score do not count; for a whole rubric also labels of its dimensions."""
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
"""A ``Trust`` without any labels."""


def _callings(rubric: Rubric, metric: str) -> list[str | None]:
    """Return the ``name`` arguments of ``score.judge`` with which a rubric's whole score is called ``metric``."""
    return [None, metric] if metric == rubric.name else [metric]


def _labelled_once(answers: Iterable[JudgedAnswer]) -> list[JudgedAnswer]:
    """Return the labelled answers, each only once: the same answer to a row may come in several runs."""
    return list({each.text: each for each in answers if each.labels}.values())


def _missed(demands: JudgeDemands, found: Calibration | None) -> Iterator[str]:
    """Yield each demand that is not met, with what was found and what is demanded."""
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
    """Yield each demanded measure of agreement: its name, the least value demanded and the value found."""
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
    bounds = ", ".join(f"{key} asks {value:g}" for key, value in wanted.items() if value is not None)
    return f", {bounds}" if bounds else ""


def _shown(seen: Kappa | Rate, least: float) -> str:
    """Return a value below ``least`` with its 95 % interval, and enough digits that it is visibly below."""
    ends = seen.interval
    digits = next((some for some in (3, 6) if float(f"{seen.value:.{some}g}") < least), 12)
    return f"{seen.value:.{digits}g}" + (f" (95% interval {ends.low:.3g}..{ends.high:.3g})" if ends is not None else "")


def _is_random(draw: str | None) -> bool:
    """Return whether an answer was drawn independently of the judge's verdict; otherwise labels flatter the judge."""
    return draw in (None, RANDOM)
