"""How a process gets at the models that its session asks."""

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from pytest_llmeval.bridge.config.settings import Settings
from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.core.protocols import Backend
from pytest_llmeval.models.http.retry import RetryPolicy
from pytest_llmeval.models.keys import DUMMY_KEY
from pytest_llmeval.models.local.adapters import adapter_file
from pytest_llmeval.models.local.effect import check_effect
from pytest_llmeval.models.local.server import LocalServer
from pytest_llmeval.models.local.weights import default_cache_dir, fetch_smollm2
from pytest_llmeval.models.named import NamedModel
from pytest_llmeval.models.redaction import Redactor
from pytest_llmeval.models.registry import Slots, open_model
from pytest_llmeval.models.vllm.host import VllmModels
from pytest_llmeval.models.weights_spec import WeightsKind, WeightsSpec

if TYPE_CHECKING:
    from pytest_llmeval.models.hf.host import HfModels

__all__ = ["EmbeddedModel", "ModelHosts", "OwnModels"]


class ModelHosts:
    """The models of this machine that a session asks, from the beginning of its run to its end."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._embedded = EmbeddedModel()
        self._own = OwnModels()
        self._vllm = VllmModels(settings.environ)

    def start(self, asked: Sequence[NamedModel], report: Callable[[str], None]) -> None:
        """Start those among ``asked``; raise ModelError where one does not start."""
        settings = self._settings
        if any(model.spec.kind == "local" for model in asked):
            adapters, is_asked = _weights_of("local", asked), settings.makes_calls
            self._embedded.start(adapters, report, settings.environ, is_asked=is_asked)
        self._own.start(asked, report, settings)
        if settings.makes_calls:
            self._vllm.start(_weights_of("vllm", asked), report, settings.vllm_start_s)

    def open(self, model: NamedModel, slots: Slots, redactor: Redactor) -> Backend:
        """Return the backend of a model, on this machine or a server; see ``open_model``."""
        settings = self._settings
        return open_model(
            model,
            environ=settings.environ,
            policy=RetryPolicy(timeout_s=settings.timeout_s),
            slots=slots,
            transport=settings.transport,
            redactor=redactor,
            local_address=self._embedded.address,
            local_why_gone=self._embedded.why_gone,
            local_adapters=self._embedded.adapters,
            hf_models=self._own.get(),
            vllm_models=self._vllm,
            is_asked=settings.makes_calls,
        )

    def stop(self) -> None:
        """End all of them, each even if the end of another one fails."""
        with contextlib.ExitStack() as stack:
            stack.callback(self._embedded.stop)
            stack.callback(self._vllm.stop)
            with contextlib.suppress(RuntimeError):  # a GPU that broke says so again; the cases have told it
                self._own.stop()


def _weights_of(kind: WeightsKind, models: Iterable[NamedModel]) -> list[WeightsSpec]:
    """Return what those of ``models`` name that are of this kind."""
    return [model.spec.weights for model in models if model.spec.kind == kind and model.spec.weights is not None]


class EmbeddedModel:
    """The server of the embedded model and of adapters for it, for as long as the session asks it."""

    def __init__(self) -> None:
        self._server: LocalServer | None = None
        self.adapters: Sequence[WeightsSpec] = ()
        """Those that the server holds, in its order."""

    def start(
        self,
        adapters: Iterable[WeightsSpec],
        report: Callable[[str], None],
        environ: Mapping[str, str],
        *,
        is_asked: bool = True,
    ) -> None:
        """Fetch the weights where they are missing and start the server, unless no call will be made.

        Raises:
            ModelError: the weights cannot be had, the server does not start, or an adapter is not one for the model
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

    def address(self) -> tuple[str, str]:
        """Return base URL and key of the server; where none was started, no call is to be made."""
        if self._server is None:
            return "http://127.0.0.1/v1", DUMMY_KEY
        return self._server.base_url, self._server.api_key

    def why_gone(self) -> str | None:
        """Return why the server answers no call any more; None while it runs, and where none was started."""
        return None if self._server is None else self._server.why_gone()

    def stop(self) -> None:
        """End the server, where it was started."""
        if self._server is not None:
            self._server.stop()


class OwnModels:
    """The ``hf:`` models, which run in this process, for as long as the session asks them."""

    def __init__(self) -> None:
        self._models: HfModels | None = None

    def start(self, models: Iterable[NamedModel], report: Callable[[str], None], settings: Settings) -> None:
        """Load those of ``models`` that are of this kind, unless no call will be made.

        Raises:
            ModelError: one cannot be loaded.
        """
        weights = _weights_of("hf", models)
        if not weights:
            return
        from pytest_llmeval.models.hf.host import HfModels

        self._models = HfModels(settings.environ)
        for each in weights:
            if settings.makes_calls:
                self._models.load(each, report)
            else:
                self._models.find(each)

    def get(self) -> "HfModels | None":
        """Return them; None where there are none."""
        return self._models

    def stop(self) -> None:
        """End their thread, where it was started."""
        if self._models is not None:
            self._models.close()
