import contextlib
import gc
import importlib.util
import os
import signal
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_llmeval.models.http.retry import RetryPolicy
from pytest_llmeval.models.registry import TransportName
from tests.support.asking import ask_model, failure
from tests.support.browser import chromium
from tests.support.fault_server import FaultServer
from tests.support.imports import load_all
from tests.support.installed import read_once
from tests.support.nursery import Nursery
from tests.support.project import Project

pytest_plugins = ["pytester"]

HAS_ONE_THREAD = "OMP_NUM_THREADS" not in os.environ
"""Before torch is imported, here and in each child: tests run one to a core, and threads would wait for each other."""
if HAS_ONE_THREAD:
    os.environ["OMP_NUM_THREADS"] = "1"
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
"""Before huggingface_hub is, for trainings in this process; a trainer sets it for itself."""

HERE = Path(__file__).parent
FOREIGN = ("LLMEVAL_", "OPENAI_", "ANTHROPIC_", "PYTEST_ADDOPTS", "GITHUB_", "OTEL_")
"""How variables begin that a session reads."""
HAS_TEST = importlib.util.find_spec("hypothesis") is not None
"""Whether the extra test is there; without it a training or an eval of this repository can be run all the same."""
if HAS_TEST:
    from hypothesis import settings

    gc.disable()  # until all is collected
    load_all()
    # An example may take as long as the machine makes it: what a test holds to is no speed.
    settings.register_profile("tests", deadline=None)
    settings.load_profile("tests")
LACKING = [name for name in ("torch", "transformers", "peft", "trl") if importlib.util.find_spec(name) is None]
collect_ignore = ["models/hf", "training"] if LACKING else []
collect_ignore_glob = [] if HAS_TEST else ["*"]
"""The tests of the extras hf and train, whose packages are gigabytes where there is no build for the CPU alone."""


def pytest_report_header() -> str | None:
    """Say which tests wait for what is not installed."""
    if not HAS_TEST:
        return "tests wait for .[test] (hypothesis not installed)"
    missing = ", ".join(LACKING)
    return f"tests/models/hf and tests/training wait for .[hf,train] ({missing} not installed)" if LACKING else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A warning fails a test of ours; an eval of this repository that somebody runs may meet any library."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("error"), append=False)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection() -> Generator[None, object, object]:
    """No garbage is looked for among imports and items, which all stay: that took a fifth of the time."""
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Ten thousand items and all that they import stay to the end: no later look for garbage goes through them.

    Where no test was selected, as by ``-m train``, a training is given all cores.
    """
    gc.collect()
    gc.freeze()
    if HAS_ONE_THREAD and session.items and not any(HERE in item.path.parents for item in session.items):
        os.environ.pop("OMP_NUM_THREADS", None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test of hostile text prints what no worker can send: half a surrogate pair."""
    report = yield
    if HERE in item.path.parents:
        report.sections = [(name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections]
    return report


@pytest.fixture(scope="session", autouse=True)
def signals() -> None:
    """Signals do what they do in a terminal: a background job and nohup begin with some of them ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGHUP, signal.SIGTERM):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


@pytest.fixture(scope="session", autouse=True)
def installed() -> Iterator[None]:
    """What is installed is read once, by all sessions within this process."""
    with read_once():
        yield


@pytest.fixture(scope="session", autouse=True)
def http_stack() -> None:
    """Both HTTP stacks, down to what they import with their first call and their first error: see above."""
    transports: tuple[TransportName, ...] = ("lean", "sdk")
    with FaultServer() as running:
        for name in transports:
            ask_model(running.spec("warm-up"), transport=name)
            failure(running.spec("fault-rst"), transport=name, policy=RetryPolicy(max_attempts=1))


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the person who runs the tests reaches them."""
    for name in list(os.environ):
        if name.startswith(FOREIGN) or name in ("BUILD_NUMBER", "CI", "FORCE_COLOR", "NO_COLOR", "PY_COLORS"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="module")  # while it runs, this thread looks like one with a running event loop
def browser() -> Iterator[Any]:
    with chromium() as running:
        yield running


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    with contextlib.closing(Nursery()) as found:
        yield found


@pytest.fixture
def project(pytester: pytest.Pytester, server: FaultServer, nursery: Nursery) -> Project:
    """An empty project whose evals ask the fault server."""
    return Project(pytester, server, nursery)


@pytest.fixture(params=["plain", "n0", "n2"])
def dist_args(request: pytest.FixtureRequest) -> list[str]:
    """The ways in which a session can be distributed, for tests of what any of them could change.

    With -n0 xdist is loaded and has no workers; where that can show nothing of its own, ``spread`` is enough.
    """
    return {"plain": ["-p", "no:xdist"], "n0": ["-n0"], "n2": ["-n2"]}[request.param]


@pytest.fixture(params=["plain", "n2"])
def spread(request: pytest.FixtureRequest) -> list[str]:
    """The two of them that differ most: one process that knows of no other, and workers."""
    return {"plain": ["-p", "no:xdist"], "n2": ["-n2"]}[request.param]
