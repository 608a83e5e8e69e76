import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from pytest_llmeval.models.local.server import LocalServer
from pytest_llmeval.models.local.weights import default_cache_dir, fetch_smollm2
from pytest_llmeval.models.registry import TransportName
from tests.support.asking import Ask, Fail, ask_model, failure
from tests.support.fault_server import FaultServer
from tests.support.vendors import VENDORS, Vendor


@pytest.fixture(params=["lean", "sdk"])
def transport(request: pytest.FixtureRequest) -> TransportName:
    """Each transport: what a caller gets and what a server sees is the same over both."""
    name: TransportName = request.param
    return name


@pytest.fixture
def ask(transport: TransportName) -> Ask:
    return partial(ask_model, transport=transport)


@pytest.fixture
def fail(transport: TransportName) -> Fail:
    return partial(failure, transport=transport)


@pytest.fixture(params=VENDORS)
def vendor(request: pytest.FixtureRequest) -> Vendor:
    """Each protocol over each transport: what a caller gets is the same."""
    return VENDORS[request.param]


@pytest.fixture
def speaking(vendor: Vendor) -> Iterator[FaultServer]:
    """A server of the vendor."""
    with vendor.speaker() as running:
        yield running


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """The real weights, in the user's real cache: fetched as a user fetches them where they are not there."""
    return fetch_smollm2(default_cache_dir(), print, environ=os.environ)


@pytest.fixture(scope="session")
def local_server(smollm2: Path) -> Iterator[LocalServer]:
    running = LocalServer.start(smollm2)
    yield running
    running.stop()
