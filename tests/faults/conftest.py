import pytest


@pytest.fixture(autouse=True)
def lean_sessions(clean_environment: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sessions load no plugin that the tests here do not need: each worker would pay for it."""
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:cov -p no:html -p no:metadata -p no:timeout -p no:rerunfailures")


@pytest.fixture
def all_plugins(lean_sessions: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sessions load what is installed."""
    monkeypatch.delenv("PYTEST_ADDOPTS")
