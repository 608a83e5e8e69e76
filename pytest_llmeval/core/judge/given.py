"""Matching of labels from a file to the answers of a run."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pytest_llmeval.core.errors import DatasetError
from pytest_llmeval.core.grouping import grouped
from pytest_llmeval.core.ids import digest
from pytest_llmeval.core.judge.judged_answer import Scale
from pytest_llmeval.core.judge.judged_text import UNSURE, JudgedTexts
from pytest_llmeval.core.judge.label_sample import kept_draw
from pytest_llmeval.core.judge.scored import JudgedRun, judge_scores, split_scores
from pytest_llmeval.core.names import did_you_mean
from pytest_llmeval.core.stored import Label, StoredCase
from pytest_llmeval.core.text import first_lines, one_line, shown_value
from pytest_llmeval.core.types import Score

__all__ = ["Given", "LabelRow", "digest_of", "given_labels", "named_answers"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelRow:
    """One label as read from a file."""

    where: str
    """``FILE:LINE``."""
    sample_id: str
    name: str
    """Name of the score."""
    given: str | float
    """A value in [0, 1], or the name of a level."""
    suite: str | None = None
    model: str | None = None
    epoch: int | None = None
    rater: str | None = None
    note: str | None = None
    at: datetime | None = None
    """Time of labelling in UTC; None if unknown."""
    draw: str | None = None
    """How the answer was drawn for labelling; None if unknown."""
    answer_digest: str | None = None
    """``digest_of`` the labelled answer; None if unknown."""
    is_of_dataset: bool = False
    """Whether the label is part of a dataset's row; a dataset may have more rows than the run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A label that was matched to a case of a run."""

    row: LabelRow
    """The label as read from the file."""
    case: StoredCase
    name: str
    value: float
    passed: bool
    rater: str
    """Empty if unknown."""
    note: str | None
    draw: str | None

    def label(self, *, at: str, earlier: Label | None = None) -> Label:
        """Return the label to store, with its time ``at`` (ISO 8601, UTC); it replaces ``earlier``, if given."""
        return Label(
            case_id=self.case.id,
            name=self.name,
            value=self.value,
            rater=self.rater,
            at=at,
            passed=self.passed,
            note=self.note,
            draw=self.draw if earlier is None else kept_draw(earlier.draw, self.draw),
        )


def digest_of(answer: str | None) -> str:
    """Return the digest of an answer that was judged: ``a`` and 12 hex digits of its sha256.

    The letter prevents spreadsheets from reading the digest as a number.
    """
    return f"a{digest(answer or '')[:12]}"


def named_answers(rows: Iterable[LabelRow]) -> frozenset[str]:
    """Return the sample ids of labels that identify their answer by a digest."""
    return frozenset(row.sample_id for row in rows if row.answer_digest is not None)


def given_labels(judged: JudgedRun, rows: Iterable[LabelRow], *, rater: str = "") -> list[Given]:
    """Return the labels of a file, matched to a run, each once; a label without model or epoch applies to all.

    Rows of a dataset that the run does not have are left out.

    Args:
        judged: the run.
        rows: labels read from the file.
        rater: rater of labels that name none; empty if unknown.

    Raises:
        DatasetError: with a line for each label whose answer, score or level is not in the run, or that contradicts an
            earlier label of the same rater.
    """
    by_sample = grouped(judged.cases, lambda case: case.key.sample_id)
    without_zeros = {each.lstrip("0"): each for each in by_sample if each.isdecimal()}
    found: dict[tuple[str, str, str], Given] = {}
    problems: list[str] = []
    for row in rows:
        if row.sample_id not in by_sample:
            if not row.is_of_dataset:
                problems.append(_unknown(row, without_zeros))
            continue
        try:
            for each in _given(row, judged, by_sample, rater):
                _check_agrees(each, found.setdefault((each.case.id, each.name, each.rater), each))
        except DatasetError as error:
            problems.append(str(error))
    if problems:
        raise DatasetError(first_lines([*dict.fromkeys(problems)]))  # a row with labels for several scores: only once
    return list(found.values())


def _unknown(row: LabelRow, without_zeros: Mapping[str, str]) -> str:
    """Return the message that no row has such an id, with a hint if a spreadsheet stripped the id's leading zeros."""
    message = f"{row.where}: no such case in the run: {_sought(row)}"
    meant = without_zeros.get(row.sample_id.lstrip("0"))
    if meant is None:
        return message
    return (
        f"{message}; {shown_value(meant)} lost its zeros, as in a spreadsheet that was not told that the column is text"
    )


def _check_agrees(given: Given, earlier: Given) -> None:
    """Raise DatasetError if an earlier label of the same rater and score has another value."""
    if given.value != earlier.value:
        said, before = (shown_value(each.row.given) for each in (given, earlier))
        by = f"by {one_line(given.rater, 60)}" if given.rater else "and no rater tells the two apart"
        raise DatasetError(
            f"{given.row.where}: {given.name} of {_sought(given.row)} is {said}, and {before} in {earlier.row.where},"
            f" {by}; leave one of them"
        )


def _given(
    row: LabelRow, judged: JudgedRun, by_sample: Mapping[str, Sequence[StoredCase]], rater: str
) -> Iterator[Given]:
    cases = [case for case in by_sample[row.sample_id] if _is_of(row, case)]
    if not cases:
        raise DatasetError(f"{row.where}: no such case in the run: {_sought(row)}")
    suites = _suites(row.name, judged, cases)
    if not suites:
        _scale(row, judged, cases[0])  # raises: a missing score is reported before an ambiguous answer
    cases = [case for case in cases if case.key.suite in suites] or cases
    if row.answer_digest is not None:
        cases = [case for case in cases if _is_labelled(row, judged, case)]
    if not cases:
        raise DatasetError(
            f"{row.where}: another answer of {_sought(row)} was labelled than the run has; name the run that it is of"
        )
    if len({(case.key.suite, judged.text(case, row.name)) for case in cases}) > 1:
        raise DatasetError(
            f"{row.where}: {_sought(row)} has {len(cases)} different answers in the run; {_what_says(row)}"
        )
    for case in cases:
        scale = _scale(row, judged, case)
        value = _value(row, scale)
        yield Given(
            row=row,
            case=case,
            name=row.name,
            value=value,
            passed=scale.passes(value),
            rater=row.rater or rater,
            note=row.note,
            draw=row.draw,
        )


def _suites(name: str, judged: JudgedRun, cases: Sequence[StoredCase]) -> set[str]:
    """Return the suites in which one of ``cases`` has a score, or if none, those in which any case of the run has it.

    In the former, a suite where the case is an error counts too if other cases there have the score.
    """
    known = {key.suite for key in judged.scales if key.name == name}
    own = {case.key.suite for case in cases if any(score.name == name for score in _labelable(case))}
    failed = {case.key.suite for case in cases if case.outcome == "error"} & known
    return own | failed if own else known


def _what_says(row: LabelRow) -> str:
    """Return advice on how to say which of several answers a label is about."""
    if row.is_of_dataset:
        return "a dataset cannot say which: write its labels as lines that name suite, model and epoch"
    return "suite, model and epoch say which" if row.model is None or row.epoch is None else "suite says which"


def _labelable(case: StoredCase) -> Iterator[Score]:
    yield from judge_scores(case)
    yield from split_scores(case)


def _is_labelled(row: LabelRow, judged: JudgedRun, case: StoredCase) -> bool:
    """Return whether the labelled answer is the one that was judged for the score.

    Raises:
        DatasetError: this is unknown, because an older version recorded several judged texts for the case.
    """
    texts = judged.texts.get(case.id, JudgedTexts(response=case.response))
    answers = texts.answers(row.name)
    digests = {digest_of(answer) for answer in answers}
    if len(answers) > 1 and row.answer_digest in digests:
        raise DatasetError(f"{row.where}: {_sought(row)}: {UNSURE}")
    if texts.has_one:  # older versions used the response's digest whatever was judged
        digests.add(digest_of(case.response))
    return row.answer_digest in digests


def _scale(row: LabelRow, judged: JudgedRun, case: StoredCase) -> Scale:
    """Return the scale of the labelled score; if the case does not have it (an error), the suite's scale."""
    own = [score.judge_id for score in _labelable(case) if score.name == row.name]
    of_suite = {key: scale for key, scale in judged.scales.items() if key.suite == case.key.suite}
    for key, scale in of_suite.items():
        if key.name == row.name and (not own or key.judge_id in own):
            return scale
    known = sorted({key.name for key in of_suite})
    message = did_you_mean(row.name, known) if known else "no judge scored this suite"
    raise DatasetError(f"{row.where}: no score of a judge {shown_value(row.name)}; {message}")


def _is_of(row: LabelRow, case: StoredCase) -> bool:
    wanted = ((row.suite, case.key.suite), (row.model, case.key.model), (row.epoch, case.key.epoch))
    return all(one is None or one == other for one, other in wanted)


def _sought(row: LabelRow) -> str:
    parts = {"suite": row.suite, "model": row.model, "epoch": row.epoch}
    others = "".join(f", {key} {one_line(str(value), 60)}" for key, value in parts.items() if value is not None)
    return f"sample_id {shown_value(row.sample_id)}{others}"


def _value(row: LabelRow, scale: Scale) -> float:
    by_name = {name: value for value, name in scale.levels.items()}
    if isinstance(row.given, str):
        if row.given in by_name:
            return by_name[row.given]
    elif 0 <= row.given <= 1:
        return row.given
    names = ", ".join(by_name)
    given = shown_value(row.given)
    raise DatasetError(f"{row.where}: {row.name}: a label is a number from 0 to 1 or one of {names}; found {given}")
