"""One training from its configuration to its proof, seen from the session: no torch is imported here.

The trainer is a process of its own: its memory is free again for the proof, its environment is sure, and what it ran
out of is gone before the second try.
"""

import contextlib
import errno
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import filelock

from pytest_llmeval.core.disk import unwritten
from pytest_llmeval.core.errors import LlmevalError, SettingsError, StoreError, UserError
from pytest_llmeval.core.text import one_line
from pytest_llmeval.store.records import new_run_id, utc_now
from pytest_llmeval.store.sqlite import SqliteStore
from pytest_llmeval.store.trainings import Training
from pytest_llmeval.training.base_spec import require_speakable, weights_of
from pytest_llmeval.training.beforehand import check_rows, doubted_scores
from pytest_llmeval.training.card import card
from pytest_llmeval.training.checkpoints import newest_complete, steps_of
from pytest_llmeval.training.config import TrainingConfig
from pytest_llmeval.training.machine import Machine
from pytest_llmeval.training.made import base_of, require_same
from pytest_llmeval.training.memory import MEMORY_SHARE
from pytest_llmeval.training.plan import Plan, write_json, write_whole
from pytest_llmeval.training.process import Train, TrainingFailedError, carried_out, in_a_process, require_trained
from pytest_llmeval.training.proof import Gain, Measurement, failures, measure
from pytest_llmeval.training.soup import FOLDER, train_soup
from pytest_llmeval.training.starting import beginning, ending, showing_progress
from pytest_llmeval.version import __version__

__all__ = ["Job", "ProvedError", "TrainingFailedError", "run_training"]

_REFUSALS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM}
"""What a disk answers that takes no more of a file; any other OSError of a training is a fault of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a training item asks for."""

    name: str
    """Of the configuration."""
    config: TrainingConfig
    rootdir: Path
    place: Path
    """The folder of all trainings."""
    db: Path
    machine: Machine
    is_resumed: bool
    """Whether the newest training of this name that did not end goes on."""
    is_one_of_several: bool = False
    """Whether the session has other trainings, which may have ended or not begun where this one goes on."""
    git: Mapping[str, Any] = field(default_factory=dict)
    """``git_commit`` and ``git_dirty``."""
    environ: Mapping[str, str] = field(repr=False)
    """Of all processes; no option of the plugin stands there but the judges."""
    report: Callable[[str], None]
    """Shows one line to the user."""
    suite: str
    """Of the eval."""
    place_of: Callable[[str], str] = str
    """Says where a key stands, such as ``proof.margin``: file, line and key."""
    pythonpath: tuple[str, ...] = ()
    """Folders that pytest imports from beside those of the environment; the trainer imports the eval so too."""
    arguments: tuple[str, ...] = ()
    """Of pytest, for the sessions of the proof."""
    max_cost_usd: float | None = None
    """What these may spend together; None without a bound."""
    again: str
    """The command that goes on with it."""


class ProvedError(SettingsError):
    """A training is to go on that has ended, as has its proof: nothing is left to do."""


def run_training(job: Job, *, train: Train | None = None) -> list[Gain]:
    """Train, prove, record; return the gains.

    Args:
        job: what to do.
        train: carries a plan out; a process of its own where that is None.

    Raises:
        TrainingFailedError: with why, and where everything of it lies.
        UserError: something a person wrote is wrong.
        ProvedError: one of several is to go on, and nothing of it is left to do.
        KeyboardInterrupt: it was interrupted; a checkpoint was made, and the command to go on was shown.
    """
    check_rows(job.config, job.rootdir, place=job.place_of)
    for line in doubted_scores(job.config, job.rootdir, place=job.place_of):
        job.report(line)
    job = _as_it_stands(job)
    plan = _plan(job)
    in_process = partial(in_a_process, interrupted=lambda plan: job.report(f"{job.name}: {ending(plan)}"))
    with _alone_in(plan.folder):
        return _carried_through(job, plan, showing_progress(train or in_process, job.report))


def _carried_through(job: Job, plan: Plan, train: Train) -> list[Gain]:
    is_trained = plan.adapter.is_dir()  # the proof of the one that is resumed was broken off
    if job.is_resumed:
        require_same(plan)
    before = _stored(job).get(plan.id)
    measured = _measured(job, plan, before)
    if is_trained:
        does = "measures" if measured is None else "records what was measured of"
        job.report(f"{job.name}: {does} the adapter in {plan.adapter}, trained before")
    recorded = _begun(job, plan, before)
    _record(job, recorded)
    try:
        if not is_trained:
            output = plan.folder.joinpath(*_parts(job.config), "output.txt")
            if job.is_resumed:
                job.report(f"{job.name}: {_beginning(plan)}")
            job.report(f"{job.name}: what the training does is written to {output}")
            with _room_for(job, plan):
                _train(job, plan, train)
        before = None
        recorded = _with_record(recorded, plan)
        _record(job, recorded)  # with what the proof asks now
        with _room_for(job, plan):
            gains = _proved(job, plan) if measured is None else measured
    except LlmevalError as error:
        failed = replace(recorded, status="failed", finished_at=utc_now(), reason=str(error))
        cannot_go_on = isinstance(error, UserError)  # as things are now
        _record(job, before if before is not None and cannot_go_on else failed)
        if isinstance(error, UserError):
            raise
        raise TrainingFailedError(f"{error}\neverything of this training lies in {plan.folder}") from None
    except Exception as error:
        told = one_line(f"{type(error).__name__}: {error}", 400)
        _record(job, replace(recorded, status="failed", finished_at=utc_now(), reason=told))
        raise
    except BaseException:  # an interrupt, or pytest-timeout's end of the item, which is no Exception
        _record(job, replace(recorded, status="interrupted", finished_at=utc_now()))
        if plan.identity.exists():
            job.report(f"{job.name}: {_kept(plan)}continue with: {job.again}")
        raise
    _conclude(job, plan, recorded, gains)
    return gains


@contextlib.contextmanager
def _room_for(job: Job, plan: Plan) -> Iterator[None]:
    """Turn what the disk refuses to this process into a TrainingFailedError, with how to go on."""
    try:
        yield
    except OSError as error:
        if error.errno not in _REFUSALS:
            raise
        told = unwritten(Path(str(error.filename or plan.folder)), error)
        raise TrainingFailedError(f"{job.name}: {told}; mend that, then go on with: {job.again}") from None


def _measured(job: Job, plan: Plan, before: Training | None) -> list[Gain] | None:
    """Return the gains that a session measured by the same proof and did not come to record; None without any."""
    path = plan.folder / "proof.json"
    if before is None or not path.exists() or before.config.get("proof") != job.config.proof.model_dump(mode="json"):
        return None
    return [Gain(**each) for each in json.loads(path.read_text("utf-8"))]


def _proved(job: Job, plan: Plan) -> list[Gain]:
    """Measure the gains and write them down."""
    gains = measure(_measurement(job, plan))
    _require_measured(job, gains)
    write_json(plan.folder / "proof.json", [gain.recorded() for gain in gains])
    return gains


def _require_measured(job: Job, gains: list[Gain]) -> None:
    """Raise TrainingFailedError where a gain could not be measured: that says nothing of the adapter."""
    if any(gain.verdict == "unmeasurable" for gain in gains):
        told = "\n".join(failures(gains))
        raise TrainingFailedError(
            f"{job.name}: there is no verdict, as the gain could not be measured:\n{told}\nThe adapter stays: mend the"
            f" eval, then measure it with {job.again}"
        )


def _conclude(job: Job, plan: Plan, recorded: Training, gains: list[Gain]) -> None:
    """Record a proof, write the card of its adapter; raise TrainingFailedError where it does not hold."""
    wrong = failures(gains)
    proof = [gain.recorded() for gain in gains]
    ended = replace(recorded, status="finished", finished_at=utc_now(), proof=proof)
    try:
        _record(job, replace(ended, verdict="fail" if wrong else "pass", reason="\n".join(wrong) or None))
    except StoreError as error:
        raise StoreError(f"{error}; mend that, then record what was measured with {job.again}") from None
    record = plan.run_json()
    try:
        write_whole(plan.adapter / "README.md", card(record, gains))
    except OSError as error:
        job.report(f"{job.name}: the model card could not be written ({error.strerror}); the proof is recorded")
    if wrong:
        told = "\n".join(wrong)
        raise TrainingFailedError(f"{job.name}: the proof does not hold:\n{told}\nthe adapter lies in {plan.adapter}")
    job.report(f"{job.name}: the adapter lies in {plan.adapter}")


def _as_it_stands(job: Job) -> Job:
    """Return what to do of a training that is to go on: of several, one that was not begun begins; else raise why."""
    home = job.place / job.name
    if not job.is_resumed or _unfinished(job, home) is not None:
        return job
    proved = max((path.parent.name for path in home.glob("*/proof.json")), default=None)
    if not job.is_one_of_several:
        why = f" (the proof of {proved} has ended)" if proved else ""
        raise SettingsError(f"{job.name}: no training in {home} can go on{why}; leave out --llmeval-train-resume")
    if proved is None:
        job.report(f"{job.name}: begins, as nothing of it was begun")
        return replace(job, is_resumed=False)
    before = _stored(job).get(proved)
    if before is not None and before.verdict == "fail":
        raise TrainingFailedError(f"{job.name}: the proof of {proved} has ended and does not hold:\n{before.reason}")
    raise ProvedError(f"{job.name}: the proof of {proved} has ended, and nothing is left to do")


def _plan(job: Job) -> Plan:
    """Return the plan of a new training, or of the one that goes on; its folder is there and can be written to."""
    home = job.place / job.name
    require_speakable(home, "name a database elsewhere with --llmeval-db: trainings lie beside it")
    unfinished = _unfinished(job, home) if job.is_resumed else None
    folder = unfinished or home / new_run_id()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"{unwritten(folder, error)}; see --llmeval-db") from None
    is_cuda, processes = job.config.device == "cuda", job.config.launch.processes
    free = job.machine.gpu_total if is_cuda else job.machine.ram_free // processes
    return Plan(
        name=job.name,
        id=folder.name,
        config=job.config,
        rootdir=job.rootdir,
        folder=folder,
        is_resumed=job.is_resumed,
        free=int(MEMORY_SHARE * free),
        git=job.git,
        pythonpath=job.pythonpath,
    )


@contextlib.contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Keep other sessions from the training in ``folder``.

    Raises:
        SettingsError: one has it, or it cannot be written into.
    """
    lock = filelock.FileLock(folder / ".session.lock", blocking=False)
    try:
        held = lock.acquire()
    except filelock.Timeout:
        raise SettingsError(f"another session still trains or measures in {folder}; wait for its end") from None
    except OSError as error:
        raise SettingsError(f"{unwritten(Path(lock.lock_file), error)}; see --llmeval-db") from None
    with held:
        yield


def _unfinished(job: Job, home: Path) -> Path | None:
    """Return the newest training that was begun and not proved, of those that have something to go on from if any.

    One whose proof is written down and of which the database knows nothing belongs to another database.
    """
    begun = {path.parent for path in home.glob("*/identity.json")}
    measured = {path for path in begun if (path / "proof.json").exists()}
    stored = _stored(job) if measured else {}
    recorded = {path for path in measured if path.name not in stored or stored[path.name].status == "finished"}
    return max(begun - recorded, key=lambda path: (_has_steps(path), path), default=None)


def _has_steps(folder: Path) -> bool:
    """Whether a training would lose steps if it began anew."""
    return any(
        True for name in ("adapter", "checkpoint-*", "study.db", f"{FOLDER}/*/fit.json") for _ in folder.glob(name)
    )


def _parts(config: TrainingConfig) -> tuple[str, ...]:
    """Return where in the folder of a training the processes write that train, as a shell finds all of them."""
    if config.search is not None:
        return ("trials", "*")
    return (FOLDER, "*") if config.optim.soup > 1 else ()


def _kept(plan: Plan) -> str:
    """Return which step a training would go on after, as the beginning of a line; empty where none is kept."""
    parts, config = _parts(plan.config), plan.config
    if plan.adapter.is_dir():
        return ""
    for folder in plan.folder.glob("/".join(parts)) if parts else (plan.folder,):
        newest, _ = newest_complete(folder, config.launch, is_averaged=config.optim.average)
        if newest is not None:
            where = "" if folder == plan.folder else f" in {folder.relative_to(plan.folder)}"
            return f"the checkpoint of step {steps_of(newest)}{where} is kept; "
    return ""


def _beginning(plan: Plan) -> str:
    """Return where a training goes on from."""
    if plan.config.search is not None:
        return f"goes on with the trials in {plan.folder}"
    if plan.config.optim.soup > 1:
        return f"goes on with the trainings in {plan.folder}"
    return beginning(plan)


def _train(job: Job, plan: Plan, train: Train) -> None:
    """Carry the plan out."""
    processes = job.config.launch.processes
    if job.config.device == "cuda" and job.machine.gpus > processes:
        job.report(f"{job.name}: {processes} of {job.machine.gpus} GPUs are used; launch.processes says how many")
    if job.config.optim.soup > 1:
        train_soup(plan, train, environ=job.environ, report=job.report)
    elif job.config.search is None:
        require_trained(carried_out(plan, train, environ=job.environ, report=job.report), name=job.name)
    else:
        from pytest_llmeval.training.searching import search  # it imports optuna, which only a search needs

        search(plan, train, environ=job.environ, report=job.report)


def _stored(job: Job) -> dict[str, Training]:
    """Return what is recorded of trainings so far, by their ids."""
    with closing(SqliteStore(job.db)) as store:
        return {each.id: each for each in store.trainings()}


def _begun(job: Job, plan: Plan, before: Training | None) -> Training:
    """Return what to record of a training that begins; of one that goes on what was ``before``."""
    if before is not None:
        return replace(before, status="running", finished_at=None, reason=None)
    return Training(
        id=plan.id,
        name=job.name,
        started_at=utc_now(),
        status="running",
        base=job.config.base,
        config=job.config.model_dump(mode="json"),
        seed=job.config.seed,
        version=__version__,
        **job.git,
    )


def _measurement(job: Job, plan: Plan) -> Measurement:
    base = base_of(plan)
    return Measurement(
        config=job.config,
        name=job.name,
        id=plan.id,
        suite=job.suite,
        rootdir=job.rootdir,
        folder=plan.folder,
        db=job.db,
        specs={
            "base": f"hf:{weights_of(job.config, base)}",
            "adapter": f"hf:{weights_of(job.config, base, str(plan.adapter))}",
        },
        again=job.again,
        environ=job.environ,
        report=job.report,
        arguments=job.arguments,
        max_cost_usd=job.max_cost_usd,
    )


def _with_record(recorded: Training, plan: Plan) -> Training:
    record = plan.run_json()
    log = [json.loads(line) for line in (plan.adapter / "train_log.jsonl").read_text("utf-8").splitlines()]
    names = ("steps", "best_step", "tokens_per_s", "peak_memory_bytes")
    return replace(
        recorded,
        config=plan.config.model_dump(mode="json"),  # what the proof asks may have changed since it began
        adapter=str(plan.adapter),
        record=record,
        log=log,
        **{name: record[name] for name in names},
    )


def _record(job: Job, training: Training) -> None:
    with closing(SqliteStore(job.db)) as store:
        store.put_training(training)
