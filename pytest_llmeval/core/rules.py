"""The rules of thresholds.yaml, and what they are held against: the suites of a session."""

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
"""Epochs that a second look at a run asks for, where an inconclusive rule escalates."""

REGRESSION_KINDS: frozenset[RuleKind] = frozenset({"max_drop", "max_rise", "noninferior"})
"""Rules that compare with a baseline."""

MEASURED_METRICS = ("latency_s", "cost_usd", "input_tokens", "output_tokens")
"""Metrics of the calls: numbers from 0 up, no bound above."""

COUNTED_METRICS = ("pass_rate", "error_rate")
"""Metrics that count outcomes: shares, in [0, 1]."""

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
"""What shipped scorers record under their own names: in [0, 1]. Kept here, as rules are read without the scorers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSettings:
    """How the rules of one suite are judged."""

    alpha: float = 0.05
    """Share of false alarms that all regression rules together may give, in (0, 0.5]."""
    max_error_rate: float = 0.02
    """Share of errors, in [0, 1], above which a suite and model are unmeasurable (one error never is)."""
    on_inconclusive: OnInconclusive = "warn"
    """What an inconclusive rule does to the exit status."""
    allow_change: tuple[Change, ...] = ()
    """What may differ from the baseline's without making a rule unmeasurable."""
    require_judge: bool = False
    """Whether a judge rule without a judge is unmeasurable; otherwise it is not judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeDemands:
    """What a judge must be worth before a rule on its scores may gate; at least one of them, None demands nothing."""

    min_kappa: float | None = None
    """Its kappa with people, as estimated, is at least this; in [-1, 1]."""
    min_labels: int | None = None
    """At least so many of its answers are labelled; from 1."""
    max_age_days: int | None = None
    """Labels that are older do not count, and one at least must; from 1."""
    min_specificity: float | None = None
    """Of the answers that people fail, it fails at least this share; in [0, 1]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One bound on one metric. ``{min: …, max_drop: …}`` are two rules."""

    suite: str
    metric: str
    """A score's name, ``pass_rate``, ``error_rate``, ``latency_s``, ``cost_usd`` or a token count."""
    kind: RuleKind
    bound: float | None = None
    """The number beside the key, finite; for ``noninferior`` the margin, None for ``every``."""
    k: int | None = None
    """Attempts of ``pass_at``, from 1; None otherwise."""
    slice: str | None = None
    """The slice that the rule is about; None for the whole suite."""
    model: str | None = None
    """The only model that the rule is about; None for each."""
    confident: bool = False
    """Whether ``min`` or ``max`` fails only where chance alone does not explain the miss."""
    judge: JudgeDemands | None = None
    """What the judge of the metric must be worth; None for any."""
    line: int | None = None
    """Where the bound stands in the file, from 1."""
    is_implied: bool = False
    """Whether it stands in no file: two runs are compared by it, and it shares false alarms with its like alone."""

    @property
    def text(self) -> str:
        """The rule in a few words, as verdicts show it: ``min=0.8``, ``every``, ``pass_at(3)=0.9``."""
        name = f"pass_at({self.k})" if self.kind == "pass_at" else self.kind
        return name if self.bound is None else f"{name}={self.bound:.12g}"


def kind_of(text: str) -> str:
    """Return the kind of a rule by its ``text``; of ``max_error_rate=0.02``, which is no rule, the name."""
    return text.partition("=")[0].partition("(")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteRules:
    """All rules of one suite."""

    name: str
    settings: GateSettings = field(default_factory=GateSettings)
    """The suite's own settings over the file's defaults."""
    rules: tuple[Rule, ...] = ()
    """In the order of the file."""
    slice_lines: Mapping[str, int | None] = field(default_factory=dict)
    """The slices that the file names, each with its line."""
    line: int | None = None

    def decides(self, models: Collection[str] | None = None) -> bool:
        """Whether the gate decides about the suite's misses, in a session of ``models`` (None: of any).

        So it is where the suite or one of its slices has a rule on a score or on ``pass_rate`` that is about one of
        them; rules on latency, cost, tokens or ``error_rate`` alone leave a miss a plain failure.
        """
        return any(
            rule.metric not in (*MEASURED_METRICS, "error_rate")
            and (rule.model is None or models is None or rule.model in models)
            for rule in self.rules
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """What thresholds.yaml says."""

    shown_as: str = "thresholds.yaml"
    """The file's name, as messages show it."""
    baseline: str | None = None
    """A baseline's name or an exported file; None where the file names none."""
    defaults: GateSettings = field(default_factory=GateSettings)
    suites: Mapping[str, SuiteRules] = field(default_factory=dict)
    """By name, in the order of the file."""
    models: frozenset[str] | None = None
    """Those of the session that is judged; None where that is not known."""

    def has_rules(self, suite: str) -> bool:
        """Return whether ``suite`` has a rule on a score or on ``pass_rate`` that is about one of ``models``."""
        return suite in self.suites and self.suites[suite].decides(self.models)


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteSeen:
    """What collection learned of one suite."""

    name: str
    slices: frozenset[str] = frozenset()
    """Every slice of the rows that were read."""
    read_to_end: bool = False
    """Whether the whole dataset was read, so that ``slices`` is complete."""
    models: frozenset[str] | None = None
    """Every model that a rule may name: the session's and those of models.yaml; None checks none."""
