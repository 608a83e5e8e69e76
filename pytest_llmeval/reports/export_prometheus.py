"""Prometheus export of a run, for node-exporter's textfile collector.

The text format: https://prometheus.io/docs/instrumenting/exposition_formats/. Rows are never labels. No sample has a
timestamp, because that collector refuses them; the time of the run is a metric of its own.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import get_args

from pytest_llmeval.core.errors import SettingsError
from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.gate.column import read_column
from pytest_llmeval.core.gate.judging import SessionVerdict
from pytest_llmeval.core.grouping import grouped
from pytest_llmeval.core.ids import shown_name
from pytest_llmeval.core.metrics import Metric, summarise
from pytest_llmeval.core.stats.intervals import quantile
from pytest_llmeval.core.text import one_line
from pytest_llmeval.core.types import OUTCOMES
from pytest_llmeval.reports.run_view import RunView
from pytest_llmeval.store.records import Run, Spending

__all__ = ["parsed_labels", "prometheus_lines"]

Labels = Mapping[str, str]
Sample = tuple[str, Labels, float]
"""Suffix to the name of the metric family, labels, and value."""

_LATENCY = "latency_seconds"
"""The only metric that is a summary; all others are gauges."""
_QUANTILES = (50, 90, 95, 99)
_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_OWN_LABELS = frozenset(
    {"commit", "branch", "direction", "error_kind", "metric", "model", "name", "outcome", "partial", "quantile"}
    | {"role", "rule", "run", "slice", "status", "suite", "verdict", "version"}
)


def parsed_labels(given: Iterable[str]) -> dict[str, str]:
    """Return the labels that a user gave as ``NAME=VALUE``.

    Raises:
        SettingsError: if one is not a label, is a label of the metrics themselves, or is given twice.
    """
    found: dict[str, str] = {}
    for text in given:
        name, sign, value = text.partition("=")
        if not sign or not _LABEL_NAME.fullmatch(name) or name.startswith("__") or not value:
            raise SettingsError(f"--label {one_line(text)!r}: expected NAME=VALUE, NAME of letters, digits and _")
        if name in _OWN_LABELS or name in found:
            why = "is given twice" if name in found else "is a label that the metrics have themselves"
            raise SettingsError(f"--label {one_line(text)!r}: {name} {why}")
        found[name] = value
    return found


def prometheus_lines(
    view: RunView, cases: Sequence[JudgedCase], spending: Sequence[Spending], labels: Labels
) -> Iterator[str]:
    """Yield the lines of the text format.

    Args:
        view: the run.
        cases: all its cases.
        spending: the totals of its calls.
        labels: added to every sample, to tell projects on one machine apart.
    """
    for name, told, samples in _families(view, cases, spending):
        found = [sample for sample in samples if math.isfinite(sample[2])]
        if not found:
            continue
        yield f"# HELP llmeval_{name} {told}"
        yield f"# TYPE llmeval_{name} {'summary' if name == _LATENCY else 'gauge'}"
        yield from (f"llmeval_{name}{_sample({**labels, **own}, ending, value)}" for ending, own, value in found)


def _families(
    view: RunView, cases: Sequence[JudgedCase], spending: Sequence[Spending]
) -> Iterator[tuple[str, str, Iterable[Sample]]]:
    """Yield the name, help text and samples of each metric."""
    run, metrics = view.run, summarise(cases)
    verdict = run.end.verdict if run.end is not None else "none"
    is_whole = run.shown_status in ("finished", "unmeasurable")
    yield "run_info", "The run, 1.", [("", _about(run), 1)]
    yield "run_verdict", "1 for the verdict of the run.", _verdicts(verdict)
    yield "run_finished", "1 where the run came to its end.", [("", {}, is_whole)]
    if run.end is not None:
        yield "run_exit_status", "The exit status of the session.", [("", {}, run.end.exit_code)]
    yield "run_started_timestamp_seconds", "When the run began.", _time(run.started_at)
    if run.end is not None:
        yield "run_finished_timestamp_seconds", "When the run ended.", _time(run.end.finished_at)
    yield "cases", "Cases by what they came to.", _outcomes(cases)
    yield "errors", "Cases that ended in an error, by its kind.", _errors(cases)
    yield "metric", "Mean over the samples: pass_rate and every score.", _values(metrics, "value")
    yield "metric_low", "Lower end of the 95 % interval of the metric.", _values(metrics, "low")
    yield "metric_high", "Upper end of the 95 % interval of the metric.", _values(metrics, "high")
    yield "metric_samples", "Samples that the metric is the mean of.", _values(metrics, "n")
    yield "rule_verdict", "The rules of the gate with their verdicts, 1.", _rules(view)
    yield _LATENCY, "Latency of the cases, those from a cache left out.", _latencies(cases)
    yield "calls", "Answered calls, from a cache too.", _spent(spending, "calls")
    yield "cost_usd", "What the calls cost; missing where a price is not known.", _spent(spending, "cost_usd")
    meaning = "Tokens of the answers, those from a cache left out; missing where not all are known."
    yield "tokens", meaning, _tokens(spending)


def _about(run: Run) -> Labels:
    about = {
        "run": run.id,
        "name": run.name,
        "version": run.version,
        "commit": run.git_commit,
        "branch": run.git_branch,
        "status": run.shown_status,
        "partial": "true" if run.left_out else "",
    }
    return {name: value for name, value in about.items() if value}


def _verdicts(found: SessionVerdict) -> Iterator[Sample]:
    return (("", {"verdict": name}, name == found) for name in get_args(SessionVerdict))


def _time(iso: str) -> Iterator[Sample]:
    try:
        yield "", {}, datetime.fromisoformat(iso).timestamp()
    except ValueError:  # the start time in a foreign database may be any text
        return


def _outcomes(cases: Iterable[JudgedCase]) -> Iterator[Sample]:
    counts = Counter((case.suite, case.model, case.outcome) for case in cases)
    for suite, model in sorted({key[:2] for key in counts}):
        for outcome in OUTCOMES:
            yield "", {"suite": suite, "model": model, "outcome": outcome}, counts[suite, model, outcome]


def _errors(cases: Iterable[JudgedCase]) -> Iterator[Sample]:
    counts = Counter((case.suite, case.model, case.error_kind) for case in cases if case.error_kind is not None)
    for (suite, model, kind), count in sorted(counts.items()):
        yield "", {"suite": suite, "model": model, "error_kind": kind}, count


def _values(metrics: Iterable[Metric], attribute: str) -> Iterator[Sample]:
    for metric in metrics:
        value = getattr(metric, attribute)
        if value is not None:
            yield "", _of(metric.suite, metric.model, metric.slice, metric=metric.name), value


def _rules(view: RunView) -> Iterator[Sample]:
    judged = ((suite.name, row) for suite in view.suites for row in suite.rows if row.verdict and row.rule)
    for suite, row in judged:
        yield "", _of(suite, row.model, row.slice, metric=row.metric, rule=row.rule or "", verdict=row.verdict or ""), 1
    for each in view.not_judged:
        if each.is_reported:  # it is already among the rows of its suite
            continue
        own = {"metric": each.metric, "rule": each.rule, "verdict": each.verdict}
        yield "", _of(each.suite, each.model or "", each.slice, **own), 1


def _of(suite: str, model: str, part: str | None, **more: str) -> Labels:
    """Return the labels of a suite, its model (left out if empty) and its slice, if there is one."""
    return {"suite": suite, **({"model": model} if model else {}), **({} if part is None else {"slice": part}), **more}


def _latencies(cases: Iterable[JudgedCase]) -> Iterator[Sample]:
    groups = grouped(cases, lambda case: (case.suite, case.model))
    for (suite, model), own in sorted(groups.items()):
        known, labels = read_column("latency_s", own).cases(), {"suite": suite, "model": model}
        if known:
            for percent in _QUANTILES:
                yield "", {**labels, "quantile": f"{percent / 100:g}"}, quantile(known, percent) or 0.0
            yield "_sum", labels, math.fsum(known)
            yield "_count", labels, len(known)


def _spent(spending: Iterable[Spending], attribute: str) -> Iterator[Sample]:
    for each in spending:
        value = getattr(each, attribute)
        if value is not None:
            yield "", {"role": each.role, "model": each.model}, value


def _tokens(spending: Iterable[Spending]) -> Iterator[Sample]:
    for each in spending:
        for direction in ("input", "output"):
            count = getattr(each, f"{direction}_tokens")
            if count is not None:
                yield "", {"role": each.role, "model": each.model, "direction": direction}, count


def _sample(labels: Labels, ending: str, value: float) -> str:
    pairs = ",".join(f'{name}="{_quoted(shown_name(text))}"' for name, text in labels.items())
    number = f"{float(value):.17g}" if value != int(value) else str(int(value))
    return f"{ending}{{{pairs}}} {number}" if pairs else f"{ending} {number}"


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
