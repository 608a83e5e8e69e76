"""Cases: the parameter that a pytest item carries, and the ``CaseRun`` that gathers data while it runs."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from json import dumps
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import pytest

from pytest_llmeval.bridge.casework.case_calls import CaseCalls
from pytest_llmeval.bridge.casework.items import suite_of
from pytest_llmeval.core.clock import now
from pytest_llmeval.core.errors import CaseError, ErrorKind
from pytest_llmeval.core.gate.case import MONEY_KINDS
from pytest_llmeval.core.ids import digest, input_digest
from pytest_llmeval.core.text import storable
from pytest_llmeval.core.transport import as_json, as_text, dump
from pytest_llmeval.core.types import CaseKey, CaseStart, JudgeRecord, Request, Response, Sample

if TYPE_CHECKING:
    import asyncio
    import concurrent.futures

    from pytest_llmeval.bridge.casework.handles import CaseModel
    from pytest_llmeval.loaders.prompts import Prompt
    from pytest_llmeval.loaders.source import Dataset, RowRef
    from pytest_llmeval.scorers import ScoreBook
    from pytest_llmeval.scorers.begun_calls import BegunCalls

__all__ = ["AHEAD", "SYNC", "CaseParam", "CaseRun", "Eval", "given_up", "key_of", "own_request"]

T = TypeVar("T")
AHEAD = "ahead"
"""``CaseRun.turn`` of an async body that runs, or ran, before its turn."""
SYNC = "sync"
"""``CaseRun.turn`` of a body that waited for a model in a sync call, while no other body could ask."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Eval:
    """One marked test function: the data that all its cases share."""

    suite: str
    """The suite's name, without the id of a parameter set."""
    where: str
    """File and function, as messages name them."""
    dataset: "Dataset"
    prompt: "Prompt"
    params: Mapping[str, Any]
    cluster: str | None

    @property
    def params_digest(self) -> str:
        """The sha256 in hex over the sampling parameters."""
        return digest(as_json(self.params))


class CaseParam(NamedTuple):
    """The parameter of one item: a reference to its row, which is read again when the case runs.

    Allure and others show its ``repr``, and recognize the case by it in the next session. Like ``RowRef``, it is a
    tuple.
    """

    eval: Eval
    ref: "RowRef"
    sample_id: str
    model: str
    epoch: int
    own_id: str
    """The part of the node id that this plugin made."""

    def __repr__(self) -> str:
        return self.own_id


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFacts:
    """The recorded facts about a row, apart from its slices."""

    digest: str
    """Digest of its input and target."""
    target: str | None
    """The target as text; None if the row has none."""
    cluster: str | None


_UNREAD = RowFacts(digest=input_digest(None, None), target=None, cluster=None)


@dataclass(slots=True, kw_only=True)
class OwnResponse:
    """The answer to a case's own prompt, from the first request for it."""

    place: int | None = None
    """The case's place among those whose responses are requested ahead; None if it is not one of them."""
    reply: "concurrent.futures.Future[Response] | None" = None
    """The response to come, if the body runs ahead and takes it as a fixture, or if a worker asked early."""
    response: "Response | None" = None
    """The response, once it was requested and received in the case's turn; None if ``reply`` gives it."""
    is_wanted: bool = False
    """Whether the fixture or the body asked for it, even if that failed."""
    is_other: bool = False
    """Whether the prompt function returned something else in the case's turn than ahead of it, so that two calls were
    made."""


class WaitTime:
    """Seconds that a case waits for answers in its turn: those spent in its ``with`` blocks, overlapping ones once."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._waits = 0
        self._from_s = 0.0

    def __enter__(self) -> None:
        if not self._waits:
            self._from_s = now()
        self._waits += 1

    def __exit__(self, *_: object) -> None:
        self._waits -= 1
        if not self._waits:
            self.seconds += now() - self._from_s


@dataclass(slots=True, kw_only=True)
class CaseRun:
    """The data of one attempt at a case, gathered from its setup to its teardown."""

    key: CaseKey
    sample: Sample
    book: "ScoreBook"
    started_at: str
    cluster_key: str | None = None
    """Metadata key; rows with the same value under it depend on each other."""
    calls: CaseCalls = field(default_factory=CaseCalls)
    own: OwnResponse = field(default_factory=OwnResponse)
    waited: WaitTime = field(default_factory=WaitTime)
    """Entered while the case waits for an answer."""
    judges: dict[str, JudgeRecord] = field(default_factory=dict)
    """The judges of its scores, by the scores' ``judge_id``."""
    model: "CaseModel | None" = None
    """The object that the fixture ``model`` returned to the case."""
    judged_otherwise: bool = False
    """Whether the case asked the judge something else in its turn than was asked ahead."""
    start: str | None = None
    """The ``CaseStart`` text that an xdist worker sends when the case begins; None in the process that records."""
    turn: str = ""
    """Of an async eval, ``AHEAD`` or why its body did not run ahead; of a sync eval that asked a model, ``SYNC``."""
    failure: CaseError | None = None
    """Error of a call or a judgement: it makes the case an error even if the body catches it; see ``met_failure``."""
    doubt: CaseError | None = None
    """Error because a fixture value of an earlier case was used during this case's turn, by code of an unknown case."""
    is_met: bool = False
    """Whether the case, in its turn, reached its body or asked for the answer to its own prompt."""
    task: "asyncio.Task[object] | None" = None
    """The task in which this plugin runs its body, if it is async."""
    has_run: bool = False
    """Whether its body began in its turn; if the item is set up again after that, it is another attempt."""
    is_over: bool = False
    """Whether its record is made, or another attempt replaced it: nothing counts for it any more."""
    asks: "dict[str, BegunCalls]" = field(default_factory=dict)
    """The async calls that the test made, by role: ``model`` or ``judge``."""
    forgotten: tuple[str, ...] = ()
    """Names of the ``score`` calls that were still in unawaited tasks when the body came to its end."""
    raised: BaseException | None = None
    """The exception that its body raised, or the one that the scores of the whole body led to."""
    late: BaseException | None = None
    """The exception that scores led to which fixtures made during teardown."""
    error_kind: str | None = None
    error: str | None = None
    outcome: str | None = None
    """Decided by setup or call; an error in the teardown turns it into ``error``."""
    row: RowFacts = _UNREAD
    """The row's facts as it was read: a prompt or a body may change its ``sample``."""

    def take(self, sample: Sample) -> None:
        """Set the row of the case."""
        self.sample = sample
        self.row = RowFacts(
            digest=input_digest(sample.input, sample.target),
            target=None if sample.target is None else _target_text(sample.target),
            cluster=cluster_of(sample, self.cluster_key),
        )

    def body_waiting(self) -> AbstractContextManager[None]:
        """Return a context that counts time spent waiting by its body.

        It counts nothing for a body that runs ahead: in its turn the case waits for the body as a whole.
        """
        return nullcontext() if self.turn == AHEAD else self.waited

    async def awaited(self, asked: "concurrent.futures.Future[T]") -> T:
        """Await and return the answer that its body asked for."""
        import asyncio  # no collection needs it

        with self.body_waiting():
            return await asyncio.wrap_future(asked)

    def fail(self, error: CaseError) -> None:
        """Keep the error of a call or a judgement: the first one, or the first one that stops all further calls."""
        if self.failure is None or (error.kind in MONEY_KINDS and self.failure.kind not in MONEY_KINDS):
            self.failure = error

    @property
    def trouble(self) -> CaseError | None:
        """``failure``; else ``doubt``, if the case itself made no call."""
        return self.failure or (None if self.calls else self.doubt)

    @property
    def met_failure(self) -> CaseError | None:
        """``trouble``, unless only calls ahead of its turn failed and the body never ran: a fixture skipped it, say."""
        return self.trouble if self.is_met else None

    def dump_start(self) -> str:
        """Return, as text, what is known of the case before it has finished."""
        row = self.row
        start = CaseStart(key=self.key, slices=self.sample.slices, input_digest=row.digest, cluster=row.cluster)
        return dump(start)


def key_of(item: pytest.Item, param: CaseParam) -> CaseKey:
    """Return the key that identifies a case within its run."""
    return CaseKey(
        nodeid=item.nodeid,
        suite=suite_of(item, param),
        sample_id=param.sample_id,
        model=param.model,
        epoch=param.epoch,
    )


def cluster_of(sample: Sample, key: str | None) -> str | None:
    """Return the row's cluster: its metadata under ``key``, as the database keeps it; None without such metadata."""
    value = None if key is None else sample.metadata.get(key)
    return None if value is None else storable(as_text(value))


def _target_text(target: Any) -> str:
    """Return the target as JSON of the row's value where possible, so that large integers stay numbers."""
    try:
        return dumps(target, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return as_json(target)


PROMPT_FAULTS = (Exception, pytest.skip.Exception, pytest.fail.Exception, pytest.xfail.Exception)
"""The exceptions that a prompt function may raise: ahead of its turn a case ignores them, and meets them in its
turn."""


def own_request(eval_: Eval, sample: Sample) -> Request:
    """Return the request made of a case's own prompt."""
    return Request(messages=eval_.prompt.render(sample), params=eval_.params)


def given_up() -> CaseError:
    """Return the error of a case whose body was cancelled in its turn."""
    message = (
        "given up: a task ended the loop that all bodies run on, with sys.exit() say, or the body cancelled itself"
    )
    return CaseError(message, kind=ErrorKind.CODE)
