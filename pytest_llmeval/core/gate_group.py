"""The cases of one suite and model, read and paired once for all rules on them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pytest_llmeval.core.errors import ErrorKind
from pytest_llmeval.core.gate_case import JudgedCase
from pytest_llmeval.core.gate_column import Column, read_column
from pytest_llmeval.core.gate_opponents import Opponent
from pytest_llmeval.core.gate_pairs import PairedColumn, pair_up
from pytest_llmeval.core.rules import Rule, SuiteRules

__all__ = ["Group", "group_of"]

_STOPPED: frozenset[str | None] = frozenset({ErrorKind.BUDGET, ErrorKind.AUTH, ErrorKind.QUOTA})


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The cases of one suite and model, with what stands against judging them."""

    rules: SuiteRules
    model: str
    cases: Sequence[JudgedCase]
    names: Sequence[str]
    """Scores of the suite, of any model."""
    unfinished: int
    """Cases that were collected and never finished."""
    finished: int
    """Cases that were not skipped."""
    errors: int
    stopped: Sequence[str]
    """Kinds of the errors that stop a run."""
    opponent: Opponent
    """What rules on a change compare with."""
    columns: dict[str, Column] = field(default_factory=dict)
    """What was read so far, by metric."""
    paired: dict[str, PairedColumn] = field(default_factory=dict)
    """What was paired so far, by metric."""

    @property
    def too_many_errors(self) -> bool:
        """Whether more cases broke than the suite bears; a single one never is."""
        return self.errors > 1 and self.errors / self.finished > self.rules.settings.max_error_rate

    @property
    def broken(self) -> str | None:
        """Why no rule can pass here, whatever the values are."""
        if self.unfinished:
            return f"{self.unfinished} of {self.unfinished + len(self.cases)} cases did not finish"
        if self.stopped:
            return f"the run was stopped ({', '.join(self.stopped)})"
        return f"{self.errors} errors in {self.finished} cases" if self.too_many_errors else None

    def column(self, metric: str) -> Column:
        """Return all readings of ``metric``, read once."""
        if metric not in self.columns:
            self.columns[metric] = read_column(metric, self.cases)
        return self.columns[metric]

    def pairs(self, metric: str) -> PairedColumn:
        """Return ``metric`` paired with the opponent's, once."""
        if metric not in self.paired:
            self.paired[metric] = pair_up(metric, self.cases, self.opponent.cases)
        return self.paired[metric]

    def broken_for(self, rule: Rule) -> str | None:
        """Return why ``rule`` cannot pass; errors are what ``error_rate`` asks about."""
        return None if rule.metric == "error_rate" and not self.unfinished else self.broken


def group_of(
    rules: SuiteRules,
    model: str,
    cases: Sequence[JudgedCase],
    names: Sequence[str],
    expected: Mapping[str, int],
    opponent: Opponent,
) -> Group:
    """Return the cases of one suite and model, with what stands against judging them."""
    return Group(
        rules=rules,
        model=model,
        cases=cases,
        names=names,
        unfinished=max(0, expected.get(model, 0) - len(cases)),
        finished=sum(case.outcome != "skipped" for case in cases),
        errors=sum(case.outcome == "error" for case in cases),
        stopped=sorted({str(case.error_kind) for case in cases if case.error_kind in _STOPPED}),
        opponent=opponent,
    )
