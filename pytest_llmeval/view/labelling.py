"""The page on which people label answers, and the labels in a submitted form."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pytest_llmeval.core.errors import SettingsError
from pytest_llmeval.core.judge import rubric
from pytest_llmeval.core.judge.given import LabelRow, given_labels
from pytest_llmeval.core.judge.judged_text import UNSURE, Shown, texts_of
from pytest_llmeval.core.judge.label_sample import RANDOM
from pytest_llmeval.core.judge.scored import JudgedRun, ScaleKey, judged_run
from pytest_llmeval.core.stored import Label, StoredCase
from pytest_llmeval.core.types import Call, Score
from pytest_llmeval.reports.comparison_words import expected_text
from pytest_llmeval.reports.html.chat import chat
from pytest_llmeval.reports.html.escape import Html, element, joined
from pytest_llmeval.reports.judged_parts import QUOTED, read_parts
from pytest_llmeval.reports.row_texts import asked_messages
from pytest_llmeval.store.browsing import BrowsingReader
from pytest_llmeval.store.records import Run, utc_now
from pytest_llmeval.view.pages import Frame

__all__ = ["Draft", "chosen_in", "label_page", "labels_in"]

_NOTHING = "No answer of this run was judged by a judge, so that there is nothing to label."
_LINE_END = re.compile("\r\n?")
"""Line ends in submitted forms: browsers send CR LF. Notes are stored with LF."""
_DONE = "Every judged answer has a label of yours. llmeval calibrate says how far the judge agrees."


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One level of a dimension, as the form offers it."""

    name: str
    value: float
    anchor: str
    passes: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimension:
    """One dimension that the form asks about."""

    place: int
    """Index of the dimension in the form, from 0."""
    name: str
    """Name of the score."""
    question: str
    levels: Sequence[Level]
    """Levels, the worst first."""
    chosen: int | None
    """Index of the chosen level; None if none is chosen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """The contents of a form."""

    rater: str
    note: str = ""
    chosen: Mapping[int, int] | None = None
    """Index of the chosen level by index of the dimension; None shows the earlier labels."""
    problem: str = ""


def label_page(
    frame: Frame,
    reader: BrowsingReader,
    run: Run,
    case: StoredCase | None,
    *,
    draft: Draft,
    queue: Sequence[str],
    is_drawn: bool,
    token: str,
) -> str:
    """Return the page on which a case is labelled.

    Args:
        frame: the frame of the page.
        reader: the database.
        run: the run whose answers are labelled.
        case: the case to label; None if none is left.
        draft: the contents of the form.
        queue: ids of the cases that may be labelled, in order.
        is_drawn: whether the case came up as the next of the queue, so that its labels belong to a random draw.
        token: the secret by which the server recognises its own form.
    """
    labelled = reader.labelled_by(run.id, draft.rater) & {*queue}
    calls = [] if case is None else reader.calls(case.id)
    place = queue.index(case.id) if case is not None and case.id in queue else None
    before = queue[place - 1] if place else None
    own = {} if case is None else {each.name: each for each in reader.labels_of(case.id) if each.rater == draft.rater}
    asked = [] if case is None else dimensions(reader, run, case, draft.chosen, own)
    return frame.render(
        "label.html",
        "Label answers",
        run=run,
        case=case,
        done=len(labelled),
        total=len(queue),
        nothing=_DONE if queue else _NOTHING,
        rater=draft.rater,
        problem=draft.problem,
        note=draft.note or next((each.note for each in own.values() if each.note), ""),
        chat=None if case is None else _chat(case, calls, [each.name for each in asked]),
        dimensions=asked,
        is_drawn=is_drawn,
        previous=None if before is None else frame.links.label(run.id, case=before),
        following=frame.links.label(run.id, after=None if case is None else case.id),
        token=token,
    )


def _chat(case: StoredCase, calls: Sequence[Call], names: Sequence[str]) -> Html:
    """Return what the judge was shown, once per distinct answer; if that was not stored, the model's prompt."""
    texts, expected = texts_of(case.response, calls), expected_text(case.target)
    if not all(map(texts.is_known, names)):
        return element("p", f"This answer cannot be labelled: {UNSURE}.", class_="lv-notice lv-warn")
    shown = texts.shown(names)
    return joined(part for each in shown for part in _judged(each, case, calls, expected, is_only=len(shown) == 1))


def _judged(
    shown: Shown, case: StoredCase, calls: Sequence[Call], expected: str | None, *, is_only: bool
) -> Iterator[Html]:
    """Yield what the judge was shown for some scores, in the form for people; with their names if they are not all."""
    if not is_only:
        yield element("h2", ", ".join(shown.names))
    if shown.parts:
        read = read_parts(shown.parts, case, calls)
        if read.is_quoted:
            yield element("p", QUOTED, class_="lv-notice")
        yield chat([("question", read.texts.get("QUESTION", ""))], read.texts["ANSWER"], read.texts.get("REFERENCE"))
    else:
        yield chat(asked_messages(case, calls), shown.answer, expected)


def dimensions(
    reader: BrowsingReader,
    run: Run,
    case: StoredCase,
    chosen: Mapping[int, int] | None,
    own: Mapping[str, Label],
) -> list[Dimension]:
    """Return the dimensions of a case that can be labelled: those a judge scored, with the levels of its rubric.

    Args:
        reader: the database.
        run: the run of the case.
        case: a judged case.
        chosen: index of the chosen level by index of the dimension; None for the earlier labels.
        own: the rater's earlier labels, by score.
    """
    judged = judged_run(run.id, [case], reader.judges(run.id))
    made = []
    for place, (score, dimension) in enumerate(_asked(judged, case)):
        name = score.name
        scale = judged.scales[ScaleKey(case.key.suite, score.judge_id or "", name)]
        levels = [
            Level(name=each.name, value=each.value, anchor=each.anchor, passes=scale.passes(each.value))
            for each in dimension.levels
        ]
        earlier = next((at for at, level in enumerate(levels) if name in own and level.value == own[name].value), None)
        made.append(
            Dimension(
                place=place,
                name=name,
                question=dimension.question,
                levels=levels,
                chosen=earlier if chosen is None else chosen.get(place),
            )
        )
    return made


def chosen_in(form: Mapping[str, str]) -> dict[int, int]:
    """Return the choices in a form: index of the level by index of the dimension."""
    found = {key.removeprefix("level-"): told for key, told in form.items() if key.startswith("level-")}
    return {int(place): int(told) for place, told in found.items() if _is_place(place) and _is_place(told)}


def _is_place(text: str) -> bool:
    return text.isdecimal() and len(text) < 10


def labels_in(form: Mapping[str, str], reader: BrowsingReader, run: Run, case: StoredCase) -> list[Label]:
    """Return the labels in a form.

    Raises:
        SettingsError: if nothing was chosen, the rater is not named, or a choice was not offered.
    """
    known = dimensions(reader, run, case, chosen_in(form), {})
    texts = texts_of(case.response, reader.calls(case.id))
    if not all(texts.is_known(each.name) for each in known):
        raise SettingsError(f"This answer cannot be labelled: {UNSURE}.")
    wrong = next((each for each in known if each.chosen is not None and each.chosen >= len(each.levels)), None)
    if wrong is not None:
        raise SettingsError(f"{wrong.name}: there is no level {wrong.chosen}")
    said = [(each, each.levels[each.chosen].value) for each in known if each.chosen is not None]
    rater, note = form.get("rater", "").strip(), _LINE_END.sub("\n", form.get("note", "")).strip()
    if not rater:
        raise SettingsError("No rater is named: fill in your name.")
    if not said:
        raise SettingsError("Nothing was chosen: choose a level of one dimension at least.")
    draw = RANDOM if form.get("drawn") == "1" else None
    before = {each.name: each for each in reader.labels_of(case.id) if each.rater == rater}
    rows = [
        LabelRow(
            where="the form",
            sample_id=case.key.sample_id,
            name=each.name,
            given=value,
            suite=case.key.suite,
            model=case.key.model,
            epoch=case.key.epoch,
            rater=rater,
            note=note or None,
            draw=draw,
        )
        for each, value in said
    ]
    at = utc_now()
    given = given_labels(judged_run(run.id, [case], reader.judges(run.id)), rows)
    return [each.label(at=at, earlier=before.get(each.name)) for each in given]


def _asked(judged: JudgedRun, case: StoredCase) -> list[tuple[Score, rubric.Dimension]]:
    """Return the scores that can be labelled, each with its dimension, sorted by judge and then as in its rubric."""
    found = [
        (score, place, dimension)
        for score in judged.labelable(case)
        for place, dimension in enumerate(judged.rubrics[score.judge_id or ""].dimensions)
        if dimension.name == score.dimension
    ]
    found.sort(key=lambda each: (each[0].judge_id or "", each[1]))
    return [(score, dimension) for score, _, dimension in found]
