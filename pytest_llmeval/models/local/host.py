"""The embedded model of a session: one server for all its adapters, owned by the process that the user started."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.models.http.own_server import Served, own_account
from pytest_llmeval.models.local.adapters import adapter_file, local_engine, local_revision
from pytest_llmeval.models.local.effect import check_effect
from pytest_llmeval.models.local.server import LocalServer, slot_of
from pytest_llmeval.models.local.weights import default_cache_dir, fetch_smollm2
from pytest_llmeval.models.weights_spec import WeightsSpec

__all__ = ["LOCAL_ACCOUNT", "EmbeddedModel"]

LOCAL_ACCOUNT = "local"
"""The account of all ``local:`` models, whatever port and key their server has."""


class EmbeddedModel:
    """The server of the embedded model and its adapters during a session."""

    def __init__(self, server: LocalServer | None = None, adapters: Sequence[WeightsSpec] = ()) -> None:
        """Prepare; ``server`` is one that already runs, with ``adapters``."""
        self._server = server
        self.adapters = adapters
        """The adapters on the server, in its order."""

    def start(
        self,
        adapters: Iterable[WeightsSpec],
        report: Callable[[str], None],
        environ: Mapping[str, str],
        *,
        is_asked: bool = True,
    ) -> None:
        """Fetch the weights if they are missing and start the server, unless no call will be made (``is_asked``).

        Raises:
            ModelError: the weights cannot be fetched, the server does not start, or an adapter does not fit the model
                or changes nothing.
        """
        self.adapters = tuple(dict.fromkeys(adapters))
        if not is_asked:
            return
        cache_dir = default_cache_dir()
        gguf = fetch_smollm2(cache_dir, report, environ=environ)
        files = [adapter_file(each, gguf, cache_dir, report) for each in self.adapters]
        self._server = LocalServer.start(gguf, adapters=files)
        try:
            for number, each in enumerate(self.adapters):
                if each.untrained is None:
                    check_effect(self._server, number, len(files), f"adapter {each.adapter}")
        except ModelError:
            self.stop()
            raise

    def served(self, weights: WeightsSpec | None) -> Served:
        """Return how to reach the model with the adapter of ``weights``, or without one for None."""
        adapter = None if weights is None else self.adapters.index(weights)
        return Served(
            account=replace(own_account(self._server, "local:smollm2"), fixed_id=LOCAL_ACCOUNT),
            revision=f"{local_engine()} {local_revision(weights)}",
            fields=slot_of(adapter, len(self.adapters)),
            why_gone=lambda: None if self._server is None else self._server.why_gone(),
        )

    def stop(self) -> None:
        """Stop the server if it was started."""
        if self._server is not None:
            self._server.stop()
