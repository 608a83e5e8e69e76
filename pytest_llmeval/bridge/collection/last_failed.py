"""What ``pytest --last-failed`` runs again."""

from collections.abc import Sequence

import pytest

__all__ = ["remember_misses"]

_KEY = "cache/lastfailed"


def remember_misses(config: pytest.Config, nodeids: Sequence[str]) -> None:
    """Let ``--lf`` run misses again, though their reports passed."""
    if nodeids and config.pluginmanager.hasplugin("lfplugin"):
        cache = config.cache
        assert cache is not None
        cache.set(_KEY, {**cache.get(_KEY, {}), **dict.fromkeys(nodeids, True)})
