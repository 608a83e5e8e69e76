from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.support.fault_server import FaultServer
from tests.support.judges import Judged


@pytest.fixture
def judged_by() -> Iterator[Judged]:
    """Start judges that reply as told; they end with the test."""
    with ExitStack() as stack:
        yield lambda reply: stack.enter_context(FaultServer(reply=reply))
