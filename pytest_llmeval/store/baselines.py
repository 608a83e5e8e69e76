"""Finding the run to compare with: a named baseline, a run of the database or an exported file."""

import functools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from pytest_llmeval.core.errors import StoreError
from pytest_llmeval.core.gate.baseline import Baseline
from pytest_llmeval.core.gate.case import JudgedCase
from pytest_llmeval.core.names import closest
from pytest_llmeval.core.stored import StoredCase
from pytest_llmeval.core.text import one_line, printable
from pytest_llmeval.core.types import Call, JudgeRecord
from pytest_llmeval.store.baseline_file import BaselineFile
from pytest_llmeval.store.code_state import code_at_begin, code_changes, resumed_on
from pytest_llmeval.store.lookup import pick_run
from pytest_llmeval.store.records import Run
from pytest_llmeval.store.shards import left_by_merge
from pytest_llmeval.store.sqlite_reader import SqliteReader

__all__ = [
    "FoundBaseline",
    "UnknownBaselineError",
    "deselected_rows",
    "find_baseline",
    "no_such_model",
    "refusal",
    "set_up_differences",
    "splits",
]


class UnknownBaselineError(StoreError):
    """There is no baseline, no run and no file of this name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundBaseline:
    """A run to compare with, in the database or in a file."""

    name: str
    """Name that people know: that of the baseline, the run's id or name, or the path of the file."""
    kind: Literal["name", "run", "file"]
    run: Run
    model: str | None
    """The only model to compare with; None for all."""
    suite: str | None = None
    """The only suite that is left, by its name in that run; None for all."""
    judged: Callable[[], Iterator[JudgedCase]] = field(repr=False)
    """Yields what the gate needs of each case, of all models; raises StoreError if the run cannot be read."""
    cases: Callable[[], Iterator[StoredCase]] = field(repr=False)
    """Yields each case with its texts, of all models; raises StoreError if the run cannot be read."""
    calls: Callable[[str], list[Call]] = field(repr=False)
    """Returns the calls of a case; empty for an exported file."""
    answering: Callable[[], dict[str, list[str]]] = field(repr=False)
    """Returns the models that answered for each judge, by the judge's name; empty if unknown."""
    judges: Callable[[], list[JudgeRecord]] = field(repr=False)
    """Returns the judges of the scores (what each judge_id stands for)."""
    db_option: str = ""
    """Option by which commands find its database, with a leading space; empty if they need none."""
    has_moved: bool = False
    """Whether the name refers to another run by now."""

    @property
    def ref(self) -> str:
        """Reference to it for use in commands."""
        return self.spec if self.has_moved else self.name

    @property
    def spec(self) -> str:
        """Reference that always means this very run, for a run of a database."""
        return f"{self.run.id}{self.part}"

    @property
    def part(self) -> str:
        """Suffix of a run's reference that restricts it to the one suite and the one model; empty for all."""
        suite = "" if self.suite is None else f"::{self.suite}"
        return suite if self.model is None else f"{suite}@{self.model}"

    def own_cases(self) -> list[JudgedCase]:
        """Return the cases of ``judged``, restricted to ``model`` if it is not None."""
        return [case for case in self.judged() if self.model in (None, case.model)]

    def baseline(self, deselected: Mapping[str, int] | None = None) -> Baseline:
        """Return the baseline in the form that the gate takes; reading its cases may raise StoreError.

        Args:
            deselected: number of rows of each suite that ``-m`` left out of the current run.
        """
        has_calls = self.kind != "file" and not self.run.is_imported
        return Baseline(
            name=self.name,
            again=self.name.partition("@")[0] if has_calls else None,
            cases=self.judged(),
            model=self.model,
            deselected=deselected or {},
        )


def find_baseline(ref: str, *, reader: SqliteReader | None, root: Path | None) -> FoundBaseline:
    """Return the run that ``ref`` refers to.

    The order of attempts is: the name of a baseline, a run (id, unique prefix of an id, name, ``last``), an exported
    file. Then the same with the part before an ``@``, and a model of that run after it.

    Args:
        ref: a reference that a person wrote.
        reader: reads the database; None if there is none.
        root: the project's root; files are looked for in the current folder, then there. None if files are not allowed.

    Raises:
        UnknownBaselineError: nothing matches.
        StoreError: several runs match, the file is damaged, or the run has no such model.
    """
    found = _named(ref, reader, root)
    if found is not None:
        return found
    unknown: FoundBaseline | None = None
    for name, model in splits(ref, "@"):
        found = _named(name, reader, root)
        if found is not None and model in found.run.models:
            return _with_model(found, model)
        unknown = unknown or found
    if unknown is not None:
        raise no_such_model(ref, unknown)
    database = f"in {reader.path}" if reader is not None else "(there is no database)"
    there = f"no run {database} and no file, here or in {root}" if root is not None else f"no run {database}"
    near = None if reader is None else closest(ref.partition("::")[0].partition("@")[0], _names(reader))
    meant = f"did you mean {one_line(repr(near), 60)}? " if near is not None else ""
    raise UnknownBaselineError(
        f"{one_line(repr(ref))}: no baseline, {there}; {meant}`llmeval baseline list` and `llmeval runs` show what"
        " there is, `llmeval baseline set NAME` names a run"
    )


def splits(ref: str, mark: str) -> Iterator[tuple[str, str]]:
    """Yield the parts before and after each ``mark``, for the last one first."""
    parts = ref.split(mark)
    for place in range(len(parts) - 1, 0, -1):
        yield mark.join(parts[:place]), mark.join(parts[place:])


def no_such_model(ref: str, found: FoundBaseline) -> StoreError:
    """Return the error that the run of ``ref`` has no model of the given name."""
    known = ", ".join(one_line(model, 60) for model in found.run.models)
    return StoreError(f"{one_line(repr(ref))}: {one_line(found.name)} has no such model; it has {known}")


def _names(reader: SqliteReader) -> set[str]:
    """Return all names that a run can be called by, except ids."""
    return {"last", *(run.name for run in reader.run_names() if run.name), *(each.name for each in reader.baselines())}


def refusal(run: Run, *, even_red: bool = False, db_option: str = "") -> str | None:
    """Return why a run cannot be a baseline, and what to do; None if it can.

    Args:
        run: the run.
        even_red: whether a failed run is allowed.
        db_option: the option by which commands find its database, with a leading space; empty if they need none.
    """
    settings, end = run.settings, run.end
    if end is None or end.status != "finished":
        return left_by_merge(run) or _unfinished(run, printable(db_option))
    if run.left_out:
        parts = ", ".join(run.left_out)
        return f"run {run.id} is partial ({parts}); a baseline needs all rows: run the evals without that (-m may stay)"
    if settings.get("shard"):
        return f"run {run.id} is one shard of several; llmeval merge joins them, and the whole may be one"
    changed = [str(each) for session in settings.get("resumes", []) for each in session.get("changed", ())]
    if changed:
        message = one_line("; ".join(dict.fromkeys(changed)))
        return f"run {run.id} was resumed after changes ({message}); make a new run"
    if not even_red and (end.exit_code != 0 or end.verdict == "fail"):
        beside = "" if end.verdict == "fail" else f" (llmeval show {run.id}{printable(db_option)} says what)"
        return (
            f"run {run.id} is not green (exit status {end.exit_code}, verdict {end.verdict}); fix what fails{beside},"
            " or pass --even-red to make it the baseline anyway"
        )
    return None


def set_up_differences(base: Run, current: Run) -> list[str]:
    """Return the differences in the set-up of two runs, a short line each; they are shown and never an obstacle."""
    return [
        *_model_differences(base, current),
        *_judge_differences(base, current),
        *_suite_differences(base, current),
        *_gone_suites(base.suites, current.settings.get("unmade", ())),
        *_option_differences(base.settings, current.settings),
        *code_changes(code_at_begin(base), code_at_begin(current)),
        *(f"the base was {told}" for told in resumed_on(base)),
        *(f"the current run was {told}" for told in resumed_on(current)),
        *_changes("branch", base.git_branch, current.git_branch),
        *_changes("version of pytest-llmeval", base.version, current.version),
    ]


def deselected_rows(base: Run, current: Run) -> dict[str, int]:
    """Return the number of rows of each suite that ``-m`` left out of ``current`` but perhaps not out of ``base``.

    If both runs have the same ``-m``, rows that were left out of ``base``, too, are not counted as missing.
    """
    before, now = base.suites, current.suites
    is_same = base.settings.get("markexpr", "") == current.settings.get("markexpr", "")
    missed = {name: suite.get("deselected", 0) for name, suite in before.items() if is_same}
    return {name: max(0, suite.get("deselected", 0) - missed.get(name, 0)) for name, suite in now.items()}


def _named(ref: str, reader: SqliteReader | None, root: Path | None) -> FoundBaseline | None:
    """Return the run that ``ref``, taken as a whole, refers to."""
    found = _in_database(ref, reader) if reader is not None else None
    return found or (_in_file(ref, root) if root is not None else None)


def _in_database(ref: str, reader: SqliteReader) -> FoundBaseline | None:
    for named in reader.baselines():
        if named.name == ref:
            return _stored(ref, "name", reader.known_run(named.run_id), reader)
    runs = reader.run_names()
    try:
        picked = pick_run(runs, ref, where=str(reader.path))
    except StoreError:
        if sum(bool(ref) and run.id.startswith(ref) for run in runs) > 1:
            raise
        return None
    run = reader.known_run(picked.id)
    name = ref if ref == run.name else run.id
    return _stored(name, "run", run, reader)


def _stored(name: str, kind: Literal["name", "run"], run: Run, reader: SqliteReader) -> FoundBaseline:
    return FoundBaseline(
        name=name,
        kind=kind,
        run=run,
        model=None,
        judged=functools.partial(reader.judged, run.id),
        cases=functools.partial(reader.cases, run.id),
        calls=reader.calls,
        answering=functools.partial(reader.answering, run),
        judges=functools.partial(reader.judges, run.id),
        db_option=reader.db_option,
    )


def _in_file(ref: str, root: Path) -> FoundBaseline | None:
    for path in (Path.cwd() / ref, root / ref):
        try:
            is_there = path.is_file()
        except (OSError, ValueError):  # too long for a path, or with a NUL
            return None
        if is_there:
            shown = path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
            return _exported(BaselineFile(path, one_line(shown)))
    return None


def _exported(file: BaselineFile) -> FoundBaseline:
    return FoundBaseline(
        name=file.shown,
        kind="file",
        run=file.run,
        model=None,
        judged=file.judged,
        cases=file.cases,
        calls=lambda case_id: [],
        answering=lambda: file.run.answering,
        judges=lambda: file.judges,
    )


def _with_model(found: FoundBaseline, model: str) -> FoundBaseline:
    return replace(found, name=f"{found.name}@{model}", model=model)


def _unfinished(run: Run, db_option: str) -> str:
    rescored = run.settings.get("rescored")
    again = f"continue with: {run.resume_command(db_option=db_option)}"
    if rescored is not None:
        again = f"run it again: llmeval rescore {rescored}{db_option}"
    reasons = {
        "running": "is still going on; wait for its end",
        "interrupted": f"was interrupted; {again}",
        "crashed": f"crashed; {again}",
        "unmeasurable": (
            f"is unmeasurable (`llmeval show {run.id}{db_option}` says why); if only a rule, since fixed, or the old"
            " baseline is the cause, score its answers again without any call, and set the run that this makes:"
            f" llmeval rescore {run.id} --baseline none{db_option}"
        ),
    }
    return f"run {run.id} {reasons.get(run.shown_status, f'is {run.shown_status}')}"


def _model_differences(base: Run, current: Run) -> Iterator[str]:
    before, now = _specs(base), _specs(current)
    digests = [run.settings.get("model_digests", {}) for run in (base, current)]
    gone, new = [name for name in before if name not in now], [name for name in now if name not in before]
    if gone and new:
        yield f"model {_models(gone, before)}, now {_models(new, now)}"
    elif gone:
        yield f"model {_models(gone, before)}: only in the base"
    elif new:
        yield f"model {_models(new, now)}: only in the current run"
    for name in before:
        if name in now and before[name] != now[name]:
            yield f"model {one_line(name, 60)} was {one_line(before[name], 80)}, now {one_line(now[name], 80)}"
        elif name in now and digests[0].get(name) != digests[1].get(name):
            yield f"parameters of model {one_line(name, 60)}"


def _judge_differences(base: Run, current: Run) -> Iterator[str]:
    before, now = _judges(base), _judges(current)
    if before != now:
        yield f"judge {before or 'none'}, now {now or 'none'}"
    elif base.settings.get("judge_digests", {}) != current.settings.get("judge_digests", {}):
        yield f"parameters of judge {now}"
    options = (base.settings.get("options", {}), current.settings.get("options", {}))
    if before and now:
        yield from _changes("--llmeval-judge-panel", *(each.get("judge_panel") for each in options))


def _judges(run: Run) -> str:
    return ", ".join(one_line(name, 60) for name in run.judge_models)


def _specs(run: Run) -> Mapping[str, str]:
    """Return the spec of each model, or its name if no spec is known."""
    specs: Mapping[str, str] = run.settings.get("models", {})
    return {name: specs.get(name, name) for name in run.models}


def _models(names: list[str], specs: Mapping[str, str]) -> str:
    return ", ".join(one_line(name if specs[name].endswith(name) else f"{name} ({specs[name]})", 120) for name in names)


def _suite_differences(base: Run, current: Run) -> Iterator[str]:
    before, now = base.suites, current.suites
    shared = [name for name in before if name in now]
    for what, key in (
        ("prompt", "prompt_digest"),
        ("params", "params_digest"),
        ("code of the test or a scorer", "code_digest"),
        ("rows", "rows_digest"),
    ):
        names = [name for name in shared if key in before[name] and before[name][key] != now[name].get(key)]
        if key == "rows_digest":
            names = [name for name in names if not current.has_rows_of(base, name)]
        if names:
            yield f"{what} of {', '.join(one_line(name, 60) for name in names)}"


def _gone_suites(base: Collection[str], unmade: Iterable[str]) -> Iterator[str]:
    gone = [one_line(name, 60) for name in unmade if name in base]
    if gone:
        yield f"{'suite' if len(gone) == 1 else 'suites'} {', '.join(gone)}, not collected now"


def _option_differences(base: Mapping[str, Any], current: Mapping[str, Any]) -> Iterator[str]:
    before, now = base.get("options", {}), current.get("options", {})
    for name in ("epochs", "limit", "slice", "cache"):
        yield from _changes(f"--{name}", before.get(name), now.get(name))
    yield from _changes("-m", base.get("markexpr") or None, current.get("markexpr") or None)


def _changes(what: str, before: Any, now: Any) -> Iterator[str]:
    if before != now:
        yield f"{what} {_shown(before)}, now {_shown(now)}"


def _shown(value: Any) -> str:
    if isinstance(value, list):
        value = " ".join(map(str, value))
    return "none" if value in (None, "") else one_line(str(value), 60)
