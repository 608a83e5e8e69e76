"""xdist: whether this process is a worker, what controller and workers tell each other, and which items come next."""

import functools
from pathlib import Path
from typing import Any

import pytest

from pytest_llmeval.core.ids import digest

__all__ = ["MeantRuns", "Place", "Workers", "facts_on", "has_dealt", "is_worker", "send_facts", "upcoming"]

_SOCKET = "llmeval_socket"
_MEANT = "llmeval_meant_runs"
_FACTS = "llmeval_facts"
Place = tuple[str, int]
"""A run's id and the row id of its last finished case, so that all processes of a session mean the same cases."""
MeantRuns = tuple[Place | None, str | None]
"""The earlier runs that a session means, the same in all of its processes.

The first is the place in the run that is resumed or scored again, the second the id of the run that is the baseline."""


def is_worker(config: pytest.Config) -> bool:
    """Whether this process is an xdist worker."""
    return hasattr(config, "workerinput")


class Workers:
    """The values that the controller hands to its workers as it starts them; in a worker, those that it received."""

    def __init__(self, config: pytest.Config) -> None:
        told = getattr(config, "workerinput", {})
        self.socket: Path | None = Path(told[_SOCKET]) if _SOCKET in told else None
        """Path of the socket by which workers reach the process that makes the calls; not made yet. None without
        xdist."""
        self.meant_runs: MeantRuns | None = told.get(_MEANT)
        """The earlier runs that the controller means; None in the controller, and if it means none."""
        self.unreachable = ""
        """Usage error for a worker that may not reach the controller's socket; empty if all of them can."""

    def tell(self, node: Any, meant_runs: MeantRuns | None) -> None:
        """Tell a worker that is about to start where the socket will be, and which earlier runs are meant."""
        from pytest_llmeval.bridge.sockets import new_socket

        self.unreachable = self.unreachable or _why_unreachable(node)
        self.socket = self.socket or new_socket()
        node.workerinput[_SOCKET] = str(self.socket)
        if meant_runs is not None:
            node.workerinput[_MEANT] = meant_runs
        _survive_its_death(node)


def _why_unreachable(node: Any) -> str:
    """Return why an xdist worker may not reach a socket on this machine; an empty string if it can."""
    spec = node.gateway.spec
    if spec.popen and not spec.via:
        return ""
    return (
        f"--tx: xdist worker {node.gateway.id} is not started by popen alone and may be on another machine, where it"
        " cannot reach the process that makes the calls; run a part of the rows there with --shard i/N, and join the"
        " parts with llmeval merge"
    )


def _survive_its_death(node: Any) -> None:
    """Keep a session that records a run alive when xdist sends work to a worker that has just died.

    xdist would end with an INTERNALERROR. A moment later it learns of the death and deals that work to others.
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


def send_facts(config: pytest.Config, text: str) -> None:
    """Send what this worker collected, as JSON, on a report: nothing else reaches the controller before tests run."""
    reason = digest(text)  # xdist hands on only the first of several reports with the same reason
    report = pytest.CollectReport(nodeid="", outcome="skipped", longrepr=("llmeval", 0, reason), result=[])
    setattr(report, _FACTS, text)
    config.hook.pytest_collectreport(report=report)


def facts_on(report: pytest.CollectReport) -> str | None:
    """Return the facts that a report carries, as JSON; None for any other report."""
    text: str | None = getattr(report, _FACTS, None)
    return text


def has_dealt(config: pytest.Config) -> bool:
    """Whether xdist has dealt out the tests: a worker that collects now stands in for one that died."""
    scheduler = getattr(config.pluginmanager.getplugin("dsession"), "sched", None)
    return bool(getattr(scheduler, "collection_is_completed", False))


def upcoming(session: pytest.Session, most: int) -> list[pytest.Item]:
    """Return the next items of this worker in their order, at most ``most``; empty if its queue cannot be found.

    xdist has no public way to ask: the queue stands in attributes of its worker.
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
