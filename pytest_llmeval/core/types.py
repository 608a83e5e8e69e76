"""The data types that all parts share: samples, requests, responses, scores and the record of a finished case."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NotRequired, TypedDict, get_args

from pytest_llmeval.core.strict_json import copied

if TYPE_CHECKING:
    from pytest_llmeval.core.judge.verdict import Wanted

__all__ = [
    "OUTCOMES",
    "Ask",
    "CacheMode",
    "Call",
    "CallName",
    "CaseKey",
    "CaseRecord",
    "Kept",
    "Message",
    "Outcome",
    "Request",
    "Response",
    "Role",
    "Sample",
    "Score",
    "ToolCall",
    "Usage",
]

Role = Literal["system", "user", "assistant", "tool", "developer"]
CacheMode = Literal["off", "use", "refresh", "only"]
Outcome = Literal["passed", "missed", "error", "skipped"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)


class Message(TypedDict):
    """One chat message, sent to the model unchanged."""

    role: Role
    """Author of the message."""
    content: str | list[dict[str, Any]]
    """A string, or a list of content parts in the server's own format: texts, images, files."""
    name: NotRequired[str]
    """Name of the author, where several authors share a role."""
    tool_calls: NotRequired[list[dict[str, Any]]]
    """Tool calls made by an assistant, in OpenAI's format, each with an ``id``."""
    tool_call_id: NotRequired[str]
    """``id`` of the tool call that a message with the role ``tool`` answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One dataset row."""

    id: str
    """Unique within the dataset; taken from the row, or derived from its content where the row has none."""
    input: Any
    """A string, an object (dict) or a list of chat messages."""
    target: Any = None
    """The expected answer; any JSON value."""
    slices: tuple[str, ...] = ()
    """Slices that the row belongs to, including one for each of its marks."""
    marks: tuple[str, ...] = ()
    """Names of the pytest marks that the row puts on its case."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """Any further information about the row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Token counts of one call, as the server reports them."""

    input_tokens: int | None = None
    """Tokens of the messages, at least 0; None if the server did not report them."""
    output_tokens: int | None = None
    """Tokens of the answer, at least 0; None if the server did not report them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One chat completion request: the messages and the sampling parameters.

    A request holds copies, so a test that changes its messages afterwards changes neither what is sent nor what is
    recorded.
    """

    messages: tuple[Message, ...]
    """The conversation, oldest message first."""
    params: Mapping[str, Any] = field(default_factory=dict)
    """Sampling parameters by name: ``temperature``, ``max_tokens``, …; empty to use the server's defaults."""

    def __post_init__(self) -> None:
        try:
            messages, params = copied(self.messages), copied(dict(self.params))
        except RecursionError:  # a value contains itself: reported when the request is to be sent
            return
        object.__setattr__(self, "messages", messages)
        object.__setattr__(self, "params", params)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A tool call requested by the model."""

    name: str
    """Name of the tool, as the model wrote it."""
    arguments: str
    """Unchecked JSON as the model wrote it; canonical JSON where the server sent an object; the input text of a custom
    tool."""
    id: str | None = field(default=None, compare=False)
    """Id under which the server expects the result; None if it gave none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What a model said. ``str(response)`` is its text."""

    text: str
    """Text of the answer; may be empty if the model only called tools."""
    tool_calls: tuple[ToolCall, ...] = ()
    """Tool calls in the order of the answer; empty if there were none."""
    finish_reason: str | None = None
    """``stop``, ``length``, ``tool_calls``, … as reported by the server; None if it reported none."""
    usage: Usage = field(default_factory=Usage)
    """Tokens of the attempt that succeeded."""
    latency_s: float | None = None
    """Seconds from sending the last attempt to receiving its full answer, without back-off; None if unknown."""
    model: str | None = None
    """Model name that the server reports; None if it reports none."""
    system_fingerprint: str | None = None
    """Server's fingerprint of its backend configuration; None if it reports none."""
    attempts: int = 1
    """Number of requests sent for this answer, including retries; at least 1."""
    lost: tuple[Usage, ...] = field(default=(), compare=False)
    """Tokens of each earlier attempt that was answered but unusable; empty for an answer from a cache or journal."""
    cost_usd: float | None = None
    """Cost in USD, including ``lost`` as far as the server reported it; None if the price or the tokens are unknown."""
    cached: bool = False
    """True if the answer came from the cache and no request was sent."""
    earlier: bool = field(default=False, compare=False)
    """True if an earlier, interrupted session of the same run received the answer."""
    refusal: str | None = None
    """Text of a refusal; None if the server marks none."""
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False, hash=False)
    """Further fields of the answer's message, named as the server names them: ``reasoning_content``, ``annotations``,
    …; under ``tool_calls`` the further fields of each call. A conversation that goes on sends them back."""
    cache_key: str | None = None
    """sha256 in hex of everything that determines the answer; None if the answer may not be cached for later runs."""

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One scorer's result for one case."""

    name: str
    """Name of the score in rules and reports; unique within a case."""
    value: float | None
    """In [0, 1] for a scorer's result, any finite number for a recorded one; None if there is no score."""
    passed: bool | None
    """Whether the value reached its pass mark; None if it has no pass mark."""
    reason: str | None = None
    """Explanation of the value in a few lines, such as what differed; None if there is nothing to explain."""
    status: Literal["scored", "none", "error"] = "scored"
    """``none``: legitimately without a value (no judge); ``error``: the scorer failed."""
    scorer_digest: str | None = None
    """sha256 in hex of the scorer's name, version (or source) and settings; None for recorded and judged scores."""
    judge_id: str | None = None
    """Identifies the judge, its checks and the way it is asked; None for a scorer without a judge."""
    dimension: str | None = None
    """Rubric dimension that was scored; None for the whole rubric and for a scorer without a judge."""
    decided_by: str | None = None
    """For a judged score the judge's name, ``panel``, or the scorer that made a judge needless; None for others."""
    votes: tuple["Vote", ...] = ()
    """The single judgements, if there were several; empty if there was one."""

    def __bool__(self) -> bool:
        """Return False if the value is below its pass mark, else True, also where there is no value.

        Raises:
            TypeError: the score has a value but no pass mark, so it is neither true nor false.
        """
        if self.status == "scored" and self.passed is None:
            raise TypeError(f"the score {self.name!r} has no pass mark, so it is neither true nor false; see its value")
        return self.passed is not False


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """One judge's verdict in one of several judgements of an answer."""

    judge: str
    """Name of the judge."""
    repeat: int
    """0 for the judgement that counts; from 1 for repeats, which only measure how often a judge changes its mind."""
    value: float
    """In [0, 1]."""
    level: str
    """Name of the chosen level; empty for a whole rubric."""
    reason: str
    """The judge's explanation in its own words; empty for a whole rubric."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeRecord:
    """The stored description of the judges and the rubric that a ``judge_id`` stands for."""

    judge_id: str
    rubric: str
    """Name of the rubric."""
    detail: str
    """JSON object: ``rubric`` (its full content), ``judges`` (the spec and parameters of each, and its API unless that
    is chat completions) and ``how`` (the way they were asked)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """The stored record of one model or judge call of a case."""

    role: Literal["model", "judge"]
    model: str
    request: Mapping[str, Any]
    response: str | None
    status: str
    """``ok``, or the kind of the error."""
    attempts: int
    latency_s: float | None
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None
    cached: bool = False
    name: str = ""
    """Name of the call, unique within its case: see ``core.calls.ask_name``."""
    cache_key: str | None = None
    """Same as ``Response.cache_key``."""
    detail: Mapping[str, Any] = field(default_factory=dict)
    """Where present: the response's ``finish_reason``, ``model``, ``system_fingerprint``, ``refusal``, ``tool_calls``
    and ``extra``; its ``text`` if SQLite cannot hold it unescaped; the ``error`` of a failed call; the names of the
    ``scores`` that a judge's call served."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseKey:
    """The parts that identify a case within a run."""

    nodeid: str
    suite: str
    sample_id: str
    model: str
    epoch: int
    """From 1."""


CallName = tuple[CaseKey, str]
"""A case, and the name of one of its calls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A stored call that was answered, and the case that made it."""

    case: CaseKey
    call: Call


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One call that a case wants answered. Equal asks within a run are one call, made and paid for once."""

    case: CaseKey
    role: Literal["model", "judge"] = "model"
    model: str
    """Name of the model to ask."""
    request: Request
    nth: int = 1
    """Number of calls with this request that the case has made, including this one."""
    draw: int = 1
    """Like ``nth``, except that a call which replaces an earlier one takes over its number. Part of the cache key."""
    position: int | None = None
    """Place of the case among those whose responses are requested ahead; None for any other call."""
    wanted: "Wanted | None" = None
    """Form that the answer must have to be cached for later runs; None if any answer may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseStart:
    """What is known of a case before it has finished; all that is left of it if its worker dies."""

    key: CaseKey
    slices: tuple[str, ...] = ()
    input_digest: str | None = None
    cluster: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseRecord:
    """The stored record of a finished case."""

    key: CaseKey
    slices: tuple[str, ...]
    outcome: Outcome
    error_kind: str | None = None
    error: str | None = None
    input_digest: str | None = None
    """sha256 in hex of the row's input and target."""
    started_at: str = ""
    """ISO 8601, UTC."""
    scores: tuple[Score, ...] = ()
    judges: tuple[JudgeRecord, ...] = ()
    """Descriptions of the ``judge_id`` values of the scores."""
    calls: tuple[Call, ...] = ()
    waited_s: float | None = None
    """Seconds that the case waited for answers during its turn, without the time that they took before it."""
    target: str | None = None
    """The row's target as JSON; None if the row has none."""
    cluster: str | None = None
    """Metadata value, as text, under the marker's ``cluster`` key; None for a row that is independent of all others."""
    input: str | None = None
    """The row's input as text if the case called the model several times, else None."""
