"""What is simulated: rows, the rules that judge them, and the bars that their operating characteristics must meet."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from gate_rows import LARGE, LOPSIDED, METRIC, SUITE, UNEQUAL, Rows, Scores

from pytest_llmeval.core.rules import GateSettings, Rule, RuleKind, SuiteRules, Thresholds

__all__ = ["QUICK", "Bar", "Cell", "cells"]

What = Literal["fail", "not pass"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A bound on the share of sessions that fail, or that come to anything but ``pass``."""

    what: What = "fail"
    most: float = 1.0
    least: float = 0.0

    @property
    def text(self) -> str:
        """The bar in a few words."""
        return f"{self.what} ≥ {self.least:.0%}" if self.least else f"{self.what} ≤ {self.most:.0%}"

    def is_met(self, shares: Mapping[str, float]) -> bool:
        """Return whether ``shares`` of sessions by verdict keep it."""
        share = shares.get("fail", 0.0) if self.what == "fail" else 1 - shares.get("pass", 0.0)
        return self.least - 1e-12 <= share <= self.most + 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One set of rows under one set of rules."""

    table: str
    """The heading that it stands under."""
    name: str
    """Unique in its table."""
    rows: Rows
    rules: Thresholds
    bars: tuple[Bar, ...] = field(default=())


QUICK = (
    ("Unchanged, `{max_drop: 0.02}`, n = 100", "mean .9, correlation .33, binary"),
    ("Unchanged, `{max_drop: 0.02}`, n = 100", "mean .8, correlation .33, partial credit, 20 clusters"),
    ("A true drop of 10 points, mean .85", "n = 100, binary"),
)
"""The three cells of ``--cells quick``."""

FALSE_ALARMS = (Bar(most=0.07),)
SCORES: tuple[tuple[Scores, str], ...] = (("binary", "binary"), ("parts", "partial credit"))


def cells() -> Iterator[Cell]:
    """Yield all cells, in the order of the tables."""
    yield from _unchanged()
    yield from _with_a_bar()
    yield from _power()
    yield from _slices()
    yield from _epochs_and_errors()
    yield from _few_rows()
    yield from _opt_in()


def _unchanged() -> Iterator[Cell]:
    table = "Unchanged, `{max_drop: 0.02}`, n = 100"
    for scores, called in SCORES:
        for clusters in ((), UNEQUAL):
            for mean in (0.5, 0.8, 0.9, 0.95):
                for correlation in (0, 0.33, 0.95):
                    name = f"mean {_short(mean)}, correlation {_short(correlation)}, {called}"
                    name += ", 20 clusters" if clusters else ""
                    rows = Rows(mean=mean, correlation=correlation, scores=scores, clusters=clusters)
                    yield Cell(table=table, name=name, rows=rows, rules=_rules(_drop()), bars=FALSE_ALARMS)
    for mean in (0.8, 0.95):
        for correlation in (0.33, 0.95):
            name = f"mean {_short(mean)}, correlation {_short(correlation)}"
            graded = Rows(mean=mean, correlation=correlation, scores="graded")
            yield Cell(table=table, name=f"{name}, graded", rows=graded, rules=_rules(_drop()), bars=FALSE_ALARMS)
            alike = Rows(mean=mean, correlation=correlation, clusters=UNEQUAL, alike=True)
            told = f"{name}, binary, 20 clusters of rows equally hard"
            yield Cell(table=table, name=told, rows=alike, rules=_rules(_drop()), bars=FALSE_ALARMS)
    for mean in (0.5, 0.8):
        for scores, called in SCORES:
            name = f"mean {_short(mean)}, correlation .33, {called}, 20 clusters, one of 40 rows"
            rows = Rows(mean=mean, scores=scores, clusters=LOPSIDED)
            yield Cell(table=table, name=name, rows=rows, rules=_rules(_drop()), bars=FALSE_ALARMS)
        large = Rows(n=240, mean=mean, scores="parts", clusters=LARGE)
        name = f"mean {_short(mean)}, correlation .33, partial credit, n = 240, 42 clusters, two of 80 rows"
        yield Cell(table=table, name=name, rows=large, rules=_rules(_drop()), bars=FALSE_ALARMS)


def _with_a_bar() -> Iterator[Cell]:
    table = "Unchanged, `{min: 0.80, max_drop: 0.02}`, n = 100, true mean .90"
    for correlation in (0, 0.33, 0.95):
        for scores, called in SCORES:
            rows = Rows(mean=0.9, correlation=correlation, scores=scores)
            rules = _rules(_rule("min", 0.80), _drop())
            name = f"correlation {_short(correlation)}, {called}"
            yield Cell(table=table, name=name, rows=rows, rules=rules, bars=FALSE_ALARMS)


def _power() -> Iterator[Cell]:
    table = "A true drop of 10 points, mean .85"
    bars = (Bar(least=0.60),)
    yield Cell(table=table, name="n = 100, binary", rows=Rows(drop=0.1), rules=_rules(_drop()), bars=bars)
    for name, rows in (
        ("n = 100, partial credit", Rows(drop=0.1, scores="parts")),
        ("n = 100, binary, 20 clusters", Rows(drop=0.1, clusters=UNEQUAL)),
        ("n = 100, binary, three epochs", Rows(drop=0.1, epochs=3)),
        ("n = 200, binary", Rows(drop=0.1, n=200)),
        ("n = 100, binary, a drop of 5 points", Rows(drop=0.05)),
    ):
        yield Cell(table=table, name=name, rows=rows, rules=_rules(_drop()))
    sliced = Rows(n=240, slices=12, drop=0.1)
    yield Cell(
        table=table,
        name="suite and 12 slices of 20 rows, binary",
        rows=sliced,
        rules=_sliced_rules(),
        bars=(Bar(least=0.75),),
    )


def _slices() -> Iterator[Cell]:
    table = "Unchanged, `{max_drop: 0.02}` for the suite and 12 slices of 20 rows, mean .85"
    bars = (Bar(most=0.06), Bar(what="not pass", most=0.20))
    for scores, called in SCORES:
        rows = Rows(n=240, slices=12, scores=scores)
        yield Cell(table=table, name=called, rows=rows, rules=_sliced_rules(), bars=bars)


def _epochs_and_errors() -> Iterator[Cell]:
    table = "Unchanged, `{max_drop: 0.02}`, n = 100, mean .85: epochs and errors"
    tolerant = GateSettings(max_error_rate=0.1)
    for name, rows, settings in (
        ("three epochs, binary", Rows(epochs=3), GateSettings()),
        ("three epochs, partial credit", Rows(epochs=3, scores="parts"), GateSettings()),
        ("2 % lost to the infrastructure", Rows(lost=0.02), GateSettings()),
        ("2 % lost, `max_error_rate: 0.1`", Rows(lost=0.02), tolerant),
        ("2 % timeouts, `max_error_rate: 0.1`", Rows(timeouts=0.02), tolerant),
        ("2 % timeouts, three epochs, `max_error_rate: 0.1`", Rows(timeouts=0.02, epochs=3), tolerant),
    ):
        yield Cell(table=table, name=name, rows=rows, rules=_rules(_drop(), settings=settings), bars=FALSE_ALARMS)


def _few_rows() -> Iterator[Cell]:
    table = "Unchanged, `{max_drop: 0.02}`, few rows, mean .85"
    for n in (20, 29, 30, 50):
        for scores, called in SCORES:
            rows = Rows(n=n, scores=scores)
            name = f"n = {n}, {called}"
            yield Cell(table=table, name=name, rows=rows, rules=_rules(_drop()), bars=FALSE_ALARMS)


def _opt_in() -> Iterator[Cell]:
    table = "Unchanged, opt-in rules (those without a bar are strict near theirs by intent)"
    confident = _rules(_rule("min", 0.80, confident=True), _drop())
    yield Cell(
        table=table,
        name="`{min: 0.80, confident: true, max_drop: 0.02}`, true mean .80",
        rows=Rows(mean=0.8),
        rules=confident,
        bars=FALSE_ALARMS,
    )
    yield Cell(
        table=table,
        name="the same, partial credit",
        rows=Rows(mean=0.8, scores="parts"),
        rules=confident,
        bars=FALSE_ALARMS,
    )
    plain = _rules(_rule("min", 0.80), _drop())
    yield Cell(table=table, name="`{min: 0.80, max_drop: 0.02}`, true mean .80", rows=Rows(mean=0.8), rules=plain)
    for n in (100, 500):
        name = f"`{{mode: noninferior, margin: 0.05}}`, n = {n}"
        yield Cell(table=table, name=name, rows=Rows(n=n), rules=_rules(_rule("noninferior", 0.05)))


def _rule(kind: RuleKind, bound: float, **fields: Any) -> Rule:
    return Rule(suite=SUITE, metric=METRIC, kind=kind, bound=bound, **fields)


def _drop(slice_name: str | None = None) -> Rule:
    return _rule("max_drop", 0.02, slice=slice_name)


def _rules(*rules: Rule, settings: GateSettings | None = None) -> Thresholds:
    suite = SuiteRules(name=SUITE, rules=rules, settings=settings or GateSettings())
    return Thresholds(suites={SUITE: suite})


def _sliced_rules() -> Thresholds:
    return _rules(_drop(), *(_drop(f"slice-{number:02d}") for number in range(12)))


def _short(share: float) -> str:
    return f"{share:g}".removeprefix("0") or "0"
