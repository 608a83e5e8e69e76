"""The rules of thresholds.yaml as data, and what collection learned of the suites that they name."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal

__all__ = [
    "COUNTED_METRICS",
    "MEASURED_METRICS",
    "MORE_EPOCHS",
    "REGRESSION_KINDS",
    "SHIPPED_SCORES",
    "Change",
    "GateSettings",
    "JudgeDemands",
    "OnInconclusive",
    "Rule",
    "RuleKind",
    "SuiteRules",
    "SuiteSeen",
    "Thresholds",
    "kind_of",
]

RuleKind = Literal[
    "min",
    "max",
    "min_lower",
    "every",
    "max_p50",
    "max_p95",
    "max_total",
    "pass_at",
    "max_drop",
    "max_rise",
    "noninferior",
]
OnInconclusive = Literal["warn", "fail", "escalate"]
Change = Literal["judge", "scorer"]

MORE_EPOCHS = 2
"""Number of epochs that ``on_inconclusive: escalate`` adds to a run for a second look."""

REGRESSION_KINDS: frozenset[RuleKind] = frozenset({"max_drop", "max_rise", "noninferior"})
"""Kinds of rules that compare with a baseline."""

MEASURED_METRICS = ("latency_s", "cost_usd", "input_tokens", "output_tokens")
"""Metrics of the calls: at least 0, without an upper bound."""

COUNTED_METRICS = ("pass_rate", "error_rate")
"""Metrics that count outcomes: shares in [0, 1]."""

SHIPPED_SCORES = (
    "choice",
    "contains",
    "exact",
    "json_exact",
    "json_match",
    "json_schema",
    "json_valid",
    "numeric",
    "regex",
    "token_f1",
    "tool_calls",
    "tool_names",
)
"""Scores that shipped scorers record under their own names, all in [0, 1]. Listed here because rules are read without
importing the scorers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSettings:
    """Settings for judging the rules of one suite."""

    alpha: float = 0.05
    """Largest probability of a false alarm by all regression rules together, in (0, 0.5]."""
    max_error_rate: float = 0.02
    """Share of errors, in [0, 1], above which a suite and model are unmeasurable; a single error never is too many."""
    on_inconclusive: OnInconclusive = "warn"
    """How an inconclusive rule affects the exit status."""
    allow_change: tuple[Change, ...] = ()
    """Parts that may differ from the baseline's without making a rule unmeasurable."""
    require_judge: bool = False
    """Whether a judge rule is unmeasurable if there is no judge; otherwise it is not judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeDemands:
    """Agreement with people that a judge must show before a rule on its scores may gate.

    At least one demand is set; a demand that is None is not made.
    """

    min_kappa: float | None = None
    """Smallest estimate of the judge's kappa with people, in [-1, 1]."""
    min_labels: int | None = None
    """Smallest number of labelled answers, at least 1."""
    max_age_days: int | None = None
    """Age in days, at least 1, above which a label no longer counts; at least one label must count."""
    min_specificity: float | None = None
    """Smallest share of the answers failed by people that the judge fails too, in [0, 1]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One bound on one metric. ``{min: …, max_drop: …}`` are two rules."""

    suite: str
    metric: str
    """A score's name, ``pass_rate``, ``error_rate``, ``latency_s``, ``cost_usd`` or a token count."""
    kind: RuleKind
    bound: float | None = None
    """Finite number beside the rule's key; the margin of ``noninferior``; None for ``every``."""
    k: int | None = None
    """Number of attempts of ``pass_at``, at least 1; None for other kinds."""
    slice: str | None = None
    """Slice that the rule applies to; None for the whole suite."""
    model: str | None = None
    """Only model that the rule applies to; None for all models."""
    confident: bool = False
    """Whether ``min`` or ``max`` fails only if chance alone does not explain that the bound is missed."""
    judge: JudgeDemands | None = None
    """Demands on the judge of the metric; None for no demands."""
    line: int | None = None
    """Line of the bound in the file, from 1."""
    is_implied: bool = False
    """Whether the rule was not in a file but added to compare two runs; such rules share alpha only with each other."""

    @property
    def text(self) -> str:
        """The rule as verdicts show it: ``min=0.8``, ``every``, ``pass_at(3)=0.9``."""
        name = f"pass_at({self.k})" if self.kind == "pass_at" else self.kind
        return name if self.bound is None else f"{name}={self.bound:.12g}"


def kind_of(text: str) -> str:
    """Return the kind of a rule from its ``text``, or the name of a setting shown like it (``max_error_rate=0.02``)."""
    return text.partition("=")[0].partition("(")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteRules:
    """All rules of one suite."""

    name: str
    settings: GateSettings = field(default_factory=GateSettings)
    """The file's defaults, overridden by the suite's own settings."""
    rules: tuple[Rule, ...] = ()
    """In the order of the file."""
    slice_lines: Mapping[str, int | None] = field(default_factory=dict)
    """Slices that the file names, each with its line."""
    line: int | None = None

    def decides(self, models: Collection[str] | None = None) -> bool:
        """Return whether the gate decides about the suite's misses in a session of ``models`` (None: of any models).

        It does if the suite or one of its slices has a rule on a score or on ``pass_rate`` that applies to one of these
        models. With rules on latency, cost, tokens or ``error_rate`` alone, a miss is a plain failure.
        """
        return any(
            rule.metric not in (*MEASURED_METRICS, "error_rate")
            and (rule.model is None or models is None or rule.model in models)
            for rule in self.rules
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """The content of thresholds.yaml."""

    shown_as: str = "thresholds.yaml"
    """The file's name, as messages show it."""
    baseline: str | None = None
    """Name of a baseline, or path of an exported one; None if the file names none."""
    defaults: GateSettings = field(default_factory=GateSettings)
    suites: Mapping[str, SuiteRules] = field(default_factory=dict)
    """By name, in the order of the file."""
    models: frozenset[str] | None = None
    """Models of the judged session; None if they are not known."""

    def has_rules(self, suite: str) -> bool:
        """Return whether ``suite`` has a rule on a score or on ``pass_rate`` that applies to one of ``models``."""
        return suite in self.suites and self.suites[suite].decides(self.models)


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteSeen:
    """What collection learned of one suite."""

    name: str
    slices: frozenset[str] = frozenset()
    """Slices of the rows that were read."""
    read_to_end: bool = False
    """Whether the whole dataset was read, so that ``slices`` is complete."""
    models: frozenset[str] | None = None
    """Models that a rule may name: the session's and those of models.yaml; None to leave names of models unchecked."""
