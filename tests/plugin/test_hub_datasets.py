"""Hugging Face datasets of the hub: fetched once, read offline from the cache, columns by row key, one line a fault."""

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa  # type: ignore[import-untyped]  # has no stubs
import pyarrow.parquet as pq  # type: ignore[import-untyped]  # as above
import pytest

from tests.support.hub import COMMIT, Hub
from tests.support.project import Project

NAME = "hf:org/name?split=test&input=question&target=answer&metadata=page,level"
EVAL = """
import pytest

@pytest.mark.llmeval({dataset!r})
def test_echo(sample, response, score):
    assert sample.metadata == {{"page": int(sample.target[1:]), "level": "easy"}}
    score.exact(response, sample.target)
"""


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    rows = [{"question": f"q{n}", "answer": f"q{n}", "page": n, "level": "easy"} for n in range(3)]
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), file)
    with Hub(file.getvalue()) as running:
        yield running


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, hub: Hub) -> Path:
    """A cache that holds the dataset: loaded in a process of its own, as the library reads the variables at import."""
    folder = tmp_path_factory.mktemp("hub")
    code = "import datasets; datasets.load_dataset('org/name')"
    told = {"HF_HOME": str(folder), "HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0"}
    subprocess.run([sys.executable, "-c", code], env=os.environ | told, check=True)
    return folder


@pytest.fixture(autouse=True)
def hub_environment(monkeypatch: pytest.MonkeyPatch, hub: Hub, home: Path) -> None:
    for name, value in {"HF_HOME": str(home), "HF_ENDPOINT": hub.url, "HF_HUB_DISABLE_TELEMETRY": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)


def run(project: Project, dataset: str, *arguments: str) -> pytest.RunResult:
    """Run one eval over ``dataset``."""
    project.write(evals__test_hubs_py=EVAL.format(dataset=dataset))
    return project.run("evals", *arguments, fresh=True)


def test_what_was_fetched_once_is_read_offline_and_by_workers(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(project, NAME).ret == 0
    first = project.last_run()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert run(project, f"{NAME}&revision={COMMIT}", "-n2").ret == 0
    assert len(project.rows("SELECT DISTINCT sample_id FROM cases")) == 3
    assert project.last_run()["id"] != first["id"]
    assert project.last_run()["dataset_digest"] == first["dataset_digest"]


def test_what_cannot_be_had_is_one_line_each(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    wrong = {
        f"{NAME}&revision={'d' * 40}": f"*: the copy in the cache is of commit {COMMIT}; the revision asked for *",
        "hf:org/other?split=test": "*hf:org/other?split=test: cannot be loaded: ConnectionError: *org/other*",
        "hf:org/name?split=tset": "*hf:org/name?split=tset: no such split; there are test",
        f"{NAME}&config=big": "*&config=big: cannot be loaded: ValueError: *config 'big'*default*",
        "hf:org/name": "*hf:org/name: unknown key 'question'; a row has the keys *",
        "hf:org/name?input=query": "*hf:org/name?input=query: no column 'query'; there are question, answer, *",
    }
    for number, dataset in enumerate(wrong):
        text = EVAL.format(dataset=dataset).replace("test_echo", f"test_{number}")
        project.write(**{f"evals__test_hub{number}_py": text})
    result = project.run("evals", fresh=True)
    assert result.ret == 4
    result.stderr.fnmatch_lines(list(wrong.values()))
    assert len(list(filter(None, result.errlines))) == len(wrong)
    assert "Traceback" not in result.stderr.str() + result.stdout.str()
    assert not project.server.ledger
