"""Where the engine's socket lies, and what killed sessions left of theirs."""

import contextlib
import os
import secrets
import shutil
import socket
import tempfile
import time
from pathlib import Path

__all__ = ["new_socket", "sweep"]

_NAME = "engine"
_PREFIX = "llmeval-"
_LONGEST = 100
"""Bytes; the system takes 107: https://man7.org/linux/man-pages/man7/unix.7.html"""
_YOUNG_S = 60.0


def new_socket() -> Path:
    """Return the path of a socket for this session, in a folder that is not made yet."""
    folder = f"{_PREFIX}{secrets.token_hex(8)}"
    usual = Path(tempfile.gettempdir()) / folder / _NAME
    return usual if len(os.fsencode(usual)) <= _LONGEST else Path("/tmp") / folder / _NAME  # noqa: S108  # 0700, random


def sweep(beside: Path) -> None:
    """Remove the folders of sockets of this user, in the folder where ``beside`` has its own, that nobody serves."""
    for folder in beside.parent.parent.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            found = folder.lstat()
            is_left = found.st_uid == os.getuid() and time.time() - found.st_mtime > _YOUNG_S
            if is_left and [path.name for path in folder.iterdir()] in ([], [_NAME]) and not _is_served(folder / _NAME):
                shutil.rmtree(folder, ignore_errors=True)


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
