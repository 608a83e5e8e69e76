"""What pytest-html's report costs a session with evals, and how fast a browser opens it.

    python benchmarks/html_report.py                    # 1,000 and 10,000 cases: some minutes
    python benchmarks/html_report.py --rows 1000

A session runs once to be the baseline, once more without and once with ``--html``, against a local server; prompts are
of about 1 kB, each tenth case misses (``--miss-every``) and each fortieth flips. What the report costs is the
difference in the time between the last test and the summary. Then Chromium, if there is one, opens the page as often as
``--repeat`` says.
"""

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import textwrap
import time
from collections.abc import Sequence
from pathlib import Path

from bench import Server
from watch import Cost, measure

EVAL = """
import os
import pytest

def rows():
    for number in range({rows}):
        text = f"{{number}} " + "what was ordered, what came, and what is owed " * 20
        target = text if number % {miss_every} else "something else"
        yield {{"id": f"row-{{number}}", "input": text, "target": target, "slice": f"slice {{number % 8}}"}}

@pytest.mark.llmeval(dataset=rows)
def test_rows(sample, response, score):
    again = os.environ.get("AGAIN") and int(sample.id[4:]) % 40 == 1
    score.exact(response.text + again * "!" if again else response, sample.target)
    score.record("length", len(response.text) / 2000, reason="as a share of 2000 characters")
"""
CONFTEST = """
import time
import pytest

began = None

@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtestloop(session):
    global began
    result = yield
    began = time.perf_counter(), time.process_time()
    return result

@pytest.hookimpl(tryfirst=True)
def pytest_terminal_summary(terminalreporter):
    with open("ending.txt", "w") as file:
        file.write(f"{time.perf_counter() - began[0]} {time.process_time() - began[1]}")
"""
RULES = "version: 1\nsuites: {rows: {exact: {min: 0.8, max_drop: 0.1}}}\n"
BROWSER = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table in Markdown."""
    options = _options(arguments)
    titles = ("cases", "report, s", "of them CPU", "peak MiB without", "with", "file MiB", "rows", "opens in s")
    print(f"| {' | '.join(titles)} |\n|{'---|' * len(titles)}")
    with Server.started(1) as server, tempfile.TemporaryDirectory() as place:
        for rows in options.rows:
            folder = Path(place) / str(rows)
            _write(folder, rows, options.miss_every)
            _run(server, folder, "--run-name=base")
            plain, ending = _run(server, folder, "--baseline=base")
            reported, with_report = _run(server, folder, "--baseline=base", "--html=r.html", *options.pytest)
            page = folder / "r.html"
            size = page.stat().st_size / 2**20
            opened = _opened(page, options.repeat)
            shown, seconds = opened if opened is not None else ("", "no browser")
            costs = f"{plain.peak_kib / 1024:.0f} | {reported.peak_kib / 1024:.0f}"
            took = " | ".join(f"{late - early:.1f}" for early, late in zip(ending, with_report, strict=True))
            print(f"| {rows:,} | {took} | {costs} | {size:.1f} | {shown} | {seconds} |", flush=True)
            if options.keep:
                shutil.copy(page, options.keep / f"report-{rows}.html")


def _write(folder: Path, rows: int, miss_every: int) -> None:
    for name, text in {
        "evals/test_rows.py": textwrap.dedent(EVAL).format(rows=rows, miss_every=miss_every),
        "conftest.py": CONFTEST,
        "thresholds.yaml": RULES,
        "pytest.ini": "[pytest]\n",
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _run(server: Server, folder: Path, *more: str) -> tuple[Cost, list[float]]:
    """Return what a session took, and the seconds between its last test and its summary, and those of CPU."""
    model = f"--model=openai:bench@{server.address}/v1"
    command = [sys.executable, "-m", "pytest", "evals", "-q", model, *more]
    environ = {**os.environ, "NO_PROXY": "*"}
    if "--run-name=base" not in more:
        environ["AGAIN"] = "1"
    cost = measure(command, folder=folder, environ=environ, timeout_s=1200)
    ending = folder / "ending.txt"
    if not ending.exists():
        raise SystemExit((folder / "output.txt").read_text()[-2000:])
    return cost, list(map(float, ending.read_text().split()))


def _opened(page: Path, repeat: int) -> tuple[str, str] | None:
    """Return how many rows the page says that it has, and the median seconds until it is drawn and says so."""
    found = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chrome")
    if found is None:
        return None
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, args=BROWSER)
        took = []
        for _ in range(repeat):
            tab = browser.new_page(viewport={"width": 1280, "height": 900})
            began = time.perf_counter()
            tab.goto(page.as_uri(), wait_until="load")
            tab.wait_for_function("document.getElementById('llmeval-count').textContent")
            tab.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
            took.append(time.perf_counter() - began)
            rows = tab.inner_text("#llmeval-count").partition(" of ")[2].removesuffix(" rows")
            tab.close()
        browser.close()
    return rows, f"{statistics.median(took):.1f}"


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[1000, 10_000])
    parser.add_argument("--miss-every", type=int, default=10)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--keep", type=Path, help="a folder for the pages")
    parser.add_argument("--pytest", nargs="*", default=["--self-contained-html"], help="further options of pytest")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
