"""Cases: what a pytest item carries of its row, and what is gathered while it runs."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from json import dumps
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from pytest_llmeval.bridge.casework.items import suite_of
from pytest_llmeval.core.calls import failed
from pytest_llmeval.core.clock import now
from pytest_llmeval.core.errors import CallError, CaseError, ErrorKind
from pytest_llmeval.core.gate.case import MONEY_KINDS
from pytest_llmeval.core.ids import digest, input_digest
from pytest_llmeval.core.text import storable
from pytest_llmeval.core.transport import as_json, as_text, dump
from pytest_llmeval.core.types import Ask, Call, CaseKey, CaseStart, JudgeRecord, Request, Response, Sample

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


@dataclass(frozen=True, slots=True, repr=False)
class CaseParam:
    """What one item carries: a row is read again when its case runs.

    Allure and others show what ``repr`` tells of it, and know the case in the next session by that.
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


@dataclass(slots=True, kw_only=True)
class CaseRun:
    """What is gathered while a case runs, from its setup to its teardown."""

    key: CaseKey
    sample: Sample
    book: "ScoreBook"
    started_at: str
    cluster_key: str | None = None
    """The metadata key whose equal values make rows dependent."""
    calls: list[Call] = field(default_factory=list)
    """Those that have ended."""
    begun: dict[str, Ask] = field(default_factory=dict)
    """What was asked and has not ended, by the names of the calls."""
    judges: dict[str, JudgeRecord] = field(default_factory=dict)
    """Who judged its scores, by the ``judge_id`` of these."""
    asked: Counter[str] = field(default_factory=Counter)
    """How often each request was made, by the digest in its name."""
    draws: Counter[str] = field(default_factory=Counter)
    """How many different answers to each request were wanted; asking again for a malformed verdict adds none."""
    position: int | None = None
    """The place of the case among those whose responses are requested ahead; None for one that is not."""
    reply: "concurrent.futures.Future[Response] | None" = None
    """The answer to the case's own prompt, where its body runs ahead and needs it."""
    model: "CaseModel | None" = None
    """What the fixture ``model`` gave the case."""
    wants_response: bool = False
    """Whether its fixture or its body asked for the answer to its own prompt, even if that failed."""
    asked_otherwise: bool = False
    """Whether its prompt function returned something else in its turn than ahead, so that it asked twice."""
    judged_otherwise: bool = False
    """Whether it asked the judge something else in its turn than was asked ahead."""
    response: "Response | None" = None
    """That answer, once the case was given it in its turn."""
    start: str | None = None
    """What an xdist worker tells of the case when it begins; None in the process that records."""
    turn: str = ""
    """Of an async eval ``AHEAD``, or why its body did not run ahead; of a sync one that asked a model ``SYNC``."""
    waited_s: float = 0.0
    """Seconds for which the case waited for answers in its turn."""
    waits: int = 0
    """How many of its calls are waited for in its turn now; ``waits_from`` is when the first of these began."""
    waits_from: float = 0.0
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
    left: frozenset[str] = frozenset()
    """The names of the calls that still ran when its body ended."""
    ended: int = 0
    """How many of its calls had ended when its body ended."""
    raised: BaseException | None = None
    """What its body raised, or the scores of the whole body amount to."""
    late: BaseException | None = None
    """What the scores amount to that fixtures made in its teardown."""
    error_kind: str | None = None
    error: str | None = None
    outcome: str | None = None
    """Decided by setup or call; a teardown that breaks turns it into an error."""
    row: RowFacts = field(init=False)
    """What is recorded of the row, as it was read: a prompt or a body may change its ``sample``."""

    def __post_init__(self) -> None:
        self.take(self.sample)

    def take(self, sample: Sample) -> None:
        """Hold the row of the case."""
        self.sample = sample
        self.row = RowFacts(
            digest=input_digest(sample.input, sample.target),
            target=None if sample.target is None else _target_text(sample.target),
            cluster=cluster_of(sample, self.cluster_key),
        )

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count the time spent within as waiting for answers; of waits that overlap the time counts once."""
        if not self.waits:
            self.waits_from = now()
        self.waits += 1
        try:
            yield
        finally:
            self.waits -= 1
            if not self.waits:
                self.waited_s += now() - self.waits_from

    def body_waiting(self) -> AbstractContextManager[None]:
        """Count waiting for its body; a body that runs ahead is waited for as a whole, in its turn."""
        return nullcontext() if self.turn == AHEAD else self.waiting()

    async def awaited(self, asked: "concurrent.futures.Future[T]") -> T:
        """Return the answer that its body awaits."""
        import asyncio  # no collection needs it

        with self.body_waiting():
            return await asyncio.wrap_future(asked)

    def end(self, call: Call) -> None:
        """Take a call that has ended."""
        self.calls.append(call)
        self.begun.pop(call.name, None)

    def fail(self, error: CaseError) -> None:
        """Take the error of a call or a judgement; of several the first counts, or the first that ends all paying."""
        if self.failure is None or (error.kind in MONEY_KINDS and self.failure.kind not in MONEY_KINDS):
            self.failure = error

    def note_left(self) -> None:
        """Note which calls still run as the body ends."""
        self.left, self.ended = frozenset(self.begun), len(self.calls)

    @property
    def is_only_left(self) -> bool:
        """Whether the body left calls running and no other was made since: that they fail is no error of the case."""
        if not self.left:
            return False
        since = (*dict(self.begun), *(call.name for call in self.calls[self.ended :]))
        return self.left.issuperset(since)

    @property
    def trouble(self) -> CaseError | None:
        """``failure``; else ``doubt``, if the case asked for nothing itself."""
        return self.failure or (None if self.calls or self.begun else self.doubt)

    @property
    def met_failure(self) -> CaseError | None:
        """``trouble``, but not of calls ahead of a turn in which the body never ran: a fixture skipped it, say."""
        return self.trouble if self.is_met else None

    def all_calls(self) -> tuple[Call, ...]:
        """Return the calls of a case that has ended, those that it gave up first: they may be paid for all the same.

        The last one is the last that was answered.
        """
        begun = dict(self.begun)  # before the others: a call that ends at this moment may stand in both
        ended = tuple(self.calls)
        given_up = CallError("the case did not wait for its end", kind=ErrorKind.INTERRUPTED)
        names = {call.name for call in ended}
        return (*(failed(ask, given_up, name) for name, ask in begun.items() if name not in names), *ended)

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
