"""The ``vllm:`` models of a session: one server for each base, with all of its adapters that the session uses."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.core.ids import digest
from pytest_llmeval.core.strict_json import canonical
from pytest_llmeval.core.text import counted
from pytest_llmeval.models.hf.sources import find_source, source_digest, source_stats
from pytest_llmeval.models.http.own_server import Served, own_account
from pytest_llmeval.models.vllm.command import serve_command
from pytest_llmeval.models.vllm.effect import check_effect
from pytest_llmeval.models.vllm.executable import find_vllm, vllm_version
from pytest_llmeval.models.vllm.groups import Group, grouped
from pytest_llmeval.models.vllm.server import PortTakenError, VllmServer
from pytest_llmeval.models.vllm.turns import end_of_turn
from pytest_llmeval.models.weights_spec import WeightsSpec

__all__ = ["VllmModels"]

_SHARED = 0.9
"""Share of the GPU's memory that several servers take together; a single server takes vLLM's default."""


class VllmModels:
    """All ``vllm:`` models of a session."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Prepare; ``environ`` is the servers' environment, and names the executable and the hub's cache."""
        self._environ = environ
        self._servers: list[VllmServer] = []
        self._serving: dict[WeightsSpec, VllmServer] = {}

    def start(self, asked: Sequence[WeightsSpec], report: Callable[[str], None], timeout_s: float) -> None:
        """Start a server for each base of ``asked``, one after the other, as each measures the free memory.

        Args:
            asked: the specs to serve.
            report: shows one line to the user.
            timeout_s: seconds within which a server must be healthy.

        Raises:
            ModelError: a server does not start, or an adapter has no effect; all servers are stopped then.
        """
        groups = grouped(asked, self._environ)
        memory = _share(groups)
        try:
            for group in groups:
                self._start(group, report, timeout_s, memory)
        except BaseException as error:
            self.stop(keep_logs=isinstance(error, ModelError))
            raise

    def server(self, weights: WeightsSpec) -> VllmServer | None:
        """Return the server of a spec; None if none was started."""
        return self._serving.get(weights)

    def served(self, weights: WeightsSpec) -> Served:
        """Return how to reach the model of a spec; if no server was started, it must not be called."""
        server, source = self.server(weights), find_source(weights, self._environ)
        version = vllm_version(find_vllm(self._environ))
        token = end_of_turn(source) if weights.adapter is not None else None
        return Served(
            account=own_account(server, "vllm:"),
            revision=digest(canonical([source_digest(weights, source), source_stats(source), version])),
            params={} if token is None else {"stop_token_ids": [token]},
            why_gone=lambda: None if server is None else server.why_gone(),
        )

    def stop(self, *, keep_logs: bool = False) -> None:
        """Stop all servers."""
        for server in self._servers:
            server.stop(keep_log=keep_logs)

    def _start(self, group: Group, report: Callable[[str], None], timeout_s: float, memory: str | None) -> None:
        executable, start_s = find_vllm(self._environ), time.monotonic()
        served = f"vllm:{group.names[0]}" + (
            f" with {counted(len(group.adapters), 'adapter')}" if group.adapters else ""
        )
        server = self._begin(executable, group, memory)
        report(
            f"waiting for vLLM {vllm_version(executable)} to serve {served}: minutes with a large model, {timeout_s:g}"
            f" s at most (log: {server.log})"
        )
        names = [*group.names, *group.adapters]
        try:
            server.wait(names, timeout_s)
        except PortTakenError:
            server = self._begin(executable, group, memory)
            report(f"another program took the port of vLLM; it starts once more (log: {server.log})")
            server.wait(names, timeout_s)
        for weights in group.members:
            self._serving[weights] = server
            if weights.adapter is not None and weights.untrained is None:
                where = f"adapter {weights.adapter}"
                check_effect(server, base=group.names[0], adapter=str(weights), where=where)
        report(f"vLLM serves {', '.join(names)} after {time.monotonic() - start_s:.1f} s")

    def _begin(self, executable: Path, group: Group, memory: str | None) -> VllmServer:
        """Start a server, register it for ``stop``, and return it while it loads."""
        server = VllmServer.start(
            lambda port: serve_command(executable, group, port=port, memory=memory),
            name=f"vllm:{group.weights}",
            environ=self._environ,
        )
        self._servers.append(server)
        return server


def _share(groups: Sequence[Group]) -> str | None:
    """Return the share of the GPU's memory for each server whose specs do not set one; None for vLLM's default.

    Raises:
        ModelError: the servers that set a share leave no memory for the others.
    """
    said = [float(share) for group in groups if (share := group.weights.gpu_memory_utilization) is not None]
    others = len(groups) - len(said)
    if not others or len(groups) == 1:
        return None
    hundredths = math.floor(round(100 * (_SHARED - sum(said)) / others, 6))  # rounded down to stay within _SHARED
    if hundredths <= 0:
        raise ModelError(
            f"vllm: {others} of {len(groups)} servers have no gpu_memory_utilization, and the others take"
            f" {sum(said):g} of the memory; together they may take {_SHARED:g}"
        )
    return f"{hundredths / 100:.2f}"
