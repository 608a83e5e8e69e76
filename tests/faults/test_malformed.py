"""Answers that are none: the kind of error in the database, never a score (rows N13 to N16, N19, N20)."""

from collections import Counter
from typing import Any

import pytest

from tests.support.fault_server import FaultServer
from tests.support.project import Project

BODY = "def test_echo(sample, response, score):\n    score.exact(response, sample.input)\n"
NO_COMPLETION = [
    *("badjson", "empty", "html", "null", "list", "emptyobj", "nochoices", "nullchoices", "err200", "badutf8", "deep"),
    *("bigint", "contentint", "contentlist", "nullcontent", "nullmessage", "toolbad"),
]
ERRORS = {
    **{f"fault-body-{name}": ("malformed_response", 2) for name in NO_COMPLETION},
    "fault-badgzip": ("malformed_response", 2),
    "fault-sse-bad": ("malformed_response", 2),
    "fault-sse-errmid": ("malformed_response", 2),
    "fault-sse-nodone": ("truncated_stream", 2),
    "fault-sse-cut": ("connection", 6),
    "fault-chunkcut": ("connection", 6),
    "fault-body-filter": ("filtered", 1),
    "fault-redirect-307": ("redirect", 1),
    "fault-redirect-301": ("redirect", 1),
    "fault-big-9000000": ("too_large", 1),
    "fault-gzipbomb": ("too_large", 1),
}
SCORED = {
    "fault-body-badusage": ("passed", None, None),
    "fault-body-nanusage": ("passed", None, None),
    "fault-body-hugeusage": ("passed", None, 1),
    "fault-body-nousage": ("passed", None, None),
    "fault-body-bom": ("passed", 7, 1),
    "fault-body-nofinish": ("passed", 7, 1),
    "fault-body-length": ("missed", 7, 5),
    "fault-body-refusal": ("missed", 7, 0),
    "fault-body-surrogate": ("missed", 7, 1),
    "fault-sse-ok": ("passed", 7, 1),
    "fault-gzip": ("passed", 7, 1),
}


def run_all(project: Project, models: list[str], *arguments: str) -> dict[str, dict[str, Any]]:
    """Ask one row of each model in one session; return the cases by model."""
    project.eval(BODY, [{"id": "a", "input": "ok"}])
    others = [f"--model={project.server.spec(model)}" for model in models[1:]]
    result = project.run("evals", *others, *arguments, model=project.server.spec(models[0]))
    assert "INTERNALERROR" not in result.stdout.str()
    return {row["model"]: row for row in project.rows("SELECT * FROM cases")}


def test_no_answer_is_an_error_of_its_kind_and_never_a_score(
    project: Project, monkeypatch: pytest.MonkeyPatch, spread: list[str]
) -> None:
    monkeypatch.setattr("pytest_llmeval.models.http.retry._between", lambda low, high: low)
    # In processes of their own pauses are long: only what is not tried six times.
    errors = {name: each for name, each in ERRORS.items() if "-n2" not in spread or each[1] < 6}
    cases = run_all(project, list(errors), *spread)
    assert {name: (row["error_kind"], row["attempts"]) for name, row in cases.items()} == errors
    assert Counter(entry.model for entry in project.server.ledger) == {
        name: count for name, (_, count) in errors.items()
    }
    assert {row["outcome"] for row in cases.values()} == {"error"}
    assert [row["response"] for row in cases.values() if row["response"]] == []
    assert project.rows("SELECT * FROM scores") == []
    assert all(len(row["error"]) < 2_000 for row in cases.values())
    assert "Please log in" in cases["fault-body-html"]["error"]
    assert project.rows("SELECT * FROM calls WHERE cache_key IS NOT NULL") == []


def test_odd_answers_that_are_answers_are_scored(project: Project) -> None:
    """Usage that makes no sense is unknown; a refusal and an answer that was cut are judged by their text."""
    cases = run_all(project, list(SCORED))
    assert {name: (row["outcome"], row["input_tokens"], row["output_tokens"]) for name, row in cases.items()} == SCORED
    assert len(project.server.ledger) == len(SCORED)
    assert len(project.rows("SELECT * FROM scores WHERE value IS NOT NULL")) == len(SCORED)


def test_errors_make_no_mean_better_or_worse(project: Project) -> None:
    """One good answer beside malformed ones: the mean is that of the good one, and the rule is unmeasurable."""
    project.eval(BODY, [{"id": f"r{n}", "input": "ok"} for n in range(3)])
    project.write(thresholds_yaml="version: 1\nsuites: {echo: {exact: {min: 0.9}}}\n")
    answers: list[str | dict[str, Any]] = [*(4 * [{"choices": []}]), "ok"]
    project.server.reply = lambda messages: answers.pop()
    result = project.run("evals", "--max-connections=1")
    assert result.ret == 10
    assert sorted(project.cases().values()) == ["error", "error", "passed"]
    assert project.last_run()["verdict"] == "unmeasurable"


def test_a_redirect_takes_no_key_anywhere(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMEVAL_API_KEY", "sk-canary-0123456789")
    with FaultServer() as other:
        cases = run_all(project, [f"fault-redirect-{code}-{other.port}" for code in (301, 302, 303, 307, 308)])
        assert other.ledger == []
        assert other.connections == 0
    assert {row["error_kind"] for row in cases.values()} == {"redirect"}
    assert len(project.server.ledger) == 5


@pytest.mark.parametrize(
    ("fault", "kind", "told"),
    [
        ("redirect-307", "redirect", "HTTP 307: redirect to http://127.0.0.1"),
        ("status-404", "bad_request", "HTTP 404 of http://127.0.0.1"),
        ("status-405", "bad_request", "HTTP 405 of http://127.0.0.1"),
        ("status-410", "bad_request", "HTTP 410"),
    ],
)
def test_a_judge_at_a_wrong_address_is_asked_in_one_form(project: Project, fault: str, kind: str, told: str) -> None:
    """It refuses no form of the reply: the others would be sent there for nothing."""
    project.eval(
        """
        def test_judged(sample, score):
            score.judge_sync("an answer", rubric="qa")
        """,
        [{"id": "a", "input": "x", "target": "x"}],
    )
    project.run("evals", f"--judge-model=openai:fault-{fault}@{project.server.url}")
    (row,) = project.rows("SELECT error_kind, error FROM cases")
    assert row["error_kind"] == kind
    assert told in row["error"]
    assert len(project.server.ledger) == 1


def test_a_call_that_an_application_wraps_keeps_its_kind(project: Project) -> None:
    """It stands behind the error of the application; a bug beside a call that was caught is none, but tells of it."""
    project.write(
        evals__test_app_py="""
            import pytest
            import tenacity

            class AppError(Exception):
                pass

            def chained(model):
                try:
                    model.generate_sync()
                except Exception as error:
                    raise AppError("no luck") from ExceptionGroup("all", [error])

            def plain(model):
                try:
                    model.generate_sync()
                except Exception:
                    raise AppError("no luck") from ValueError("user 17")

            def gathered(model):
                try:
                    chained(model)
                except AppError as error:
                    raise AppError("none of 1") from ExceptionGroup("all", [error])

            def handling(model):
                try:
                    model.generate_sync()
                except Exception:
                    {}["gone"]

            def repeated(model):
                try:
                    model.generate_sync()
                except Exception as error:
                    raise AppError(f"no luck: {error}") from error

            def bug(model):
                try:
                    model.generate_sync()
                except Exception:
                    pass
                {}["gone"]

            retried = tenacity.retry(stop=tenacity.stop_after_attempt(2))(lambda model: model.generate_sync())
            NAMES = ["chained", "plain", "gathered", "handling", "repeated", "retried", "bug"]
            ROWS = [{"id": each, "input": "x"} for each in NAMES]

            @pytest.mark.llmeval(ROWS)
            def test_app(sample, model):
                globals()[sample.id](model)
        """
    )
    result = project.run("evals", model=project.server.spec("fault-status-400"))
    found = {row["sample_id"]: row for row in project.rows("SELECT sample_id, error_kind, error FROM cases")}
    assert {name: row["error_kind"] for name, row in found.items()} == {
        **dict.fromkeys(("chained", "plain", "gathered", "handling", "repeated", "retried"), "bad_request"),
        "bug": "code",
    }
    said = {name: row["error"] for name, row in found.items()}
    refusal = said["repeated"].removeprefix("test_app.AppError: no luck: ")
    assert "fault 400" in refusal
    assert said["plain"] == f"test_app.AppError: no luck ({refusal})"
    assert said["gathered"] == f"test_app.AppError: none of 1 ({refusal})"
    assert said["handling"] == f"KeyError: 'gone' ({refusal})"
    assert said["bug"] == f"KeyError: 'gone'; before it a call had failed: {refusal}"
    assert said["retried"].startswith("tenacity.RetryError: RetryError[") and said["retried"].endswith(f" ({refusal})")
    assert "0x" not in said["retried"]
    result.stdout.fnmatch_lines(["E * test_app.AppError: no luck"])  # with its traceback


@pytest.mark.parametrize("transport", ["lean", "sdk"])
def test_a_call_that_breaks_before_it_is_sent_may_not_have_been_billed(project: Project, transport: str) -> None:
    """As where pytest-socket leaves no test a socket: it has ended, and was in flight no more."""
    project.eval(
        """
        def test_echo(model, sample, monkeypatch):
            def blocked(*args, **kwargs):
                raise RuntimeError("blocked")

            with monkeypatch.context() as patch:
                patch.setattr("socket.socket", blocked)
                try:
                    model.generate_sync()
                except Exception:
                    if sample.id == "told":
                        raise
        """,
        [{"id": "told", "input": "x"}, {"id": "caught", "input": "x"}],
    )
    project.run("evals", "--timeout-s=0.5", f"--llmeval-transport={transport}")
    told = "connections seem forbidden, by a test or an option (--disable-socket): RuntimeError: blocked"
    error = f"echo at 127.0.0.1:{project.server.port}: {told}; the call's 0.5 s are used up"
    assert project.rows("SELECT DISTINCT error_kind, error FROM cases") == [
        {"error_kind": "connection", "error": error}
    ]
    assert project.rows("SELECT DISTINCT status FROM calls") == [{"status": "connection"}]
    assert (len(project.server.ledger), project.last_run()["calls_cut_off"]) == (0, 0)


@pytest.mark.parametrize("workers", ["-n0", "-n1"])
def test_an_answer_that_cannot_be_read_for_a_bug_is_an_error_and_is_told(project: Project, workers: str) -> None:
    """Also where the body catches it; it may be paid for."""
    project.eval(
        """
        def test_echo(model):
            try:
                model.generate_sync()
            except Exception:
                pass
        """,
        [{"id": "a", "input": "x"}],
    )
    project.write(
        evals__conftest_py="""
            from pytest_llmeval.models.http import backend

            def broken(status):
                raise RuntimeError("a bug")

            backend.is_success = broken
        """
    )
    result = project.run("evals", workers, inside=False)
    (case,) = project.rows("SELECT error_kind, error FROM cases")
    assert (result.ret, case["error_kind"]) == (1, "code")
    assert "reading the answer broke: RuntimeError: a bug (broken, line " in case["error"]
    calls = project.rows("SELECT status, attempts, cost_usd FROM calls")
    assert calls == [{"status": "code", "attempts": 1, "cost_usd": None}]
    assert (len(project.server.ledger), project.last_run()["calls_cut_off"]) == (1, 0)
