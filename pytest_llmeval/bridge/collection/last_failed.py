"""What ``pytest --last-failed`` runs again."""

from collections.abc import Sequence

import pytest

from pytest_llmeval.core.text import counted

__all__ = ["last_failed", "passed_over", "remember_misses"]

_KEY = "cache/lastfailed"


def last_failed(config: pytest.Config) -> set[str]:
    """Return the node ids that ``--lf`` asks for; nothing without it."""
    plugin = config.pluginmanager.getplugin("lfplugin")
    return {str(node) for node in plugin.lastfailed} if plugin is not None and config.getoption("lf") else set()


def passed_over(config: pytest.Config) -> list[str]:
    """Return how many files ``--lf`` had pytest not look into, in words; nothing where none."""
    skipped = getattr(config.pluginmanager.getplugin("lfplugin"), "_skipped_files", 0)
    return [f"--lf passed over {counted(skipped, 'file')}"] if skipped else []


def remember_misses(config: pytest.Config, nodeids: Sequence[str]) -> None:
    """Let ``--lf`` run misses again, though their reports passed."""
    if nodeids and config.pluginmanager.hasplugin("lfplugin"):
        cache = config.cache
        assert cache is not None
        cache.set(_KEY, {**cache.get(_KEY, {}), **dict.fromkeys(nodeids, True)})
