"""Numbers of rows, and of groups of dependent rows, in each suite and slice of a session, counted as far as needed."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from pytest_llmeval.core.gate.family import is_decided_by_p
from pytest_llmeval.core.rules import Thresholds

__all__ = ["MANY_ROWS", "MOST_GROUPS", "MOST_ROWS", "SizeCount", "SuiteSize"]

MOST_ROWS = 200
"""Number up to which rows are counted: if so many all get worse, no share of alpha is too small for a failure."""
MANY_ROWS = 100_000
"""Number up to which rows are counted in suites with ``mode: noninferior``, whose small margins need many rows."""
MOST_GROUPS = 10
"""Number up to which groups of dependent rows are counted: with so many the test is Student's t."""

_Key = tuple[str, str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteSize:
    """The size of one suite."""

    models: tuple[str, ...]
    """Sorted names of the suite's models."""
    rows: Mapping[str | None, int]
    """Number of rows by slice, with None for the whole suite; at most ``MOST_ROWS`` each, or ``MANY_ROWS``."""
    groups: Mapping[str | None, int] = field(default_factory=dict)
    """Number of groups of dependent rows by slice, counting each row without a cluster; at most ``MOST_GROUPS`` each.
    Only slices with a clustered row are in it."""
    epochs: int = 1
    """Largest number of epochs of any row."""


class SizeCount:
    """Counts the rows of a session: a row counts once, whatever its models and epochs."""

    def __init__(self, suites: Collection[str], *, further: Collection[str] = ()) -> None:
        """Start with nothing counted.

        Args:
            suites: names of the suites to count.
            further: those among them whose rows are counted up to ``MANY_ROWS``.
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
        """Return a count for the suites whose size matters before a session: those with rules that need enough rows."""
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
        """Return the sizes of all suites with a counted case."""
        return {suite: self._size(suite, models) for suite, models in self._models.items()}

    def _size(self, suite: str, models: Iterable[str]) -> SuiteSize:
        rows = {part: len(ids) for (name, part), ids in self._rows.items() if name == suite}
        groups = {part: len(self._groups[suite, part]) for part in rows if (suite, part) in self._clustered}
        return SuiteSize(models=tuple(sorted(models)), rows=rows, groups=groups, epochs=self._epochs[suite])


def _add(found: dict[_Key, set[str]], key: _Key, value: str, most: int) -> None:
    held = found.setdefault(key, set())
    if len(held) < most:
        held.add(value)
