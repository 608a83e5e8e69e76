"""Who takes part: the file that a user would write, the command that runs it, and where its results lie."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from results import (
    cases_in_database,
    deepeval_cases,
    deepeval_mean,
    inspect_mean,
    inspect_samples,
    mean_in_database,
    no_mean,
    nothing,
    passed_share,
    printed_mean,
    pytest_evals_cases,
)

__all__ = ["BODIES", "CONTESTANTS", "Contestant", "Kept", "Mean"]

BODIES = Path(__file__).parent / "bodies"
Mean = Callable[[Path], float | None]
"""Returns the mean score of a run that ended in a folder."""
Kept = Callable[[Path], int]
"""Returns how many results lie in a folder after a kill."""

PYTEST = ("{python}", "-m", "pytest")
MODEL = ("--model=openai:echo@{url}", "--max-connections={connections}")
OURS = (*PYTEST, "evals", "-p", "pytest_llmeval.plugin")


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """One way to run the rows."""

    name: str
    body: str
    """A file in ``bodies``."""
    place: str
    """Where the project has it."""
    command: tuple[str, ...]
    """With ``{python}``, ``{bin}``, ``{url}`` and ``{connections}`` to fill in."""
    mean: Mean
    kept: Kept = nothing
    again: tuple[str, ...] | None = None
    """What takes a killed run up again, ``*`` standing for files of the project; None: the command, from the start."""
    after: tuple[str, ...] = ()
    """What is run after the measurement, for ``mean``, its output going to ``after.txt``."""
    environ: tuple[tuple[str, str], ...] = ()
    rival: str | None = None
    """The tool in ``rivals.REQUIREMENTS``; None runs in the Python of the benchmark."""
    in_flight: int | None = None
    """Calls in flight at most, where the number of connections does not decide it."""
    killed: bool = False
    """Whether it is in the table of kills."""
    optional: bool = False
    """Whether it takes part only where ``--only`` names it."""


CONTESTANTS = (
    Contestant(
        name="bare-aiohttp",
        body="bare_aiohttp.py",
        place="run.py",
        command=("{python}", "run.py"),
        mean=printed_mean,
        killed=True,
    ),
    Contestant(
        name="bare-openai", body="bare_openai.py", place="run.py", command=("{python}", "run.py"), mean=printed_mean
    ),
    Contestant(
        name="bare-openai-aiohttp",
        body="bare_openai.py",
        place="run.py",
        command=("{python}", "run.py"),
        environ=(("BENCH_AIOHTTP", "1"),),
        mean=printed_mean,
        optional=True,
    ),
    Contestant(
        name="ours",
        body="ours.py",
        place="evals/test_echo.py",
        command=(*OURS, "-p", "no:xdist", *MODEL),
        again=(*OURS, "-p", "no:xdist", *MODEL, "--resume=last"),
        mean=mean_in_database,
        kept=cases_in_database,
        killed=True,
    ),
    Contestant(
        name="ours-async",
        body="ours_async.py",
        place="evals/test_echo.py",
        command=(*OURS, "-p", "no:xdist", *MODEL),
        mean=mean_in_database,
    ),
    Contestant(
        name="ours-n2",
        body="ours.py",
        place="evals/test_echo.py",
        command=(*OURS, "-p", "xdist", "-n2", *MODEL),
        again=(*OURS, "-p", "xdist", "-n2", *MODEL, "--resume=last"),
        mean=mean_in_database,
        kept=cases_in_database,
        killed=True,
    ),
    Contestant(
        name="bare-pytest",
        body="bare_pytest.py",
        place="test_nothing.py",
        command=(*PYTEST, "-p", "no:llmeval", "-p", "no:xdist"),
        mean=no_mean,
        in_flight=0,
    ),
    Contestant(
        name="bare-pytest-n2",
        body="bare_pytest.py",
        place="test_nothing.py",
        command=(*PYTEST, "-p", "no:llmeval", "-p", "xdist", "-n2"),
        mean=no_mean,
        in_flight=0,
    ),
    Contestant(
        name="pytest-n2-blocking",
        body="pytest_blocking.py",
        place="test_echo.py",
        command=(*PYTEST, "-p", "no:llmeval", "-p", "xdist", "-n2"),
        mean=passed_share,
        in_flight=2,
    ),
    Contestant(
        name="inspect_ai",
        body="inspect_task.py",
        place="task.py",
        command=(
            *("{bin}/inspect", "eval", "task.py", "--model=openai-api/local/echo", "--model-base-url={url}"),
            *("--max-connections={connections}", "--display=none", "--log-dir=logs"),
        ),
        again=(
            *("{bin}/inspect", "eval-retry", "logs/*.eval"),
            *("--max-connections={connections}", "--display=none", "--log-dir=logs"),
        ),
        after=("{bin}/inspect", "log", "dump", "--header-only", "logs/*.eval"),
        mean=inspect_mean,
        kept=inspect_samples,
        environ=(("LOCAL_API_KEY", "none"),),
        rival="inspect_ai",
        killed=True,
    ),
    Contestant(
        name="pydantic-evals",
        body="pydantic_evals_run.py",
        place="run.py",
        command=("{bin}/python", "run.py"),
        mean=printed_mean,
        rival="pydantic-evals",
        killed=True,
    ),
    Contestant(
        name="deepeval",
        body="deepeval_rows.py",
        place="test_echo.py",
        command=("{bin}/deepeval", "test", "run", "test_echo.py"),
        mean=deepeval_mean,
        kept=deepeval_cases,
        rival="deepeval",
        in_flight=1,
        killed=True,
    ),
    Contestant(
        name="pytest-evals",
        body="pytest_evals_rows.py",
        place="test_echo.py",
        command=("{bin}/python", "-m", "pytest", "--run-eval", "--run-eval-analysis", "-s"),
        mean=printed_mean,
        kept=pytest_evals_cases,
        rival="pytest-evals",
        in_flight=1,
        killed=True,
    ),
)
"""In the order of the tables; bare-aiohttp is what the ratios are to."""
