"""GitHub Actions annotations for the worst rows of a run, shown beside the eval in a pull request.

Their form is ``::error file=…,line=…,title=…::message``, and GitHub shows ten per step:
https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pytest_llmeval.core.text import one_line, printable, shorten
from pytest_llmeval.reports.comparison_words import row_name, score_words
from pytest_llmeval.reports.model_names import distinct_names
from pytest_llmeval.reports.row_flips import RowKey
from pytest_llmeval.reports.run_report import RunReport
from pytest_llmeval.reports.run_text import case_words
from pytest_llmeval.reports.worst_cases import WorstCase

__all__ = ["annotation_lines"]

_MOST = 10
"""Largest number of annotations: GitHub shows no more per step."""
_DATA = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY = _DATA | str.maketrans({":": "%3A", ",": "%2C"})


class _Note(NamedTuple):
    nodeid: str
    title: str
    text: str


def annotation_lines(report: RunReport, *, root: Path, workspace: Path) -> Iterator[str]:
    """Yield an annotation for each of the worst rows, at most ten: rows that flipped, then misses, then errors.

    They are errors if the session failed, otherwise warnings. In a session that passed, misses that the baseline has
    too are left out.

    Args:
        report: the report of the run.
        root: the root of the project, to which the files in node ids are relative.
        workspace: the checkout, to which the files in GitHub's annotations are relative.
    """
    end = report.view.run.end
    is_green = end is not None and end.exit_code == 0
    level = "warning" if is_green else "error"
    notes: dict[str, _Note] = {}
    for note in (*_flips(report), *_cases(report, only_new=is_green)):
        notes.setdefault(note.nodeid, note)
    for note in list(notes.values())[:_MOST]:
        yield f"::{level} {_place(note.nodeid, root, workspace)}title={note.title.translate(_PROPERTY)}::{note.text}"


def _flips(report: RunReport) -> Iterator[_Note]:
    if report.against is None:
        return
    base = one_line(report.against.base, 60)
    for flip in report.against.flipped.flips:
        if flip.direction == "worse" and flip.after.nodeid is not None:
            text = f"{row_name(flip)} on {one_line(flip.model, 40)}: {score_words(flip)}"
            yield _Note(flip.after.nodeid, f"llmeval: worse than {base}", text.translate(_DATA))


def _cases(report: RunReport, *, only_new: bool) -> Iterator[_Note]:
    """Yield misses and errors. ``only_new`` skips misses of rows in the baseline; those that are new have flipped."""
    known = report.against.known if only_new and report.against is not None else ()
    names = {model: one_line(model) for model in report.view.run.models}
    names |= distinct_names(report.view.run.models)
    misses = [each for each in report.worst.misses if _row(each) not in known]
    for word, cases in (("missed", misses), ("error", report.worst.errors)):
        for worst in cases:
            yield _Note(worst.case.key.nodeid, f"llmeval: {word}", _told(worst, names).translate(_DATA))


def _row(worst: WorstCase) -> RowKey:
    key = worst.case.key
    return RowKey(key.suite, key.model, key.sample_id)


def _told(worst: WorstCase, names: Mapping[str, str]) -> str:
    case = worst.case
    reasons = [score.reason for score in case.scores if score.passed is False and score.reason]
    why = [shorten(printable(text), 300) for text in (case.error, *reasons) if text]
    return "\n".join([f"{one_line(case.key.suite, 60)} {case_words(case, names)}", *why])


def _place(nodeid: str, root: Path, workspace: Path) -> str:
    """Return the ``file`` and, if it is found, ``line`` properties of the eval's position."""
    name, _, rest = nodeid.partition("::")
    path = root / name
    shown = path.relative_to(workspace).as_posix() if path.is_relative_to(workspace) else name
    line = _line_of(path, rest.partition("[")[0].split("::"))
    place = f"file={one_line(shown).translate(_PROPERTY)},"
    return place if line is None else f"{place}line={line},"


def _line_of(path: Path, names: Sequence[str]) -> int | None:
    """Return the line of a function, the last of ``names`` after those of its classes; None if it is not found.

    For a method inherited from a class of another name, any function of its name in the file is taken.
    """
    try:
        text = path.read_text("utf-8", errors="replace")
    except (OSError, ValueError):
        return None
    *classes, function = names
    start = 0
    for name in classes:
        found = re.compile(rf"^[ \t]*class[ \t]+{re.escape(name)}\b", re.MULTILINE).search(text, start)
        start = found.start() if found is not None else start
    defined = re.compile(rf"^[ \t]*(async[ \t]+)?def[ \t]+{re.escape(function)}\b", re.MULTILINE)
    found = defined.search(text, start) or defined.search(text)
    return None if found is None else text.count("\n", 0, found.start()) + 1
