"""Between the stored records and the rows of their tables."""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from json import dumps, loads  # by name: a test that patches the module's means its own
from typing import Any, TypeVar

from pytest_llmeval.core.gate.judging import Verdict
from pytest_llmeval.core.ids import digest
from pytest_llmeval.core.stored import Label, StoredCase
from pytest_llmeval.core.text import storable
from pytest_llmeval.core.transport import plain
from pytest_llmeval.core.types import Call, CaseKey, JudgeRecord, Score, Vote
from pytest_llmeval.store.records import EarlierOutcome, Run, RunEnd

__all__ = [
    "call_checksum",
    "from_call",
    "from_calls",
    "from_case",
    "from_earlier",
    "from_judge",
    "from_label",
    "from_run",
    "from_scores",
    "from_verdict",
    "from_votes",
    "is_reply",
    "is_whole",
    "shown",
    "sound_json",
    "to_call",
    "to_case",
    "to_earlier",
    "to_judge",
    "to_label",
    "to_run",
    "to_score",
    "to_verdict",
    "to_vote",
]

Row = dict[str, Any]
T = TypeVar("T")


def _names(record: type[Any], *but: str) -> tuple[str, ...]:
    """Return the fields of a record that are columns as they are: all ``but`` those."""
    return tuple(each.name for each in fields(record) if each.name not in but)


_VERDICT_COLUMNS = _names(Verdict)
_KEY_COLUMNS = _names(CaseKey)
_CASE_COLUMNS = _names(StoredCase, "id", "key", "slices", "scores", "cached", "judge_cached")
_SCORE_COLUMNS = _names(Score, "votes")
_VOTE_COLUMNS = _names(Vote)
_LABEL_COLUMNS = _names(Label)
_EARLIER_COLUMNS = _names(EarlierOutcome, "scores")
_JUDGE_COLUMNS = _names(JudgeRecord)
_CALL_COLUMNS = _names(Call, "request", "name", "detail")
_SAID = ("error", "response", "target", "input", "reason", "note")
"""Columns that quote rows, models, judges and people; of calls ``request`` and ``detail`` do too, as JSON."""


def from_run(run: Run) -> Row:
    """Return the row of a run; one without an end is ``running``."""
    end = run.end
    return {
        "id": run.id,
        "name": run.name,
        "started_at": run.started_at,
        "finished_at": end and end.finished_at,
        "status": end.status if end else "running",
        "exit_code": end and end.exit_code,
        "verdict": end.verdict if end else "none",
        "models": dumps(run.models),
        "judge_models": dumps(run.judge_models),
        "git_commit": run.git_commit,
        "git_branch": run.git_branch,
        "git_dirty": run.git_dirty,
        "dataset_digest": run.dataset_digest,
        "settings_json": dumps(run.settings),
        "version": run.version,
        "pid": run.pid,
        "host": run.host,
        "process_started": run.process_started,
        "calls_cut_off": run.calls_cut_off,
    }


def to_run(row: Mapping[str, Any]) -> Run:
    """Return the run of a row; raise DatabaseError where it is damaged."""
    end, columns = None, row.keys()
    if row["status"] != "running":
        end = RunEnd(**{key: row[key] for key in ("finished_at", "status", "exit_code", "verdict")})
    return Run(
        id=row["id"],
        name=row["name"],
        started_at=row["started_at"],
        version=row["version"],
        models=tuple(_json_in(row, "run", "models", list)),
        judge_models=tuple(_json_in(row, "run", "judge_models", list)),
        git_commit=row["git_commit"],
        git_branch=row["git_branch"],
        git_dirty=_flag(row["git_dirty"]),
        dataset_digest=row["dataset_digest"],
        settings=_json_in(row, "run", "settings_json", dict),
        pid=row["pid"],
        host=row["host"],
        process_started=row["process_started"],
        end=end,
        calls_cut_off=row["calls_cut_off"] if "calls_cut_off" in columns else 0,  # a journal may be of an older version
        last_case_at=row["last_case_at"] if "last_case_at" in columns else None,
    )


def from_case(run_id: str, case: StoredCase) -> Row:
    """Return the row of a case."""
    return {
        "id": case.id,
        "run_id": run_id,
        **{column: getattr(case.key, column) for column in _KEY_COLUMNS},
        "slices": dumps(case.slices),
        **{column: getattr(case, column) for column in _CASE_COLUMNS},
        "cached": case.cached,
        "judge_cached": case.judge_cached,
    }


def to_case(row: Mapping[str, Any], scores: tuple[Score, ...]) -> StoredCase:
    """Return the case of a row; raise DatabaseError where it is damaged."""
    return StoredCase(
        id=row["id"],
        key=CaseKey(**{column: row[column] for column in _KEY_COLUMNS}),
        slices=tuple(_json_in(row, "case", "slices", list)),
        **{column: row[column] for column in _CASE_COLUMNS},
        cached=bool(row["cached"]),
        judge_cached=bool(row["judge_cached"]),
        scores=scores,
    )


def from_scores(case: StoredCase) -> list[Row]:
    """Return the rows of a case's scores."""
    return [
        {"case_id": case.id, **{column: getattr(score, column) for column in _SCORE_COLUMNS}} for score in case.scores
    ]


def to_score(row: Mapping[str, Any], votes: tuple[Vote, ...] = ()) -> Score:
    """Return the score of a row."""
    columns = {column: row[column] for column in _SCORE_COLUMNS}
    return Score(**{**columns, "passed": _flag(row["passed"]), "votes": votes})


def from_votes(case: StoredCase) -> list[Row]:
    """Return the rows of the votes behind a case's scores."""
    return [
        {"case_id": case.id, "name": score.name, **{column: getattr(vote, column) for column in _VOTE_COLUMNS}}
        for score in case.scores
        for vote in score.votes
    ]


def to_vote(row: Mapping[str, Any]) -> Vote:
    """Return the vote of a row."""
    return Vote(**{column: row[column] for column in _VOTE_COLUMNS})


def from_judge(run_id: str, judge: JudgeRecord) -> Row:
    """Return the row of what stands behind a judge_id."""
    return {"run_id": run_id, **{column: getattr(judge, column) for column in _JUDGE_COLUMNS}}


def to_judge(row: Mapping[str, Any]) -> JudgeRecord:
    """Return what stands behind the judge_id of a row."""
    return JudgeRecord(**{column: row[column] for column in _JUDGE_COLUMNS})


def from_calls(run_id: str, case_id: str, calls: Sequence[Call]) -> list[Row]:
    """Return the rows of a case's calls."""
    return [from_call(run_id, case_id, call, number) for number, call in enumerate(calls, 1)]


def from_call(run_id: str, case_id: str, call: Call, number: int = 1) -> Row:
    """Return the row of a call; one without a name takes its number in its case."""
    name, detail = call.name or str(number), dumps(call.detail)
    return {
        "id": f"{case_id}-{name}",
        "run_id": run_id,
        "case_id": case_id,
        "request": dumps(call.request),
        **{column: getattr(call, column) for column in _CALL_COLUMNS},
        "name": name,
        "detail": detail,
        "checksum": call_checksum(call.response, detail),
    }


def to_call(row: Mapping[str, Any]) -> Call:
    """Return the call of a row; raise DatabaseError where it is damaged."""
    return Call(
        **{
            **{column: row[column] for column in _CALL_COLUMNS},
            "name": row["name"],
            "cached": bool(row["cached"]),
            "request": _json_in(row, "call", "request", dict),
            "detail": _json_in(row, "call", "detail", dict),
        }
    )


def _json_in(row: Mapping[str, Any], kind: str, column: str, form: type[T]) -> T:
    return sound_json(row[column], form, f"{kind} {row['id']}", column)


def sound_json(text: str, form: type[T], whose: str, column: str) -> T:
    """Return what the JSON in a column says; raise DatabaseError, which names it, where that is not of the form."""
    try:
        found = loads(text)
        if not isinstance(found, form):
            raise ValueError(f"no {form.__name__}")
    except (ValueError, TypeError, RecursionError) as error:
        raise sqlite3.DatabaseError(f"{whose}: damaged {column}: {error}") from error
    return found


def call_checksum(response: str | None, detail: str) -> str:
    """Return the sha256 in hex by which an answer that is used again is known to be what was kept."""
    return digest(f"{len(response or '')}:{storable(response or '')}{detail}")


def is_whole(row: Mapping[str, Any]) -> bool:
    """Whether the answer in a row of a call is what was kept, and its request can be read.

    An answer that the column cannot hold stands in the detail.
    """
    try:
        loads(row["request"])
        response = loads(row["detail"]).get("text", row["response"])
    except (ValueError, TypeError, AttributeError):
        return False
    return bool(row["checksum"] == call_checksum(response, row["detail"]))


def is_reply(row: Mapping[str, Any], request: Mapping[str, Any]) -> bool:
    """Whether a row of a call is whole and of this very request; older files hold large integers as they were."""
    return is_whole(row) and bool(plain(loads(row["request"])) == plain(request))


def from_verdict(run_id: str, verdict: Verdict) -> Row:
    """Return the row of a verdict."""
    return {"run_id": run_id, **{column: getattr(verdict, column) for column in _VERDICT_COLUMNS}}


def to_verdict(row: Mapping[str, Any]) -> Verdict:
    """Return the verdict of a row."""
    return Verdict(**{**{column: row[column] for column in _VERDICT_COLUMNS}, "is_open": bool(row["is_open"])})


def from_label(label: Label) -> Row:
    """Return the row of a label."""
    return {column: getattr(label, column) for column in _LABEL_COLUMNS}


def to_label(row: Mapping[str, Any]) -> Label:
    """Return the label of a row."""
    return Label(**{**{column: row[column] for column in _LABEL_COLUMNS}, "passed": _flag(row["passed"])})


def shown(row: Mapping[str, Any], redact: Callable[[str], str]) -> Row:
    """Return a row as people may see it: without secrets in what it quotes; ids and names stay as they are."""
    told = dict(row)
    for column in _SAID:
        if isinstance(told.get(column), str):
            told[column] = redact(told[column])
    if "request" in told:
        for column in ("request", "detail"):
            told[column] = dumps(_shown_json(_json_in(told, "call", column, dict), redact))
    return told


def _shown_json(value: Any, redact: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, list):
        return [_shown_json(each, redact) for each in value]
    return {key: _shown_json(each, redact) for key, each in value.items()} if isinstance(value, dict) else value


def from_earlier(run_id: str, earlier: EarlierOutcome) -> Row:
    """Return the row of what a case of a run came to before."""
    columns = {column: getattr(earlier, column) for column in _EARLIER_COLUMNS}
    return {"run_id": run_id, **columns, "scores": dumps(earlier.scores)}


def to_earlier(row: Mapping[str, Any]) -> EarlierOutcome:
    """Return what a case came to before, of its row; raise DatabaseError where it is damaged."""
    columns = {column: row[column] for column in _EARLIER_COLUMNS}
    scores = sound_json(row["scores"], dict, f"case {row['case_id']}", "scores of before")
    return EarlierOutcome(**{**columns, "scores": scores})


def _flag(value: int | None) -> bool | None:
    return None if value is None else bool(value)
