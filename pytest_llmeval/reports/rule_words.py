"""Rules and the reasons why they do not simply pass, in words that terminal, Markdown and HTML share."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Protocol

from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.gate.judging import Verdict, session_verdict
from pytest_llmeval.core.rules import MEASURED_METRICS, Thresholds, kind_of
from pytest_llmeval.core.status import is_unmeasurable, strict_suites
from pytest_llmeval.core.text import counted, one_line
from pytest_llmeval.reports.model_names import model_words
from pytest_llmeval.reports.run_view import TableRow

__all__ = [
    "MDE_MEANS",
    "inconclusive_words",
    "listed_reasons",
    "metric_name",
    "reason_words",
    "ruled_name",
    "ungated_words",
    "unmeasurable_words",
]


MDE_MEANS = "MDE: the change seen four times in five, if rows scatter no more than here"
"""Explanation of the MDE column."""


class _Measured(Protocol):
    @property
    def metric(self) -> str: ...

    @property
    def slice(self) -> str | None: ...


_STATISTICS = {"max_total": "total", "max_p50": "p50", "max_p95": "p95"}
"""The statistic that a rule on a measured metric applies to, by kind of rule; for all others the mean."""


def metric_name(found: _Measured) -> str:
    """Return ``metric``, or ``metric [slice]`` for a slice."""
    name = one_line(found.metric)
    return f"{name} [{one_line(found.slice)}]" if found.slice is not None else name


def ruled_name(found: Verdict | TableRow) -> str:
    """Return ``metric_name`` for a table; for a measured metric it includes the statistic, such as ``total``."""
    if found.metric not in MEASURED_METRICS or found.rule is None:
        return metric_name(found)
    name = f"{found.metric} {_STATISTICS.get(kind_of(found.rule), 'mean')}"
    return f"{name} [{one_line(found.slice)}]" if found.slice is not None else name


def reason_words(found: Verdict | TableRow, names: Mapping[str, str] | None = None) -> str:
    """Return ``verdict: metric [slice] rule on model: reason``, with ``note`` for a pass. The reason is unchanged.

    Args:
        found: the verdict of a rule.
        names: the display names of the models from ``distinct_names``, if there are several.
    """
    word = "note" if found.verdict == "pass" else (found.verdict or "").replace("_", " ")
    return f"{word}: {metric_name(found)} {found.rule}{model_words(found.model, names or {})}: {found.reason}"


def listed_reasons(rows: Iterable[TableRow], names: Mapping[str, str], *, every: bool = False) -> list[str]:
    """Return the reasons to list below a suite's table, in the form of ``reason_words``.

    Args:
        rows: the rows of the table.
        names: as in ``reason_words``.
        every: whether to include reasons that are not ``is_worth_a_word``.
    """
    return [reason_words(row, names) for row in rows if row.reason and (every or row.is_worth_a_word)]


def inconclusive_words(verdicts: Collection[Verdict], rules: Thresholds) -> list[str]:
    """Return why a run fails although none of its rules does; empty if it does not fail, or if a rule does.

    Args:
        verdicts: the verdicts of its rules.
        rules: the rules that it was judged by.
    """
    strict = strict_suites(verdicts, rules)
    if not strict or session_verdict(verdicts) == "fail":
        return []
    settings = ", ".join(f"{setting} in {one_line(name, 60)}" for name, setting in strict.items())
    return [f"status 1: inconclusive rules fail the run (on_inconclusive: {settings})"]


def ungated_words(rules: Thresholds, cases: Iterable[JudgedCase]) -> list[str]:
    """Return a warning for each suite with misses of a model that none of its rules on scores covers.

    Args:
        rules: the rules that the run was judged by.
        cases: the cases of the run.
    """
    missed = Counter((case.suite, case.model) for case in cases if case.outcome == "missed")
    return [
        f"warning: no rule on a score of suite {one_line(suite, 60)} is about model {one_line(model, 60)}:"
        f" what it missed ({count:,}) fails {'nothing' if rules.has_rules(suite) else 'the run'}"
        for (suite, model), count in sorted(missed.items())
        if suite in rules.suites and rules.suites[suite].decides() and not rules.suites[suite].decides([model])
    ]


def unmeasurable_words(rules: Thresholds, cases: Iterable[JudgedCase]) -> list[str]:
    """Return a line with the errors that make a run unmeasurable whatever its rules say; empty without such errors.

    Args:
        rules: the rules that the run was judged by.
        cases: the cases of the run.
    """
    kinds = Counter(case.error_kind or "" for case in cases if is_unmeasurable(case.suite, case.error_kind, rules))
    counts = ", ".join(f"{counted(count, 'case')} of kind {kind}" for kind, count in sorted(kinds.items()))
    return [f"unmeasurable (status 10, unless something failed): {counts}"] if counts else []
