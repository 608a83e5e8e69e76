"""The ``vllm:`` models of a session: one server for each base, with all adapters that are asked on it."""

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
"""Of the GPU's memory, what several servers share; one alone takes what vLLM takes by itself."""


class VllmModels:
    """All ``vllm:`` models of a session."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Prepare; ``environ`` names the executable and the hub's cache, and is what servers run in."""
        self._environ = environ
        self._servers: list[VllmServer] = []
        self._serving: dict[WeightsSpec, VllmServer] = {}

    def start(self, asked: Sequence[WeightsSpec], report: Callable[[str], None], timeout_s: float) -> None:
        """Start a server for each base of ``asked``, one after the other: each measures the memory that is free.

        Args:
            asked: the specs.
            report: shows one line to the user.
            timeout_s: seconds until a server must be healthy.

        Raises:
            ModelError: one does not start, or an adapter has no effect; all are ended then.
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
        """Return the server that answers for a spec; None where none was started."""
        return self._serving.get(weights)

    def served(self, weights: WeightsSpec) -> Served:
        """Return how a spec is asked, also where no server was started: then no call is to be made."""
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
        """End all servers."""
        for server in self._servers:
            server.stop(keep_log=keep_logs)

    def _start(self, group: Group, report: Callable[[str], None], timeout_s: float, memory: str | None) -> None:
        executable, start_s = find_vllm(self._environ), time.monotonic()
        told = f"vllm:{group.names[0]}" + (f" with {counted(len(group.adapters), 'adapter')}" if group.adapters else "")
        server = self._begin(executable, group, memory)
        report(
            f"waiting for vLLM {vllm_version(executable)} to serve {told}: minutes with a large model, {timeout_s:g} s"
            f" at most (log: {server.log})"
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
        """Return a server that has begun to load, and that ``stop`` ends."""
        server = VllmServer.start(
            lambda port: serve_command(executable, group, port=port, memory=memory),
            name=f"vllm:{group.weights}",
            environ=self._environ,
        )
        self._servers.append(server)
        return server


def _share(groups: Sequence[Group]) -> str | None:
    """Return what of the GPU's memory each server takes whose specs do not say it; None for what vLLM takes by itself.

    Raises:
        ModelError: those that say it leave nothing.
    """
    said = [float(share) for group in groups if (share := group.weights.gpu_memory_utilization) is not None]
    others = len(groups) - len(said)
    if not others or len(groups) == 1:
        return None
    hundredths = math.floor(round(100 * (_SHARED - sum(said)) / others, 6))  # not up: together they would take more
    if hundredths <= 0:
        raise ModelError(
            f"vllm: {others} of {len(groups)} servers have no gpu_memory_utilization, and the others take"
            f" {sum(said):g} of the memory; together they may take {_SHARED:g}"
        )
    return f"{hundredths / 100:.2f}"
