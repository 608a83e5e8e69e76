"""The cases that ``pytest --last-failed`` runs again."""

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import pytest

from pytest_llmeval.bridge.casework.items import function_of
from pytest_llmeval.core.text import counted

if TYPE_CHECKING:
    from pytest_llmeval.bridge.casework.cases import CaseParam

__all__ = ["last_failed", "misses_last_failed", "passed_over", "remember_misses"]

_KEY = "cache/lastfailed"
_EPOCH = re.compile(r"-e\d+$")


def last_failed(config: pytest.Config) -> set[str]:
    """Return the node ids that ``--lf`` selects; empty without it."""
    plugin = config.pluginmanager.getplugin("lfplugin")
    return {str(node) for node in plugin.lastfailed} if plugin is not None and config.getoption("lf") else set()


def misses_last_failed(config: pytest.Config, cases: Iterable[tuple[pytest.Item, "CaseParam"]]) -> bool:
    """Whether ``--lf`` knows failed cases of the rows of ``cases``, but none of them is here (another model, say).

    False if the row is gone, or a case was named by its node id: then ``--lf`` has nothing to choose, as in pytest.
    """
    failed = last_failed(config)
    if not failed:
        return False
    here = [(item.nodeid, param.sample_id) for item, param in cases]
    is_named = any("[" in argument.partition("::")[2] for argument in config.args)
    if is_named or not failed.isdisjoint(node for node, _ in here):
        return False
    rows: dict[str, set[str]] = {}
    for node in failed:
        function = function_of(node)
        name = node[len(function) + 1 :].removesuffix("]")
        rows.setdefault(function, set()).add(_EPOCH.sub("", name))
    return any(
        name == row or name.endswith(f"-{row}") for node, row in here for name in rows.get(function_of(node), ())
    )


def passed_over(config: pytest.Config) -> list[str]:
    """Return, in words, how many files ``--lf`` made pytest skip; empty if none."""
    skipped = getattr(config.pluginmanager.getplugin("lfplugin"), "_skipped_files", 0)
    return [f"--lf passed over {counted(skipped, 'file')}"] if skipped else []


def remember_misses(config: pytest.Config, nodeids: Sequence[str]) -> None:
    """Make ``--lf`` run misses again, although their reports passed."""
    if nodeids and config.pluginmanager.hasplugin("lfplugin"):
        cache = config.cache
        assert cache is not None
        cache.set(_KEY, {**cache.get(_KEY, {}), **dict.fromkeys(nodeids, True)})
