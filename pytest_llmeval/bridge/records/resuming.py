"""Resuming a run: which of its cases have ended, and what has changed since."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from pytest_llmeval.bridge.casework.cases import CaseParam, key_of
from pytest_llmeval.bridge.collection.facts import CollectionFacts
from pytest_llmeval.bridge.collection.mark_expressions import is_expression
from pytest_llmeval.bridge.config.command_line import collected_paths, resume_command
from pytest_llmeval.bridge.config.settings import Settings
from pytest_llmeval.bridge.records.earlier_runs import earlier_runs, finished_cases, has_all_answers, rows_taken
from pytest_llmeval.bridge.workers import Place
from pytest_llmeval.core.errors import DatasetError, SettingsError
from pytest_llmeval.core.ids import Identity, identity_of, input_digest
from pytest_llmeval.core.text import counted, one_line, printable
from pytest_llmeval.store.code_state import OTHER_CODE
from pytest_llmeval.store.lookup import pick_run
from pytest_llmeval.store.records import Run
from pytest_llmeval.store.shards import left_by_merge
from pytest_llmeval.store.sqlite import SqliteStore

__all__ = ["Resumed", "check_measures", "find_resumed", "take_up"]

_CODE = "the code of the test or of a scorer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """A run that this session resumes."""

    run: Run
    settings: Settings
    """The settings of this session, completed from the run."""
    finished: Mapping[Identity, str]
    """The cases that ended without an error, with the digests of their rows."""
    recorded: Collection[Identity]
    """All recorded cases of the run, if it may be resumed with other rows; else empty."""
    place: Place
    has_all_answers: bool
    """Whether every case that is open has its answer, and broke in the user's own code."""

    def has_ended(self, item: pytest.Item, param: CaseParam) -> bool:
        """Whether a case passed, missed or was skipped in an earlier session.

        If rows may have changed since, the row must still be the one that was asked about.
        """
        asked = self.finished.get(identity_of(key_of(item, param)))
        if asked is None or not self.settings.resume_changed:
            return asked is not None
        try:
            sample = param.eval.dataset.read(param.ref)
        except DatasetError:  # reported in the case's turn
            return False
        return asked == input_digest(sample.input, sample.target)

    def gone(self, suite: str, rows: Collection[str]) -> list[str] | None:
        """Return the sorted ids of a suite's rows that have cases and are not among ``rows``, the ones used now.

        None if the run is resumed with the rows that it had.
        """
        if not self.settings.resume_changed:
            return None
        return sorted({sample_id for name, _, sample_id, _ in self.recorded if name == suite}.difference(rows))

    def compare(self, facts: CollectionFacts, config: pytest.Config) -> None:
        """Note in ``facts`` what changed since the run began; add a problem unless changes were allowed."""
        facts.changed = list(self._changes(facts))
        if facts.changed and not self.settings.resume_changed:
            told = self._other_paths(facts, config) or (
                f"{'; '.join(facts.changed)}. {self._instead(facts)}, or go on all the same with"
                " --llmeval-resume-changed: the run can then not become a baseline"
            )
            facts.problems.append(f"--resume {self.run.id}: {told}")

    def _instead(self, facts: CollectionFacts) -> str:
        """Return what to do instead of resuming; if only code has changed, the answers can be scored again."""
        if all(change.startswith(_CODE) for change in facts.changed):
            again = printable(self.settings.llmeval("rescore", self.run.id))
            if self.has_all_answers:
                return f"Score its answers again, without any call: {again}, start a new run"
            return f"Start a new run ({again} scores what answers there are, and cases without one stay open)"
        return "Start a new run"

    def _other_paths(self, facts: CollectionFacts, config: pytest.Config) -> str | None:
        """Return what to do if the only change is that this session's paths have suites that the run's paths lack.

        None if anything else changed, or if the run's paths are the same or unknown.
        """
        paths: list[str] = self.run.settings.get("paths", [])
        new = [name for name in facts.suites if name not in self.run.suites]
        if not paths or paths == collected_paths(config) or len(new) < len(facts.changed):
            return None
        others = f"{counted(len(new), 'suite')} of this session ({one_line(', '.join(new), 60)})"
        return (
            f"the run was of {one_line(', '.join(paths))}, without {others}; continue with:"
            f" {resume_command(config, self.run)}"
        )

    def _changes(self, facts: CollectionFacts) -> "list[str]":
        models: dict[str, str] = self.run.settings.get("model_digests", {})
        changes = []
        beside = facts.unrun if self.settings.resume_changed else {}
        known = {name: suite for name, suite in beside.items() if name in self.run.suites}
        for name, suite in {**facts.suites, **known}.items():
            before = self.run.suites.get(name)
            if before is None:
                changes.append(f"suite {name!r} is new")
                continue
            for what, key, now in (
                ("the dataset", "rows_digest", suite.rows_digest),
                ("the prompt", "prompt_digest", suite.prompt_digest),
                ("the params", "params_digest", suite.params_digest),
                (_CODE, "code_digest", suite.code_digest),
            ):
                if before.get(key, now) == now:  # a run of an earlier version may lack the key
                    continue
                if key != "rows_digest" or before.get("row_set_digest") != suite.row_set_digest:
                    changes.append(f"{what} of suite {name!r} changed")
        for name, now in facts.model_digests.items():
            if models.get(name) != now:
                was = ", ".join(self.run.settings.get("models", {}).values())
                changes.append(f"model {name!r} is not what the run asked ({was})")
        asked_at: dict[str, str] = self.run.settings.get("account_digests", {})
        changes += [
            f"model {name!r} is asked at another address than the run asked it (OPENAI_BASE_URL or ANTHROPIC_BASE_URL,"
            " their custom headers, or the query of its URL)"
            for name, now in facts.account_digests.items()
            if asked_at.get(name, now) != now and models.get(name) == facts.model_digests.get(name)
        ]
        judges: dict[str, str] = self.run.settings.get("judge_digests", facts.judge_digests)
        for name, now in facts.judge_digests.items():
            if judges.get(name) != now:
                was = ", ".join(self.run.settings.get("judges", {}).values()) or "it had no judge"
                changes.append(f"judge {name!r} is not what the run asked ({was})")
        return changes


def find_resumed(settings: Settings, ref: str, place: Place | None) -> Resumed:
    """Return the run that ``--resume`` names.

    Args:
        settings: of the session.
        ref: an id, the beginning of one, a name, or ``last`` for the newest run that was not imported.
        place: where the process that the user started has found the run, which it may be recording again by now; None
            in that process itself.

    Raises:
        StoreError: there is no such run, or the database cannot be read.
        SettingsError: the run is still going on, was imported, asked no model or was left by a merge, or this session's
            selection contradicts it.
    """
    with earlier_runs(settings, f"--resume {ref}") as (stored, connection):
        own = [each for each in stored if not each.is_imported]
        among = own if own and ref == "last" else stored
        run = pick_run(among, place[0] if place else ref, where=f"--resume: {settings.shown(settings.db)}")
        if run.is_imported:
            raise SettingsError(
                f"--resume {ref}: run {one_line(run.id, 40)} was imported from a file: its answers are those of other"
                " code. Leave --resume out to begin a new run"
            )
        if place is None:
            _check_free(run)
        recorded = dict[Identity, str]()
        if settings.resume_changed:
            recorded, place = finished_cases(connection, run.id, place, errors=True)
        finished, place = finished_cases(connection, run.id, place, errors=False)
        answered = has_all_answers(connection, run)
    half_merged = left_by_merge(run)
    if half_merged is not None:
        raise SettingsError(f"--resume {ref}: {half_merged}")
    rescored = run.settings.get("rescored")
    if rescored is not None:
        raise SettingsError(
            f"--resume {ref}: run {run.id} scored the answers of run {rescored} again and asked no model; do it again"
            f" with: {printable(settings.llmeval('rescore', rescored))}"
        )
    _check_selection(settings, run)
    _check_expressions(run)
    return Resumed(
        run=run,
        settings=_merged(settings, run),
        finished=finished,
        recorded=recorded.keys(),
        place=place,
        has_all_answers=answered,
    )


def _check_free(run: Run) -> None:
    """Raise SettingsError if a live process is recording ``run``."""
    if run.shown_status == "running" and run.is_here:
        raise SettingsError(f"--resume: run {run.id} is still going on in process {run.pid}")


def take_up(store: SqliteStore, run: Run, *, seen: Run) -> None:
    """Make ``run`` that of this process, unless another session has resumed it since it was ``seen``.

    That session may have ended by now: then the cases of the run are no longer those that this session means to run.
    """
    _check_free(store.find_run(run.id))
    if not store.resume_run(run, seen=seen):
        _check_free(store.find_run(run.id))
        raise SettingsError(f"--resume: run {run.id} was taken up by another session meanwhile; start again")


def check_measures(resumed: Resumed, row: Run, *, selected: int) -> None:
    """Raise SettingsError if the run was finished by other code than the present one and no case is left to run.

    Its verdict is about the former code: a job that always resumes the newest run would pass with it.

    Args:
        resumed: the run as it was found.
        row: the run with the note of this session.
        selected: number of cases to run.
    """
    told = row.settings["resumes"][-1][OTHER_CODE]
    if selected or not told or resumed.settings.resume_changed or resumed.run.shown_status != "finished":
        return
    llmeval = resumed.settings.llmeval
    raise SettingsError(
        f"--resume {row.id}: the run is finished, and the code is not the one that finished it ({one_line(told, 120)}):"
        " nothing of the new code would be measured. Leave --resume out to begin a new run;"
        f" {printable(llmeval('gate', row.id))} judges this one by today's rules, and --llmeval-resume-changed goes on"
        " with it all the same"
    )


def _check_expressions(run: Run) -> None:
    """Raise SettingsError if ``-m`` or ``-k`` of a run cannot be taken over."""
    for key, flag in (("markexpr", "-m"), ("keyword", "-k")):
        had = str(run.settings.get(key) or "").strip()
        if had and not is_expression(had):
            raise SettingsError(
                f"--resume {run.id}: {flag} of the run was {one_line(repr(had))}, which is not an expression"
            )


def _check_selection(settings: Settings, run: Run) -> None:
    """Raise SettingsError if this session uses other rows than the run, or asks its judges differently."""
    before = run.settings.get("options", {})
    for key, now, was in (
        ("llmeval_dataset", settings.dataset, before.get("dataset")),
        ("llmeval_limit", settings.limit, before.get("limit")),
        ("llmeval_slice", list(settings.slices), list(before.get("slice", ()))),
        ("llmeval_shard", str(settings.shard or ""), before.get("shard")),
        ("llmeval_judge_panel", settings.judge_panel, before.get("judge_panel", "all")),
        ("llmeval_judge_probe", settings.judge_probe, before.get("judge_probe", 0.0)),
    ):
        if key in settings.given and now not in (None, [], "", was):
            message = f"{settings.given[key]} is {now!r} here and was {was or 'not given'!r} for the run"
            raise SettingsError(
                f"--resume {run.id}: {message}; leave it out to go on with the run as it is, or start a new one"
            )

    for flag, specs, asked in (
        ("--model", before.get("model"), settings.models),
        ("--judge-model", before.get("judge_model"), settings.judge_models),
    ):
        if not asked and (lost := _cut(before, specs)):
            raise SettingsError(
                f"--resume {run.id}: the address of {lost[0]} had a query or a password, which no run keeps; give"
                f" {flag} again"
            )


def _cut(before: Mapping[str, Any], specs: Sequence[str] | None) -> list[str]:
    """Return the model specs of a run that were stored without a part of their address."""
    return sorted(set(before.get("cut", ())).intersection(specs or ()))


def _merged(settings: Settings, run: Run) -> Settings:
    """Return the settings, with the run's models and selection where this session's command line gives none."""
    before, given = run.settings.get("options", {}), settings.given

    def asked(key: str, now: tuple[str, ...], was: Sequence[str]) -> tuple[str, ...]:
        return now if key in given or _cut(before, was) else tuple(was)

    return replace(
        settings,
        models=asked(
            "llmeval_model", settings.models, before.get("model") or [*run.settings.get("models", {}).values()]
        ),
        judge_models=asked("llmeval_judge_model", settings.judge_models, before.get("judge_model") or ()),
        judge_panel=before.get("judge_panel", settings.judge_panel),
        judge_probe=before.get("judge_probe", settings.judge_probe),
        **rows_taken(run),
        epochs=max(settings.epochs if "llmeval_epochs" in given else 1, before.get("epochs", 1)),
        baseline=settings.baseline if "llmeval_baseline" in given else before.get("baseline"),
        run_name=settings.run_name if "llmeval_run_name" in given else run.name,
    )
