"""The row of a run in the database: what is stored of a session before its first case."""

import os
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Any, TypeVar

import pytest

from pytest_llmeval.bridge.collection.facts import CollectionFacts, SuiteFacts
from pytest_llmeval.bridge.config.command_line import collected_paths, on_command_line
from pytest_llmeval.bridge.config.git_state import GitState, git_state
from pytest_llmeval.bridge.config.settings import Settings
from pytest_llmeval.bridge.records.escalating import is_escalated
from pytest_llmeval.bridge.records.rescoring import Rescored
from pytest_llmeval.bridge.records.resuming import Resumed
from pytest_llmeval.bridge.records.run_plan import RunPlan
from pytest_llmeval.core.left_out import tells_of_cases
from pytest_llmeval.store.code_state import CODE_DIFF, GIT_REFUSED, OTHER_CODE, CodeState, code_changes, code_of
from pytest_llmeval.store.gone_rows import GONE, gone_rows
from pytest_llmeval.store.processes import own_host, process_started
from pytest_llmeval.store.records import FAILED_TESTS, FIRST_LOOK, MODEL_GIVEN, Run, new_run_id, utc_now
from pytest_llmeval.version import __version__

__all__ = ["run_row"]

T = TypeVar("T")


def run_row(plan: RunPlan) -> Run:
    """Return the row of the run that a session records: a new one, or that of the run that it resumes."""
    config, settings, facts = plan.config, plan.settings, plan.facts
    resumed, rescored, earlier = plan.resumed, plan.rescored, plan.earlier
    is_narrower = resumed is not None and _is_narrower(config, resumed.run)
    suites = {
        name: {
            "prompt": suite.prompt,
            "prompt_digest": suite.prompt_digest,
            "params_digest": suite.params_digest,
            "rows_digest": suite.rows_digest,
            "row_set_digest": suite.row_set_digest,
            "code_digest": suite.code_digest,
            "expected": _with_unfinished(name, suite, rescored)
            if rescored
            else _expected(name, suite, resumed, facts.models, is_narrower=is_narrower),
            "selected_digest": _as_begun(name, "selected_digest", suite.selected_digest, resumed),
            "left_out": _as_begun(name, "left_out", suite.left_out, resumed),
            "made": _of_rows(name, "made", suite, earlier),
            "deselected": _of_rows(name, "deselected", suite, earlier),
            **_gone(name, suite, resumed),
        }
        for name, suite in {**facts.unrun, **facts.suites}.items()
    }
    git = git_state(config.rootpath, settings.environ)
    if resumed is not None:
        return _continued(resumed, facts, suites, git, collected_paths(config))
    return Run(
        id=new_run_id(),
        name=settings.run_name,
        started_at=utc_now(),
        version=__version__,
        models=tuple(facts.models),
        judge_models=tuple(facts.judges),
        git_commit=git.commit,
        git_branch=git.branch,
        git_dirty=git.dirty,
        dataset_digest=facts.dataset_digest,
        settings={
            "options": settings.recorded(),
            "models": facts.models,
            "judges": facts.judges,
            "model_digests": facts.model_digests,
            "judge_digests": facts.judge_digests,
            "account_digests": facts.account_digests,
            "suites": suites,
            "markexpr": config.getoption("markexpr", ""),
            "keyword": config.getoption("keyword", ""),
            "paths": collected_paths(config),
            "partial": facts.is_partial or (rescored is not None and bool(rescored.run.settings.get("partial"))),
            "other_suites": _other_suites(facts, config.getoption("markexpr", "")),
            "unselected": facts.unselected,
            "unmade": dict.fromkeys(facts.unmade, 0),
            CODE_DIFF: git.diff,
            **({GIT_REFUSED: git.refused} if git.refused else {}),
            MODEL_GIVEN: rescored is None and _is_model_given(config, settings),
            **_of_shard(settings),
            **(_of_rescored(rescored.run) if rescored is not None else {}),
        },
        process_started=process_started(os.getpid()),
    )


def _is_model_given(config: pytest.Config, settings: Settings) -> bool:
    return bool(on_command_line(config).llmeval_model or settings.environ.get("LLMEVAL_MODEL"))


def _other_suites(facts: CollectionFacts, markexpr: str) -> list[str] | None:
    """Return the suites that ``-m`` left out entirely; None if some may not have been collected."""
    return (facts.others if markexpr else []) if facts.all_collected else None


def _of_shard(settings: Settings) -> dict[str, Any]:
    """Return what a shard stores about itself, and whether there are rules by which the joined run can be judged."""
    if settings.shard is None:
        return {}
    return {"shard": str(settings.shard), "has_rules": os.path.lexists(settings.thresholds)}


def _of_rescored(run: Run) -> dict[str, Any]:
    """Return what a run takes over from ``run``, whose answers it scores again; its suites are not included."""
    shared = {key: run.settings.get(key, "") for key in ("markexpr", "keyword")}
    looks = {} if run.first_look is None else {FIRST_LOOK: run.first_look}
    return {**shared, **looks, "other_suites": run.settings.get("other_suites"), "rescored": run.id}


def _continued(
    resumed: Resumed, facts: CollectionFacts, suites: dict[str, Any], git: GitState, paths: list[str]
) -> Run:
    """Return the row of a resumed run: as it began, in a new process, with a note of this session.

    Its baseline is forgotten if this session names another one. It keeps its name if this session gives none.
    """
    run, now = resumed.run, resumed.settings
    options = run.settings.get("options", {})
    gone = (FAILED_TESTS, *(() if now.baseline == options.get("baseline") else ("baseline",)))
    is_second_look = is_escalated(run.id, now.environ)
    session = {"at": utc_now(), "version": __version__, "changed": facts.changed, **_code_of_session(run, git)}
    if run.settings.get("shards"):  # its notes of earlier sessions may be of those: this one is of the whole
        session["joined"] = True
    settings = {
        **{key: value for key, value in run.settings.items() if key not in gone},
        "suites": {**run.suites, **suites},
        "paths": _paths_of(run, paths, has_grown=not suites.keys() <= run.suites.keys()),
        "partial": bool(run.settings.get("partial")),
        **_asked_by_both(run, facts),
        "options": {**options, **_named_by_both(run, facts, now), "epochs": now.epochs, "baseline": now.baseline},
        "escalated": bool(run.settings.get("escalated")) or is_second_look,
        FIRST_LOOK: options.get("epochs", 1) if is_second_look else run.first_look,
        "resumes": [*run.settings.get("resumes", []), session],
    }
    return replace(
        run,
        name=now.run_name,
        models=_united(run.models, facts.models),
        judge_models=_united(run.judge_models, facts.judges),
        settings=settings,
        end=None,
        pid=os.getpid(),
        host=own_host(),
        process_started=process_started(os.getpid()),
    )


def _united(first: Iterable[str], second: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*first, *second]))


def _asked_by_both(run: Run, facts: CollectionFacts) -> dict[str, dict[str, str]]:
    """Return what a run stores about its models and judges, including those that this session added."""
    now = {
        "models": facts.models,
        "judges": facts.judges,
        "model_digests": facts.model_digests,
        "judge_digests": facts.judge_digests,
        "account_digests": facts.account_digests,
    }
    return {key: {**found, **run.settings.get(key, {})} for key, found in now.items()}


def _named_by_both(run: Run, facts: CollectionFacts, now: Settings) -> dict[str, list[str]]:
    """Return how models and judges were named, if this session added some: the next session asks all of them."""
    began, session = run.settings.get("options", {}), now.recorded()
    found: dict[str, list[str]] = {}
    for key, known, asked in (("model", run.models, facts.models), ("judge_model", run.judge_models, facts.judges)):
        if asked.keys() - {*known}:
            was = began.get(key) or [*run.settings.get(f"{key.removesuffix('_model')}s", {}).values()]
            found[key] = [*_united(was, session[key])]
            found["cut"] = [*_united(found.get("cut", began.get("cut", ())), session["cut"])]
    return found


def _code_of_session(run: Run, git: GitState) -> dict[str, Any]:
    """Return what a session that resumes ``run`` notes of its code, and how the code differs from the one before."""
    before, now = code_of(run), CodeState(git.commit, git.dirty, git.diff)
    changes = "; ".join(code_changes(before, now)) if before.commit and now.commit else ""
    return {"git_commit": git.commit, "git_dirty": git.dirty, CODE_DIFF: git.diff, OTHER_CODE: changes}


def _paths_of(run: Run, paths: list[str], *, has_grown: bool) -> list[str]:
    """Return the paths of a resumed run, with those of this session if it adds suites."""
    begun: list[str] = run.settings.get("paths", [])
    return list(dict.fromkeys([*begun, *paths])) if has_grown and begun and paths else [] if has_grown else begun


def _as_begun(name: str, key: str, now: T, earlier: Resumed | Rescored | None) -> T:
    """Return a fact of a suite as it was when the run began, if this session resumes the run or scores it again."""
    if earlier is None:
        return now
    begun: T = earlier.run.suites.get(name, {}).get(key, now)
    return begun


def _of_rows(name: str, key: str, suite: SuiteFacts, earlier: Resumed | Rescored | None) -> int:
    """Return a count of a suite's rows as it was when the run began; as it is now, if it is resumed with other rows."""
    now: int = getattr(suite, key)
    has_changed = _as_begun(name, "rows_digest", suite.rows_digest, earlier) != suite.rows_digest
    return now if has_changed and isinstance(earlier, Resumed) else _as_begun(name, key, now, earlier)


def _with_unfinished(name: str, suite: SuiteFacts, rescored: Rescored) -> dict[str, int]:
    """Return the number of a suite's cases by model, including those that the run never finished."""
    return dict(Counter(suite.expected) + Counter(rescored.unfinished.get(name, {})))


def _gone(name: str, suite: SuiteFacts, resumed: Resumed | None) -> dict[str, list[str]]:
    """Return the rows of a suite whose cases no longer count, under their key; empty without any."""
    found = gone_rows(resumed.run).get(name) if resumed is not None and suite.gone is None else suite.gone
    return {GONE: list(found)} if found else {}


def _is_narrower(config: pytest.Config, run: Run) -> bool:
    """Whether a session that resumes ``run`` may select fewer cases than the run did."""
    given = on_command_line(config)
    told = (getattr(given, name, None) for name in ("keyword", "markexpr", "deselect", "lf"))
    return any(told) or collected_paths(config) != run.settings.get("paths")


def _expected(
    name: str, suite: SuiteFacts, resumed: Resumed | None, models: Collection[str], *, is_narrower: bool
) -> dict[str, int]:
    """Return the number of a suite's cases by model: those to run, those that ended, those of earlier sessions.

    If the run is resumed with other rows, the present rows tell what is missing, and not the earlier count. If the run
    had only a selected part, that count is all that is known; rows that are known to be gone are subtracted.
    """
    now = Counter(suite.expected) + Counter(suite.done)
    if resumed is None:
        return dict(now)
    run, epochs = resumed.run, resumed.settings.epochs
    stored = run.suites.get(name, {})
    begun: dict[str, int] = stored.get("expected", {})
    before = Counter(
        {model: count * epochs // run.settings.get("options", {}).get("epochs", 1) for model, count in begun.items()}
    )
    if suite.gone is None or stored.get("rows_digest", suite.rows_digest) == suite.rows_digest:
        return dict(now | before)
    gone = len({*suite.gone}.difference(gone_rows(run).get(name, ()))) * epochs
    was_part = any(map(tells_of_cases, stored.get("left_out", ())))
    all_now = (now.total() + suite.not_selected) // len(models)
    found = {model: max(0, count - gone) for model, count in before.items() if model not in models}
    for model in models:
        least = max(0, before[model] - gone) if was_part and is_narrower else 0 if was_part else all_now
        if count := max(now[model], least):
            found[model] = count
    return found
