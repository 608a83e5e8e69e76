import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

# Imported before any run inside this process, which forgets what it imported: torch's parts cannot be imported twice.
with warnings.catch_warnings():  # of torch.jit, which torch itself uses
    warnings.simplefilter("ignore")
    import peft  # noqa: F401
    import transformers.modeling_utils  # noqa: F401

    import pytest_llmeval.models.hf.backend  # noqa: F401
from pytest_llmeval.models.hf.host import HfModels
from tests.support.tiny_llama import make_adapter, make_model


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("tiny") / "base")


@pytest.fixture(scope="session")
def adapter(base: Path) -> Path:
    return make_adapter(base, base.parent / "adapter")


@pytest.fixture(scope="session")
def untrained(base: Path) -> Path:
    return make_adapter(base, base.parent / "untrained", trained=False)


@pytest.fixture
def models() -> Iterator[HfModels]:
    """The models of this process; their thread ends with the test."""
    held = HfModels({})
    yield held
    held.close()
