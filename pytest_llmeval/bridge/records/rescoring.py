"""Scoring the answers of a run again: which cases it has, and the settings that it was made with."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pytest_llmeval.bridge.collection.facts import CollectionFacts
from pytest_llmeval.bridge.config.options import OPTIONS
from pytest_llmeval.bridge.config.settings import Settings
from pytest_llmeval.bridge.records.earlier_runs import earlier_runs, finished_cases, rows_taken
from pytest_llmeval.bridge.workers import Place
from pytest_llmeval.core.errors import ErrorKind, SettingsError
from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.ids import Identity, identity_of
from pytest_llmeval.core.text import counted
from pytest_llmeval.core.types import CaseKey
from pytest_llmeval.models.named import NamedModel
from pytest_llmeval.models.specs import parse_spec
from pytest_llmeval.reports.rescored_scores import gone_line
from pytest_llmeval.store.gone_rows import gone_rows
from pytest_llmeval.store.lookup import pick_run
from pytest_llmeval.store.records import Run, RunEnd

__all__ = ["Rescored", "find_rescored"]

_GIVEN_BY_THE_RUN = ("model", "dataset", "limit", "slice", "shard", "epochs", "cache", "resume")
"""Options whose values come from the run, or that have no meaning when no model is asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rescored:
    """A run whose answers are scored again in this session."""

    run: Run
    settings: Settings
    """The settings of this session, with the run's models and selection."""
    finished: frozenset[Identity]
    """The cases that the run had finished."""
    unfinished: Mapping[str, Mapping[str, int]]
    """Number of cases that the run was to have and never finished, by suite and model, where there are any."""
    place: Place
    asks_judges: bool
    """Whether judges were named on the command line; those may be asked for verdicts that the run does not hold."""

    def holds(self, key: CaseKey) -> bool:
        """Whether the run has finished this case."""
        return identity_of(key) in self.finished

    @property
    def finished_suites(self) -> set[str]:
        """The suites of which the run had finished a case."""
        return {suite for suite, *_ in self.finished}

    def models(self) -> dict[str, NamedModel]:
        """Return the models that the run asked, by name; this session does not ask them.

        Raises:
            ModelError: this version does not understand a spec.
        """
        specs: dict[str, str] = self.run.settings.get("models", {})
        return {name: NamedModel(name=name, spec=parse_spec(spec)) for name, spec in specs.items()}

    def known_digest(self, judge: NamedModel) -> str:
        """Return the digest that a judge had in the run; an empty string if it had another spec there."""
        is_same = self.run.settings.get("judges", {}).get(judge.name) == judge.spec.text
        return str(self.run.settings.get("judge_digests", {}).get(judge.name, "")) if is_same else ""

    def other_judges(self, facts: CollectionFacts) -> list[str]:
        """Return the judges that had another spec, parameters or address in the run, under the same name."""
        others = set()
        for key, found in (("judge_digests", facts.judge_digests), ("account_digests", facts.account_digests)):
            before: dict[str, str] = self.run.settings.get(key, {})
            others |= {name for name, now in found.items() if before.get(name, now) != now}
        return [name for name in facts.judge_digests if name in others]

    def problems(self, facts: CollectionFacts) -> list[str]:
        """Return a problem for each of ``other_judges``: the verdicts in the run were given by another judge."""
        specs: dict[str, str] = self.run.settings.get("judges", {})
        return [
            f"--llmeval-rescore {self.run.id}: judge {name!r} is not what the run asked ({specs.get(name)}); name it"
            f" with --judge-model={name}, so that it is asked"
            for name in self.other_judges(facts)
        ]

    def left_out(self, suite: str) -> list[str]:
        """Return what left out cases of a suite in the run."""
        return list(self.run.suites.get(suite, {}).get("left_out", ()))

    def name(self, facts: CollectionFacts, end: RunEnd, cases: Iterable[JudgedCase]) -> str | None:
        """Return the name for the new run, which is the name of the run it scores again: a name means its newest run.

        None if cases are left out or answers were missing: whoever uses the name means a whole run.

        Args:
            facts: what was collected.
            end: how the new run ended.
            cases: those of the new run.
        """
        if end.status != "finished" or any(case.error_kind == ErrorKind.NOT_CACHED for case in cases):
            return None
        is_cut = any(suite.left_out != self.left_out(name) for name, suite in facts.suites.items())
        lacks_suites = not self.finished_suites <= facts.suites.keys()
        return None if is_cut or lacks_suites else self.run.name

    def notes(self, keys: Sequence[CaseKey]) -> list[str]:
        """Return the notes for this session; ``keys`` are the cases of the run that still exist."""
        asked = "only the judge may be asked" if self.asks_judges else "no model was asked through the fixtures"
        said = [f"the answers are those of run {self.run.id}; {asked}"]
        suites = {key.suite for key in keys}
        missing = sum(sum(self.unfinished.get(suite, {}).values()) for suite in suites)
        if missing:
            said.append(
                f"run {self.run.id} had not finished {counted(missing, 'case')}: status 10, unless something failed"
            )
        gone = {each for each in self.finished if each[0] in suites} - {identity_of(key) for key in keys}
        if gone:
            said.append(gone_line(self.run.id, len(gone), {sample_id for _, _, sample_id, _ in gone}))
        return said


def find_rescored(settings: Settings, ref: str, place: Place | None, *, judges: Sequence[str]) -> Rescored:
    """Return the run that ``--llmeval-rescore`` names.

    Args:
        settings: of the session.
        ref: an id, the beginning of one, a name or ``last``.
        place: where the process that the user started has found the run; None in that process itself.
        judges: those that are to judge; if empty, the run's judges are taken and not asked.

    Raises:
        StoreError: there is no such run, or the database cannot be read.
        SettingsError: the command line sets what only the run can determine.
    """
    _check_given(settings, ref)
    with earlier_runs(settings, f"--llmeval-rescore {ref}") as (runs, connection):
        where = f"--llmeval-rescore: {settings.shown(settings.db)}"
        run = pick_run(runs, place[0] if place else ref, where=where)
        recorded, place = finished_cases(connection, run.id, place, errors=True)
    gone = {(suite, sample_id) for suite, ids in gone_rows(run).items() for sample_id in ids}
    finished = frozenset(each for each in recorded if (each[0], each[2]) not in gone)
    before = run.settings.get("options", {})
    merged = replace(
        settings,
        models=tuple(before.get("model") or run.settings.get("models", {}).values()),
        **({} if judges else _judges_of(before)),
        **rows_taken(run),
        epochs=before.get("epochs", 1),
    )
    return Rescored(
        run=run,
        settings=merged,
        finished=finished,
        unfinished=_unfinished(run, finished),
        place=place,
        asks_judges=bool(judges),
    )


def _unfinished(run: Run, finished: Collection[Identity]) -> dict[str, dict[str, int]]:
    """Return the number of a run's cases that are not among the finished ones, by suite and model."""
    ended = Counter((suite, model) for suite, model, _, _ in finished)
    found: dict[str, dict[str, int]] = {}
    for (suite, model), count in run.expected.items():
        if count > ended[suite, model]:
            found.setdefault(suite, {})[model] = count - ended[suite, model]
    return found


def _check_given(settings: Settings, ref: str) -> None:
    """Raise SettingsError if the command line sets what the run determines."""
    decided = [option for option in OPTIONS if option.name in _GIVEN_BY_THE_RUN]
    flags = [settings.given[option.key] for option in decided if option.key in settings.given]
    if flags:
        raise SettingsError(
            f"--llmeval-rescore {ref}: models, rows and epochs are those of the run, and no model is asked; leave out"
            f" {', '.join(flags)} (-k and node ids select among its cases)"
        )


def _judges_of(before: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of the judges of a run, from its options."""
    return {
        "judge_models": tuple(before.get("judge_model") or ()),
        "judge_panel": before.get("judge_panel", "all"),
        "judge_probe": before.get("judge_probe", 0.0),
        "allow_self_judge": True,
    }
