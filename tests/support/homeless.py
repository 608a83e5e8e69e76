"""A machine on which nobody can tell where the user's home is, as in a container with a user id of its own."""

import pwd
from typing import NoReturn

import pytest

__all__ = ["leave_home"]


def leave_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take this process its home: there is no HOME, and the system does not know the user."""

    def unknown(_: int) -> NoReturn:
        raise KeyError

    for name in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
