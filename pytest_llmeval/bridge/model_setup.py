"""How a process gets at the models that its session asks."""

import json
import os
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from pytest_llmeval.bridge.settings import Settings
from pytest_llmeval.core.errors import CallError, ErrorKind
from pytest_llmeval.core.types import Backend
from pytest_llmeval.models.local_server import LocalServer
from pytest_llmeval.models.local_weights import default_cache_dir, fetch_smollm2
from pytest_llmeval.models.named import NamedModel
from pytest_llmeval.models.redaction import Redactor
from pytest_llmeval.models.registry import open_model
from pytest_llmeval.models.retry import RetryPolicy

__all__ = ["EmbeddedModel", "Opener"]

_WAIT_STEP_S = 0.05
_WAIT_S = 600.0


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
