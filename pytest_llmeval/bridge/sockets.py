"""The engine's socket: its path, the note beside it that a worker crashed, and leftovers of killed sessions."""

import contextlib
import os
import re
import secrets
import socket
import stat
import tempfile
import time
from pathlib import Path

from pytest_llmeval.core.disk import is_there

__all__ = ["has_crashed", "new_socket", "note_crash", "remove", "sweep"]

_NAME = "engine"
_CRASH = "crash"
"""Name of a file that is made beside the socket when a worker dies, before xdist deals out its tests again."""
_PREFIX = "llmeval-"
_FOLDER = re.compile(rf"{_PREFIX}[0-9a-f]{{16}}")
_LONGEST = 100
"""Longest path in bytes; the system allows 107: https://man7.org/linux/man-pages/man7/unix.7.html"""
_YOUNG_S = 60.0


def new_socket() -> Path:
    """Return a path for the socket of this session, in a folder that is not made yet."""
    folder = f"{_PREFIX}{secrets.token_hex(8)}"
    usual = Path(tempfile.gettempdir()) / folder / _NAME
    return usual if len(os.fsencode(usual)) <= _LONGEST else Path("/tmp") / folder / _NAME  # noqa: S108  # 0700, random


def note_crash(path: Path) -> None:
    """Note beside a socket that a worker of its session died, for everybody who knows the socket."""
    with contextlib.suppress(OSError):  # for example if no case has begun yet
        path.with_name(_CRASH).touch()


def has_crashed(path: Path) -> bool:
    """Whether a worker of the socket's session died."""
    return is_there(path.with_name(_CRASH))


def remove(path: Path) -> None:
    """Remove a socket with its folder."""
    with contextlib.suppress(OSError):  # for example if somebody cleaned the temporary folder
        path.unlink(missing_ok=True)
        path.with_name(_CRASH).unlink(missing_ok=True)
        path.parent.rmdir()


def sweep(beside: Path) -> None:
    """Remove this user's socket folders that no process serves, among those that stand where ``beside`` has its own.

    Whatever a session does not leave behind stays: folders with other names, and those that hold more than a socket.
    """
    for folder in beside.parent.parent.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            if _FOLDER.fullmatch(folder.name) and _is_left(folder):
                remove(folder / _NAME)


def _is_left(folder: Path) -> bool:
    found = folder.lstat()
    is_old = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and time.time() - found.st_mtime > _YOUNG_S
    return is_old and all(map(_is_ours, folder.iterdir())) and not _is_served(folder / _NAME)


def _is_ours(path: Path) -> bool:
    kinds = {_NAME: stat.S_ISSOCK, _CRASH: stat.S_ISREG}
    return path.name in kinds and kinds[path.name](path.lstat().st_mode)


def _is_served(path: Path) -> bool:
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as caller:
        caller.settimeout(1.0)
        try:
            caller.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:
            return True
    return True
