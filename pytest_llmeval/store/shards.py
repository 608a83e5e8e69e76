"""Finding the recorded shards of one run: the newest that agree in what is asked and how it is scored."""

import itertools
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_llmeval.core.errors import StoreError
from pytest_llmeval.core.shards import Shard
from pytest_llmeval.core.text import one_line
from pytest_llmeval.store.records import UNFINISHED, Run
from pytest_llmeval.store.twins import origins

__all__ = ["ShardRun", "going_on", "has_gone_on", "left_by_merge", "matching_shards"]

_MOST = 10
"""Largest number of missing shards that a message names."""
_COMMIT = 9
"""Number of commit digits that messages show."""
_OF_ONE_MACHINE = ("timeout_s", "max_connections", "rpm", "tpm", "max_cost", "shard")
"""Options that may differ between the shards of a run: they affect speed and limits, not what is asked."""
_SETTINGS = {
    "models": "the models",
    "judges": "the judges",
    "model_digests": "what the models are or how they are asked",
    "markexpr": "-m",
    "keyword": "-k",
}
_CODE = {
    "prompt_digest": "the prompt",
    "params_digest": "the params",
    "code_digest": "the code of the test or of a scorer",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardRun:
    """A run of one shard, and the file that holds it."""

    path: Path
    run: Run
    shard: Shard
    answered: str
    """Id of the run whose calls got the answers: this run, unless it rescores the answers of another."""

    def __str__(self) -> str:
        return f"run {one_line(self.run.id, 40)} in {self.path}"


def matching_shards(files: Sequence[tuple[Path, Sequence[Run]]]) -> tuple[ShardRun, ...]:
    """Return the shards of one run, ordered by number.

    The newest shard of all files is the reference. From each file, the newest run of each shard counts that agrees with
    the reference in name, commit, settings and number of shards.

    Args:
        files: each file with its runs, newest first.

    Raises:
        StoreError: a file has no shard or none that agrees; or a shard is missing, present twice or incomplete.
    """
    found = [list(_shards(path, runs)) for path, runs in files]
    newest = max((shards[0] for shards in found), key=lambda each: each.run.started_at)
    chosen: dict[int, list[ShardRun]] = {}
    differing = []
    for shards in found:
        agreeing = {each.shard.number: each for each in reversed(shards) if not _differences(newest, each)}
        for number, each in agreeing.items():
            chosen.setdefault(number, []).append(each)
        if not agreeing:
            message = ", ".join(_differences(newest, shards[0]))
            differing.append(f"{shards[0]}, shard {shards[0].shard}, differs from {newest} in {message}")
    problems = [*_missing(chosen, newest.shard.of), *_problems(chosen), *differing]
    if problems:
        raise StoreError("these are not the shards of one run:\n" + "\n".join(f"- {each}" for each in problems))
    return tuple(chosen[number][0] for number in sorted(chosen))


def _shards(path: Path, runs: Sequence[Run]) -> Iterator[ShardRun]:
    """Yield the runs of a file that are shards; raise StoreError if there is none."""
    numbered = [(run, run.settings["shard"]) for run in runs if run.settings.get("shard") is not None]
    if not numbered:
        raise StoreError(f"{path}: it holds no run of a shard; pytest --shard i/N records one")
    answered = origins(runs)
    for run, text in numbered:
        try:
            yield ShardRun(path=path, run=run, shard=Shard.parse(text), answered=answered[run.id])
        except ValueError as error:
            found = one_line(repr(text), 40)
            raise StoreError(f"{path}: run {one_line(run.id, 40)}: shard: {error}, found {found}") from None


def left_by_merge(run: Run) -> str | None:
    """Return what to do with a run whose merge was killed before its verdict; None for any other run."""
    if run.shown_status != "crashed" or not run.settings.get("shards") or has_gone_on(run):
        return None
    return f"run {run.id} was left by a merge that was killed; llmeval merge with the same files completes it"


def going_on(run: Run, *, db_option: str) -> str | None:
    """Return what to do with a joined run that was resumed and has not ended; None for any other run.

    Args:
        run: a run of joined shards.
        db_option: the option by which commands find its database, with a leading space; empty if they need none.
    """
    if run.end is not None or not has_gone_on(run):
        return None
    message = "crashed; continue with"
    if run.shown_status == "running":
        message = "has not ended; join them when it has, or where its machine is gone continue with"
    again = run.resume_command(db_option=db_option)
    return f"run {one_line(run.id, 40)}, as which these shards were joined, was resumed and {message}: {again}"


def has_gone_on(run: Run) -> bool:
    """Return whether a session resumed a run after its shards were joined."""
    return any(session.get("joined") for session in run.settings.get("resumes", []))


def _missing(chosen: Mapping[int, Sequence[ShardRun]], of: int) -> Iterator[str]:
    """Yield a line for each shard that has no run, for the first ten at most."""
    absent = (number for number in range(1, of + 1) if number not in chosen)
    yield from (f"shard {number}/{of} is missing" for number in itertools.islice(absent, _MOST))


def _problems(chosen: Mapping[int, Sequence[ShardRun]]) -> Iterator[str]:
    """Yield what is wrong with the agreeing runs, ordered by shard number."""
    for _, shards in sorted(chosen.items()):
        first = shards[0]
        if len(shards) > 1:
            yield f"shard {first.shard} was given {len(shards)} times: {', '.join(map(str, shards))}; name one of them"
        elif first.run.shown_status in UNFINISHED:
            commands = {
                "interrupted": "was interrupted; continue with",
                "crashed": "crashed; continue with",
                "running": "has not ended; join it when it has, or where its machine is gone continue with",
            }
            again = first.run.resume_command(db_option=f" --llmeval-db {shlex.quote(str(first.path))}")
            yield f"shard {first.shard}: {first} {commands[first.run.shown_status]}: {again}"


def _differences(one: ShardRun, other: ShardRun) -> list[str]:
    """Return the ways in which two shards differ that must agree within one run; empty if there are none."""
    mine, its = _agreed(one), _agreed(other)
    found = [_differs(name, its, mine) for name in {**mine, **its} if mine.get(name) != its.get(name)]
    suites, others = (each.run.suites for each in (one, other))
    for key, what in _CODE.items():
        names = [name for name in suites if name in others and suites[name].get(key) != others[name].get(key)]
        found += [f"{what} of suite {one_line(name, 40)}" for name in names]
    return found


def _differs(name: str, here: Mapping[str, Any], there: Mapping[str, Any]) -> str:
    """Return a difference of two shards for a message, with both values if they are words or numbers, never digests."""
    values = [here.get(name), there.get(name)]
    if name == "the rows" or not all(each is None or type(each) in (str, int) for each in values):
        return name
    cut = [each[:_COMMIT] if name == "the commit" and isinstance(each, str) else each for each in values]
    own, its = ("none" if each in (None, "") else one_line(str(each), 40) for each in cut)
    return f"{name} ({own}, there {its})"


def _agreed(shard: ShardRun) -> dict[str, Any]:
    """Return what all shards of a run must have in common, by the name that messages use."""
    run = shard.run
    options = run.settings.get("options", {})
    return {
        "the number of shards": shard.shard.of,
        "the name": run.name,
        "the commit": run.git_commit,
        "the version of pytest-llmeval": run.version,
        "the suites": {name.partition("[")[0] for name in run.suites},  # a shard without rows knows no parameter sets
        "the rows": _rows(run),
        "being scored again": run.settings.get("rescored") is not None,
        **{what: run.settings.get(key) for key, what in _SETTINGS.items()},
        **{f"--{one_line(key.replace('_', '-'), 40)}": options[key] for key in options if key not in _OF_ONE_MACHINE},
    }


def _rows(run: Run) -> object:
    """Return a value that identifies the rows of a run whatever their order; each row is in one shard only."""
    sets = {(name.partition("[")[0], suite.get("row_set_digest")) for name, suite in run.suites.items()}
    return run.dataset_digest if any(digest is None for _, digest in sets) else sets
