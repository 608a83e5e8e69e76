"""The lines of an exported baseline: a run and its cases as JSON objects, and back with every field looked at.

What is usual is left out of a case's line, and nothing in it depends on the run's id, so that two exports differ in
what two runs differ in.
"""

import json
from collections.abc import Iterator, Mapping
from types import NoneType
from typing import Any, NamedTuple

from pytest_llmeval.core.ids import case_id
from pytest_llmeval.core.text import one_line, storable
from pytest_llmeval.core.types import CaseKey, Score
from pytest_llmeval.store.records import ANSWERING, Run, RunEnd, StoredCase

__all__ = [
    "NotALineError",
    "checked_case",
    "checked_header",
    "from_header",
    "to_case",
    "to_case_row",
    "to_header",
    "to_line",
    "to_run",
    "to_score_rows",
]

_FORMAT = "llmeval baseline"
_VERSION = 1
_LARGEST = 2**63
_OUTCOMES = ("passed", "missed", "error", "skipped")
_STATUSES = ("scored", "none", "error")
_RUN_STATUSES = ("finished", "interrupted", "unmeasurable")
_VERDICTS = ("pass", "fail", "inconclusive", "unmeasurable", "none")
_MISSING: Any = object()


class NotALineError(ValueError):
    """A line is not what was written; the message says which field, and what was found."""


class _Field(NamedTuple):
    """What may stand under one key."""

    types: tuple[type, ...]
    default: Any = _MISSING
    """What it is where it is left out."""
    among: tuple[str, ...] = ()
    """The texts that it may be; any where empty."""


_TEXT = _Field((str,))
_MAYBE_TEXT = _Field((str, NoneType), None)
_NUMBER = _Field((float, int, NoneType), None)
_COUNT = _Field((int, NoneType), None)
_LIST = _Field((list,), [])

_HEADER = {
    "format": _Field((str,), among=(_FORMAT,)),
    "version": _Field((int,)),
    "name": _TEXT,
    "cases": _Field((int,)),
    "answers": _Field((bool,)),
    "run": _Field((dict,)),
}
_RUN = {
    "id": _TEXT,
    "name": _MAYBE_TEXT,
    "started_at": _TEXT,
    "version": _TEXT,
    "models": _Field((list,)),
    "judge_models": _LIST,
    "git_commit": _MAYBE_TEXT,
    "git_branch": _MAYBE_TEXT,
    "git_dirty": _Field((bool, NoneType), None),
    "dataset_digest": _MAYBE_TEXT,
    "end": _Field((dict,)),
    "settings": _Field((dict,)),
}
_END = {
    "finished_at": _TEXT,
    "status": _Field((str,), among=_RUN_STATUSES),
    "exit_code": _Field((int,)),
    "verdict": _Field((str,), among=_VERDICTS),
}
_CASE = {
    "suite": _TEXT,
    "sample_id": _TEXT,
    "model": _TEXT,
    "epoch": _Field((int,), 1),
    "nodeid": _TEXT,
    "slices": _LIST,
    "outcome": _Field((str,), among=_OUTCOMES),
    "scores": _LIST,
    "error_kind": _MAYBE_TEXT,
    "error": _MAYBE_TEXT,
    "input_digest": _MAYBE_TEXT,
    "target": _MAYBE_TEXT,
    "cluster": _MAYBE_TEXT,
    "response": _MAYBE_TEXT,
    "started_at": _TEXT,
    "latency_s": _NUMBER,
    "waited_s": _NUMBER,
    "input_tokens": _COUNT,
    "output_tokens": _COUNT,
    "cost_usd": _NUMBER,
    "attempts": _Field((int,), 0),
    "cached": _Field((bool,), False),
}
_SCORE = {
    "name": _TEXT,
    "value": _NUMBER,
    "passed": _Field((bool, NoneType), None),
    "status": _Field((str,), "scored", among=_STATUSES),
    "reason": _MAYBE_TEXT,
    "scorer_digest": _MAYBE_TEXT,
    "judge_id": _MAYBE_TEXT,
    "dimension": _MAYBE_TEXT,
    "decided_by": _MAYBE_TEXT,
}
_KEY = ("nodeid", "suite", "sample_id", "model", "epoch")
_ANSWERS = frozenset({"response", "error", "target", "reason"})
"""What quotes the model or the dataset."""
_SETTINGS = {
    "suites": (dict,),
    "models": (dict,),
    "model_digests": (dict,),
    "options": (dict,),
    "resumes": (list,),
    "markexpr": (str,),
    "keyword": (str,),
    "partial": (bool,),
    "escalated": (bool,),
    "rescored": (str,),
    "shard": (str,),
    "shards": (dict,),
    "has_rules": (bool,),
    "baseline": (dict, NoneType),
    "judges": (dict,),
    ANSWERING: (dict,),
}
"""Settings of a run that others read, with their types."""
_SUITE = {"expected": (dict,), "left_out": (list,), "deselected": (int,), "made": (int,)}
_AGAINST = {"name": _TEXT, "kind": _Field((str,), among=("name", "run", "file")), "run": _TEXT, "model": _MAYBE_TEXT}
_OPTIONS = {
    "model": (list,),
    "epochs": (int,),
    "limit": (int, NoneType),
    "slice": (list,),
    "thresholds": (str,),
    "baseline": (str, NoneType),
}


def to_header(name: str, run: Run, *, cases: int, answers: bool) -> str:
    """Return the first line: which run it is, and how many cases follow. Its process and machine are left out.

    Raises:
        ValueError: the run has no end, or its settings hold what JSON cannot say.
    """
    if run.end is None:
        raise ValueError(f"run {run.id} has not ended")
    told = {key: getattr(run, key) for key in _RUN if key != "end"}
    end = {key: getattr(run.end, key) for key in _END}
    header = {"format": _FORMAT, "version": _VERSION, "name": name, "cases": cases, "answers": answers}
    return _dumped({**header, "run": {**_shortened(told, _RUN), "end": end}})


def to_line(case: StoredCase, *, answers: bool) -> str:
    """Return the line of a case; without ``answers`` nothing in it quotes the model or the dataset."""
    left_out = frozenset() if answers else _ANSWERS
    own = {key: getattr(case.key if key in _KEY else case, key) for key in _CASE if key not in left_out}
    own["slices"] = list(case.slices)
    own["scores"] = [
        _shortened({key: getattr(score, key) for key in _SCORE if key not in left_out}, _SCORE) for score in case.scores
    ]
    return _dumped(_shortened(own, _CASE))


def checked_header(data: Any) -> dict[str, Any]:
    """Return the header that ``data`` is.

    Raises:
        NotALineError: it is none, or a newer one than this version knows.
    """
    if not isinstance(data, dict) or data.get("format") != _FORMAT:
        raise NotALineError("this is no exported baseline: its first line is not that of one")
    version = data.get("version")
    if type(version) is int and version > _VERSION:
        raise NotALineError(f"written by a newer version (format {version}, this one knows {_VERSION})")
    header = _checked(data, _HEADER, "")
    if version != _VERSION or header["cases"] < 0:
        raise NotALineError(f"'version' is {version!r} and 'cases' {header['cases']!r}")
    run = _checked(header["run"], _RUN, "run.")
    for key in ("models", "judge_models"):
        run[key] = _texts(run[key], f"run.{key}")
    _check_settings(run["settings"])
    return {**header, "run": {**run, "end": _checked(run["end"], _END, "run.end.")}}


def checked_case(data: Any) -> dict[str, Any]:
    """Return the case that ``data`` is, with all its keys; raise NotALineError where it is none."""
    case = _checked(data, _CASE, "")
    case["slices"] = _texts(case["slices"], "slices")
    case["scores"] = [_checked(score, _SCORE, "scores.") for score in case["scores"]]
    _check_agreement(case)
    return case


def _check_agreement(case: Mapping[str, Any]) -> None:
    """Raise NotALineError where the fields of a case contradict each other, as they cannot in a database."""
    if (case["outcome"] == "error") != (case["error_kind"] is not None):
        raise NotALineError(f"'outcome' is {case['outcome']!r} and 'error_kind' {_shown(case['error_kind'])}")
    for score in case["scores"]:
        if (score["status"] == "scored") != (score["value"] is not None):
            raise NotALineError(f"'scores.status' is {score['status']!r} and 'scores.value' {score['value']!r}")
    if len({score["name"] for score in case["scores"]}) < len(case["scores"]):
        raise NotALineError("a score stands twice in 'scores'")


def from_header(header: Mapping[str, Any]) -> Run:
    """Return the run of a checked header."""
    return to_run(header["run"])


def to_run(found: Mapping[str, Any]) -> Run:
    """Return the run of a checked header's ``run``; it ran nowhere that is known."""
    told = {key: found[key] for key in _RUN}
    lists = {key: tuple(found[key]) for key in ("models", "judge_models")}
    return Run(**{**told, **lists, "end": RunEnd(**found["end"])}, pid=0, host="", process_started=None)


def to_case(run_id: str, found: Mapping[str, Any]) -> StoredCase:
    """Return the case of a checked line, of the run ``run_id``."""
    key = CaseKey(**{name: found[name] for name in _KEY})
    return StoredCase(
        id=case_id(run_id, key.suite, key.model, key.sample_id, key.epoch),
        key=key,
        slices=tuple(found["slices"]),
        scores=tuple(Score(**score) for score in found["scores"]),
        **{name: found[name] for name in _CASE if name not in (*_KEY, "slices", "scores")},
    )


def to_case_row(number: int, found: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return a checked line as the row of ``CASES_SQL`` (judged.py) that it would give."""
    return (
        number,
        found["suite"],
        found["model"],
        found["sample_id"],
        found["epoch"],
        json.dumps(found["slices"]),
        found["outcome"],
        found["error_kind"],
        found["latency_s"],
        found["cost_usd"],
        found["input_tokens"],
        found["output_tokens"],
        found["cached"],
        found["input_digest"],
        found["cluster"],
    )


def to_score_rows(number: int, found: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    """Yield the scores of a checked line as the rows of ``SCORES_SQL`` (judged.py) that they would give."""
    for score in sorted(found["scores"], key=lambda each: str(each["name"])):
        yield (
            number,
            score["value"],
            score["name"],
            score["passed"],
            score["status"],
            score["scorer_digest"],
            score["judge_id"],
        )


def _dumped(value: Mapping[str, Any]) -> str:
    return json.dumps(value, allow_nan=False, separators=(",", ":"))


def _shortened(told: Mapping[str, Any], fields: Mapping[str, _Field]) -> dict[str, Any]:
    """Return ``told`` without what is as usual."""
    return {key: value for key, value in told.items() if value != fields[key].default}


def _checked(data: Any, fields: Mapping[str, _Field], where: str) -> dict[str, Any]:
    """Return ``data`` with every key of ``fields``, its texts as a database keeps them."""
    if not isinstance(data, dict):
        raise NotALineError(f"{repr(where[:-1]) if where else 'it'} is {_shown(data)}, and should be an object")
    unknown = sorted(data.keys() - fields.keys())
    if unknown:
        raise NotALineError(f"unknown key {one_line(repr(where + unknown[0]), 80)}")
    found = {}
    for key, (types, default, among) in fields.items():
        value = data.get(key, default)
        kind = type(value)
        if value is _MISSING:
            raise NotALineError(f"{where + key!r} is missing")
        if kind not in types or (among and value not in among):
            raise NotALineError(f"{where + key!r} is {_shown(value)}")
        if kind is str:
            value = storable(value)
        elif kind is int and not -_LARGEST <= value < _LARGEST:
            raise NotALineError(f"{where + key!r} is beyond 64 bits")
        found[key] = value
    return found


def _texts(values: list[Any], where: str) -> list[str]:
    for value in values:
        if type(value) is not str:
            raise NotALineError(f"{where!r} holds {_shown(value)}")
    return [storable(value) for value in values]


def _check_settings(settings: Mapping[str, Any]) -> None:
    """Raise NotALineError where settings that others read are not what a run stores."""
    _check_types(settings, _SETTINGS, "run.settings")
    for key in ("models", "model_digests", "judges"):
        _texts(list(settings.get(key, {}).values()), f"run.settings.{key}")
    answering = settings.get(ANSWERING, {})
    _check_types(answering, dict.fromkeys(answering, (list,)), f"run.settings.{ANSWERING}")
    for judge, models in answering.items():
        _texts(models, f"run.settings.{ANSWERING}.{one_line(judge, 40)}")
    options = settings.get("options", {})
    _check_types(options, _OPTIONS, "run.settings.options")
    for key in ("model", "slice"):
        _texts(options.get(key, []), f"run.settings.options.{key}")
    if settings.get("baseline"):
        _checked(settings["baseline"], _AGAINST, "run.settings.baseline.")
    for name, suite in settings.get("suites", {}).items():
        where = f"run.settings.suites.{one_line(name, 40)}"
        if not isinstance(suite, dict):
            raise NotALineError(f"{where!r} is {_shown(suite)}")
        _check_types(suite, _SUITE, where)
        expected = suite.get("expected", {})
        _check_types(expected, dict.fromkeys(expected, (int,)), f"{where}.expected")
        _texts(suite.get("left_out", []), f"{where}.left_out")
    for session in settings.get("resumes", []):
        if not isinstance(session, dict):
            raise NotALineError(f"'run.settings.resumes' holds {_shown(session)}")
        _check_types(session, {"changed": (list,)}, "run.settings.resumes")


def _check_types(values: Mapping[str, Any], kinds: Mapping[str, tuple[type, ...]], where: str) -> None:
    for key, types in kinds.items():
        if key in values and type(values[key]) not in types:
            raise NotALineError(f"{one_line(f'{where}.{key}', 80)!r} is {_shown(values[key])}")


def _shown(value: Any) -> str:
    return one_line(repr(value), 60)
