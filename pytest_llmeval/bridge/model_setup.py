"""Which models a session asks, and how a process gets at them."""

import importlib.util
import json
import os
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from pytest_llmeval.bridge.options import Settings
from pytest_llmeval.core.errors import CallError, ErrorKind, ModelError
from pytest_llmeval.core.types import Backend
from pytest_llmeval.loaders.strict_yaml import load_strict
from pytest_llmeval.models import (
    LocalServer,
    NamedModel,
    Redactor,
    RetryPolicy,
    check_model,
    default_cache_dir,
    fetch_smollm2,
    named_models,
    open_model,
    resolve_model,
)

__all__ = ["EmbeddedModel", "Opener", "chosen_models", "listed_models"]

_DEFAULT = "local:smollm2"
_WAIT_STEP_S = 0.05
_WAIT_S = 600.0


def chosen_models(settings: Settings, named: Mapping[str, NamedModel]) -> dict[str, NamedModel]:
    """Return the models under test by name: ``--model``, else the embedded one where its extra is installed.

    Raises:
        ModelError: a spec or models.yaml is wrong, a key or an extra is missing, or two models have one name.
    """
    chosen: dict[str, NamedModel] = {}
    for text in settings.models or _default():
        model = resolve_model(text, named)
        check_model(model, settings.environ)
        if model.name in chosen:
            raise ModelError(f"two models are called {model.name!r}; give one of them another name in models.yaml")
        chosen[model.name] = model
    return chosen


def listed_models(settings: Settings) -> dict[str, NamedModel]:
    """Return the models of ``models.yaml`` in the rootdir by name; none where there is no such file."""
    path = settings.rootdir / "models.yaml"
    if not path.exists():
        return {}
    document = load_strict(path, error=ModelError, shown_as=path.name)
    return named_models(document.data, path.name, document.line_of)


def _default() -> tuple[str, ...]:
    if importlib.util.find_spec("xllamacpp") is None:
        raise ModelError(
            "no model: pass --model=SPEC (such as --model=gpt-4o-mini), or install the embedded one with"
            " pip install 'pytest-llmeval[local]'"
        )
    return (_DEFAULT,)


class Opener:
    """Opens the models of this process, all with the session's time limit and its secrets kept out of messages."""

    def __init__(self, settings: Settings, models: Mapping[str, NamedModel], address: Callable[[], tuple[str, str]]):
        self._settings = settings
        self._models = models
        self._address = address
        self._redactor = Redactor()

    def __call__(self, name: str) -> Backend:
        """Return the backend of a model of this session."""
        return open_model(
            self._models[name],
            environ=self._settings.environ,
            policy=RetryPolicy(timeout_s=self._settings.timeout_s),
            redactor=self._redactor,
            local_address=self._address,
        )


class EmbeddedModel:
    """The server of the embedded model: the process that the user started owns it, workers learn its address.

    The owner writes the address into a file whose name it told the workers before they started; they wait for it.
    """

    def __init__(self, note: Path | None) -> None:
        """Stand for the server.

        Args:
            note: the file for the address, in a folder of its own that the owner makes; None where nobody else asks.
        """
        self._note = note
        self._server: LocalServer | None = None

    def start(self, report: Callable[[str], None], environ: Mapping[str, str]) -> None:
        """Fetch the weights where they are missing, start the server and tell the workers where it is.

        Raises:
            ModelError: the weights cannot be had or the server does not start.
        """
        self._server = LocalServer.start(fetch_smollm2(default_cache_dir(), report, environ=environ))
        if self._note is not None:
            self._note.parent.mkdir(mode=0o700)
            draft = self._note.with_suffix(".tmp")
            draft.write_text(json.dumps([self._server.base_url, self._server.api_key]), encoding="ascii")
            os.replace(draft, self._note)

    def address(self) -> tuple[str, str]:
        """Return base URL and key of the server, in a worker once its owner wrote them down."""
        if self._server is not None:
            return self._server.base_url, self._server.api_key
        deadline = time.monotonic() + _WAIT_S
        while self._note is not None and time.monotonic() < deadline:
            if self._note.exists():
                base_url, key = json.loads(self._note.read_text("ascii"))
                return base_url, key
            time.sleep(_WAIT_STEP_S)
        raise CallError("the server of local:smollm2 did not come up", kind=ErrorKind.CONNECTION)

    def stop(self) -> None:
        """End the server and remove the note, where this process owns them."""
        if self._server is None:
            return
        self._server.stop()
        if self._note is not None:
            shutil.rmtree(self._note.parent, ignore_errors=True)
