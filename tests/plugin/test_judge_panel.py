"""Several judges, several judgements: who is asked, what counts, what is kept."""

import json
from typing import Any

import pytest

from tests.support.judges import ROWS, Judged, Messages, scores, verdict
from tests.support.project import Project

EVAL = """
async def test_echo(sample, model, score):
    await score.judge(await model.generate(), rubric="qa", gates=False)
"""


def always(level: str) -> Any:
    return lambda messages: verdict(messages, level)


def panel(project: Project, judged_by: Judged, *replies: Any) -> tuple[list[Any], list[str]]:
    """Start judges ``a``, ``b`` and so on that reply as told; return their servers and the flags that name them."""
    names, servers = "abcde"[: len(replies)], [judged_by(reply) for reply in replies]
    specs = [f"  {name}: {{spec: 'openai:{name}@{server.url}'}}" for name, server in zip(names, servers, strict=True)]
    project.write(models_yaml="\n".join(["models:", *specs, ""]))
    return servers, [f"--judge-model={name}" for name in names]


def test_the_median_of_all_judges_counts_and_every_vote_is_kept(
    project: Project, judged_by: Judged, spread: list[str]
) -> None:
    servers, flags = panel(project, judged_by, verdict, always("right"), always("partly"))
    project.eval(EVAL, ROWS)
    result = project.run("evals", *flags, *spread)
    assert result.ret == 0, result.stdout.str()
    result.stdout.no_fnmatch_line("*split evenly*")
    assert scores(project) == {"good": (1.0, "panel"), "half": (0.5, "panel"), "bad": (0.5, "panel")}
    assert [len(server.ledger) for server in servers] == [3, 3, 3]
    votes = project.rows(
        "SELECT judge, repeat, value, level FROM votes JOIN cases ON cases.id = case_id"
        " WHERE sample_id = 'bad' AND name = 'correctness' ORDER BY judge"
    )
    assert [(row["judge"], row["repeat"], row["value"], row["level"]) for row in votes] == [
        ("a", 0, 0.0, "wrong"),
        ("b", 0, 1.0, "right"),
        ("c", 0, 0.5, "partly"),
    ]
    (reason,) = project.rows(
        "SELECT reason FROM scores JOIN cases ON cases.id = case_id WHERE sample_id = 'bad' AND name = 'correctness'"
    )
    assert reason["reason"].startswith("partly (a: wrong, b: right, c: partly)\na: It says no. So: wrong")
    assert json.loads(project.last_run()["judge_models"]) == ["a", "b", "c"]
    result.stdout.fnmatch_lines(["judge panel: its 3 judges differed in 3 of 3 answers (100%, *"])


def test_each_judged_text_of_a_case_is_an_answer(project: Project, judged_by: Judged) -> None:
    """The more of them a case had, the more often the judges seemed to differ."""
    _, flags = panel(project, judged_by, verdict, always("right"), always("right"))
    project.eval(
        """
        async def test_echo(sample, model, score):
            await score.judge(await model.generate(), rubric="qa", gates=False)
            await score.judge("no", rubric="qa", name="draft", gates=False)
        """,
        [{"id": "a", "input": "yes", "target": "yes"}],
    )
    result = project.run("evals", *flags, "--llmeval-judge-probe=1")
    result.stdout.fnmatch_lines(
        [
            "judge panel: its 3 judges differed in 1 of 2 answers (50%, *",
            "judge a: 2 answers judged twice, 0 verdicts differed *",
        ]
    )


def test_who_is_on_the_panel_is_kept_with_the_rubric(project: Project, judged_by: Judged) -> None:
    servers, flags = panel(project, judged_by, verdict, verdict, verdict)
    project.eval(EVAL, ROWS)
    project.run("evals", *flags)
    (row,) = project.rows("SELECT * FROM judges")
    detail = json.loads(row["detail"])
    assert row["rubric"] == "qa"
    assert [dimension["name"] for dimension in detail["rubric"]["dimensions"]][0] == "correctness"
    assert [spec for spec, _ in detail["judges"]] == [
        f"openai:{n}@{s.url}" for n, s in zip("abc", servers, strict=True)
    ]
    assert detail["how"] == {"panel": "all"}
    assert {each["judge_id"] for each in project.rows("SELECT judge_id FROM scores")} == {row["judge_id"]}
    project.run("evals", *flags[:1])
    assert len({each["judge_id"] for each in project.rows("SELECT judge_id FROM judges")}) == 2


@pytest.mark.parametrize(
    ("mode", "same", "other"), [("all", ["abc", "cab", "bca"], []), ("escalate", ["abc", "acb"], ["bac"])]
)
def test_the_order_of_judges_matters_only_for_who_is_asked_alone(
    project: Project, judged_by: Judged, mode: str, same: list[str], other: list[str]
) -> None:
    """Else two runs by the same panel could not be compared, nor labels of the one count for the other."""
    panel(project, judged_by, verdict, verdict, verdict)
    project.eval(EVAL, ROWS[:1])
    for names in (*same, *other):
        assert (
            project.run("evals", *(f"--judge-model={name}" for name in names), f"--llmeval-judge-panel={mode}").ret == 0
        )
    rows = project.rows("SELECT judge_id, detail FROM judges JOIN runs ON id = run_id ORDER BY started_at")
    assert len(rows) == len(same + other)
    found = [(row["judge_id"], row["detail"]) for row in rows]
    assert len(set(found[: len(same)])) == 1 and len(set(found)) == 1 + len(other)


def test_others_are_asked_only_where_the_first_is_unsure(project: Project, judged_by: Judged) -> None:
    servers, flags = panel(project, judged_by, verdict, always("right"), always("right"))
    project.eval(EVAL, ROWS)
    assert project.run("evals", *flags, "--llmeval-judge-panel=escalate").ret == 0
    assert [len(server.ledger) for server in servers] == [3, 1, 1]
    assert scores(project) == {"good": (1.0, "a"), "half": (1.0, "panel"), "bad": (0.0, "a")}


def test_a_panel_that_is_split_evenly_is_an_error_and_no_value(
    project: Project, judged_by: Judged, spread: list[str]
) -> None:
    """Its votes are kept: without them judges would seem to agree wherever they count."""

    def messy(messages: Messages) -> str:
        return verdict(messages, format={"reason": "So: bad", "verdict": "bad"})

    _, flags = panel(project, judged_by, verdict, messy)
    project.eval(EVAL, ROWS[:1])
    result = project.run("evals", *flags, *spread)
    told = "2 judges: where they are split evenly the case is an error; name an odd number"
    result.stdout.fnmatch_lines([f"llmeval: {told}", "*= llmeval =*", f"note: {told[:60]}*"])
    (case,) = project.rows("SELECT error_kind, error FROM cases")
    assert case["error_kind"] == "judge"
    assert case["error"].startswith("the panel is split evenly on format: a says good, b says bad; an odd number")
    kept = project.rows("SELECT name, value, passed, status, reason, decided_by FROM scores ORDER BY name")
    assert [row["name"] for row in kept] == ["completeness", "correctness", "format", "qa"]
    assert {(row["value"], row["passed"], row["status"], row["decided_by"]) for row in kept} == {
        (None, None, "error", "panel")
    }
    assert {row["reason"] for row in kept} == {case["error"]}
    assert votes_of(project, "format") == [("a", "good"), ("b", "bad")]
    assert votes_of(project, "correctness") == [("a", "right"), ("b", "right")]
    result.stdout.fnmatch_lines(["judge panel: its 2 judges differed in 1 of 1 answer (100%, *"])
    project.run("evals", *flags, "--resume", "last", *spread)
    assert [row["error_kind"] for row in project.rows("SELECT error_kind FROM cases")] == ["judge"]
    assert votes_of(project, "format") == [("a", "good"), ("b", "bad")]


def votes_of(project: Project, name: str) -> list[tuple[str, str]]:
    """Return who said what in the last run."""
    rows = project.rows(
        "SELECT judge, level FROM votes JOIN cases ON cases.id = case_id WHERE name = ? AND run_id = ? ORDER BY judge",
        name,
        project.last_run()["id"],
    )
    return [(row["judge"], row["level"]) for row in rows]


def test_a_body_that_goes_on_after_a_split_panel_may_judge_again(project: Project, judged_by: Judged) -> None:
    """As before its votes were kept: the error stays that of the judge, and what was judged then has its score."""
    _, flags = panel(project, judged_by, verdict, always("right"))
    project.eval(
        """
        async def test_echo(sample, model, score):
            from pytest_llmeval.core.errors import JudgeError

            try:
                await score.judge(await model.generate(), rubric="qa", gates=False)
            except JudgeError:
                await score.judge(sample.target, rubric="qa", gates=False)
        """,
        ROWS[2:],
    )
    project.run("evals", *flags)
    assert [row["error_kind"] for row in project.rows("SELECT error_kind FROM cases")] == ["judge"]
    assert scores(project) == {"bad": (1.0, "panel")}


def test_a_judge_that_fails_is_missed_loudly(project: Project, judged_by: Judged) -> None:
    """A panel of three is never one of two; what the others said is kept, and paid once."""
    servers, flags = panel(project, judged_by, verdict, verdict, lambda messages: "no idea")
    project.eval(EVAL, ROWS[:1])
    project.run("evals", *flags)
    (case,) = project.rows("SELECT error_kind, error FROM cases")
    assert (case["error_kind"], case["error"].partition(":")[0]) == ("judge", "judge c")
    assert not project.rows("SELECT * FROM scores")
    calls = project.rows("SELECT model FROM calls WHERE role = 'judge' AND status = 'ok'")
    assert sorted(call["model"] for call in calls) == ["a", "b", "c", "c", "c"]


def test_each_judge_has_a_name_of_its_own(project: Project, judged_by: Judged) -> None:
    _, flags = panel(project, judged_by, verdict)
    project.eval(EVAL, ROWS[:1])
    result = project.run("evals", *flags, *flags)
    assert result.ret == 4
    result.stderr.fnmatch_lines(["ERROR: --judge-model: two judges are called 'a'; give one of them another name*"])
    assert not project.server.ledger


def test_a_judge_has_one_vote_by_whatever_names(project: Project, judged_by: Judged) -> None:
    """Else it would be the majority whatever a third one says; with other parameters it is another judge."""
    server = judged_by(verdict)
    written = "models:\n  a: {{spec: 'openai:x@{url}'}}\n  b: {{spec: 'openai:x@{url}/', params: {{{params}}}}}\n"
    project.write(models_yaml=written.format(url=server.url, params=""))
    project.eval(EVAL, ROWS[:1])
    flags = ["--judge-model=a", "--judge-model=b"]
    result = project.run("evals", *flags)
    assert (result.ret, len(project.server.ledger)) == (4, 0)
    result.stderr.fnmatch_lines(["ERROR: --judge-model: 'a' and 'b' are one model with the same parameters, whose*"])
    assert project.run("evals", "--judge-model=a", f"--judge-model=openai:x@{server.url}").ret == 4
    project.write(models_yaml=written.format(url=server.url, params="temperature: 0"))  # as it is anyway
    assert project.run("evals", *flags).ret == 4
    project.write(models_yaml=written.format(url=server.url, params="temperature: 0.5"))
    assert project.run("evals", *flags).ret == 0
    assert sorted(entry.body["temperature"] for entry in server.ledger) == [0, 0.5]


def test_a_share_of_the_answers_is_judged_twice_and_only_the_first_counts(
    project: Project, judged_by: Judged, spread: list[str]
) -> None:
    seen: dict[str, str] = {}

    def fickle(messages: Messages) -> str:
        """Change its mind about one answer, whichever judgement it is asked for first."""
        text = messages[1]["content"]
        if "> maybe" in text and seen.setdefault("first", text) != text:
            return verdict(messages, "right")
        return verdict(messages)

    (server,), flags = panel(project, judged_by, fickle)
    project.eval(EVAL, ROWS)
    result = project.run("evals", *flags, "--llmeval-judge-probe=1", "--max-connections=1", *spread)
    assert result.ret == 0, result.stdout.str()
    assert len(server.ledger) == 6
    votes = project.rows("SELECT repeat, count(*) AS n FROM votes WHERE name = 'correctness' GROUP BY repeat")
    assert [(row["repeat"], row["n"]) for row in votes] == [(0, 3), (1, 3)]
    assert {who for _, who in scores(project).values()} == {"a"}
    result.stdout.fnmatch_lines(["judge a: 3 answers judged twice, 1 verdict differed (33%*"])
    project.run("evals", *flags, "--cache=use", "--llmeval-judge-probe=1", *spread)
    assert len(server.ledger) == 6  # what was judged twice is found again, too


def test_a_repeated_judgement_that_fails_harms_nothing(project: Project, judged_by: Judged) -> None:
    """The verdicts that count are there already; only the repeated judgements are asked for, in vain."""
    servers, flags = panel(project, judged_by, verdict, verdict)
    project.eval(EVAL, ROWS[:1])
    assert project.run("evals", *flags).ret == 0
    for server in servers:
        server.reply = lambda messages: "?"
    result = project.run("evals", *flags, "--cache=use", "--llmeval-judge-probe=1")
    assert result.ret == 0, result.stdout.str()
    assert project.cases() == {"good": "passed"}
    assert [len(server.ledger) for server in servers] == [1 + 3] * 2
    votes = project.rows(
        "SELECT judge, repeat FROM votes JOIN cases ON cases.id = case_id WHERE run_id = ? AND name = 'correctness'",
        project.last_run()["id"],
    )
    assert sorted((row["judge"], row["repeat"]) for row in votes) == [("a", 0), ("b", 0)]


def test_each_dimension_is_asked_about_alone_on_request(project: Project, judged_by: Judged) -> None:
    def alone(messages: Messages) -> str:
        whole = json.loads(verdict(messages))
        asked = [name for name in whole if f"\n{name}: " in messages[0]["content"]]
        return json.dumps({**{name: whole[name] for name in asked}, "nonce": whole["nonce"]})

    (server,), flags = panel(project, judged_by, alone)
    project.eval(EVAL.replace("gates=False", "gates=False, per_dimension=True"), ROWS)
    assert project.run("evals", *flags).ret == 0
    assert len(server.ledger) == 9
    assert scores(project) == {"good": (1.0, "a"), "half": (0.5, "a"), "bad": (0.0, "a")}
    assert scores(project, "qa") == {"good": (1.0, "a"), "half": (0.75, "a"), "bad": (0.5, "a")}
    (row,) = project.rows("SELECT detail FROM judges")
    assert json.loads(row["detail"])["how"] == {"per_dimension": True}


PREFER = """
async def test_echo(sample, model, score):
    await score.prefer(await model.generate(), "other", rubric="qa")
"""


def first_is_better(messages: Messages) -> str:
    return _preferred(messages, "first" if "BEGIN FIRST ANSWER" in messages[1]["content"] else "tie")


def own_is_better(messages: Messages) -> str:
    text = messages[1]["content"]
    return _preferred(messages, "second" if text.rindex("> other") < text.rindex("> yes") else "first")


def _preferred(messages: Messages, level: str) -> str:
    nonce = messages[1]["content"].partition("BEGIN FIRST ANSWER ")[2].partition("\n")[0]
    names = ("correctness", "completeness", "format")
    return json.dumps({**{name: {"reason": "x", "verdict": level} for name in names}, "nonce": nonce})


def test_a_panel_prefers_by_its_median(project: Project, judged_by: Judged) -> None:
    servers, flags = panel(project, judged_by, own_is_better, first_is_better, own_is_better)
    project.eval(PREFER, [{"id": "one", "input": "yes", "target": "?"}])
    result = project.run("evals", *flags)
    assert result.ret == 0
    disagreed = {"a": 0, "b": 1, "c": 0}
    result.stdout.fnmatch_lines([f"judge {each}: the orders disagreed in {disagreed[each]} of 1 *" for each in "abc"])
    assert scores(project, "qa_preference") == {"one": (1.0, "panel")}
    votes = project.rows("SELECT judge, value, level FROM votes ORDER BY judge")
    assert [(row["judge"], row["value"], row["level"]) for row in votes] == [
        ("a", 1.0, "a"),
        ("b", 0.5, "neither"),
        ("c", 1.0, "a"),
    ]
    assert [len(server.ledger) for server in servers] == [2, 2, 2]


def always_first(messages: Messages) -> str:
    return _preferred(messages, "first")


def test_orders_that_disagree_let_the_others_be_asked(project: Project, judged_by: Judged) -> None:
    """A judge that always answers first says nothing."""
    servers, flags = panel(project, judged_by, always_first, own_is_better, own_is_better)
    project.eval(PREFER, [{"id": "one", "input": "yes", "target": "?"}])
    assert project.run("evals", *flags, "--llmeval-judge-panel=escalate").ret == 0
    assert scores(project, "qa_preference") == {"one": (1.0, "panel")}
    assert [len(server.ledger) for server in servers] == [2, 2, 2]


def test_orders_that_agree_let_nobody_else_be_asked(project: Project, judged_by: Judged) -> None:
    servers, flags = panel(project, judged_by, own_is_better, always_first, always_first)
    project.eval(PREFER, [{"id": "one", "input": "yes", "target": "?"}])
    assert project.run("evals", *flags, "--llmeval-judge-panel=escalate").ret == 0
    assert scores(project, "qa_preference") == {"one": (1.0, "a")}
    assert [len(server.ledger) for server in servers] == [2, 0, 0]


@pytest.mark.parametrize(("other", "said"), [("tie", "neither"), ("other", "b")])
def test_a_panel_that_is_split_evenly_prefers_nothing(
    project: Project, judged_by: Judged, other: str, said: str
) -> None:
    """No value is made up between two votes."""
    flip = {"first": "second", "second": "first"}

    def differs(messages: Messages) -> str:
        own = json.loads(own_is_better(messages))["correctness"]["verdict"]
        return _preferred(messages, "tie" if other == "tie" else flip[own])

    _, flags = panel(project, judged_by, own_is_better, differs)
    project.eval(PREFER, [{"id": "one", "input": "yes", "target": "?"}])
    result = project.run("evals", *flags)
    (case,) = project.rows("SELECT error_kind, error FROM cases")
    assert case["error_kind"] == "judge"
    (kept,) = project.rows("SELECT name, value, passed, status, decided_by FROM scores")
    assert tuple(kept.values()) == ("qa_preference", None, None, "error", "panel")
    assert votes_of(project, "qa_preference") == [("a", "a"), ("b", said)]
    result.stdout.fnmatch_lines(["judge panel: its 2 judges differed in 1 of 1 answer (100%, *"])
    assert case["error"].startswith(
        f"the panel is split evenly on qa_preference: a says a, b says {said}; an odd number of judges"
    )


def test_an_even_panel_that_agrees_prefers(project: Project, judged_by: Judged) -> None:
    _, flags = panel(project, judged_by, own_is_better, own_is_better)
    project.eval(PREFER, [{"id": "one", "input": "yes", "target": "?"}])
    assert project.run("evals", *flags).ret == 0
    assert scores(project, "qa_preference") == {"one": (1.0, "panel")}
