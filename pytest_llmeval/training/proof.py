"""Proof of an adapter's gain: base and adapter answer held-out rows of the eval, and the paired gate compares."""

import math
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from pytest_llmeval.core.child import run_captured
from pytest_llmeval.core.errors import ErrorKind, LlmevalError, SettingsError
from pytest_llmeval.core.gate.case import LOST_KINDS
from pytest_llmeval.core.gate.judging import Verdict
from pytest_llmeval.core.metrics import score_names
from pytest_llmeval.core.rules import COUNTED_METRICS, MEASURED_METRICS, GateSettings, Rule, SuiteRules, Thresholds
from pytest_llmeval.core.status import BROKEN
from pytest_llmeval.reports.comparing import compare_found
from pytest_llmeval.reports.numbers import number
from pytest_llmeval.store.baselines import find_baseline
from pytest_llmeval.store.records import Run
from pytest_llmeval.store.sqlite import SqliteStore
from pytest_llmeval.training.config import ProofModel, TrainingConfig

__all__ = ["Gain", "Measurement", "Side", "failures", "formatter", "measure"]

Side = Literal["base", "adapter"]
_NO_RULES = "version: 1\n"
_OF_PYTEST = ("PYTEST_", "COV_CORE_")
"""Prefixes of environment variables of this session that do not affect how an adapter is measured; they are removed."""
_EMPTIED = ("limit", "slice", "shard", "max_cost", "resume", "rescore")
_FIXED = (
    *("-o", "addopts="),
    "--llmeval-baseline=none",
    "--llmeval-timeout-s=3600",
    "--llmeval-epochs=1",
    "--llmeval-cache=off",
    "--maxfail=0",
    *("-m", "", "-k", ""),
    *(part for name in _EMPTIED for part in ("-o", f"llmeval_{name}=")),
)
"""Options that override a project's settings for its own sessions, which would leave rows out or reuse old answers."""
_AGAIN = "the adapter stays; {again} measures it without training"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """The comparison of base and adapter on one held-out split."""

    split: str
    base_run: str
    adapter_run: str
    metric: str
    n: int
    before: float | None
    after: float | None
    delta: float | None
    low: float | None
    """Lower end of the 90 % interval of the gain, paired by row (``high``: upper end). None if all rows changed
    alike."""
    high: float | None
    margin: float
    verdict: str
    """Verdict of the gate; ``pass`` if the lower bound of the gain is above the margin."""
    reason: str
    others: tuple[Mapping[str, Any], ...] = ()
    """Results of the rules on further scores (``proof.also``)."""

    def line(self) -> str:
        """Return the comparison in one line."""
        shown = formatter(self.metric, self.before, self.after)
        interval = self.no_interval
        if self.low is not None:
            interval = f"90 % interval of the gain {shown(self.low)} to {shown(self.high)}"
        return (
            f"{self.split}: {self.metric} {shown(self.before)} -> {shown(self.after)} over {self.n} rows"
            f" ({interval}; margin {shown(self.margin)}): {self.verdict}"
        )

    @property
    def no_interval(self) -> str:
        """Explanation of a missing interval of the gain."""
        return "no interval" + (": all rows, or groups of them, changed alike" if self.delta is not None else "")

    def why(self) -> str:
        """Return why the verdict is not ``pass``, and the command that shows the rows."""
        look = f"llmeval compare {self.base_run} {self.adapter_run} shows the rows"
        if self.verdict != "fail" or self.metric in (*MEASURED_METRICS, "error_rate"):
            return f"{self.reason}; {look}"
        return f"{self._short()}; {look}\n  {self.reason}"

    def _short(self) -> str:
        """Return how the gain misses the margin."""
        shown = formatter(self.metric, self.before, self.after)
        delta, margin = self.delta or 0.0, shown(self.margin)
        if delta < 0:
            return "the adapter is worse than its base on these rows"
        if delta <= self.margin:
            return f"the gain of {shown(delta)} is not above the margin of {margin}"
        return f"a gain above the margin of {margin} is not sure; with more rows it may be surer"

    def recorded(self) -> dict[str, Any]:
        """Return all fields as a JSON object."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What the proof measures, and where it is recorded."""

    config: TrainingConfig
    name: str
    """Name of the configuration."""
    id: str
    """Id of the training."""
    suite: str
    rootdir: Path
    folder: Path
    """Folder of the training, which also holds files that the sessions of the proof need."""
    db: Path
    specs: Mapping[Side, str]
    """Specs of the two models that answer."""
    again: str
    """Command that repeats the measurement."""
    report: Callable[[str], None]
    """Callback that shows one line to the user."""
    arguments: tuple[str, ...] = ()
    """Further arguments for pytest, such as the judges and the pace of calls."""
    max_cost_usd: float | None = None
    """Largest sum in USD that all sessions may spend together; None for no limit."""
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)
    """Environment of the sessions, with the API keys of models and judges; of the plugin's options only the judges."""


def measure(measurement: Measurement) -> list[Gain]:
    """Return the gains on ``val`` and on ``test``, in this order.

    Raises:
        LlmevalError: a session could not be completed, with the end of what it printed.
        SettingsError: none of the base's answers got a score that the proof names.
        KeyboardInterrupt: the measurement was interrupted, and the child process has ended.
    """
    data = measurement.config.data
    gains: list[Gain] = []
    runs: list[str] = []
    for split, dataset in {"val": data.val, "test": data.test}.items():
        runs.append(_run(measurement, split, dataset, "base", before=runs))
        _require_scores(measurement, runs[-1])
        runs.append(_run(measurement, split, dataset, "adapter", before=runs))
        gains.append(_gain(measurement, split, {"base": runs[-2], "adapter": runs[-1]}))
    return gains


def failures(gains: list[Gain]) -> list[str]:
    """Return a message for each rule that does not hold, with the reason."""
    found = [f"{gain.line()}\n  {gain.why()}" for gain in gains if gain.verdict != "pass"]
    for gain in gains:
        found += [
            f"{gain.split}: {other['metric']} {'is' if other['verdict'] == 'fail' else 'may be'} worse:"
            f" {other['reason']}"
            for other in gain.others
            if other["verdict"] != "pass"
        ]
    return found


def _run(measurement: Measurement, split: str, dataset: str, side: Side, *, before: Sequence[str]) -> str:
    """Let one side answer one split, and return the id of the run; ``before`` are the earlier runs of this proof."""
    proof, config = measurement.config.proof, measurement.config
    measurement.report(f"{measurement.name}: measures {side} on {split}")
    label = f"{split} {side} of {measurement.name} {measurement.id}"
    rules = measurement.folder / "no_rules.yaml"  # it stays: later reports judge both runs by the rules they had
    rules.write_text(_NO_RULES, "utf-8")
    with tempfile.TemporaryDirectory(prefix="llmeval-proof-") as scratch:
        command = [sys.executable, "-m", "pytest", config.eval, "-q"]
        command += [f"--llmeval-model={measurement.specs[side]}", f"--llmeval-dataset={dataset}"]
        command += [f"--llmeval-db={measurement.db}", f"--llmeval-run-name={label}", f"--llmeval-thresholds={rules}"]
        command += [*measurement.arguments, *_FIXED, *_cut(proof), *_bound(measurement, before)]
        if not any("no:cacheprovider" in argument for argument in measurement.arguments):
            command += ["-o", f"cache_dir={scratch}"]  # so that the project's own list of last failures stays
        ended, printed = run_captured(command, cwd=measurement.rootdir, environ=_environ(measurement.environ))
    with closing(SqliteStore(measurement.db)) as store:
        run = next((run for run in store.runs() if run.pid == ended.pid and run.is_here and run.name == label), None)
        broken = f"pytest ended with {ended.returncode}" if ended.returncode in BROKEN else _unanswered(run, store)
    if run is None or broken:
        raise LlmevalError(
            f"the {side} could not be measured on {split} ({broken or 'it left no run'}):\n"
            f"{printed}\n{_AGAIN.format(again=measurement.again)}"
        )
    return run.id


def _unanswered(run: Run | None, store: SqliteStore) -> str | None:
    """Return why a run has too few answers for a verdict; None if it has enough."""
    if run is None:
        return None
    if run.end is None or run.end.status != "finished":
        return f"run {run.id} is {'not ended' if run.end is None else run.end.status}"
    cases = list(store.judged(run.id))
    lost = [each.error_kind for each in cases if each.error_kind in (*LOST_KINDS, ErrorKind.TIMEOUT, ErrorKind.JUDGE)]
    if len(lost) > 1 and len(lost) > GateSettings().max_error_rate * len(cases):
        kinds = ", ".join(sorted({str(kind) for kind in lost}))
        return f"{len(lost)} of {len(cases)} cases of run {run.id} have no answer ({kinds})"
    return None


def _require_scores(measurement: Measurement, run: str) -> None:
    """Raise SettingsError if rows of a run were scored, but none by one of the scores that the proof names.

    If no row was scored at all, no error is raised: the base may be unable to earn a score that the adapter earns.
    """
    proof = measurement.config.proof
    with closing(SqliteStore(measurement.db)) as store:
        given = score_names(store.judged(run))
    for key, names in {"metric": (proof.metric,), "also": proof.also or ()}.items():
        for name in names:
            if given and name not in (*given, *COUNTED_METRICS, *MEASURED_METRICS):
                raise SettingsError(
                    f"{measurement.name}: proof.{key}: {name!r} is not a score that {measurement.config.eval} gave the"
                    f" base; it gave: {', '.join(given)}. The adapter stays: fix it, then measure it with"
                    f" {measurement.again}"
                )


def _gain(measurement: Measurement, split: str, runs: Mapping[Side, str]) -> Gain:
    proof = measurement.config.proof
    rules = _rules(measurement.suite, proof)
    gain = rules.suites[measurement.suite].rules[0]
    with closing(SqliteStore(measurement.db)) as store:
        base, adapter = (
            find_baseline(runs[side], reader=store, root=measurement.rootdir) for side in ("base", "adapter")
        )
        found = compare_found(base, adapter, rules, reader=store, most_flips=0)
    of_metric = next((each for each in found.changes if _is_about(each, gain)), None)
    if of_metric is None:
        raise LlmevalError(
            f"run {runs['adapter']} has no rows of suite {measurement.suite!r}, so nothing can be said of the gain on"
            f" {split}; let {measurement.config.eval} make one suite, without parameters, its fixtures' ones included;"
            f" {_AGAIN.format(again=measurement.again)}"
        )
    others = tuple(_recorded(each) for each in found.changes if each is not of_metric)
    return Gain(
        split=split,
        base_run=runs["base"],
        adapter_run=runs["adapter"],
        metric=proof.metric,
        n=of_metric.n,
        before=of_metric.baseline_value,
        after=of_metric.value,
        delta=of_metric.delta,
        low=of_metric.low,
        high=of_metric.high,
        margin=proof.margin,
        verdict=of_metric.verdict,
        reason=of_metric.reason or "",
        others=others,
    )


def _is_about(verdict: Verdict, rule: Rule) -> bool:
    """Return whether a verdict belongs to a rule over a whole suite."""
    found = (verdict.suite, verdict.metric, verdict.slice, verdict.rule)
    return found == (rule.suite, rule.metric, None, rule.text)


def _rules(suite: str, proof: ProofModel) -> Thresholds:
    """Return the gate's rules, the gain first: better by the margin is "not worse by minus the margin"."""
    gain = Rule(suite=suite, metric=proof.metric, kind="noninferior", bound=-proof.margin)
    others = (Rule(suite=suite, metric=name, kind="max_drop", bound=0.0) for name in proof.also or ())
    return Thresholds(suites={suite: SuiteRules(name=suite, rules=(gain, *others))})


def _recorded(verdict: Verdict) -> dict[str, Any]:
    names = ("metric", "n", "baseline_value", "value", "delta", "low", "high", "p_value", "verdict", "reason")
    return {name: getattr(verdict, name) for name in names}


def _cut(proof: ProofModel) -> list[str]:
    """Return the options that select the rows."""
    chosen = [f"--llmeval-slice={proof.slice}"] if proof.slice else []
    return [*chosen, f"--llmeval-limit={proof.limit}"] if proof.limit else chosen


def _bound(measurement: Measurement, runs: Sequence[str]) -> list[str]:
    """Return the option that limits spending to what is left after ``runs``."""
    if measurement.max_cost_usd is None:
        return []
    with closing(SqliteStore(measurement.db)) as store:
        spent = math.fsum(each.cost_usd or 0.0 for run in runs for each in store.spending(run))
    return [f"--llmeval-max-cost={max(0.0, measurement.max_cost_usd - spent):.9f}"]


def _environ(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if not name.startswith(_OF_PYTEST)}


def formatter(metric: str, *ends: float | None) -> Callable[[float | None], str]:
    """Return a function that formats values and changes of a metric, with ``?`` for None.

    They are written as percentages if all ``ends`` are in [0, 1] and the metric is not a measured one, such as latency.
    """
    is_share = metric not in MEASURED_METRICS and all(end is None or 0 <= end <= 1 for end in ends)
    return lambda value: "?" if value is None else f"{100 * value:.1f} %" if is_share else number(value)
