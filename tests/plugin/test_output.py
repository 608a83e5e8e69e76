"""What a session shows: fits the terminal, plain in a pipe, more or less of it as asked (house style, section 6)."""

import re
import shlex

import pytest

from tests.support.project import OPTIONS, Project, jsonl

LONG = "a_suite_with_a_name_that_no_terminal_of_eighty_columns_can_show_beside_its_numbers"
ROWS = [
    {"id": f"row-{n}-{'x' * 70}", "input": f"{n} " + "word " * 60, "target": "y", "slice": f"slice {n} " + "z" * 60}
    for n in range(6)
]
BODY = f"""
def test_{LONG}(sample, response, score):
    score.exact(response, sample.target)
    score.contains(response, "nothing", name="contains_something_that_is_not_there_at_all_in_the_answer")
    score.record("latency of the {LONG}", 12.5)
    if sample.id.startswith("row-5"):
        raise RuntimeError("word " * 100)
"""
RULES = f"""
version: 1
suites:
  {LONG}:
    exact: {{min: 0.5}}
    contains_something_that_is_not_there_at_all_in_the_answer: {{min_lower: 0.5}}
    misspelt: {{min: 0.5}}
    latency_s: {{max_p95: 60}}
    settings: {{max_error_rate: 0.5}}
"""
TWO = [{"id": "good", "input": "yes", "target": "yes"}, {"id": "bad", "input": "no", "target": "yes"}]
EXACT = "def test_echo(sample, response, score):\n    score.exact(response, sample.target)\n"
GATED = "version: 1\nsuites: {echo: {exact: {min: 0.5}}}\n"


def section(result: pytest.RunResult) -> list[str]:
    """Return the lines of our section, its title first."""
    lines = result.stdout.lines
    start = next(index for index, line in enumerate(lines) if re.fullmatch("=+ llmeval =+", line))
    end = next(index for index, line in enumerate(lines) if index > start and line.startswith("="))
    return lines[start:end]


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("arguments", [[], ["-v"], ["-vv"]])
def test_no_line_is_wider_than_the_terminal(
    project: Project, monkeypatch: pytest.MonkeyPatch, width: int, arguments: list[str]
) -> None:
    """Every name in it is too long for it."""
    monkeypatch.setenv("COLUMNS", str(width))
    project.eval(BODY, ROWS)
    project.write(thresholds_yaml=RULES)
    result = project.run("evals", "--limit=6", *arguments, f"--model=openai:{LONG}@{project.server.url}")
    lines = section(result)
    assert len(lines) > 10
    assert [line for line in lines if len(line) > width] == []


def test_a_pipe_gets_no_colour(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    project.eval(EXACT, TWO)
    project.write(thresholds_yaml=GATED)
    result = project.run("evals", "-v", inside=False)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*MISSED*"])
    assert "\x1b" not in result.stdout.str()


def test_colour_is_used_where_it_is_asked_for(project: Project) -> None:
    project.eval(EXACT, TWO)
    project.write(thresholds_yaml=GATED)
    result = project.run("evals", "-v", "--color=yes")
    assert "\x1b[33mMISSED" in result.stdout.str()


def test_the_letter_of_a_miss_is_m_and_the_last_line_counts_it(project: Project) -> None:
    project.eval(EXACT, TWO)
    project.write(thresholds_yaml=GATED)
    result = project.run("evals")
    result.stdout.fnmatch_lines(["evals/test_echo.py .m*", "*= 1 passed, 1 missed in *"])


def test_verbose_shows_the_word(project: Project) -> None:
    project.eval(EXACT, TWO)
    project.write(thresholds_yaml=GATED)
    result = project.run("evals", "-v")
    result.stdout.fnmatch_lines(["*::test_echo[[]good[]] PASSED*", "*::test_echo[[]bad[]] MISSED*"])


@pytest.mark.parametrize("variables", [{}, {"CI": "true", "COLUMNS": "80"}, {"BUILD_NUMBER": "7", "COLUMNS": "80"}])
def test_what_no_terminal_shows_is_not_cut(
    project: Project, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    """In a pipe and in the log of a CI a metric has its name, and an error its end."""
    monkeypatch.delenv("COLUMNS", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    name = "contains_every_word_of_the_long_answer"
    body = (
        f"def test_echo(response, score):\n    score.record('{name}', 0.5)\n    raise OSError('so ' * 40 + 'it fell')\n"
    )
    project.eval(body, [{**TWO[0], "slice": "a slice with a long name, too"}])
    project.write(thresholds_yaml=f"version: 1\nsuites: {{echo: {{{name}: {{min: 0.5, min_lower: 0.1}}}}}}\n")
    lines = section(project.run("evals"))
    assert any(line.startswith(f"  {name} ") for line in lines)
    assert f"OSError: {'so ' * 40}it fell" in " ".join(" ".join(lines).split())
    assert not [line for line in lines if line.endswith("...")]


def test_errors_are_lettered_and_counted_as_errors(project: Project) -> None:
    project.eval("def test_echo(response):\n    raise RuntimeError('boom')\n", TWO[:1])
    result = project.run("evals")
    result.stdout.fnmatch_lines(["evals/test_echo.py E*", "*= 1 error in *"])


def test_the_summary_in_full(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    project.eval(EXACT, [TWO[0], {**TWO[1], "slice": "hard"}])
    project.write(thresholds_yaml=GATED)
    lines = [re.sub(r"\d\.\d s for", "0.0 s for", line) for line in section(project.run("evals", "--run-name=trial"))]
    run = project.last_run()["id"]
    assert lines == [
        "=================================== llmeval ====================================",
        "echo on echo: 1 passed, 1 missed",
        "  metric     n  value  95% interval  errors  rule     verdict",
        "  pass_rate  2  0.500  0.095..0.905       0",
        "  exact      2  0.500  0.095..0.905       0  min=0.5  pass",
        "  note: exact min=0.5: by chance alone a rerun would miss this bar 25% of the",
        "    time",
        "  missed: bad: exact 0.000",
        '    expected "yes"',
        '    got "no"',
        "",
        "model echo: 2 answers, 14 tokens in, 2 out, cost unknown",
        "calls: 2 requests, at most 2 in flight; cases waited 0.0 s for answers",
        "gate: PASS (1 pass)",
        f"run {run} (trial) is in .llmeval/llmeval.db",
        f"look at it: llmeval show {run}",
    ]


def test_the_way_to_a_run_in_another_database_is_told_where_the_command_would_not_find_it(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.eval(EXACT, TWO)
    lines = section(project.run("evals", "--llmeval-db=my runs.db"))
    show = lines[-1].partition("look at it: ")[2]
    assert show.endswith(" --llmeval-db 'my runs.db'")
    assert project.llmeval(*shlex.split(show)[1:]).ret == 0
    monkeypatch.setenv("LLMEVAL_DB", "my runs.db")
    assert "--llmeval-db" not in section(project.run("evals", "--llmeval-db=my runs.db"))[-1]


@pytest.mark.parametrize("said", [["-o", "llmeval_db=my runs.db"], ["-c", "nightly.ini"]], ids=["-o", "-c"])
def test_so_it_is_where_only_this_session_was_told_of_the_database(project: Project, said: list[str]) -> None:
    """The command reads the ini file that pytest finds by itself."""
    project.eval(EXACT, TWO)
    project.write(nightly_ini=f"[pytest]\n{OPTIONS}llmeval_db = my runs.db\n")
    show = section(project.run("evals", *said))[-1].partition("look at it: ")[2]
    assert show.endswith(" --llmeval-db 'my runs.db'")
    assert project.llmeval(*shlex.split(show)[1:]).ret == 0
    project.write(tox_ini=f"[pytest]\n{OPTIONS}llmeval_db = my runs.db\n")
    assert "--llmeval-db" not in section(project.run("evals", *said))[-1]


def test_so_it_is_where_pytest_was_started_above_the_project(
    project: Project, monkeypatch: pytest.MonkeyPatch, spread: list[str]
) -> None:
    """From there upwards the command finds no project: its folder is gone to before."""
    project.eval(EXACT, TWO)
    place = project.pytester.path
    (place / "a b").mkdir()
    for name in ("evals", "data", "tox.ini"):
        (place / name).rename(place / "a b" / name)
    for given, told in ((), ""), (("--llmeval-db=runs.db",), " --llmeval-db runs.db"):
        show = section(project.run("a b/evals", *spread, *given))[-1].partition("look at it: ")[2]
        go, _, then = show.partition(" && llmeval show ")
        assert (go, then.partition(" ")[2]) == ("cd 'a b'", told.strip())
        monkeypatch.chdir(place / "a b")
        assert project.llmeval("show", *shlex.split(then)).ret == 0
        monkeypatch.chdir(place)


@pytest.mark.parametrize(("verbosity", "shown"), [([], 3), (["-v"], 30), (["-vv"], 40)])
def test_the_first_misses_are_shown_and_more_when_asked(project: Project, verbosity: list[str], shown: int) -> None:
    project.eval(EXACT, [{"id": f"{n}", "input": "no", "target": "yes"} for n in range(40)])
    project.write(thresholds_yaml=GATED)
    lines = section(project.run("evals", *verbosity))
    assert sum(line.startswith("  missed: ") for line in lines) == shown
    assert any("and 37 more missed" in line for line in lines) == (shown == 3)


def test_slices_are_shown_with_v_or_with_a_rule(project: Project) -> None:
    project.eval(EXACT, [{**TWO[0], "slice": "easy"}, {**TWO[1], "slice": "hard"}])
    project.write(thresholds_yaml="version: 1\nsuites: {echo: {slices: {hard: {exact: {min: 0.5}}}}}\n")
    quiet = "\n".join(section(project.run("evals")))
    assert "exact [hard]" in quiet
    assert "[easy]" not in quiet
    assert "exact [easy]" in "\n".join(section(project.run("evals", "-v")))


def test_q_shows_the_section_and_qq_the_verdict_alone(project: Project) -> None:
    project.eval(EXACT, TWO)
    project.write(thresholds_yaml=GATED)
    assert any("pass_rate" in line for line in project.run("evals", "-q").stdout.lines)
    result = project.run("evals", "-qq")
    result.stdout.fnmatch_lines(["gate: PASS (1 pass)", "run *"])
    assert not any("pass_rate" in line for line in result.stdout.lines)


def test_no_summary_and_no_header_leave_the_verdict(project: Project) -> None:
    project.eval(EXACT, TWO)
    project.write(thresholds_yaml=GATED)
    project.run("evals", "--no-summary", "--no-header").stdout.fnmatch_lines(["gate: PASS (1 pass)"])


def test_no_terminal_reporter_is_no_crash(project: Project) -> None:
    project.eval(EXACT, TWO)
    project.write(thresholds_yaml=GATED)
    assert project.run("evals", "-p", "no:terminal").ret == 0
    assert len(project.cases()) == 2


def test_several_suites_have_a_table_each_in_order(project: Project) -> None:
    for name in ("zebra", "ant"):
        project.eval(EXACT.replace("echo", name), TWO, name=name)
    titles = [line for line in section(project.run("evals")) if " on echo: " in line]
    assert titles == ["ant on echo: 1 passed, 1 missed", "zebra on echo: 1 passed, 1 missed"]


def test_without_rules_the_summary_says_that_none_was_judged(project: Project) -> None:
    project.eval(EXACT, TWO)
    assert "gate: no rule was judged, status 1" in section(project.run("evals"))


def test_a_session_whose_evals_were_all_deselected_shows_no_section(project: Project) -> None:
    project.eval(EXACT, TWO)
    result = project.run("evals", "-k", "nothing")
    assert result.ret == 5
    result.stdout.no_fnmatch_line("=* llmeval *")


def test_jsonl_rows_with_unicode_are_shown_as_they_are(project: Project) -> None:
    """Letters of any script are no danger."""
    project.eval(EXACT, [{"id": "größe-日本", "input": "né", "target": "naïve"}])
    project.write(thresholds_yaml=GATED, data__more_jsonl=jsonl())
    lines = "\n".join(section(project.run("evals")))
    assert "missed: größe-日本" in lines
    assert 'got "né"' in lines
