import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_llmeval.models.local_server import LocalServer
from pytest_llmeval.models.local_weights import default_cache_dir, fetch_smollm2


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """The real weights, in the user's real cache: fetched as a user fetches them where they are not there."""
    return fetch_smollm2(default_cache_dir(), print, environ=os.environ)


@pytest.fixture(scope="session")
def local_server(smollm2: Path) -> Iterator[LocalServer]:
    running = LocalServer.start(smollm2)
    yield running
    running.stop()
