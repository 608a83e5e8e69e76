"""The lines of an exported baseline: a run and its cases as JSON objects, written, and read back with validation.

A case's line leaves out default values, and nothing in it depends on the run's id, so that two exports differ exactly
where the two runs differ.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from types import NoneType
from typing import Any

from pytest_llmeval.core.gate.case import STRICT_XPASS, XPASSED
from pytest_llmeval.core.ids import case_id, identity_of
from pytest_llmeval.core.stored import StoredCase
from pytest_llmeval.core.text import one_line, shown_value
from pytest_llmeval.core.transport import plain
from pytest_llmeval.core.types import OUTCOMES, CaseKey, JudgeRecord, Score
from pytest_llmeval.store.baseline_fields import (
    COUNT,
    LIST,
    MAYBE_TEXT,
    NUMBER,
    TEXT,
    Field,
    NewerFormatError,
    NotALineError,
    check_types,
    checked,
    checked_texts,
)
from pytest_llmeval.store.baseline_judges import checked_judges
from pytest_llmeval.store.code_state import CODE_DIFF, OTHER_CODE
from pytest_llmeval.store.gone_rows import GONE
from pytest_llmeval.store.records import ANSWERING, FAILED_TESTS, FIRST_LOOK, MODEL_GIVEN, Run, RunEnd

__all__ = [
    "checked_case",
    "checked_header",
    "to_case",
    "to_case_row",
    "to_header",
    "to_judges",
    "to_line",
    "to_run",
    "to_score_rows",
]

_FORMAT = "llmeval baseline"
_VERSION = 2
"""Newest version of the format: that of a file which lists judges."""
_WITHOUT_JUDGES = 1
"""Version of a file that lists no judges; what wrote it may not have known of judges."""
_STATUSES = ("scored", "none", "error")
_RUN_STATUSES = ("finished", "interrupted", "unmeasurable")
_VERDICTS = ("pass", "fail", "inconclusive", "unmeasurable", "none")

_HEADER = {
    "format": Field((str,), among=(_FORMAT,)),
    "version": Field((int,)),
    "name": TEXT,
    "cases": Field((int,)),
    "answers": Field((bool,)),
    "judges": LIST,
    "run": Field((dict,)),
}
_RUN = {
    "id": TEXT,
    "name": MAYBE_TEXT,
    "started_at": TEXT,
    "version": TEXT,
    "models": Field((list,)),
    "judge_models": LIST,
    "git_commit": MAYBE_TEXT,
    "git_branch": MAYBE_TEXT,
    "git_dirty": Field((bool, NoneType), None),
    "dataset_digest": MAYBE_TEXT,
    "end": Field((dict,)),
    "settings": Field((dict,)),
}
_END = {
    "finished_at": TEXT,
    "status": Field((str,), among=_RUN_STATUSES),
    "exit_code": Field((int,)),
    "verdict": Field((str,), among=_VERDICTS),
}
_CASE = {
    "suite": TEXT,
    "sample_id": TEXT,
    "model": TEXT,
    "epoch": Field((int,), 1),
    "nodeid": TEXT,
    "slices": LIST,
    "outcome": Field((str,), among=OUTCOMES),
    "scores": LIST,
    "error_kind": MAYBE_TEXT,
    "error": MAYBE_TEXT,
    "input_digest": MAYBE_TEXT,
    "target": MAYBE_TEXT,
    "cluster": MAYBE_TEXT,
    "response": MAYBE_TEXT,
    "started_at": TEXT,
    "latency_s": NUMBER,
    "waited_s": NUMBER,
    "input_tokens": COUNT,
    "output_tokens": COUNT,
    "cost_usd": NUMBER,
    "attempts": Field((int,), 0),
    "cached": Field((bool,), False),
    "judge_cached": Field((bool,), False),
    "judge_cost_usd": NUMBER,
}
_SCORE = {
    "name": TEXT,
    "value": NUMBER,
    "passed": Field((bool, NoneType), None),
    "status": Field((str,), "scored", among=_STATUSES),
    "reason": MAYBE_TEXT,
    "scorer_digest": MAYBE_TEXT,
    "judge_id": MAYBE_TEXT,
    "dimension": MAYBE_TEXT,
    "decided_by": MAYBE_TEXT,
}
_KEY = tuple(field.name for field in fields(CaseKey))
_ANSWERS = frozenset({"response", "error", "target", "reason"})
"""Fields that may quote the model or the dataset."""
_SETTINGS = {
    "suites": (dict,),
    "models": (dict,),
    "model_digests": (dict,),
    "options": (dict,),
    "resumes": (list,),
    "markexpr": (str,),
    "keyword": (str,),
    "paths": (list,),
    "unmade": (dict,),
    "partial": (bool,),
    "other_suites": (list, NoneType),
    "unselected": (list,),
    "escalated": (bool,),
    FIRST_LOOK: (int, NoneType),
    "rescored": (str,),
    "shard": (str,),
    "shards": (dict,),
    "has_rules": (bool,),
    "baseline": (dict, NoneType),
    "judges": (dict,),
    CODE_DIFF: (str, NoneType),
    MODEL_GIVEN: (bool,),
    FAILED_TESTS: (list,),
    ANSWERING: (dict,),
}
"""Settings of a run that other code reads, with their types."""
_SUITE = {
    "expected": (dict,),
    "left_out": (list,),
    "deselected": (int,),
    "made": (int,),
    "selected_digest": (str,),
    GONE: (list,),
}
_DIGEST = re.compile("[0-9a-f]{64}")
_SESSION = {
    "changed": (list,),
    "joined": (bool,),
    "git_commit": (str, NoneType),
    "git_dirty": (bool, NoneType),
    CODE_DIFF: (str, NoneType),
    OTHER_CODE: (str,),
}
_AGAINST = {"name": TEXT, "kind": Field((str,), among=("name", "run", "file")), "run": TEXT, "model": MAYBE_TEXT}
_OPTIONS = {
    "model": (list,),
    "epochs": (int,),
    "limit": (int, NoneType),
    "slice": (list,),
    "thresholds": (str,),
    "baseline": (str, NoneType),
}


def to_header(name: str, run: Run, *, cases: int, answers: bool, judges: Iterable[JudgeRecord] = ()) -> str:
    """Return the header line: the run, its judges and the number of cases. It contains nothing about the machine.

    Raises:
        ValueError: the run has no end, or JSON cannot express its settings.
    """
    if run.end is None:
        raise ValueError(f"run {run.id} has not ended")
    told = {key: getattr(run, key) for key in _RUN if key != "end"}
    end = {key: getattr(run.end, key) for key in _END}
    header: dict[str, Any] = {"format": _FORMAT, "version": _WITHOUT_JUDGES}
    header |= {"name": name, "cases": cases, "answers": answers}
    if told_of := [plain(judge) for judge in judges]:
        header |= {"version": _VERSION, "judges": told_of}
    return _dumped({**header, "run": {**_shortened(told, _RUN), "end": end}})


def to_line(case: StoredCase, *, answers: bool) -> str:
    """Return the line of a case; without ``answers`` it quotes neither the model nor the dataset."""
    left_out = frozenset() if answers else _ANSWERS
    own = {key: getattr(case.key if key in _KEY else case, key) for key in _CASE if key not in left_out}
    if not answers and _had_to_fail(case.outcome, case.error):
        own["error"] = STRICT_XPASS  # it still fails its run; the rest of the text may quote
    own["slices"] = list(case.slices)
    own["scores"] = [
        _shortened({key: getattr(score, key) for key in _SCORE if key not in left_out}, _SCORE) for score in case.scores
    ]
    return _dumped(_shortened(own, _CASE))


def checked_header(data: Any) -> dict[str, Any]:
    """Return the validated header in ``data``.

    Raises:
        NotALineError: it is not a header.
        NewerFormatError: a newer version wrote it.
    """
    if not isinstance(data, dict) or data.get("format") != _FORMAT:
        raise NotALineError("this is not an exported baseline: its first line is not that of one")
    version = data.get("version")
    if type(version) is int and version > _VERSION:
        raise NewerFormatError(f"written by a newer version (format {version}, this one knows {_VERSION})")
    header = checked(data, _HEADER, "")
    if header["version"] < _WITHOUT_JUDGES or header["cases"] < 0:
        raise NotALineError(f"'version' is {version!r} and 'cases' {header['cases']!r}")
    run = checked(header["run"], _RUN, "run.")
    for key in ("models", "judge_models"):
        run[key] = checked_texts(run[key], f"run.{key}")
    _check_settings(run["settings"])
    judges = checked_judges(header["judges"])
    return {**header, "judges": judges, "run": {**run, "end": checked(run["end"], _END, "run.end.")}}


def checked_case(data: Any) -> dict[str, Any]:
    """Return the validated case in ``data``, with all its keys; raise NotALineError if it is not a case."""
    case = checked(data, _CASE, "")
    case["slices"] = checked_texts(case["slices"], "slices")
    case["scores"] = [checked(score, _SCORE, "scores.") for score in case["scores"]]
    _check_agreement(case)
    return case


def _check_agreement(case: Mapping[str, Any]) -> None:
    """Raise NotALineError if the fields of a case contradict each other in a way that the database rules out."""
    if (case["outcome"] == "error") != (case["error_kind"] is not None):
        raise NotALineError(f"'outcome' is {case['outcome']!r} and 'error_kind' {shown_value(case['error_kind'])}")
    for score in case["scores"]:
        if (score["status"] == "scored") != (score["value"] is not None):
            raise NotALineError(f"'scores.status' is {score['status']!r} and 'scores.value' {score['value']!r}")
    if len({score["name"] for score in case["scores"]}) < len(case["scores"]):
        raise NotALineError("a score appears twice in 'scores'")


def to_judges(header: Mapping[str, Any]) -> list[JudgeRecord]:
    """Return the judges of a validated header."""
    return [JudgeRecord(**judge) for judge in header["judges"]]


def to_run(found: Mapping[str, Any]) -> Run:
    """Return the run of a validated header; its process and host are unknown."""
    told = {key: found[key] for key in _RUN}
    lists = {key: tuple(found[key]) for key in ("models", "judge_models")}
    return Run(**{**told, **lists, "end": RunEnd(**found["end"])}, pid=0, host="", process_started=None)


def to_case(run_id: str, found: Mapping[str, Any]) -> StoredCase:
    """Return the case of a validated line, as a case of the run ``run_id``."""
    key = CaseKey(**{name: found[name] for name in _KEY})
    return StoredCase(
        id=case_id(run_id, *identity_of(key)),
        key=key,
        slices=tuple(found["slices"]),
        scores=tuple(Score(**score) for score in found["scores"]),
        **{name: found[name] for name in _CASE if name not in (*_KEY, "slices", "scores")},
    )


def to_case_row(number: int, found: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return a validated line in the form of a row of ``CASES_SQL`` (judged.py)."""
    return (
        number,
        found["suite"],
        found["model"],
        found["sample_id"],
        found["epoch"],
        json.dumps(found["slices"]),
        found["outcome"],
        XPASSED if _had_to_fail(found["outcome"], found["error"]) else found["error_kind"],
        found["latency_s"],
        found["cost_usd"],
        found["input_tokens"],
        found["output_tokens"],
        found["cached"],
        found["judge_cached"],
        found["judge_cost_usd"],
        found["input_digest"],
        found["cluster"],
    )


def to_score_rows(number: int, found: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    """Yield the scores of a validated line in the form of rows of ``SCORES_SQL`` (judged.py)."""
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


def _had_to_fail(outcome: str, error: str | None) -> bool:
    """Whether a case was expected to fail (strict xfail) and passed."""
    return outcome == "skipped" and error is not None and error.startswith(STRICT_XPASS)


def _dumped(value: Mapping[str, Any]) -> str:
    return json.dumps(value, allow_nan=False, separators=(",", ":"))


def _shortened(told: Mapping[str, Any], known: Mapping[str, Field]) -> dict[str, Any]:
    """Return ``told`` without default values."""
    return {key: value for key, value in told.items() if value != known[key].default}


def _check_settings(settings: Mapping[str, Any]) -> None:
    """Raise NotALineError if settings that other code reads do not have the form that a run stores."""
    check_types(settings, _SETTINGS, "run.settings")
    for key in ("models", "model_digests", "judges"):
        checked_texts(list(settings.get(key, {}).values()), f"run.settings.{key}")
    answering = settings.get(ANSWERING, {})
    check_types(answering, dict.fromkeys(answering, (list,)), f"run.settings.{ANSWERING}")
    for judge, models in answering.items():
        checked_texts(models, f"run.settings.{ANSWERING}.{one_line(judge, 40)}")
    options = settings.get("options", {})
    check_types(options, _OPTIONS, "run.settings.options")
    for key in ("model", "slice"):
        checked_texts(options.get(key, []), f"run.settings.options.{key}")
    if settings.get("baseline"):
        checked(settings["baseline"], _AGAINST, "run.settings.baseline.")
    for key in ("unselected", "paths"):
        checked_texts(settings.get(key, []), f"run.settings.{key}")
    unmade = settings.get("unmade", {})
    check_types(unmade, dict.fromkeys(unmade, (int,)), "run.settings.unmade")
    _check_suites(settings.get("suites", {}))
    for session in settings.get("resumes", []):
        if not isinstance(session, dict):
            raise NotALineError(f"'run.settings.resumes' holds {shown_value(session)}")
        check_types(session, _SESSION, "run.settings.resumes")


def _check_suites(suites: Mapping[str, Any]) -> None:
    for name, suite in suites.items():
        where = f"run.settings.suites.{one_line(name, 40)}"
        if not isinstance(suite, dict):
            raise NotALineError(f"{where!r} is {shown_value(suite)}")
        check_types(suite, _SUITE, where)
        expected = suite.get("expected", {})
        check_types(expected, dict.fromkeys(expected, (int,)), f"{where}.expected")
        for key in ("left_out", GONE):
            checked_texts(suite.get(key, []), f"{where}.{key}")
        digest = suite.get("selected_digest")
        if digest is not None and not _DIGEST.fullmatch(digest):
            raise NotALineError(f"{f'{where}.selected_digest'!r} is {shown_value(digest)}")
