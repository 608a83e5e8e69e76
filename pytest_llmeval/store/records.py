"""Stored records of runs: the run, its end, earlier outcomes, baselines and spending."""

import os
import secrets
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

from pytest_llmeval.core.clock import stored_time, utc
from pytest_llmeval.core.errors import ErrorKind
from pytest_llmeval.core.ids import case_id, identity_of
from pytest_llmeval.core.left_out import join_left_out
from pytest_llmeval.core.rules import MORE_EPOCHS
from pytest_llmeval.core.stored import StoredCase
from pytest_llmeval.core.text import one_line, printable, shell_words
from pytest_llmeval.core.types import CaseRecord, Outcome
from pytest_llmeval.store.columns import columns_of
from pytest_llmeval.store.processes import own_host, process_started

if TYPE_CHECKING:
    from pytest_llmeval.core.gate.judging import SessionVerdict

__all__ = [
    "ANSWERING",
    "FAILED_TESTS",
    "FIRST_LOOK",
    "LONGEST_SILENCE",
    "MODEL_GIVEN",
    "MOST_FAILED_TESTS",
    "UNFINISHED",
    "Bulk",
    "EarlierOutcome",
    "NamedBaseline",
    "Run",
    "RunEnd",
    "RunName",
    "Spending",
    "known_failed",
    "new_run_id",
    "stored_case",
    "utc_now",
]

_Number = TypeVar("_Number", int, float)
RunStatus = Literal["running", "finished", "interrupted", "unmeasurable"]

ANSWERING = "answering"
"""Key in a run's settings: the models that answered for each of its judges. Only exported runs have it."""
UNFINISHED = frozenset({"running", "interrupted", "crashed"})
"""Shown statuses of runs that the gate did not judge."""
FAILED_TESTS = "failed_tests"
"""Key in a run's settings: node ids of failed tests that are not cases, and of files that could not be collected, at
most MOST_FAILED_TESTS + 1."""
MOST_FAILED_TESTS = 100
"""Largest number of failed tests that is counted; one more is kept as a sign that there were more."""
FIRST_LOOK = "first_look"
"""Key in a run's settings: the epochs that the run had when it got its second look."""
MODEL_GIVEN = "model_given"
"""Key in a run's settings: whether the command line or the environment named the run's models."""
LONGEST_SILENCE = timedelta(hours=6)
"""Silence after which a run of another machine counts as dead: the longest job time of a hosted CI runner.

https://docs.github.com/en/actions/reference/limits"""


class RunName(NamedTuple):
    """The keys that a run is looked up by, without its other data."""

    id: str
    name: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnd:
    """How a run ended."""

    finished_at: str
    """ISO 8601, UTC."""
    status: RunStatus
    exit_code: int
    verdict: "SessionVerdict"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One recorded session."""

    id: str
    started_at: str
    """ISO 8601, UTC."""
    version: str
    """Version of pytest-llmeval that recorded the run."""
    models: tuple[str, ...]
    judge_models: tuple[str, ...] = ()
    name: str | None = None
    git_commit: str | None = None
    git_branch: str | None = None
    git_dirty: bool | None = None
    dataset_digest: str | None = None
    """Hex sha256 over the dataset rows, in the order in which they were read."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The resolved options, the suites with their prompts, and what was left out."""
    pid: int = field(default_factory=os.getpid)
    host: str = field(default_factory=own_host)
    """Host on which ``pid`` is valid (see ``own_host``). Older versions recorded the machine's name only."""
    process_started: str | None = None
    end: RunEnd | None = None
    """None while the run is live, and for good if its process was killed."""
    calls_cut_off: int = 0
    """Number of calls that were in flight when one of its sessions ended or was killed; they may have been billed."""
    last_case_at: str | None = field(default=None, compare=False)
    """Start time of the newest finished case, ISO 8601, UTC; None if there is none or it was not queried."""

    @property
    def is_here(self) -> bool:
        """Whether the run was recorded on this host, where this process can see whether its process is alive."""
        return self.host in (own_host(), socket.gethostname())

    @property
    def is_imported(self) -> bool:
        """Whether the run was imported from a file, which holds no calls, so that its answers cannot be rescored."""
        return not self.host

    @property
    def suites(self) -> Mapping[str, Mapping[str, Any]]:
        """Facts about the run's suites, by name."""
        found: Mapping[str, Mapping[str, Any]] = self.settings.get("suites", {})
        return found

    def has_rows_of(self, other: "Run", suite: str) -> bool:
        """Whether a suite that both runs have was made from the same rows, in any order if both runs tell so."""
        mine, its = self.suites[suite], other.suites[suite]
        key = "row_set_digest" if mine.get("row_set_digest") and its.get("row_set_digest") else "rows_digest"
        return bool(mine.get(key) == its.get(key))

    @property
    def answering(self) -> dict[str, list[str]]:
        """Models that answered for each judge, as recorded in an exported run; empty for any other run."""
        found: dict[str, list[str]] = self.settings.get(ANSWERING, {})
        return found

    @property
    def is_full(self) -> bool:
        """Whether the run finished with all of its rows: not partial, not a shard."""
        is_whole = not (self.settings.get("partial") or self.settings.get("shard"))
        return is_whole and self.end is not None and self.end.status == "finished"

    @property
    def markexpr(self) -> str:
        """The ``-m`` expression that selected the run's tests; empty without one."""
        return str(self.settings.get("markexpr") or "")

    @property
    def left_out(self) -> list[str]:
        """What left out cases of any suite, apart from ``-m``; the run is partial then. Empty if nothing did."""
        reasons = [one_line(str(why), 60) for suite in self.suites.values() for why in suite.get("left_out", ())]
        if not reasons and self.settings.get("partial"):
            return ["cases were left out"]
        return join_left_out(reasons)

    @property
    def expected(self) -> dict[tuple[str, str], int]:
        """Number of cases that each suite and model was to have, if known."""
        return {
            (name, model): n for name, suite in self.suites.items() for model, n in suite.get("expected", {}).items()
        }

    @property
    def first_look(self) -> int | None:
        """Number of epochs before a second look added more; None if there was no second look.

        Older runs did not record it: for them it is their epochs less MORE_EPOCHS, assuming that none were added since.
        """
        noted: int | None = self.settings.get(FIRST_LOOK)
        epochs: int | None = self.settings.get("options", {}).get("epochs")
        if noted is not None or epochs is None or not self.settings.get("escalated"):
            return noted
        return max(1, epochs - MORE_EPOCHS)

    @property
    def shown_status(self) -> str:
        """Status to show: ``crashed`` if a ``running`` run has no live process any more.

        A process on another host (another container, too) counts as alive as long as something was recorded recently.
        """
        if self.end is not None:
            return self.end.status
        if self.is_here:
            told = process_started(self.pid)
            alive = told is not None and told in ("", self.process_started or "")
        else:
            alive = self.last_sign_at > stored_time(utc() - LONGEST_SILENCE)
        return "running" if alive else "crashed"

    def resume_command(self, *, db_option: str = "") -> str:
        """Return the command that resumes the run from the rootdir; if its paths are unknown, a remark says so.

        Args:
            db_option: the option by which commands find its database, with a leading space; empty if they need none.
        """
        paths = shell_words(map(str, self.settings.get("paths", ())))
        command = f"pytest --resume {one_line(self.id, 40)}{paths and ' '}{paths}{printable(db_option)}"
        return command if paths else f"{command} (with the paths of the run)"

    @property
    def last_sign_at(self) -> str:
        """Time of the last known record of the run, ISO 8601, UTC."""
        resumed = [str(session.get("at", "")) for session in self.settings.get("resumes", [])]
        ended = "" if self.end is None else self.end.finished_at
        return max(self.started_at, self.last_case_at or "", ended, *resumed)


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierOutcome:
    """Outcome of a case before it ran again, in a rerun or in a session that resumed its run."""

    case_id: str
    number: int
    """Which execution of the case this was, from 1."""
    outcome: Outcome
    error_kind: str | None
    error: str | None
    scores: Mapping[str, float | None]
    """Score values by name."""
    started_at: str
    """Start time of that execution, ISO 8601, UTC."""

    @classmethod
    def of(cls, case: StoredCase, *, number: int) -> "EarlierOutcome":
        """Return the outcome of ``case``, which was its ``number``-th execution."""
        return cls(
            case_id=case.id,
            number=number,
            outcome=case.outcome,
            error_kind=case.error_kind,
            error=case.error,
            scores={score.name: score.value for score in case.scores},
            started_at=case.started_at,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedBaseline:
    """A named run that other runs are compared with."""

    name: str
    run_id: str
    set_at: str
    """ISO 8601, UTC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """Calls, tokens and cost of one model in one role of a run. Tokens exclude answers from the cache."""

    role: str
    """``model`` or ``judge``."""
    model: str
    calls: int
    """Answered calls, including those from the cache."""
    input_tokens: int | None
    """Input tokens; None if the server did not report them for some call: ``known_input_tokens`` sums the others
    then."""
    output_tokens: int | None
    known_input_tokens: int
    known_output_tokens: int
    cost_usd: float | None
    """Known cost, including that of calls without an answer; None if the cost of any counted call is unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bulk:
    """What some runs take of a database."""

    cases: int
    bytes: int
    """Approximate number of bytes."""
    cached_answers: int
    """Number of answers in the cache that no other run has."""


def stored_case(run_id: str, case: CaseRecord) -> StoredCase:
    """Return ``case`` with its last response, and its latency, tokens and cost summed over its calls.

    Sums are None for a case whose worker crashed and left no calls: what it did is unknown.
    """
    calls = [call for call in case.calls if call.role == "model"]
    verdicts = [call for call in case.calls if call.role == "judge"]
    is_known = bool(case.calls) or case.error_kind != ErrorKind.WORKER_CRASHED
    return StoredCase(
        id=case_id(run_id, *identity_of(case.key)),
        response=calls[-1].response if calls else None,
        latency_s=_total([call.latency_s for call in calls]) if calls else None,
        input_tokens=_total([call.input_tokens for call in calls]) if is_known else None,
        output_tokens=_total([call.output_tokens for call in calls]) if is_known else None,
        cost_usd=_total([call.cost_usd for call in case.calls]) if is_known else None,
        attempts=sum(call.attempts for call in calls),
        cached=any(call.cached for call in calls),
        judge_cached=any(call.cached for call in verdicts),
        judge_cost_usd=_total([call.cost_usd for call in verdicts]) if is_known else None,
        **columns_of(case, "judges", "calls"),
    )


def known_failed(names: Iterable[str]) -> list[str]:
    """Return the failed tests that a run keeps: each once, and the first ones if there are many."""
    return list(dict.fromkeys(names))[: MOST_FAILED_TESTS + 1]


def new_run_id() -> str:
    """Return an id that sorts by time: UTC date and time, and six random hex digits."""
    return f"{utc():%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


def utc_now() -> str:
    """Return the current time as ISO 8601 in UTC, to the millisecond."""
    return stored_time(utc())


def _total(values: list[_Number | None]) -> _Number | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None
