"""Proposed rules as the text of a thresholds.yaml to start from."""

import itertools
import re
from collections.abc import Iterator, Sequence

from pytest_llmeval.core.names import quoted
from pytest_llmeval.core.planning.proposals import MAX_DROP, Proposal
from pytest_llmeval.core.text import counted, one_line
from pytest_llmeval.reports.numbers import number

__all__ = ["proposal_lines"]

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_NO_TEXTS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
"""Words that YAML 1.1 does not read as text."""


def proposal_lines(proposals: Sequence[Proposal], run: str, *, power: float, ruled: Sequence[str]) -> list[str]:
    """Return the lines of the file.

    Args:
        proposals: the proposed rules, by suite.
        run: the display name of the run that they come from.
        power: the share of all runs in which a drop must be found, in (0, 1).
        ruled: suites that already have rules.
    """
    lines = [
        f"# Rules to begin with, from run {run}.",
        "# min: the lower end of the mean's 95 % interval, rounded down.",
        "# max_drop: fails on a drop that chance does not explain; one of the size named",
        f"# is found in {power:.0%} of runs.",
    ]
    lines += [f"# Suites that have rules already: {', '.join(map(one_line, ruled))}"] if ruled else []
    lines += ["version: 1", "baseline: main  # name a run so: llmeval baseline set main"]
    lines.append("suites:" if any(map(_bounds, proposals)) else "suites: {}")
    for suite, found in itertools.groupby(proposals, key=lambda each: each.suite):
        lines += _suite_lines(suite, list(found))
    return lines


def _suite_lines(suite: str, proposals: Sequence[Proposal]) -> Iterator[str]:
    """Yield the lines of one suite; without a bound it would be an invalid entry, and is only a comment."""
    has_bounds = any(map(_bounds, proposals))
    if has_bounds:
        yield f"  {_key(suite)}:"
    for each in proposals:
        if bounds := _bounds(each):
            yield f"    {_key(each.metric)}: {{{', '.join(bounds)}}}  # {_why(each)}"
        else:
            yield f"  {'  #' if has_bounds else f'# {one_line(suite)}'} {one_line(each.metric)}: {_why(each)}"


def _bounds(proposal: Proposal) -> list[str]:
    bounds = {"min": proposal.min, "max_drop": MAX_DROP if proposal.sees is not None else None}
    return [f"{name}: {bound:.2f}" for name, bound in bounds.items() if bound is not None]


def _why(proposal: Proposal) -> str:
    worst = f" by {one_line(proposal.model, 40)}, the worst of {proposal.models}" if proposal.models > 1 else ""
    value = f"{number(proposal.value)} of {counted(proposal.n, 'row')}{worst}"
    if proposal.sees is None:
        return f"{value}: too few for {'max_drop' if proposal.min is not None else 'a rule'}"
    return f"{value}; finds a drop of {number(proposal.sees)}"


def _key(name: str) -> str:
    is_plain = _PLAIN.match(name) and name.lower() not in _NO_TEXTS
    return name if is_plain else quoted(name)
