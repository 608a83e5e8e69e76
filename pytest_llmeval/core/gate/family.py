"""Sharing alpha, the probability of a false alarm, among all rules of a session that are decided by a p-value.

Suite-level rules get one half of alpha and slice rules the other half; if there is only one kind, it gets all of alpha.
Within each half, S. Holm's procedure (Scandinavian Journal of Statistics 6 (1979) 65-70) bounds the probability that
any rule fails although nothing has changed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pytest_llmeval.core.gate.evidence import Evidence, Weight
from pytest_llmeval.core.rules import GateSettings, Rule, Thresholds
from pytest_llmeval.core.stats.multiplicity import holm

__all__ = [
    "Adjusted",
    "Family",
    "Share",
    "is_decided_by_p",
    "looks_alpha",
    "looks_of",
    "on_its_side",
    "shares_of",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """One rule's share of alpha."""

    alpha: float
    """Adjusted p-value below which the rule fails, in (0, 0.5]."""
    rules: int
    """Number of rules that share ``alpha``, including this one."""
    looks: int = 1
    """Number of looks at the run with this ``alpha`` each: 2 if an inconclusive verdict may lead to a second look."""

    @property
    def whole(self) -> float:
        """Alpha of all looks together; a change is inconclusive up to four times this p-value."""
        return self.alpha * self.looks

    @property
    def strictest(self) -> float:
        """Unadjusted p-value below which the rule fails whatever the other rules' p-values are."""
        return self.alpha / self.rules


def is_decided_by_p(rule: Rule) -> bool:
    """Return whether ``rule`` is decided by a p-value that Holm's procedure adjusts."""
    return rule.kind in ("max_drop", "max_rise") or (rule.confident and rule.kind in ("min", "max"))


def on_its_side(p_value: float, alpha: float) -> tuple[str, str]:
    """Return a p-value and its alpha as text, with enough digits to show on which side of alpha the p-value lies."""
    for digits in (2, 3, 4, 6, 12):
        told, bound = f"{p_value:.{digits}g}", f"{alpha:.{max(digits, 3)}g}"
        if _side(float(told), float(bound)) == _side(p_value, alpha):
            break
    return told, bound


def _side(p_value: float, alpha: float) -> tuple[bool, bool]:
    """Return whether the p-value is below alpha, and whether it is above."""
    return p_value < alpha, p_value > alpha


def looks_alpha(thresholds: Thresholds, settings: GateSettings, suites: Iterable[str]) -> float:
    """Return the alpha of one look at a run: half of the suite's if there may be a second look (Bonferroni).

    Args:
        thresholds: the rules.
        settings: settings of the suite in question.
        suites: names of the session's suites.
    """
    return settings.alpha / (2 if settings.on_inconclusive == "escalate" else _looks_at(thresholds, suites))


def looks_of(thresholds: Thresholds, suites: Iterable[str], *, asks_again: bool) -> dict[str, int]:
    """Return ``Share.looks`` by suite; it is 1 for a suite that escalates, if this look is the last.

    Args:
        thresholds: the rules.
        suites: names of the session's suites.
        asks_again: whether a second look follows if a rule asks for one.
    """
    looks = _looks_at(thresholds, suites)
    return {
        name: looks if asks_again or each.settings.on_inconclusive != "escalate" else 1
        for name, each in thresholds.suites.items()
    }


def _looks_at(thresholds: Thresholds, suites: Iterable[str]) -> int:
    """Return the largest number of looks at a run of these suites: 2 if any escalates, as that repeats all suites."""
    known = (thresholds.suites[name].settings for name in suites if name in thresholds.suites)
    return 2 if any(each.on_inconclusive == "escalate" for each in known) else 1


def shares_of(rules: Sequence[tuple[Rule, float]], looks: Mapping[str, int] | None = None) -> list[Share]:
    """Return each rule's share of alpha.

    Args:
        rules: all rules of the session that are decided by a p-value, once for each model they are judged for, each
            with its suite's alpha of one look.
        looks: ``Share.looks`` by suite; 1 for suites that are not in it.
    """
    sliced = sum(rule.slice is not None for rule, _ in rules)
    counts = {True: sliced, False: len(rules) - sliced}
    part = 2 if all(counts.values()) else 1
    return [
        Share(alpha=alpha / part, rules=counts[rule.slice is not None], looks=(looks or {}).get(rule.suite, 1))
        for rule, alpha in rules
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjusted:
    """Holm's adjusted p-value of a rule, in [0, 1], which depends on the p-values of the other rules."""

    found: float
    """Adjusted p-value given the other rules' p-values as found."""
    least: float
    """Adjusted p-value given the least p-values that the others' missing answers allow."""
    most: float
    """Adjusted p-value given the greatest of these: an adjusted p-value never falls if another p-value rises."""


class Family:
    """The p-values of all rules that share the alpha of a session."""

    def __init__(self, members: Iterable[tuple[Rule, Evidence]]) -> None:
        """Collect the p-values of all rules, given with the evidence against each."""
        self._halves: dict[bool, list[tuple[float, float, float]]] = {True: [], False: []}
        """For slice rules (True) and suite-level rules: the p-values as found, the least and the greatest possible."""
        self._places: list[tuple[bool, int]] = []
        for rule, evidence in members:
            half = self._halves[rule.slice is not None]
            self._places.append((rule.slice is not None, len(half)))
            half.append(_p_values(evidence))
        self._adjusted = {sliced: holm([found for found, *_ in half]) for sliced, half in self._halves.items()}
        self._is_open = {sliced: any(least != most for _, least, most in half) for sliced, half in self._halves.items()}

    def adjusted(self, position: int, weight: Weight) -> Adjusted | None:
        """Return the adjusted p-value of a rule; None without a test.

        Args:
            position: index of the rule among the members.
            weight: weight whose p-value to adjust: the one found, or one with missing values filled in.
        """
        if weight.p_value is None:
            return None
        sliced, place = self._places[position]
        half = self._halves[sliced]
        if not self._is_open[sliced] and weight.p_value == half[place][0]:
            p_value = self._adjusted[sliced][place]
            return Adjusted(found=p_value, least=p_value, most=p_value)
        found, least, most = (
            holm([*others[:place], weight.p_value, *others[place + 1 :]])[place] for others in zip(*half, strict=True)
        )
        return Adjusted(found=found, least=least, most=most)


def _p_values(evidence: Evidence) -> tuple[float, float, float]:
    """Return the p-value as found and its bounds: 1 if there is no test, and from 0 to 1 if an end has no weight."""
    possible = [_p_value(weight) for weight in evidence.possible if weight is not None]
    is_any = None in evidence.possible
    return _p_value(evidence.found), 0.0 if is_any else min(possible), 1.0 if is_any else max(possible)


def _p_value(weight: Weight) -> float:
    return 1.0 if weight.p_value is None else weight.p_value
