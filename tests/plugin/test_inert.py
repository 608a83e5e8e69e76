"""A project that merely has the plugin installed pays nothing for it (house style, sections 1 and 8)."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.project import Project

HEAVY = (
    "anthropic", "opentelemetry", "aiohttp",
    "openai", "httpx", "httpx2", "httpcore", "pydantic", "yaml", "sqlite_utils", "sqlite3", "jinja2", "torch",
    "transformers", "jsonschema", "regex", "tenacity", "numpy", "click", "platformdirs", "xllamacpp", "asyncio",
)  # fmt: skip
OURS = (
    "pytest_llmeval.scorers", "pytest_llmeval.models", "pytest_llmeval.store", "pytest_llmeval.reports",
    "pytest_llmeval.loaders", "pytest_llmeval.bridge.preparation", "pytest_llmeval.bridge.records.recording",
    "pytest_llmeval.core.types", "pytest_llmeval.core.gate.judging",
)  # fmt: skip
CONFTEST = """
import sys
import threading

def pytest_unconfigure(config):
    loaded = sorted({{name for name in sys.modules}} & set({names!r}))
    threads = [thread.name for thread in threading.enumerate()]
    with open({report!r}, "w") as file:
        file.write(repr((loaded, threads)))
"""


def loaded_by(code: str) -> set[str]:
    """Return which of the heavy modules, and of ours, a fresh Python has loaded after ``code``."""
    names = HEAVY + OURS
    check = f"{code}\nimport sys\nprint(*sorted(set(sys.modules) & set({names!r})))"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr == ""
    return set(done.stdout.split())


def test_importing_the_plugin_imports_nothing_heavy() -> None:
    """Compared with pytest alone, which has modules of its own."""
    assert loaded_by("import pytest, pytest_llmeval.plugin") <= loaded_by("import pytest")


def test_importing_the_package_imports_nothing_heavy() -> None:
    assert loaded_by("import pytest_llmeval") == set()


@pytest.fixture
def plain(pytester: pytest.Pytester) -> pytest.Pytester:
    """A project with one plain test, and a conftest that notes what the session loaded."""
    pytester.makeini("[pytest]\naddopts = -p no:cacheprovider\n")
    pytester.makepyfile(test_own="def test_own():\n    pass\n")
    return pytester


def session_of(
    pytester: pytest.Pytester, tmp_path: Path, *arguments: str
) -> tuple[pytest.RunResult, list[str], list[str]]:
    """Run pytest with nothing but this plugin; return the result, the heavy modules loaded and the threads left."""
    report = tmp_path / "report.txt"
    pytester.makeconftest(CONFTEST.format(names=HEAVY + OURS, report=str(report)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        patch.setenv("PYTHONDONTWRITEBYTECODE", "1")
        result = pytester.runpytest_subprocess("-p", "no:hypothesispytest", *arguments)
    loaded, threads = eval(report.read_text())
    return result, loaded, threads


def test_a_session_without_evals_is_as_if_the_plugin_were_not_there(plain: pytest.Pytester, tmp_path: Path) -> None:
    without, loaded_without, threads_without = session_of(plain, tmp_path)
    files = files_of(plain)
    with_it, loaded, threads = session_of(plain, tmp_path, "-p", "pytest_llmeval.plugin")
    with_it.assert_outcomes(passed=1)
    assert loaded == loaded_without
    assert threads == threads_without == ["MainThread"]
    assert files_of(plain) == files
    assert shown(with_it) == shown(without)
    options = "[pytest]\naddopts = ['-p', 'no:cacheprovider']\nllmeval_paths = ['evals']\n"
    (plain.path / "pytest.toml").write_text(options)
    assert session_of(plain, tmp_path, "-p", "pytest_llmeval.plugin")[1] == loaded_without


def files_of(pytester: pytest.Pytester) -> list[str]:
    """Return the files of the project; pytester itself makes folders and files for each run."""
    names = (path.relative_to(pytester.path).as_posix() for path in pytester.path.rglob("*"))
    return sorted(name for name in names if not name.startswith(("runpytest", "stdout", "stderr")))


def shown(result: pytest.RunResult) -> list[str]:
    """Return what a session put out, without what names the plugin or the time."""
    lines = result.outlines + result.errlines
    kept = [line for line in lines if not line.startswith(("plugins: ", "running: ", "     in: "))]
    return [re.sub(r" in [0-9.]+s", "", line) for line in kept]


def test_waiting_evals_cost_no_import_either(plain: pytest.Pytester, tmp_path: Path) -> None:
    folder = plain.mkdir("evals")
    (folder / "test_echo.py").write_text(
        "import pytest\n\n@pytest.mark.llmeval('rows.jsonl')\ndef test_echo(response):\n    pass\n"
    )
    result, loaded, threads = session_of(plain, tmp_path, "-p", "pytest_llmeval.plugin")
    result.assert_outcomes(passed=1, deselected=1)
    assert not set(loaded) & {*HEAVY, *OURS} - set(session_of(plain, tmp_path)[1])
    assert threads == ["MainThread"]


@pytest.mark.parametrize("asked", ["response", "sample"])
def test_collecting_evals_without_rules_reads_no_yaml_and_imports_no_gate(
    plain: pytest.Pytester, tmp_path: Path, asked: str
) -> None:
    """Nor does telling what they will take, also of one that asks nothing that is known."""
    (plain.path / "test_echo.py").write_text(
        f"import pytest\n\n@pytest.mark.llmeval([{{'input': 'a'}}])\ndef test_echo({asked}):\n    pass\n"
    )
    result, loaded, _ = session_of(plain, tmp_path, "-p", "pytest_llmeval.plugin", "--co", "test_echo.py")
    assert result.ret == 0
    gate = "pytest_llmeval.core.gate.judging"
    heavy = {"pydantic", "yaml", "aiohttp", "httpx", "jinja2", "jsonschema", "asyncio", gate}
    assert not heavy & set(loaded) - set(session_of(plain, tmp_path)[1])  # Python 3.14 loads asyncio for pdb


def test_workers_of_a_session_without_evals_load_nothing_heavy(plain: pytest.Pytester, tmp_path: Path) -> None:
    result, loaded, _ = session_of(plain, tmp_path, "-p", "xdist", "-p", "pytest_llmeval.plugin", "-n1")
    result.assert_outcomes(passed=1)
    assert not {name for name in loaded if name.startswith(("pytest_llmeval", "openai", "pydantic", "yaml", "sqlite"))}


def test_settings_of_a_project_without_evals_are_not_looked_at(
    plain: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bad variable, ini key or thresholds file of somebody else's breaks no ordinary test."""
    monkeypatch.setenv("LLMEVAL_LIMIT", "many")
    plain.makeini("[pytest]\naddopts = -p no:asyncio -p no:anyio -p no:hypothesispytest\nllmeval_epochs = none\n")
    (plain.path / "thresholds.yaml").write_text("{")
    (plain.path / "models.yaml").write_text("{")
    plain.runpytest_inprocess().assert_outcomes(passed=1)


def test_what_is_no_test_may_be_told_as_deselected(plain: pytest.Pytester) -> None:
    """As by pytest-testmon, which has stand-ins of tests counted from its second session on."""
    plain.makeconftest(
        """
        import pytest

        class StandIn:
            def __init__(self, config):
                self.config = config

        @pytest.hookimpl(trylast=True)
        def pytest_collection_modifyitems(config, items):
            items.clear()
            config.hook.pytest_deselected(items=[StandIn(config)])
        """
    )
    result = plain.runpytest_subprocess("-p", "no:hypothesispytest")
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    result.assert_outcomes(deselected=1)


def test_a_list_of_cases_loads_neither_records_nor_rubrics(project: Project) -> None:
    """What is foretold of them needs the code of the test and, where there is a database, the order of its runs."""
    project.eval("def test_echo(sample, score):\n    score.exact(sample.input, 'x')\n", [{"input": "x"}])
    project.write(
        conftest_py="""
            import sys

            def pytest_unconfigure():
                names = ("pytest_llmeval.store.records", "pytest_llmeval.core.judge.rubric")
                print("\\nloaded:", [name for name in names if name in sys.modules])
            """
    )
    result = project.run("evals", "--co", fresh=True)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*no call through response, model or a judge is known of it*", "loaded: [[][]]"])
