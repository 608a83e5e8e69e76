"""The training entrypoint, ``pytest -m train``: one item for each configuration in ``configs``."""

from typing import Any

import pytest


@pytest.mark.train("configs")
def test_train(training: Any) -> None:
    training.run()
