"""What an xdist worker will run next."""

from typing import Any

import pytest

__all__ = ["upcoming"]


def upcoming(session: pytest.Session, most: int) -> list[pytest.Item]:
    """Return the next items of this worker in their order, at most ``most``; none where it cannot be told.

    Nothing public of xdist tells: they stand in attributes of its worker.
    """
    queue = _queue(session.config)
    if queue is None:
        return []
    with queue.torun.lock() as indices:
        found = [queue.nextitem_index, *list(indices)[: most - 1]]  # the next one has left the queue already
    return [session.items[index] for index in found if isinstance(index, int)]


def _queue(config: pytest.Config) -> Any:
    for plugin in config.pluginmanager.get_plugins():
        if hasattr(getattr(plugin, "torun", None), "lock") and hasattr(plugin, "nextitem_index"):
            return plugin
    return None
