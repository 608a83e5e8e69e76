"""The cases of one suite and model, and a metric of them that is read and paired once for all rules on it."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pytest_llmeval.core.gate.case import MONEY_KINDS, JudgedCase
from pytest_llmeval.core.gate.column import Column, Reading, by_slice, read_column
from pytest_llmeval.core.gate.judges import judges_of
from pytest_llmeval.core.gate.opponents import Opponent, Opponents
from pytest_llmeval.core.gate.pairs import Pair, PairedColumn, pair_up
from pytest_llmeval.core.grouping import grouped
from pytest_llmeval.core.judge.trust import Trust
from pytest_llmeval.core.metrics import score_names
from pytest_llmeval.core.rules import SuiteRules

__all__ = ["Group", "Sheet", "groups_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The cases of one suite and model, with the facts that may prevent judging them."""

    rules: SuiteRules
    model: str
    cases: Sequence[JudgedCase]
    names: Sequence[str]
    """Names of the suite's scores, with any model."""
    unfinished: int
    """Number of cases that were collected but never finished."""
    finished: int
    """Number of finished cases that were not skipped."""
    errors: int
    stopped: Sequence[str]
    """Kinds of errors that stopped all further calls."""
    opponent: Opponent
    """Cases that rules on a change compare with."""
    trust: Trust
    """Agreement of the judges with people."""
    first_look: int | None
    """Epochs of the first look, if there were two looks; else None."""

    @property
    def too_many_errors(self) -> bool:
        """Whether the share of errors exceeds the suite's ``max_error_rate``; a single error never does."""
        return self.errors > 1 and self.errors / self.finished > self.rules.settings.max_error_rate

    @property
    def broken(self) -> str | None:
        """Why no rule can pass here, whatever the values are; None if rules can."""
        if self.unfinished:
            return f"{self.unfinished} of {self.unfinished + len(self.cases)} cases did not finish"
        if self.stopped:
            return f"the run was stopped ({', '.join(self.stopped)})"
        return f"{self.errors} errors in {self.finished} cases" if self.too_many_errors else None


class Sheet:
    """One metric of a group, read on demand.

    It takes much memory per row, so it is dropped once the rules on the metric are judged.
    """

    def __init__(self, group: Group, metric: str) -> None:
        """Store the arguments; nothing is read yet."""
        self.group = group
        self.metric = metric

    @property
    def broken(self) -> str | None:
        """Why no rule on the metric can pass, if so; errors do not prevent a rule on ``error_rate``."""
        return None if self.metric == "error_rate" and not self.group.unfinished else self.group.broken

    def column(self, part: str | None) -> Column:
        """Return the readings of a slice; all readings for None."""
        return self._column if part is None else replace(self._column, readings=self._readings.get(part, ()))

    def first_column(self, part: str | None) -> Column:
        """Return the readings of the first look alone: the bound on a total is for the epochs originally asked for."""
        first = self.group.first_look
        if first is None:
            return self.column(part)
        cases = [case for case in self.group.cases if case.epoch <= first and part in (None, *case.slices)]
        return read_column(self.metric, cases)

    def pairs(self, part: str | None) -> PairedColumn:
        """Return the rows of a slice, paired with the opponent's; all rows for None."""
        return self._pairs if part is None else self._pairs.part(part, self._sliced.get(part, ()))

    def judges(self, part: str | None) -> frozenset[str | None]:
        """Return the judge ids of a slice, as ``judges_of`` does; those of all rows for None."""
        if len(self._judges) < 2:  # then every slice has the same one
            return self._judges
        return self._judges if part is None else judges_of(self.metric, self.group.cases, part)

    @functools.cached_property
    def _judges(self) -> frozenset[str | None]:
        return judges_of(self.metric, self.group.cases)

    @functools.cached_property
    def _column(self) -> Column:
        return read_column(self.metric, self.group.cases)

    @functools.cached_property
    def _readings(self) -> Mapping[str, tuple[Reading, ...]]:
        return by_slice(self._column.readings)

    @functools.cached_property
    def _pairs(self) -> PairedColumn:
        return pair_up(self.metric, self.group.cases, self.group.opponent.cases)

    @functools.cached_property
    def _sliced(self) -> Mapping[str, tuple[Pair, ...]]:
        return by_slice(self._pairs.pairs)


def groups_of(
    rules: SuiteRules,
    cases: Sequence[JudgedCase],
    collected: Mapping[tuple[str, str], int],
    opponents: Opponents,
    trust: Trust,
    first_look: int | None,
) -> list[Group]:
    """Return a group for each model of a suite, in alphabetical order.

    Args:
        rules: rules of the suite, with the alpha of one look.
        cases: all cases of the suite.
        collected: number of cases that each suite and model should have.
        opponents: cases that rules on a change compare with.
        trust: agreement of the judges with people.
        first_look: epochs of the first look, if there were two.
    """
    expected = {model: count for (suite, model), count in collected.items() if suite == rules.name and count}
    own = grouped(cases, lambda case: case.model)
    models, names = sorted({*expected, *own}), score_names(cases)
    return [
        Group(
            rules=rules,
            model=model,
            cases=(found := own.get(model, [])),
            names=names,
            unfinished=max(0, expected.get(model, 0) - len(found)),
            finished=sum(case.outcome != "skipped" for case in found),
            errors=sum(case.outcome == "error" for case in found),
            stopped=sorted({str(case.error_kind) for case in found if case.error_kind in MONEY_KINDS}),
            opponent=opponents.find(rules.name, model, is_only=len(models) == 1),
            trust=trust,
            first_look=first_look,
        )
        for model in models
    ]
