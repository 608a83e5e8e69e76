"""Starts and opens the models that a session asks."""

import contextlib
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from pytest_llmeval.bridge.config.settings import Settings
from pytest_llmeval.core.protocols import Backend
from pytest_llmeval.models.http.retry import RetryPolicy
from pytest_llmeval.models.local.host import EmbeddedModel
from pytest_llmeval.models.named import NamedModel
from pytest_llmeval.models.redaction import Redactor
from pytest_llmeval.models.registry import Hosts, Slots, open_model
from pytest_llmeval.models.vllm.host import VllmModels
from pytest_llmeval.models.weights_spec import WeightsKind, WeightsSpec

if TYPE_CHECKING:
    from pytest_llmeval.models.hf.host import HfModels

__all__ = ["ModelHosts"]


class ModelHosts:
    """The models on this machine that a session asks, from the beginning of its run to its end."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._embedded = EmbeddedModel()
        self._hf: HfModels | None = None
        self._vllm = VllmModels(settings.environ)

    def start(self, asked: Sequence[NamedModel], report: Callable[[str], None]) -> None:
        """Start those among ``asked``; raise ModelError if one does not start."""
        settings = self._settings
        if any(model.spec.kind == "local" for model in asked):
            adapters, is_asked = _weights_of("local", asked), settings.makes_calls
            self._embedded.start(adapters, report, settings.environ, is_asked=is_asked)
        self._start_hf(_weights_of("hf", asked), report)
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
            hosts=Hosts(local=self._embedded, hf=self._hf, vllm=self._vllm),
            is_asked=settings.makes_calls,
        )

    def stop(self) -> None:
        """Stop all of them, even if stopping one fails."""
        with contextlib.ExitStack() as stack:
            stack.callback(self._embedded.stop)
            stack.callback(self._vllm.stop)
            with contextlib.suppress(RuntimeError):  # a broken GPU fails again; the cases have reported it
                if self._hf is not None:
                    self._hf.close()

    def _start_hf(self, weights: Sequence[WeightsSpec], report: Callable[[str], None]) -> None:
        """Load these, or only find them if no call will be made; torch is imported here, only if there are any."""
        if not weights:
            return
        from pytest_llmeval.models.hf.host import HfModels

        self._hf = HfModels(self._settings.environ)
        for each in weights:
            if self._settings.makes_calls:
                self._hf.load(each, report)
            else:
                self._hf.find(each)


def _weights_of(kind: WeightsKind, models: Iterable[NamedModel]) -> list[WeightsSpec]:
    """Return the weights that models of this kind name."""
    return [model.spec.weights for model in models if model.spec.kind == kind and model.spec.weights is not None]
