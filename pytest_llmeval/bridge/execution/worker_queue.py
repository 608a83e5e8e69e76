"""What an xdist worker will run next, and who decides it."""

import functools
from typing import Any

import pytest

__all__ = ["is_worker", "outlive", "scheduler", "upcoming"]


def is_worker(config: pytest.Config) -> bool:
    """Whether this process is an xdist worker."""
    return hasattr(config, "workerinput")


def scheduler(config: pytest.Config) -> Any:
    """Return who deals tests to workers, in the process that the user started; None until they run."""
    return getattr(config.pluginmanager.getplugin("dsession"), "sched", None)


def outlive(node: Any) -> None:
    """Let a session that runs cases go on where xdist deals work to a worker that has died before it hears of that.

    It would be an INTERNALERROR; a moment later xdist hears, and deals that work to others.
    """
    send = node.sendcommand

    @functools.wraps(send)
    def sendcommand(name: str, **kwargs: object) -> None:
        try:
            send(name, **kwargs)
        except OSError:
            if not node.config.pluginmanager.hasplugin("llmeval-recorder"):
                raise

    node.sendcommand = sendcommand


def upcoming(session: pytest.Session, most: int) -> list[pytest.Item]:
    """Return the next items of this worker in their order, at most ``most``; none where it cannot be told.

    xdist shows them nowhere but in attributes of its own.
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
