"""What is stored of runs, as their tables hold it."""

import os
import secrets
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeVar

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
    "EarlierOutcome",
    "NamedBaseline",
    "Run",
    "RunEnd",
    "Spending",
    "known_failed",
    "new_run_id",
    "stored_case",
    "utc_now",
]

_Number = TypeVar("_Number", int, float)
RunStatus = Literal["running", "finished", "interrupted", "unmeasurable"]

ANSWERING = "answering"
"""The setting under which an exported run says which models answered for each of its judges."""
UNFINISHED = frozenset({"running", "interrupted", "crashed"})
"""Statuses, as they are shown, of runs that were not judged."""
FAILED_TESTS = "failed_tests"
"""The setting with the node ids of tests that are no case and failed in the session of a run, and of what could not be
collected, as far as kept."""
MOST_FAILED_TESTS = 100
"""Of them that are counted; one more says that there were more."""
FIRST_LOOK = "first_look"
"""The setting with the epochs that a run was of when it had its second look."""
MODEL_GIVEN = "model_given"
"""The setting that says whether the command line or the environment named the models of a run."""
LONGEST_SILENCE = timedelta(hours=6)
"""After it a run of another machine is taken for dead: the longest that a job of a hosted CI runner may take.

https://docs.github.com/en/actions/reference/limits
"""


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
    """The version of this package that recorded it."""
    models: tuple[str, ...]
    judge_models: tuple[str, ...] = ()
    name: str | None = None
    git_commit: str | None = None
    git_branch: str | None = None
    git_dirty: bool | None = None
    dataset_digest: str | None = None
    """sha256 in hex over the rows that were read, in their order."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The resolved options, the suites with their prompts, and what was left out."""
    pid: int = field(default_factory=os.getpid)
    host: str = field(default_factory=own_host)
    """Where ``pid`` means its process, as ``own_host`` says; of older versions the name of the machine alone."""
    process_started: str | None = None
    end: RunEnd | None = None
    """None while the run is going on, and for ever where its process was killed."""
    calls_cut_off: int = 0
    """Calls that were in flight when a session of it ended or was killed, and may have been billed."""
    last_case_at: str | None = field(default=None, compare=False)
    """When the newest of its finished cases began, ISO 8601, UTC; None without any, and where it is not asked for."""

    @property
    def is_here(self) -> bool:
        """Whether it was recorded where this process can see whether its process runs."""
        return self.host in (own_host(), socket.gethostname())

    @property
    def is_imported(self) -> bool:
        """Whether it came from a file, which holds no calls, so that its answers cannot be scored again."""
        return not self.host

    @property
    def suites(self) -> Mapping[str, Mapping[str, Any]]:
        """What is known of its suites, by name."""
        found: Mapping[str, Mapping[str, Any]] = self.settings.get("suites", {})
        return found

    @property
    def answering(self) -> dict[str, list[str]]:
        """Which models answered for each of its judges, as an exported run tells it; empty of any other."""
        found: dict[str, list[str]] = self.settings.get(ANSWERING, {})
        return found

    @property
    def is_full(self) -> bool:
        """Whether it came to its end with all its rows."""
        is_whole = not (self.settings.get("partial") or self.settings.get("shard"))
        return is_whole and self.end is not None and self.end.status == "finished"

    @property
    def markexpr(self) -> str:
        """What it was selected by with ``-m``; empty where it had none."""
        return str(self.settings.get("markexpr") or "")

    @property
    def left_out(self) -> list[str]:
        """What left out cases, ``-m`` apart, of all suites together; the run is partial then. Empty where it is not."""
        told = [one_line(str(why), 60) for suite in self.suites.values() for why in suite.get("left_out", ())]
        if not told and self.settings.get("partial"):
            return ["cases were left out"]
        return join_left_out(told)

    @property
    def expected(self) -> dict[tuple[str, str], int]:
        """How many cases each suite and model was to have, where that is known."""
        return {
            (name, model): n for name, suite in self.suites.items() for model, n in suite.get("expected", {}).items()
        }

    @property
    def first_look(self) -> int | None:
        """The epochs that were asked for before a second look added more; None where there was none.

        Runs that did not note it are taken to have had no more since.
        """
        noted: int | None = self.settings.get(FIRST_LOOK)
        epochs: int | None = self.settings.get("options", {}).get("epochs")
        if noted is not None or epochs is None or not self.settings.get("escalated"):
            return noted
        return max(1, epochs - MORE_EPOCHS)

    @property
    def shown_status(self) -> str:
        """The status as people see it: ``crashed`` where a run that is ``running`` has no process any more.

        A process of elsewhere, another container's too, is taken to run while something was recorded lately.
        """
        if self.end is not None:
            return self.end.status
        if self.is_here:
            told = process_started(self.pid)
            alive = told is not None and told in ("", self.process_started or "")
        else:
            alive = self._last_sign_at > stored_time(utc() - LONGEST_SILENCE)
        return "running" if alive else "crashed"

    def resume_command(self, *, db_option: str = "") -> str:
        """Return the command that goes on with it, from the rootdir; words say so where its paths cannot be named.

        Args:
            db_option: what commands need to find its database, with a blank in front.
        """
        paths = shell_words(map(str, self.settings.get("paths", ())))
        command = f"pytest --resume {one_line(self.id, 40)}{paths and ' '}{paths}{printable(db_option)}"
        return command if paths else f"{command} (with the paths of the run)"

    @property
    def _last_sign_at(self) -> str:
        resumed = [str(session.get("at", "")) for session in self.settings.get("resumes", [])]
        return max(self.started_at, self.last_case_at or "", *resumed)


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierOutcome:
    """What a case came to before it ran again, in a rerun or in a session that went on with its run."""

    case_id: str
    number: int
    """From 1, the first time that it ran."""
    outcome: Outcome
    error_kind: str | None
    error: str | None
    scores: Mapping[str, float | None]
    """Values by name."""
    started_at: str
    """When the case began that time, ISO 8601, UTC."""

    @classmethod
    def of(cls, case: StoredCase, *, number: int) -> "EarlierOutcome":
        """Return what ``case`` came to the how-manieth time that it ran."""
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
    """A run that has a name of its own to be compared with."""

    name: str
    run_id: str
    set_at: str
    """ISO 8601, UTC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """What the calls of a run to one model came to, in one role; tokens are those of answers that no cache gave."""

    role: str
    """``model`` or ``judge``."""
    model: str
    calls: int
    """Answered ones, from the cache too."""
    input_tokens: int | None
    """None where the server did not say it of one of them; of the others they are ``known_input_tokens``."""
    output_tokens: int | None
    known_input_tokens: int
    known_output_tokens: int
    cost_usd: float | None
    """Of those without an answer too, as far as it is known; None where the price of an answered call is not."""


def stored_case(run_id: str, case: CaseRecord) -> StoredCase:
    """Return ``case`` with what follows from its calls: the last response, sums of latency, tokens and cost.

    What a case did whose process died is not known.
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
    """Return the failed tests that a run keeps, each once, of many the first."""
    return list(dict.fromkeys(names))[: MOST_FAILED_TESTS + 1]


def new_run_id() -> str:
    """Return an id that sorts by time: date and time (UTC) and six random hex digits."""
    return f"{utc():%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


def utc_now() -> str:
    """Return the time as ISO 8601 in UTC, to the millisecond."""
    return stored_time(utc())


def _total(values: list[_Number | None]) -> _Number | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None
