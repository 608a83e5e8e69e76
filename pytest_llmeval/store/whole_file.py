"""Files and folders that are there as a whole, or not at all."""

import contextlib
import errno
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

__all__ = ["open_as_its_folder", "sync_folder", "whole_file", "whole_folder", "write_new"]

_NOT_OF_FOLDERS = frozenset({errno.EBADF, errno.EINVAL, errno.ENOTSUP})
"""What file systems that only sync files answer; PostgreSQL bears the first two (src/common/file_utils.c)."""


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Give what to write to, in place of what is at ``path``: nobody sees a part of it, and a failure leaves that.

    It is on the disk before it is in place. A link is followed; what is no regular file, such as a pipe, is written
    into.

    Raises:
        OSError: it cannot be written.
    """
    if path.exists() and not path.is_file():
        with open(path, "wb") as file:
            yield file
        return
    whole = Path(os.path.realpath(path))
    part = whole.with_name(f".{whole.name}.{os.getpid()}.part")
    try:
        part.unlink(missing_ok=True)  # of a process that was killed
        with open(part, "xb") as file:
            if whole.exists():
                os.fchmod(file.fileno(), stat.S_IMODE(whole.stat().st_mode))  # what its owner protected stays so
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, whole)
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def write_new(path: Path, content: bytes) -> None:
    """Write a file that is not there yet; a failure leaves none.

    Raises:
        FileExistsError: it is there.
        OSError: it cannot be written.
    """
    with open(path, "xb", buffering=0) as file:
        try:
            left = memoryview(content)
            while left:
                left = left[file.write(left) :]
        except BaseException:
            path.unlink(missing_ok=True)
            raise


@contextlib.contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """Give the folder to write into, which becomes ``target`` in the end: whoever finds that finds all of it.

    It is on the disk by then, also where the power fails; a failure leaves nothing. Its files may be read by whom umask
    allows that.

    Args:
        target: it is not there yet; the folders above it are made.

    Raises:
        OSError: it cannot be written, or ``target`` is there and not empty.
    """
    scratch = target.with_name(f".tmp-{target.name}")
    shutil.rmtree(scratch, ignore_errors=True)  # of a process that was killed
    scratch.mkdir(parents=True)
    try:
        yield scratch
        open_as_its_folder(scratch)
        sync_folder(scratch)
        os.replace(scratch, target)
        _sync_names(target.parent)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise


def open_as_its_folder(folder: Path) -> None:
    """Let all who may read and write a new folder do so with the files in it, which safetensors leaves to their owner.

    Raises:
        OSError: what a file may be used for cannot be changed.
    """
    allowed = stat.S_IMODE(folder.stat().st_mode) & 0o666
    for path in folder.rglob("*"):
        has = stat.S_IMODE(path.stat().st_mode)
        if path.is_file() and allowed & ~has:
            path.chmod(has | allowed)


def sync_folder(folder: Path) -> None:
    """Return once all that is in a folder is on the disk, and the folder itself in that above it.

    Raises:
        OSError: it cannot be written.
    """
    inside = list(folder.rglob("*"))
    for path in inside:
        if path.is_file():
            _sync(path)
    for path in [*(each for each in inside if each.is_dir()), folder, folder.parent]:
        _sync_names(path)


def _sync_names(folder: Path) -> None:
    """Have on the disk which files a folder has, on file systems that take such a request."""
    try:
        _sync(folder)
    except OSError as error:
        if error.errno not in _NOT_OF_FOLDERS:
            raise


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
