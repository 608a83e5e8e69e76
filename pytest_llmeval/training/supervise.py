"""One training from its configuration to its proof, as the session runs it, without importing torch.

The trainer is a process of its own: its memory is free again for the proof, its environment is known, and after it ran
out of memory a second try starts from a clean state.
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

__all__ = ["Job", "ProvedError", "run_training"]

_REFUSALS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM}
"""The errno values with which a disk refuses to write; any other OSError of a training is a fault of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Everything that one training item asks for."""

    name: str
    """Name of the configuration."""
    config: TrainingConfig
    rootdir: Path
    place: Path
    """Folder of all trainings."""
    db: Path
    machine: Machine
    is_resumed: bool
    """Whether to resume the newest unfinished training of this name."""
    is_one_of_several: bool = False
    """Whether the session has other trainings; then this one may have ended, or not begun, when they are resumed."""
    git: Mapping[str, Any] = field(default_factory=dict)
    """``git_commit`` and ``git_dirty`` of the project."""
    environ: Mapping[str, str] = field(repr=False)
    """Environment of all processes; of the plugin's options it contains only the judges."""
    report: Callable[[str], None]
    """Callback that shows one line to the user."""
    suite: str
    """Suite of the eval."""
    place_of: Callable[[str], str] = str
    """Turns a key such as ``proof.margin`` into FILE:LINE: KEY."""
    pythonpath: tuple[str, ...] = ()
    """Folders of pytest's ``pythonpath``, from which the trainer imports the eval too."""
    arguments: tuple[str, ...] = ()
    """Arguments of pytest for the sessions of the proof."""
    max_cost_usd: float | None = None
    """Largest sum in USD that the sessions of the proof may spend together; None for no limit."""
    again: str
    """The command that resumes this training."""


class ProvedError(SettingsError):
    """Raised for a training that should be resumed, but whose proof has ended: nothing is left to do."""


def run_training(job: Job, *, train: Train | None = None) -> list[Gain]:
    """Train, prove and record; return the gains, first on ``val``, then on ``test``.

    Args:
        job: what to do.
        train: carries out a plan; None to start a process for it.

    Raises:
        TrainingFailedError: the training failed, or its proof does not hold, with the reason and the folder of its
            files.
        UserError: something the user wrote is wrong.
        ProvedError: one of several trainings should be resumed, and nothing is left to do for it.
        KeyboardInterrupt: it was interrupted; a checkpoint was made, and the command to resume was shown.
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
    is_trained = plan.adapter.is_dir()  # resumed after its proof was interrupted
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
        _record(job, recorded)  # with the current ``proof``
        with _room_for(job, plan):
            gains = _proved(job, plan) if measured is None else measured
    except LlmevalError as error:
        failed = replace(recorded, status="failed", finished_at=utc_now(), reason=str(error))
        cannot_go_on = isinstance(error, UserError)  # until the user fixes it
        _record(job, before if before is not None and cannot_go_on else failed)
        if isinstance(error, UserError):
            raise
        raise TrainingFailedError(f"{error}\neverything of this training lies in {plan.folder}") from None
    except Exception as error:
        message = one_line(f"{type(error).__name__}: {error}", 400)
        _record(job, replace(recorded, status="failed", finished_at=utc_now(), reason=message))
        raise
    except BaseException:  # an interrupt, or pytest-timeout, whose exception is no Exception
        _record(job, replace(recorded, status="interrupted", finished_at=utc_now()))
        if plan.identity.exists():
            job.report(f"{job.name}: {_kept(plan)}continue with: {job.again}")
        raise
    _conclude(job, plan, recorded, gains)
    return gains


@contextlib.contextmanager
def _room_for(job: Job, plan: Plan) -> Iterator[None]:
    """Turn a disk's refusal to write into a TrainingFailedError that says how to resume."""
    try:
        yield
    except OSError as error:
        if error.errno not in _REFUSALS:
            raise
        message = unwritten(Path(str(error.filename or plan.folder)), error)
        raise TrainingFailedError(f"{job.name}: {message}; fix that, then go on with: {job.again}") from None


def _measured(job: Job, plan: Plan, before: Training | None) -> list[Gain] | None:
    """Return the gains that an earlier session measured by the same proof but did not record; None without any."""
    path = plan.folder / "proof.json"
    if before is None or not path.exists() or before.config.get("proof") != job.config.proof.model_dump(mode="json"):
        return None
    return [Gain(**each) for each in json.loads(path.read_text("utf-8"))]


def _proved(job: Job, plan: Plan) -> list[Gain]:
    """Measure the gains and write them to ``proof.json``."""
    gains = measure(_measurement(job, plan))
    _require_measured(job, gains)
    write_json(plan.folder / "proof.json", [gain.recorded() for gain in gains])
    return gains


def _require_measured(job: Job, gains: list[Gain]) -> None:
    """Raise TrainingFailedError if a gain could not be measured, because that says nothing about the adapter."""
    if any(gain.verdict == "unmeasurable" for gain in gains):
        message = "\n".join(failures(gains))
        raise TrainingFailedError(
            f"{job.name}: there is no verdict, as the gain could not be measured:\n{message}\nThe adapter stays: fix"
            f" the eval, then measure it with {job.again}"
        )


def _conclude(job: Job, plan: Plan, recorded: Training, gains: list[Gain]) -> None:
    """Record a proof and write the adapter's model card; raise TrainingFailedError if the proof does not hold."""
    wrong = failures(gains)
    proof = [gain.recorded() for gain in gains]
    ended = replace(recorded, status="finished", finished_at=utc_now(), proof=proof)
    try:
        _record(job, replace(ended, verdict="fail" if wrong else "pass", reason="\n".join(wrong) or None))
    except StoreError as error:
        raise StoreError(f"{error}; fix that, then record what was measured with {job.again}") from None
    record = plan.run_json()
    try:
        write_whole(plan.adapter / "README.md", card(record, gains))
    except OSError as error:
        job.report(f"{job.name}: the model card could not be written ({error.strerror}); the proof is recorded")
    if wrong:
        message = "\n".join(wrong)
        raise TrainingFailedError(
            f"{job.name}: the proof does not hold:\n{message}\nthe adapter lies in {plan.adapter}"
        )
    job.report(f"{job.name}: the adapter lies in {plan.adapter}")


def _as_it_stands(job: Job) -> Job:
    """Return the job to carry out: one of several to resume that never began begins; raise if none can be resumed."""
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
    """Return the plan of a new or resumed training, after making sure that its folder exists."""
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
    """Lock the training in ``folder`` against other sessions.

    Raises:
        SettingsError: another session holds the lock, or the folder cannot be written to.
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
    """Return the newest unproved training, preferably one with steps to resume from; None without any.

    A training whose proof is written down but that the database does not know belongs to another database.
    """
    begun = {path.parent for path in home.glob("*/identity.json")}
    measured = {path for path in begun if (path / "proof.json").exists()}
    stored = _stored(job) if measured else {}
    recorded = {path for path in measured if path.name not in stored or stored[path.name].status == "finished"}
    return max(begun - recorded, key=lambda path: (_has_steps(path), path), default=None)


def _has_steps(folder: Path) -> bool:
    """Return whether a training would lose steps if it began anew."""
    return any(
        True for name in ("adapter", "checkpoint-*", "study.db", f"{FOLDER}/*/fit.json") for _ in folder.glob(name)
    )


def _parts(config: TrainingConfig) -> tuple[str, ...]:
    """Return the subfolders of a training in which its processes write, as parts of a glob pattern."""
    if config.search is not None:
        return ("trials", "*")
    return (FOLDER, "*") if config.optim.soup > 1 else ()


def _kept(plan: Plan) -> str:
    """Return which checkpoint a training would resume from, as the beginning of a line; empty if none is kept."""
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
    """Return in words where a training resumes from."""
    if plan.config.search is not None:
        return f"goes on with the trials in {plan.folder}"
    if plan.config.optim.soup > 1:
        return f"goes on with the trainings in {plan.folder}"
    return beginning(plan)


def _train(job: Job, plan: Plan, train: Train) -> None:
    """Carry out the plan: a single training, a soup or a search."""
    processes = job.config.launch.processes
    if job.config.device == "cuda" and job.machine.gpus > processes:
        job.report(f"{job.name}: {processes} of {job.machine.gpus} GPUs are used; launch.processes says how many")
    if job.config.optim.soup > 1:
        train_soup(plan, train, environ=job.environ, report=job.report)
    elif job.config.search is None:
        require_trained(carried_out(plan, train, environ=job.environ, report=job.report), name=job.name)
    else:
        from pytest_llmeval.training.searching import search  # imports optuna, which only a search needs

        search(plan, train, environ=job.environ, report=job.report)


def _stored(job: Job) -> dict[str, Training]:
    """Return the trainings that the database has recorded, by id."""
    with closing(SqliteStore(job.db)) as store:
        return {each.id: each for each in store.trainings()}


def _begun(job: Job, plan: Plan, before: Training | None) -> Training:
    """Return the record of a training that begins; a resumed one keeps what was recorded ``before``."""
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
        config=plan.config.model_dump(mode="json"),  # ``proof`` may have changed since it began
        adapter=str(plan.adapter),
        record=record,
        log=log,
        **{name: record[name] for name in names},
    )


def _record(job: Job, training: Training) -> None:
    with closing(SqliteStore(job.db)) as store:
        store.put_training(training)
