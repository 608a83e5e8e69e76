"""The two sides of a comparison page, and what of one run can be compared side by side."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from pytest_llmeval.core.text import storable
from pytest_llmeval.store.baselines import FoundBaseline
from pytest_llmeval.store.browsing import Against, Group, Wanted
from pytest_llmeval.store.records import Run

__all__ = ["LONGEST_NAME", "Offer", "flips_between", "heading", "offers", "only_model", "shown_as"]

LONGEST_NAME = 1_000
"""Largest number of characters of a name in a URL."""
_LINE_END = re.compile("[\r\n]")


class Offer(NamedTuple):
    """Models or suites of one run that can be compared with each other."""

    kind: Literal["models", "suites"]
    groups: Mapping[str, Mapping[str, str]]
    """Groups by their heading: at least two names each, with a reference to that part of the run."""

    @property
    def chosen(self) -> list[str]:
        """The default choice: references to the first two names."""
        return list(next(iter(self.groups.values())).values())[:2]


def offers(run: Run, groups: Iterable[Group]) -> list[Offer]:
    """Return what can be compared within a run: its models, and suites over the same rows (two prompts, say)."""
    counted = [group for group in groups if group.cases]
    known = {group.model for group in counted}
    models = {name: f"{run.id}@{name}" for name in run.models if name in known and _comes_back(name)}
    found = [Offer("models", {"": models})] if len(models) > 1 else []
    by_rows: dict[str, dict[str, str]] = {}
    for name in sorted({group.suite for group in counted if _comes_back(group.suite)}):
        by_rows.setdefault(run.suites.get(name, {}).get("rows_digest") or name, {})[name] = f"{run.id}::{name}"
    alike = {_common(names): names for names in by_rows.values() if len(names) > 1}
    return [*found, Offer("suites", alike)] if alike else found


def _common(suites: Iterable[str]) -> str:
    """Return the heading of suites over the same rows; for parameter sets the name of their eval."""
    return ", ".join(dict.fromkeys(name.partition("[")[0] for name in suites))


def _comes_back(name: str) -> bool:
    """Return whether a form sends a name back unchanged; it turns every line end into CR LF."""
    return len(name) <= LONGEST_NAME and storable(name) == name and not _LINE_END.search(name)


def flips_between(base: FoundBaseline, current: FoundBaseline) -> Wanted:
    """Return the filter for cases of ``current`` that flipped since ``base``; either may be one suite or model."""
    models = current.run.models if current.model is None else (current.model,)
    against = Against(run_id=base.run.id, model=base.model or only_model(base.run.models, models), suite=base.suite)
    return Wanted(suite=current.suite, model=current.model, flipped=against)


def only_model(before: Sequence[str], now: Sequence[str]) -> str | None:
    """Return the base's model if both sides have exactly one, whatever its name; None pairs models of equal names."""
    return before[0] if len(before) == len(now) == 1 else None


def shown_as(side: FoundBaseline) -> str:
    """Return the display name of a side: the run's name, or its id, with suite and model if it is limited to them."""
    return f"{side.run.name or side.run.id}{side.part}"


def heading(base: FoundBaseline, current: FoundBaseline) -> str:
    """Return the heading of a comparison page."""
    if base.run.id == current.run.id and base.suite != current.suite:
        return "Two suites of a run side by side"
    if base.run.id == current.run.id and base.model != current.model:
        return "Two models of a run side by side"
    return "Two runs side by side"
