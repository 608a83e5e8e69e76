"""Conversion between stored records and the rows of their tables."""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from json import dumps, loads  # by name: a test that patches the module's means its own
from typing import TYPE_CHECKING, Any, TypeVar

from pytest_llmeval.core.ids import digest
from pytest_llmeval.core.stored import Label, StoredCase
from pytest_llmeval.core.text import storable
from pytest_llmeval.core.transport import plain
from pytest_llmeval.core.types import Call, CaseKey, Score, Vote
from pytest_llmeval.store.columns import columns_of, record_of
from pytest_llmeval.store.records import EarlierOutcome, Run, RunEnd

if TYPE_CHECKING:
    from pytest_llmeval.core.gate.judging import Verdict

__all__ = [
    "call_checksum",
    "from_call",
    "from_calls",
    "from_case",
    "from_earlier",
    "from_run",
    "from_scores",
    "from_votes",
    "is_reply",
    "is_whole",
    "shown",
    "sound_json",
    "to_call",
    "to_case",
    "to_earlier",
    "to_label",
    "to_run",
    "to_score",
    "to_verdict",
]

Row = dict[str, Any]
T = TypeVar("T")


_SAID = ("error", "response", "target", "input", "reason", "note")
"""Text columns that may quote dataset rows, models, judges or people. ``request`` and ``detail`` of calls and ``proof``
of trainings do so too, as JSON."""


def from_run(run: Run) -> Row:
    """Return the row of a run; a run without an end gets the status ``running``."""
    going_on = {"finished_at": None, "status": "running", "exit_code": None, "verdict": "none"}
    return columns_of(
        run,
        "settings",
        "end",
        "last_case_at",
        models=dumps(run.models),
        judge_models=dumps(run.judge_models),
        settings_json=dumps(run.settings),
        **(going_on if run.end is None else columns_of(run.end)),
    )


def to_run(row: Mapping[str, Any]) -> Run:
    """Return the run of a row; raise DatabaseError if it is damaged."""
    columns = row.keys()
    return record_of(
        Run,
        row,
        models=tuple(_json_in(row, "run", "models", list)),
        judge_models=tuple(_json_in(row, "run", "judge_models", list)),
        git_dirty=_flag(row["git_dirty"]),
        settings=_json_in(row, "run", "settings_json", dict),
        end=None if row["status"] == "running" else record_of(RunEnd, row),
        calls_cut_off=row["calls_cut_off"] if "calls_cut_off" in columns else 0,  # a journal may be of an older version
        last_case_at=row["last_case_at"] if "last_case_at" in columns else None,
    )


def from_case(run_id: str, case: StoredCase) -> Row:
    """Return the row of a case."""
    return columns_of(case, "key", "scores", run_id=run_id, slices=dumps(case.slices), **columns_of(case.key))


def to_case(row: Mapping[str, Any], scores: tuple[Score, ...]) -> StoredCase:
    """Return the case of a row; raise DatabaseError if it is damaged."""
    return record_of(
        StoredCase,
        row,
        key=record_of(CaseKey, row),
        slices=tuple(_json_in(row, "case", "slices", list)),
        cached=bool(row["cached"]),
        judge_cached=bool(row["judge_cached"]),
        scores=scores,
    )


def from_scores(case: StoredCase) -> list[Row]:
    """Return the rows of a case's scores."""
    return [columns_of(score, "votes", case_id=case.id) for score in case.scores]


def to_score(row: Mapping[str, Any], votes: tuple[Vote, ...] = ()) -> Score:
    """Return the score of a row."""
    return record_of(Score, row, passed=_flag(row["passed"]), votes=votes)


def from_votes(case: StoredCase) -> list[Row]:
    """Return the rows of the votes behind a case's scores."""
    return [columns_of(vote, case_id=case.id, name=score.name) for score in case.scores for vote in score.votes]


def from_calls(run_id: str, case_id: str, calls: Sequence[Call]) -> list[Row]:
    """Return the rows of a case's calls."""
    return [from_call(run_id, case_id, call, number) for number, call in enumerate(calls, 1)]


def from_call(run_id: str, case_id: str, call: Call, number: int = 1) -> Row:
    """Return the row of a call; a call without a name is named by its number in the case."""
    name, detail = call.name or str(number), dumps(call.detail)
    return columns_of(
        call,
        id=f"{case_id}-{name}",
        run_id=run_id,
        case_id=case_id,
        request=dumps(call.request),
        name=name,
        detail=detail,
        checksum=call_checksum(call.response, detail),
    )


def to_call(row: Mapping[str, Any]) -> Call:
    """Return the call of a row; raise DatabaseError if it is damaged."""
    return record_of(
        Call,
        row,
        cached=bool(row["cached"]),
        request=_json_in(row, "call", "request", dict),
        detail=_json_in(row, "call", "detail", dict),
    )


def _json_in(row: Mapping[str, Any], kind: str, column: str, form: type[T]) -> T:
    return sound_json(row[column], form, f"{kind} {row['id']}", column)


def sound_json(text: str, form: type[T], whose: str, column: str) -> T:
    """Return the parsed JSON of a column; raise DatabaseError, naming the column, if it is invalid or no ``form``."""
    try:
        found = loads(text)
        if not isinstance(found, form):
            raise ValueError(f"no {form.__name__}")
    except (ValueError, TypeError, RecursionError) as error:
        raise sqlite3.DatabaseError(f"{whose}: damaged {column}: {error}") from error
    return found


def call_checksum(response: str | None, detail: str) -> str:
    """Return the hex sha256 that proves, before an answer is reused, that it is the one that was recorded."""
    return digest(f"{len(response or '')}:{storable(response or '')}{detail}")


def is_whole(row: Mapping[str, Any]) -> bool:
    """Whether the answer in the row of a call matches its checksum, and its request can be parsed.

    An answer that the column cannot hold is kept in ``detail``.
    """
    try:
        loads(row["request"])
        response = loads(row["detail"]).get("text", row["response"])
    except (ValueError, TypeError, AttributeError, RecursionError):
        return False
    return bool(row["checksum"] == call_checksum(response, row["detail"]))


def is_reply(row: Mapping[str, Any], request: Mapping[str, Any], sent: Mapping[str, Any] | None = None) -> bool:
    """Whether the row of a call is undamaged and answers this request; older files hold large integers unconverted.

    ``sent`` holds all parameters that go out with the request. If it is given, the recorded request's own parameters
    only need to be among them: the others came from models.yaml when it was sent.
    """
    if not is_whole(row):
        return False
    asked = plain(loads(row["request"]))
    is_same = asked == plain(request)
    return bool(is_same or (sent is not None and asked == plain({**request, "params": _held(asked, sent)})))


def _held(asked: Any, sent: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of the sent parameters whose names a recorded request has among its own."""
    own = asked.get("params") if isinstance(asked, dict) else None
    return {name: value for name, value in sent.items() if isinstance(own, dict) and name in own}


def to_verdict(row: Mapping[str, Any]) -> "Verdict":
    """Return the verdict of a row."""
    from pytest_llmeval.core.gate.judging import Verdict  # all of the gate, which no collection needs

    return record_of(Verdict, row, is_open=bool(row["is_open"]))


def to_label(row: Mapping[str, Any]) -> Label:
    """Return the label of a row."""
    return record_of(Label, row, passed=_flag(row["passed"]))


def shown(row: Mapping[str, Any], redact: Callable[[str], str]) -> Row:
    """Return a row without secrets in the texts that it quotes; ids and names stay as they are."""
    fields = dict(row)
    for column in _SAID:
        if isinstance(fields.get(column), str):
            fields[column] = redact(fields[column])
    if "request" in fields:
        for column in ("request", "detail"):
            fields[column] = dumps(_shown_json(_json_in(fields, "call", column, dict), redact))
    if fields.get("proof") is not None:
        fields["proof"] = dumps(_shown_json(_json_in(fields, "training", "proof", list), redact))
    return fields


def _shown_json(value: Any, redact: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, list):
        return [_shown_json(each, redact) for each in value]
    return {key: _shown_json(each, redact) for key, each in value.items()} if isinstance(value, dict) else value


def from_earlier(run_id: str, earlier: EarlierOutcome) -> Row:
    """Return the row of an earlier outcome."""
    return columns_of(earlier, run_id=run_id, scores=dumps(earlier.scores))


def to_earlier(row: Mapping[str, Any]) -> EarlierOutcome:
    """Return the earlier outcome of a row; raise DatabaseError if it is damaged."""
    scores = sound_json(row["scores"], dict, f"case {row['case_id']}", "scores of before")
    return record_of(EarlierOutcome, row, scores=scores)


def _flag(value: int | None) -> bool | None:
    return None if value is None else bool(value)
