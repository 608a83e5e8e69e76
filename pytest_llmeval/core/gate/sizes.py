"""How many rows, and groups of dependent rows, each suite and slice of a session has; as far as that matters."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from pytest_llmeval.core.gate.family import is_decided_by_p
from pytest_llmeval.core.rules import Thresholds

__all__ = ["MANY_ROWS", "MOST_GROUPS", "MOST_ROWS", "SizeCount", "SuiteSize"]

MOST_ROWS = 200
"""Rows up to which they are counted: with so many all getting worse, no share of alpha is too small."""
MANY_ROWS = 100_000
"""As far as they are counted in suites with ``mode: noninferior``, which takes as many as its margin is small."""
MOST_GROUPS = 10
"""Groups of dependent rows up to which they are counted; from so many on the test is Student's t."""

_Key = tuple[str, str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteSize:
    """One suite."""

    models: tuple[str, ...]
    """Sorted."""
    rows: Mapping[str | None, int]
    """By slice, None being the whole suite; at most ``MOST_ROWS`` each, or ``MANY_ROWS`` (see there)."""
    groups: Mapping[str | None, int] = field(default_factory=dict)
    """Groups of dependent rows, a row without a cluster being one, by slice; only where a row has a cluster. At most
    ``MOST_GROUPS`` each."""
    epochs: int = 1
    """Of each row, the most there are of any."""


class SizeCount:
    """Counts the rows of a session: a row counts once, whatever its models and epochs."""

    def __init__(self, suites: Collection[str], *, further: Collection[str] = ()) -> None:
        """Begin.

        Args:
            suites: names of those that matter.
            further: those of them whose rows are counted up to ``MANY_ROWS``.
        """
        self._suites = suites
        self._further = further
        self._models: dict[str, set[str]] = {}
        self._epochs: dict[str, int] = {}
        self._rows: dict[_Key, set[str]] = {}
        self._groups: dict[_Key, set[str]] = {}
        self._clustered: set[_Key] = set()

    @classmethod
    def of(cls, thresholds: Thresholds) -> "SizeCount":
        """Return a count of the suites about whose sizes there may be something to say before a session begins."""
        kinds = {name: {rule.kind for rule in suite.rules} for name, suite in thresholds.suites.items()}
        suites = {name for name, suite in thresholds.suites.items() if any(map(is_decided_by_p, suite.rules))}
        strict = {name for name, found in kinds.items() if "noninferior" in found}
        return cls(suites | strict, further=strict)

    def add(
        self, suite: str, model: str, sample_id: str, slices: Iterable[str], cluster: str | None, *, epoch: int = 1
    ) -> None:
        """Count a case."""
        if suite not in self._suites:
            return
        self._models.setdefault(suite, set()).add(model)
        self._epochs[suite] = max(epoch, self._epochs.get(suite, 1))
        for part in (None, *slices):
            key = (suite, part)
            _add(self._rows, key, sample_id, MANY_ROWS if suite in self._further else MOST_ROWS)
            _add(self._groups, key, f"#{sample_id}" if cluster is None else f"={cluster}", MOST_GROUPS)
            if cluster is not None:
                self._clustered.add(key)

    def sizes(self) -> dict[str, SuiteSize]:
        """Return the suites of which a case was counted."""
        return {suite: self._size(suite, models) for suite, models in self._models.items()}

    def _size(self, suite: str, models: Iterable[str]) -> SuiteSize:
        rows = {part: len(ids) for (name, part), ids in self._rows.items() if name == suite}
        groups = {part: len(self._groups[suite, part]) for part in rows if (suite, part) in self._clustered}
        return SuiteSize(models=tuple(sorted(models)), rows=rows, groups=groups, epochs=self._epochs[suite])


def _add(found: dict[_Key, set[str]], key: _Key, value: str, most: int) -> None:
    held = found.setdefault(key, set())
    if len(held) < most:
        held.add(value)
