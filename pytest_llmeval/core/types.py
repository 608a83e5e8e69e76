"""What travels between the parts: samples, requests, responses, scores and the record of a finished case."""

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
    """One chat message, sent to the model as it is."""

    role: Role
    """Who says it."""
    content: str | list[dict[str, Any]]
    """A text, or its parts in the server's own form: texts, images, files."""
    name: NotRequired[str]
    """Of who says it, where several share a role."""
    tool_calls: NotRequired[list[dict[str, Any]]]
    """Of an assistant: the calls that it made, in OpenAI's form, each with an ``id``."""
    tool_call_id: NotRequired[str]
    """Of the role ``tool``: the ``id`` of the call whose result this is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One dataset row."""

    id: str
    """Unique in its dataset; taken from the row, else derived from its content."""
    input: Any
    """A string, an object (dict) or a list of chat messages."""
    target: Any = None
    """What a right answer looks like; anything JSON can say."""
    slices: tuple[str, ...] = ()
    """Names of the groups that the row belongs to, its row marks included."""
    marks: tuple[str, ...] = ()
    """Names of the pytest marks that the row asks for."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """Whatever else the dataset says of the row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one call, as the server counts them."""

    input_tokens: int | None = None
    """Of the messages, at least 0; None where the server did not say."""
    output_tokens: int | None = None
    """Of the answer, at least 0; None where the server did not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One chat completion to ask for: the messages, and the sampling parameters sent beside them.

    It holds copies: what a test does with its messages afterwards changes neither what is sent nor what is recorded.
    """

    messages: tuple[Message, ...]
    """From the first to the last."""
    params: Mapping[str, Any] = field(default_factory=dict)
    """By name: ``temperature``, ``max_tokens``, …; empty where the server's defaults do."""

    def __post_init__(self) -> None:
        try:
            messages, params = copied(self.messages), copied(dict(self.params))
        except RecursionError:  # it holds itself: whoever would send it says so
            return
        object.__setattr__(self, "messages", messages)
        object.__setattr__(self, "params", params)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A tool that a model wants called."""

    name: str
    """Of the tool, as the model wrote it."""
    arguments: str
    """JSON as the model wrote it, unchecked; canonical where it came as an object. Of a custom tool its text."""
    id: str | None = field(default=None, compare=False)
    """By which the server knows the call and is told its result; None where it gave none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What a model said. ``str(response)`` is its text."""

    text: str
    """Empty where it called tools and said nothing."""
    tool_calls: tuple[ToolCall, ...] = ()
    """In the order in which they came; empty where it called none."""
    finish_reason: str | None = None
    """``stop``, ``length``, ``tool_calls``, … as the server said it; None where it did not."""
    usage: Usage = field(default_factory=Usage)
    """Tokens of the attempt that gave the answer."""
    latency_s: float | None = None
    """Seconds from sending the last attempt to its full answer, back-off left out; None where it is not known."""
    model: str | None = None
    """The name under which the server says it answered; None where it did not."""
    system_fingerprint: str | None = None
    """What the server says of the state that it answered in; None where it says nothing."""
    attempts: int = 1
    """Requests sent for this answer, retries included; at least 1."""
    lost: tuple[Usage, ...] = field(default=(), compare=False)
    """Tokens of each attempt before it that was answered and gave nothing to use; empty where it was not asked now."""
    cost_usd: float | None = None
    """USD, of ``lost`` too as far as the server said; None where the price or the tokens are not known."""
    cached: bool = False
    """True where the answer came from a cache and no request was sent."""
    earlier: bool = field(default=False, compare=False)
    """True where a session of the same run that was broken off was given it."""
    refusal: str | None = None
    """The text of a refusal; None where the server marks none."""
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False, hash=False)
    """What else the message of the answer held, in the words of its server: ``reasoning_content``, ``annotations``, …;
    under ``tool_calls`` what each call held besides. A conversation that goes on sends it back in that message."""
    cache_key: str | None = None
    """sha256 in hex over everything that decides the answer; None where the answer may not be kept for later runs."""

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One scorer's result for one case."""

    name: str
    """As rules and reports know it; each stands once in a case."""
    value: float | None
    """In [0, 1] for a scorer's result, any finite number for a recorded one; None where there is no score."""
    passed: bool | None
    """Whether the value reached its pass mark; None where nothing was demanded."""
    reason: str | None = None
    """What differed, in a few lines; None where nothing is to be said."""
    status: Literal["scored", "none", "error"] = "scored"
    """``none``: rightly without a value (no judge); ``error``: the scorer broke."""
    scorer_digest: str | None = None
    """sha256 in hex over the scorer's name, version (or source) and settings; None for recorded and judged ones."""
    judge_id: str | None = None
    """What identifies the judge behind it, its checks and way of asking, too; None for a scorer without a judge."""
    dimension: str | None = None
    """Of the rubric, that the score is of; None for the whole rubric and for a scorer without a judge."""
    decided_by: str | None = None
    """Of a judged score: the judge's name, ``panel``, or the scorer that left nothing to judge; None for others."""
    votes: tuple["Vote", ...] = ()
    """What each judge said, where there are several judgements; empty where there is one."""

    def __bool__(self) -> bool:
        """Return whether the value reached its pass mark; where there is no value, nothing was missed.

        Raises:
            TypeError: nothing was demanded of the value, so that neither is true.
        """
        if self.status == "scored" and self.passed is None:
            raise TypeError(f"the score {self.name!r} has no pass mark, so it is neither true nor false; see its value")
        return self.passed is not False


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """What one judge said in one of several judgements of an answer."""

    judge: str
    """Its name."""
    repeat: int
    """0 for the judgement that counts; from 1 for those that only show how often a judge changes its mind."""
    value: float
    """In [0, 1]."""
    level: str
    """By name; empty for a whole rubric."""
    reason: str
    """In the judge's words; empty for a whole rubric."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeRecord:
    """What stands behind a ``judge_id``, as it is stored."""

    judge_id: str
    rubric: str
    """Its name."""
    detail: str
    """JSON: ``rubric`` (all that it says), ``judges`` (of each its spec, its parameters and, but for chat completions,
    its API) and ``how`` they were asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One model or judge call of a case, as it is stored."""

    role: Literal["model", "judge"]
    model: str
    request: Mapping[str, Any]
    response: str | None
    status: str
    """``ok`` or the kind of the error."""
    attempts: int
    latency_s: float | None
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None
    cached: bool = False
    name: str = ""
    """What tells it from the other calls of its case: see ``core.calls.ask_name``."""
    cache_key: str | None = None
    """As in its response."""
    detail: Mapping[str, Any] = field(default_factory=dict)
    """``finish_reason``, ``model``, ``system_fingerprint``, ``refusal``, ``tool_calls`` and ``extra`` of the response,
    if there; ``text`` where SQLite cannot hold it; ``error`` of a failed call; of a judge's the names of its
    ``scores``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseKey:
    """What identifies a case within a run."""

    nodeid: str
    suite: str
    sample_id: str
    model: str
    epoch: int
    """From 1."""


CallName = tuple[CaseKey, str]
"""The case that asks, and what tells the call from the others of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """An answered call and the case that asked."""

    case: CaseKey
    call: Call


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One call that a case wants answered. Within a run equal asks are one call: it is made, and paid, once."""

    case: CaseKey
    role: Literal["model", "judge"] = "model"
    model: str
    """The name of the model that is asked."""
    request: Request
    nth: int = 1
    """How many calls with this request the case has made, this one included."""
    draw: int = 1
    """The same without those that take the place of an earlier one, as that has: by it later runs find the answer."""
    position: int | None = None
    """The place of its case among those whose answers are requested ahead; None for every other call."""
    wanted: "Wanted | None" = None
    """What the answer must be to serve later runs; None where any answer may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseStart:
    """What is known of a case before it has finished, and all that is where its worker dies."""

    key: CaseKey
    slices: tuple[str, ...] = ()
    input_digest: str | None = None
    cluster: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseRecord:
    """A finished case, as it is stored."""

    key: CaseKey
    slices: tuple[str, ...]
    outcome: Outcome
    error_kind: str | None = None
    error: str | None = None
    input_digest: str | None = None
    """sha256 in hex over the row's input and target."""
    started_at: str = ""
    """ISO 8601, UTC."""
    scores: tuple[Score, ...] = ()
    judges: tuple[JudgeRecord, ...] = ()
    """What stands behind the judge_ids of its scores."""
    calls: tuple[Call, ...] = ()
    waited_s: float | None = None
    """Seconds for which the case waited for answers in its turn; what they took ahead of it is not in it."""
    target: str | None = None
    """The row's target as JSON; None where the row has none."""
    cluster: str | None = None
    """What the row's metadata holds under the marker's ``cluster`` key, as text; None for a row independent of all."""
    input: str | None = None
    """The row's input as text, where the case made several calls of the model; else None."""
