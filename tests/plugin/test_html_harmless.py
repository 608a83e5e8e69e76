"""What pytest-html would run, and what would end its session, does neither in a session with evals."""

import base64
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_llmeval.core.text import storable
from tests.support.browser import needs_chromium
from tests.support.fault_server import FaultServer
from tests.support.hostile import HOSTILE, harmless
from tests.support.project import OPTIONS, Project

HTML = ("--html=report.html", "--self-contained-html")
RUNS = {name: text for name, text in HOSTILE.items() if "pwned" in text}
IMAGE = HOSTILE["image"]


def looked_at(browser: Any, project: Project) -> dict[str, Any]:
    """Return what came of the report in a browser: whether anything ran, its text, and what was said of it."""
    heard: list[str] = []
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.on("dialog", lambda dialog: heard.append(dialog.message) or dialog.dismiss())  # type: ignore[func-returns-value]
    page.on("request", lambda request: heard.append(request.url) if request.url.startswith("http") else None)
    page.goto((project.root / "report.html").as_uri())
    page.evaluate("document.getElementById('show_all_details').click()")
    page.evaluate("document.querySelectorAll('.llmeval-case').forEach((place) => place.scrollIntoView())")
    page.evaluate("document.getElementById('environment-header').click()")
    page.evaluate("document.querySelectorAll('[autofocus], a').forEach((each) => each.focus())")
    page.evaluate("document.querySelectorAll('a[href^=javascript]').forEach((each) => each.click())")
    page.wait_for_timeout(300)
    found = {
        "ran": page.evaluate("'pwned' in document.body.dataset"),
        "text": page.inner_text("body"),
        "rows": page.locator("#results-table > tbody > tr.collapsible").count(),
        "links": page.locator("a").evaluate_all("(all) => all.map((each) => each.getAttribute('href'))"),
        "heard": heard,
    }
    page.close()
    return found


@needs_chromium
@pytest.mark.parametrize("distributed", [(), ("-n2",)])
def test_hostile_rows_answers_and_reasons_are_text(
    project: Project, browser: Any, server: FaultServer, distributed: tuple[str, ...]
) -> None:
    texts = {name: text for name, text in HOSTILE.items() if name != "long word"}
    server.reply = lambda messages: texts.get(str(messages[-1]["content"]), "?")
    body = """
    def test_echo(sample, response, score):
        print(response.text)
        score.exact(response, sample.target)
        score.record("of its own", 0.5, passed=False, reason=response.text)
        if sample.id.startswith("a"):
            raise RuntimeError(response.text)
    """
    rows = [
        {"id": f"{name[0]}{storable(text)}", "input": name, "target": f"{text}!", "slice": storable(text)}
        for name, text in texts.items()
    ]
    project.eval(body, rows, marker=f"suite={HOSTILE['script'] + HOSTILE['double quotes']!r}")
    project.run("evals", f"--run-name={HOSTILE['svg']}", *HTML, *distributed, inside=False)
    found = looked_at(browser, project)
    assert found["ran"] is False
    assert found["heard"] == []
    assert found["rows"] == len(rows)
    harmless(found["text"])
    assert IMAGE in found["text"]


@needs_chromium
def test_a_word_of_a_megabyte_is_cut_and_slows_nothing(project: Project, browser: Any, server: FaultServer) -> None:
    server.reply = lambda messages: HOSTILE["long word"]
    rows = [{"id": f"{number}", "input": HOSTILE["long word"], "target": "w"} for number in range(3)]
    project.eval("def test_echo(sample, response, score):\n    score.exact(response, sample.target)\n", rows)
    project.run("evals", *HTML)
    assert (project.root / "report.html").stat().st_size < 2_000_000
    assert "996,000 characters more" in looked_at(browser, project)["text"]


HOOKS = """
import pytest
from pytest_metadata.plugin import metadata_key

HTML = {image!r}

def pytest_configure(config):
    config.stash[metadata_key]["Branch"] = HTML

def pytest_html_results_table_row(report, cells):
    cells.append("<td>" + HTML + "</td>")

def pytest_html_results_table_header(cells):
    cells.append("<th>x</th>")

def pytest_html_results_summary(prefix, summary, postfix):
    prefix.append(HTML + "<script>document.body.dataset.pwned=1</script>")
"""
EXTRAS = """
import pytest, pytest_html

@pytest.mark.parametrize("text", {texts!r}, ids=str)
def test_plain(extras, text):
    for name in (text, "x"):
        extras.append(pytest_html.extras.url(text, name=name))
        extras.append(pytest_html.extras.text(text, name=name))
        extras.append(pytest_html.extras.json({{"a": text}}, name=name))
        extras.append(pytest_html.extras.html(text))
    assert not text
"""


@needs_chromium
def test_the_six_places_where_pytest_html_runs_what_it_is_given_are_closed(project: Project, browser: Any) -> None:
    """Ids, names of extras, extras of format html, cells, the summary and the environment, of ordinary tests too."""
    project.eval("def test_echo(response):\n    pass\n", [{"id": "a", "input": "x"}])
    project.write(conftest_py=HOOKS.format(image=IMAGE), evals__test_plain_py=EXTRAS.format(texts=[*RUNS.values()]))
    project.run("evals", *HTML)
    found = looked_at(browser, project)
    assert found["ran"] is False
    assert found["rows"] == len(RUNS) + 1
    assert not [link for link in found["links"] if link.strip().lower().startswith("javascript:")]
    assert f"test_plain[{IMAGE}]" in found["text"]


@pytest.mark.parametrize("text", [HOSTILE["lone surrogate"], None, "\\x", "\\N{"])
def test_extras_that_would_end_the_session_do_not(project: Project, text: str | None) -> None:
    body = f"""
    import pytest, pytest_html

    @pytest.mark.parametrize("text", [{text!r}], ids=["a\\\\x"])
    def test_plain(extras, text):
        extras.append(pytest_html.extras.text(text))
    """
    project.eval("def test_echo(response):\n    pass\n", [{"id": "a", "input": "x"}])
    raw = "disable_test_id_escaping_and_forfeit_all_rights_to_community_support = true"
    project.pytester.makeini(f"[pytest]\n{OPTIONS}{raw}\n")
    project.write(evals__test_plain_py=body)
    result = project.run("evals", *HTML)
    assert result.ret == 0
    assert "test_plain" in (project.root / "report.html").read_text()


def test_what_an_eval_adds_leaves_a_worker_and_shows_no_key(
    project: Project, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMEVAL_API_KEY", "sk-canary-0123456789abcdef")
    server.reply = lambda messages: HOSTILE["lone surrogate"] + " sk-canary-0123456789abcdef"
    body = """
    def test_echo(response, extras):
        import pytest_html
        extras.append(pytest_html.extras.text(response.text, name=response.text))
        extras.append(pytest_html.extras.html("<b>mine</b>" + response.text))
    """
    project.eval(body, [{"id": "a", "input": "x"}])
    result = project.run("evals", "-n2", *HTML)
    assert result.ret == 0
    page = (project.root / "report.html").read_text()
    assert "&lt;b&gt;mine&lt;/b&gt;" in page or "<b>mine</b>" in page.replace("\\u003c", "<")
    encoded = "".join(base64.b64decode(each).decode() for each in re.findall(r"base64,([\w+/=]+)", page))
    assert "\\ud800" in encoded
    assert "canary" not in page + encoded


def test_a_database_that_fails_leaves_a_report_of_pytests_own(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pytest_llmeval.core.errors import StoreError
    from pytest_llmeval.store.sqlite import SqliteStore

    def fail(*_: object, **__: object) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(SqliteStore, "add_case", fail)
    project.eval("def test_echo(response):\n    pass\n", [{"id": "a", "input": "x"}])
    result = project.run("evals", *HTML)
    assert result.ret == 10
    result.stdout.fnmatch_lines(["the report could not read the database: the disk is full"])
    assert "test_echo[a]" in (project.root / "report.html").read_text()


@pytest.mark.parametrize("arguments", [["-p", "no:html"], []])
def test_nothing_is_imported_for_a_report_that_nobody_asked_for(project: Project, arguments: list[str]) -> None:
    project.eval("def test_echo(response):\n    pass\n", [{"id": "a", "input": "x"}])
    script = """
    import json, sys, pytest
    status = pytest.main(sys.argv[1:])
    print("\\n" + json.dumps([int(status), [name for name in sys.modules if name.startswith("pytest_llmeval.")]]))
    """
    project.write(run_py=script)
    command = [sys.executable, "run.py", "evals", f"--model={project.model}", *arguments]
    output = subprocess.run(command, cwd=project.root, capture_output=True, text=True, check=True).stdout
    status, modules = json.loads(output.splitlines()[-1])
    assert status == 0
    assert not [name for name in modules if "html" in name]


def test_a_session_without_evals_keeps_pytest_htmls_report_as_it_is(project: Project) -> None:
    project.write(tests__test_plain_py="def test_plain():\n    pass\n")
    assert project.run("tests", *HTML).ret == 0
    page = (project.root / "report.html").read_text()
    assert "llmeval" not in page.lower().replace(str(Path(project.root)).lower(), "").split("data-jsonblob")[0]
    assert "Content-Security-Policy" not in page
