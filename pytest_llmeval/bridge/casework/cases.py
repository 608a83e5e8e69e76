"""Cases: what a pytest item carries of its row, and what is gathered while it runs."""

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
"""The ``turn`` of an async body that runs, or ran, before its turn."""
SYNC = "sync"
"""The ``turn`` of a body that waited for a model in a sync call: no other body asks meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Eval:
    """One marked test function: what all its cases share."""

    suite: str
    """The suite's name, before a parameter set is named in it."""
    where: str
    """File and function, as messages show them."""
    dataset: "Dataset"
    prompt: "Prompt"
    params: Mapping[str, Any]
    cluster: str | None

    @property
    def params_digest(self) -> str:
        """The sha256 in hex over the sampling parameters."""
        return digest(as_json(self.params))


class CaseParam(NamedTuple):
    """What one item carries: a row is read again when its case runs.

    Allure and others show what ``repr`` tells of it, and know the case in the next session by that. A tuple, as a
    ``RowRef`` is.
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
    """What is recorded of a row, apart from its slices."""

    digest: str
    """Of its input and target."""
    target: str | None
    """As text; None where it has none."""
    cluster: str | None


_UNREAD = RowFacts(digest=input_digest(None, None), target=None, cluster=None)


@dataclass(slots=True, kw_only=True)
class OwnResponse:
    """The answer to a case's own prompt, from the first request for it."""

    place: int | None = None
    """That of the case among those whose responses are requested ahead; None for one that is not."""
    reply: "concurrent.futures.Future[Response] | None" = None
    """What comes, where the body runs ahead and needs it."""
    response: "Response | None" = None
    """It, once the case was given it in its turn."""
    is_wanted: bool = False
    """Whether the fixture or the body asked for it, even if that failed."""
    is_other: bool = False
    """Whether the prompt function returned something else in its turn than ahead, so that the case asked twice."""


class WaitTime:
    """Seconds for which a case waits for answers in its turn, counted within; those of waits that overlap once."""

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
    """What is gathered while a case runs, from its setup to its teardown."""

    key: CaseKey
    sample: Sample
    book: "ScoreBook"
    started_at: str
    cluster_key: str | None = None
    """The metadata key whose equal values make rows dependent."""
    calls: CaseCalls = field(default_factory=CaseCalls)
    own: OwnResponse = field(default_factory=OwnResponse)
    waited: WaitTime = field(default_factory=WaitTime)
    """Entered while it waits."""
    judges: dict[str, JudgeRecord] = field(default_factory=dict)
    """Who judged its scores, by the ``judge_id`` of these."""
    model: "CaseModel | None" = None
    """What the fixture ``model`` gave the case."""
    judged_otherwise: bool = False
    """Whether it asked the judge something else in its turn than was asked ahead."""
    start: str | None = None
    """What an xdist worker tells of the case when it begins; None in the process that records."""
    turn: str = ""
    """Of an async eval ``AHEAD``, or why its body did not run ahead; of a sync one that asked a model ``SYNC``."""
    failure: CaseError | None = None
    """Of a call or a judgement: it makes the case an error even if the body catches it; see ``met_failure``."""
    doubt: CaseError | None = None
    """What an earlier case was given was used during its turn, by nobody knows whom."""
    is_met: bool = False
    """Whether the case came, in its turn, to its body or to the answer to its own prompt."""
    task: "asyncio.Task[object] | None" = None
    """The task in which this plugin runs its body, if it is async."""
    has_run: bool = False
    """Whether its body began in its turn: if the item is set up again, that is another attempt."""
    is_over: bool = False
    """Whether its record is made, or another attempt took its place: nothing more counts for it."""
    asks: "dict[str, BegunCalls]" = field(default_factory=dict)
    """The async calls that the test made, under ``model`` and ``judge``."""
    forgotten: tuple[str, ...] = ()
    """The calls of ``score`` in tasks that its body, which came to its end, did not await."""
    raised: BaseException | None = None
    """What its body raised, or the scores of the whole body amount to."""
    late: BaseException | None = None
    """What the scores amount to that fixtures made in its teardown."""
    error_kind: str | None = None
    error: str | None = None
    outcome: str | None = None
    """Decided by setup or call; a teardown that breaks turns it into an error."""
    row: RowFacts = _UNREAD
    """What is recorded of the row, as it was read: a prompt or a body may change its ``sample``."""

    def take(self, sample: Sample) -> None:
        """Hold the row of the case."""
        self.sample = sample
        self.row = RowFacts(
            digest=input_digest(sample.input, sample.target),
            target=None if sample.target is None else _target_text(sample.target),
            cluster=cluster_of(sample, self.cluster_key),
        )

    def body_waiting(self) -> AbstractContextManager[None]:
        """Count waiting for its body; a body that runs ahead is waited for as a whole, in its turn."""
        return nullcontext() if self.turn == AHEAD else self.waited

    async def awaited(self, asked: "concurrent.futures.Future[T]") -> T:
        """Return the answer that its body awaits."""
        import asyncio  # no collection needs it

        with self.body_waiting():
            return await asyncio.wrap_future(asked)

    def fail(self, error: CaseError) -> None:
        """Take the error of a call or a judgement; of several the first counts, or the first that ends all paying."""
        if self.failure is None or (error.kind in MONEY_KINDS and self.failure.kind not in MONEY_KINDS):
            self.failure = error

    @property
    def trouble(self) -> CaseError | None:
        """``failure``; else ``doubt``, if the case asked for nothing itself."""
        return self.failure or (None if self.calls else self.doubt)

    @property
    def met_failure(self) -> CaseError | None:
        """``trouble``, but not of calls ahead of a turn in which the body never ran: a fixture skipped it, say."""
        return self.trouble if self.is_met else None

    def dump_start(self) -> str:
        """Return what is known of the case before it has finished, as text."""
        row = self.row
        start = CaseStart(key=self.key, slices=self.sample.slices, input_digest=row.digest, cluster=row.cluster)
        return dump(start)


def key_of(item: pytest.Item, param: CaseParam) -> CaseKey:
    """Return what identifies a case within its run."""
    return CaseKey(
        nodeid=item.nodeid,
        suite=suite_of(item, param),
        sample_id=param.sample_id,
        model=param.model,
        epoch=param.epoch,
    )


def cluster_of(sample: Sample, key: str | None) -> str | None:
    """Return what makes a row dependent on others: its metadata under ``key``, as the database keeps it, or None."""
    value = None if key is None else sample.metadata.get(key)
    return None if value is None else storable(as_text(value))


def _target_text(target: Any) -> str:
    """Return the target as the row has it, where that is JSON: large integers stay numbers."""
    try:
        return dumps(target, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return as_json(target)


PROMPT_FAULTS = (Exception, pytest.skip.Exception, pytest.fail.Exception, pytest.xfail.Exception)
"""What a prompt function may raise; ahead of its turn a case ignores that, and meets it again in its turn."""


def own_request(eval_: Eval, sample: Sample) -> Request:
    """Return the request that a case's own prompt makes."""
    return Request(messages=eval_.prompt.render(sample), params=eval_.params)


def given_up() -> CaseError:
    """Return the error of a case whose body was cancelled in its turn."""
    told = "given up: a task ended the loop that all bodies run on, with sys.exit() say, or the body cancelled itself"
    return CaseError(told, kind=ErrorKind.CODE)
