"""Atomic writing of files and folders: they appear complete, or not at all."""

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
"""Errors by which a file system refuses to sync a folder; PostgreSQL ignores the first two
(src/common/file_utils.c)."""


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file that replaces ``path`` on success: nobody sees a part of it, and a failure leaves the old content.

    It is synced to disk before it replaces the old file. A link is followed. Anything but a regular file, such as a
    pipe, is written to directly.

    Raises:
        OSError: the file cannot be written.
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
                os.fchmod(file.fileno(), stat.S_IMODE(whole.stat().st_mode))  # keep the mode that its owner chose
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, whole)
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def write_new(path: Path, content: bytes) -> None:
    """Write a file that must not exist yet; a failure leaves no file behind.

    Raises:
        FileExistsError: the file exists.
        OSError: the file cannot be written.
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
    """Give a folder to write into that becomes ``target`` at the end, so that ``target`` is never incomplete.

    Everything is synced to disk before the rename, so that it survives a power failure; an error leaves nothing. Who
    may read its files follows from the umask.

    Args:
        target: must not exist yet; its parent folders are created.

    Raises:
        OSError: the folder cannot be written, or ``target`` exists and is not empty.
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
    """Give the files of a new folder its read and write permissions; safetensors restricts its files to their owner.

    Raises:
        OSError: the mode of a file cannot be changed.
    """
    allowed = stat.S_IMODE(folder.stat().st_mode) & 0o666
    for path in folder.rglob("*"):
        has = stat.S_IMODE(path.stat().st_mode)
        if path.is_file() and allowed & ~has:
            path.chmod(has | allowed)


def sync_folder(folder: Path) -> None:
    """Sync a folder with everything in it, and its entry in the parent folder, to disk.

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
    """Sync the entries of a folder, on file systems that support it."""
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
