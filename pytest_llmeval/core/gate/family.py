"""The rules of a session that are decided by a p-value share its false alarms.

Suite-level rules take one half of alpha and slice rules the other (all of it where only one of both kinds is there),
and within each half S. Holm's procedure (Scandinavian Journal of Statistics 6 (1979) 65-70) keeps the chance that any
rule fails though nothing changed.
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
    """What one rule may claim."""

    alpha: float
    """Below this adjusted p-value it fails, in (0, 0.5]."""
    rules: int
    """How many rules, it included, share that."""
    looks: int = 1
    """Looks at the run that each have as much, where what is inconclusive in this one is not yet the end of it."""

    @property
    def whole(self) -> float:
        """What those looks may claim together: below four times that a change is inconclusive."""
        return self.alpha * self.looks

    @property
    def strictest(self) -> float:
        """The p-value below which the rule fails whatever the others say."""
        return self.alpha / self.rules


def is_decided_by_p(rule: Rule) -> bool:
    """Return whether a p-value takes part in deciding ``rule``."""
    return rule.kind in ("max_drop", "max_rise") or (rule.confident and rule.kind in ("min", "max"))


def on_its_side(p_value: float, alpha: float) -> tuple[str, str]:
    """Return a p-value and its alpha with as few digits as show on which side of that it lies."""
    for digits in (2, 3, 4, 6, 12):
        told, bound = f"{p_value:.{digits}g}", f"{alpha:.{max(digits, 3)}g}"
        if _side(float(told), float(bound)) == _side(p_value, alpha):
            break
    return told, bound


def _side(p_value: float, alpha: float) -> tuple[bool, bool]:
    """Return whether it lies below, and whether above."""
    return p_value < alpha, p_value > alpha


def looks_alpha(thresholds: Thresholds, settings: GateSettings, suites: Iterable[str]) -> float:
    """Return the alpha of one look at a run: half of it where a second look may follow (Bonferroni).

    Args:
        thresholds: the rules.
        settings: of the suite whose alpha it is.
        suites: those of the session.
    """
    return settings.alpha / (2 if settings.on_inconclusive == "escalate" else _looks_at(thresholds, suites))


def looks_of(thresholds: Thresholds, suites: Iterable[str], *, asks_again: bool) -> dict[str, int]:
    """Return ``Share.looks`` by suite: of one that escalates it is 1 in a look that is the last.

    Args:
        thresholds: the rules.
        suites: those of the session.
        asks_again: whether a second look follows where one is due.
    """
    looks = _looks_at(thresholds, suites)
    return {
        name: looks if asks_again or each.settings.on_inconclusive != "escalate" else 1
        for name, each in thresholds.suites.items()
    }


def _looks_at(thresholds: Thresholds, suites: Iterable[str]) -> int:
    """Return how many looks there may be at a run of these suites: a second is one at all, whichever asks for it."""
    known = (thresholds.suites[name].settings for name in suites if name in thresholds.suites)
    return 2 if any(each.on_inconclusive == "escalate" for each in known) else 1


def shares_of(rules: Sequence[tuple[Rule, float]], looks: Mapping[str, int] | None = None) -> list[Share]:
    """Return what each rule may claim; a rule comes once for each model that it is judged for.

    Args:
        rules: all of the session that are decided by a p-value, each with the alpha of its suite and of one look.
        looks: of each suite, ``Share.looks``; of others 1.
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
    """Holm's adjusted p-value of a rule, in [0, 1]."""

    found: float
    """By what was found against the others."""
    least: float
    """By the least p-values that the others may come to, whatever the answers are that they lack."""
    most: float
    """By the greatest of these: Holm's procedure falls for no p-value that rises."""


class Family:
    """The p-values of all rules that share the false alarms of a session."""

    def __init__(self, members: Iterable[tuple[Rule, Evidence]]) -> None:
        """Take the rules, each with the evidence against it."""
        self._halves: dict[bool, list[tuple[float, float, float]]] = {True: [], False: []}
        """Of the slice rules and of the others: p-values as found, the least and the greatest possible."""
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
            position: of the rule among the members, from 0.
            weight: what counts against it, here: what was found, or an end of it.
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
    """Return the p-value as found and its bounds, 1 where there is no test; an end that is none may be anything."""
    possible = [_p_value(weight) for weight in evidence.possible if weight is not None]
    is_any = None in evidence.possible
    return _p_value(evidence.found), 0.0 if is_any else min(possible), 1.0 if is_any else max(possible)


def _p_value(weight: Weight) -> float:
    return 1.0 if weight.p_value is None else weight.p_value
