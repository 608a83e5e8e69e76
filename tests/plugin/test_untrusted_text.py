r"""What a model, a dataset or a server says reaches no terminal and no CI log as a command (reference: traps).

GitHub Actions obeys ``::name::`` at the start of a line, blanks before it allowed, and ``##[name]`` anywhere, Azure
Pipelines ``##vso[name]`` anywhere; a terminal obeys control characters; a bidirectional override shows one thing and
means another.
"""

import re
from xml.sax.saxutils import escape

import pytest

from tests.support.fault_server import FaultServer
from tests.support.hostile import harmless
from tests.support.judges import Messages
from tests.support.project import Project

NASTY = {
    "escape": "\x1b[31mred\x1b[0m\x1b]0;title\x07",
    "command": "::error file=app.py::owned",
    "indented command": "fine\n \t ::set-output name=x::y",
    "group": "##[group]hidden ##[error]x",
    "agent": "fine\n##vso[task.setvariable variable=PATH]/x ##teamcity[buildStatus status='SUCCESS']",
    "return": "before\r::error::x\r\n::stop-commands::t",
    "other line ends": "a\x0b::error::b\x0c::error::c\x85::error::d\u2028::error::e",
    "bidi": "\u202egpj.exe\u2066x\u2069",
    "surrogate": "a\ud800b\udc80",
    "nul": "a\x00b",
    "c1": "\x9b31m\x90x\x9c",
    "del": "a\x7f\x08b",
}
ALL = "\n".join(NASTY.values())
NAMES = [text for name, text in NASTY.items() if name not in ("surrogate", "nul")]
"""Those that a row may have for its id: the database keeps them as they are."""


def run(project: Project, *arguments: str) -> pytest.RunResult:
    """Run the evals; check that what the session printed is harmless and that it did not crash."""
    result = project.run("evals", *arguments)
    out, err = "\n".join(result.stdout.lines), "\n".join(result.stderr.lines)
    assert "INTERNALERROR" not in out + err
    harmless(out, err)
    return result


MISSES = """
def test_echo(sample, response, score):
    print(response.text)
    score.exact(response, sample.target)
    score.contains(response, "never there", name="has")
    score.record("extra", 0, passed=False, reason=response.text)
"""


def answer(messages: Messages) -> str:
    """Return the nasty text that a row names."""
    return NASTY[messages[-1]["content"]]


def test_an_answer_that_misses_is_shown_harmless(project: Project, server: FaultServer) -> None:
    server.reply = answer
    project.eval(MISSES, [{"id": name, "input": name, "target": "y"} for name in NASTY])
    result = run(project, "-rA")
    assert result.ret == 1
    assert project.cases() == dict.fromkeys(NASTY, "missed")


@pytest.mark.parametrize(
    "arguments", [["-v", "-rA"], ["-vv"], ["-q"], ["-rA", "--tb=long", "-l"], ["-vvv", "-n2", "-rA"]]
)
def test_everything_nasty_at_every_verbosity(project: Project, server: FaultServer, arguments: list[str]) -> None:
    server.reply = lambda messages: ALL
    project.eval(MISSES, [{"id": f"{n}", "input": "x", "target": "y"} for n in range(3)])
    assert run(project, *arguments).ret == 1


BODIES = (
    "assert response.text == 'y'",
    "raise RuntimeError(response.text)",
    "raise AssertionError(response.text)",
    "pytest.fail(response.text)",
    "pytest.fail(response.text, pytrace=False)",
    "pytest.skip(response.text)",
    "pytest.xfail(response.text)",
    "import sys; sys.stderr.write(response.text); assert False",
    "import logging; logging.error('%s', response.text); assert False",
    "raise ExceptionGroup(response.text, [ValueError(response.text)])",
    "raise KeyError(response.text) from ValueError(response.text)",
    "score.json_match(response, {'a': 1})",
    "score.numeric(response, 5)",
    "score.regex(response, 'x' * 3)",
    "score.choice(response, 'A')",
    "score.record('x', 1, reason=response.text, passed=False)",
    "score.record(response.text, 1, passed=False)",
    "score.exact(response, response.text + '!')",
    "model.generate_sync([{'role': response.text}])",
)


def test_a_body_that_repeats_the_answer_is_harmless(project: Project, server: FaultServer) -> None:
    server.reply = lambda messages: ALL
    marker = '@pytest.mark.llmeval([{"id": "a", "input": "x"}])'
    evals = [f"{marker}\ndef test_n{n}(response, model, score):\n    {body}\n" for n, body in enumerate(BODIES)]
    project.write(evals__test_bodies_py="\n".join(["import pytest\n", *evals]))
    run(project, "-rA", "-vv")
    assert project.rows("SELECT count(*) AS n FROM cases WHERE outcome != 'passed'") == [{"n": len(BODIES)}]


@pytest.mark.parametrize("arguments", [["-vv"], ["-vv", "-n2", "-rA"]])
@pytest.mark.parametrize("body", ["pytest.skip(sample.input)", "pytest.xfail(sample.input)"])
def test_a_reason_that_pytest_wraps_is_harmless(project: Project, body: str, arguments: list[str]) -> None:
    """It breaks lines at blanks, and a long word wherever there is no more room."""
    words = [" ".join(f"::error::{n}" for n in range(60)), *("a" * n + "::error::" * 40 for n in range(5))]
    rows = [{"id": f"{n}", "input": "b" * n + text} for n, text in enumerate([*words, "c \u3000::error::x " * 40])]
    project.eval(f"def test_echo(sample, model):\n    {body}\n", rows)
    assert run(project, *arguments).ret == 0


NOTING = """
def test_echo(response, record_property):
    import warnings
    from decimal import Decimal

    warnings.warn(f"odd answer: {response.text}")
    record_property("answer", response.text)
    record_property(response.text, Decimal("1.5"))
    print("x" * 300_000)
"""


def test_what_a_body_notes_of_an_answer_is_harmless_and_reaches_the_reports(
    project: Project, server: FaultServer, spread: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A warning or a property that a worker cannot send would end it."""
    monkeypatch.setenv("SOME_API_KEY", "sk-CANARY-0123456789")
    server.reply = lambda messages: f"{ALL} sk-CANARY-0123456789"
    project.eval(NOTING, [{"id": f"r{number}", "input": "x"} for number in range(3)])
    result = run(project, "-rA", "--junitxml=j.xml", "-o", "junit_family=xunit1", "-Wdefault", *spread)
    assert result.ret == 0
    text = (project.root / "j.xml").read_text("utf-8")
    assert 'value="1.5"' in text and "odd answer: " in result.stdout.str()
    assert "CANARY" not in text + result.stdout.str()
    assert len(result.stdout.str()) < 600_000


def test_a_reason_that_holds_a_name_stays_as_it_is(project: Project) -> None:
    project.eval("def test_echo(sample):\n    pytest.skip('no std::string')\n", [{"input": "x"}])
    run(project, "-vv").stdout.fnmatch_lines(["*SKIPPED (no std::string)*"])


def test_the_reason_of_an_unexpected_pass_is_harmless(project: Project, server: FaultServer) -> None:
    server.reply = lambda messages: f"{'w ' * 30}\x1b[31m ::error::x sk-0123456789-abcdefghij" + " ::error::x" * 60
    project.eval(
        """
        def test_echo(request, response):
            request.applymarker(pytest.mark.xfail(reason=f"said {response.text}"))
        """,
        [{"id": "a", "input": "x"}],
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OWN_API_KEY", "sk-0123456789-abcdefghij")
        out = run(project, "-rA", "-vv").stdout.str()
    assert "XPASS" in out and "*** " in out and "sk-0123456789" not in out


@pytest.mark.parametrize("ends", ["assert False", "pass"])
def test_an_expected_failure_may_have_no_reason(project: Project, ends: str) -> None:
    project.eval(
        f"""
        def test_echo(request, model):
            request.applymarker(pytest.mark.xfail(reason=None))
            {ends}
        """,
        [{"id": "a", "input": "x"}],
    )
    run(project, "-rA", "-v").assert_outcomes(**{"xpassed" if ends == "pass" else "xfailed": 1})


LONG_NAMES = "no tests/very/long/path/to/module.py::TestIt::test_it, std::set<std::pair<int,std::string>>::iterator"


@pytest.mark.parametrize("verbosity", ["-rA", "-v", "-vv"])
def test_a_reason_that_holds_a_long_name_stays_as_it_is(project: Project, verbosity: str) -> None:
    """It can be copied into a command line, and JUnit says the same."""
    for name in ("skip", "xfail"):
        project.eval(f"def test_{name}(sample):\n    pytest.{name}(sample.input)\n", [{"input": LONG_NAMES}], name=name)
    out = run(project, verbosity, "-rA", "--junitxml=junit.xml").stdout.str()
    assert out.count("module.py::TestIt::test_it") >= 2 and ":\\" not in out
    assert (project.root / "junit.xml").read_text("utf-8").count(f'message="{escape(LONG_NAMES)}"') == 2


def test_what_an_eval_prints_is_harmless_with_live_capture_off(project: Project, server: FaultServer) -> None:
    """With ``-s`` what the test itself prints is its own affair; our section stays harmless."""
    server.reply = lambda messages: ALL
    project.eval("def test_echo(response):\n    assert response.text == 'y'\n", [{"id": "a", "input": "x"}])
    run(project, "-s")


def test_row_ids_slices_and_suites_are_harmless(project: Project) -> None:
    rows = [{"id": text, "input": "x", "target": "y", "slice": text} for text in NAMES]
    marker = "suite={!r}".format("\n".join(NAMES))
    project.eval(MISSES, rows, marker=marker)
    assert run(project, "-v", "-rA").ret == 1
    stored = {row["sample_id"] for row in project.rows("SELECT sample_id FROM cases")}
    assert NASTY["command"] in stored
    assert NASTY["bidi"] in stored
    for odd in ({"id": NASTY["nul"]}, {"id": NASTY["surrogate"]}, {"id": "a", "slice": ALL}):
        project.eval(MISSES, [{"input": "x", **odd}], marker=marker)
        assert run(project).ret == 4
    project.eval(MISSES, rows, marker=f"suite={ALL!r}")
    assert run(project).ret == 4


@pytest.mark.parametrize("status", [200, 400, 401])
def test_error_bodies_of_a_server_are_harmless(project: Project, server: FaultServer, status: int) -> None:
    """The server repeats what it was sent: the key, and here a nasty name of the model."""
    name = f"fault-echoauth-{status}" if status != 200 else "fault-body-html"
    project.eval(MISSES, [{"id": "a", "input": ALL, "target": "y"}])
    project.write(models_yaml=f"models:\n  m:\n    spec: openai:{name}@{server.url}\n    api_key_env: NASTY_KEY\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NASTY_KEY", "sk-::error::x##[group]")
        project.model = "m"
        run(project, "-rA", "-vv")
    assert project.cases() == {"a": "error"}


def test_the_database_keeps_answers_readable(project: Project, server: FaultServer) -> None:
    """All but NUL and lone surrogates as they are, these two as visible escapes."""
    server.reply = answer
    project.eval("def test_echo(response):\n    pass\n", [{"id": name, "input": name} for name in NASTY])
    assert run(project, "-rA").ret == 0
    kept = {row["sample_id"]: row["response"] for row in project.rows("SELECT sample_id, response FROM cases")}
    assert kept == {
        name: text.replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode() for name, text in NASTY.items()
    }


def test_a_bad_dataset_is_told_harmless(project: Project) -> None:
    rows = [{"id": f"{n}", "input": "x", text: 1} for n, text in enumerate(NASTY.values())]
    project.eval(MISSES, rows)
    assert run(project).ret == 4


def test_options_with_nasty_values_are_told_harmless(project: Project) -> None:
    project.eval(MISSES, [{"id": "a", "input": "x", "target": "x", "slice": "\n".join(NAMES)}])
    assert run(project, f"--slice={NASTY['escape']}").ret == 4
    assert run(project, f"--run-name={NASTY['command']} {NASTY['escape']}").ret == 1


def test_a_nasty_run_in_workers_is_harmless(project: Project, server: FaultServer) -> None:
    server.reply = lambda messages: ALL
    project.eval(
        "def test_echo(response):\n    print(response.text)\n    raise RuntimeError(response.text)\n",
        [{"id": text, "input": "x"} for text in NAMES],
    )
    assert run(project, "-n2", "-v", "-rA").ret == 1
    assert set(project.cases().values()) == {"error"}


def test_junit_of_nasty_answers_is_well_formed(project: Project, server: FaultServer) -> None:
    import xml.etree.ElementTree as ElementTree

    server.reply = lambda messages: ALL
    project.eval(MISSES, [{"id": text, "input": "x", "target": "y"} for text in NAMES])
    run(project, "--junitxml=junit.xml")
    assert len(ElementTree.parse(project.root / "junit.xml").findall(".//failure")) == len(NAMES)


@pytest.mark.parametrize(("kind", "arguments"), [("def", []), ("async def", []), ("async def", ["-n2"])])
def test_live_logs_and_log_files_are_harmless_and_hold_no_secret(
    project: Project, server: FaultServer, monkeypatch: pytest.MonkeyPatch, kind: str, arguments: list[str]
) -> None:
    """They are written before any report of the case is made; the colours of pytest's own stay."""
    secret = "sk-0123456789-abcdefghij"
    monkeypatch.setenv("OWN_API_KEY", secret)
    server.reply = lambda messages: ALL
    project.eval(
        f"""
        {kind} test_echo(response):
            import logging, os
            log, key = logging.getLogger("own"), os.environ["OWN_API_KEY"]
            log.warning("said %s with %s", response.text, key, stack_info=True)
            try:
                raise ValueError(f"{{key}} {{response.text}}")
            except ValueError:
                log.exception("raised")
        """,
        [{"id": name, "input": "x"} for name in "ab"],
    )
    result = project.run(
        "evals", "--color=yes", "--log-cli-level=INFO", "--log-file=own.log", "--log-file-level=INFO", *arguments
    )
    assert result.ret == 0
    shown, written = re.sub("\x1b\\[[0-9;]*m", "", result.stdout.str()), (project.root / "own.log").read_text("utf-8")
    assert secret not in shown + written
    harmless(shown, written)
    if "-n2" in arguments:  # workers show no live log, and each writes the file anew
        return
    for text in (shown, written):
        assert text.count("said \\x1b[31mred") == text.count("ValueError: *** \\x1b[31mred") == 2
    assert "\x1b[33mWARNING" in result.stdout.str()
