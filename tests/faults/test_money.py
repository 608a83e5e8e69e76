"""What calls cost, and where the money ends (contract, sections 3 and 4; row C9)."""

import json
from typing import Any

import pytest

from tests.support.chat_bodies import completion
from tests.support.project import Project

ROWS = [{"id": f"r{n}", "input": f"q{n}"} for n in range(10)]
BODY = "def test_echo(sample, response):\n    assert response.text == sample.input\n"
# Seven tokens in and one out: one dollar a call.
PRICED = "models: {priced: {spec: '%s', prices: {input: 100000, output: 300000}}}\n"


@pytest.fixture
def priced(project: Project) -> Project:
    """A project whose calls cost a dollar each."""
    project.eval(BODY, ROWS)
    project.write(models_yaml=PRICED % project.model)
    project.model = "priced"
    return project


def test_calls_cases_and_runs_know_what_they_cost(priced: Project) -> None:
    priced.eval(
        "async def test_echo(sample, model):\n    await model.generate()\n    await model.generate('again')\n", ROWS[:3]
    )
    priced.write(thresholds_yaml="version: 1\nsuites: {echo: {cost_usd: {max_total: 6.0}}}\n")
    assert priced.run("evals").ret == 0
    assert [row["cost_usd"] for row in priced.rows("SELECT cost_usd FROM calls")] == pytest.approx(6 * [1.0])
    assert [row["cost_usd"] for row in priced.rows("SELECT cost_usd FROM cases")] == pytest.approx(3 * [2.0])
    found = priced.rows("SELECT value, verdict FROM verdicts WHERE metric = 'cost_usd' AND rule LIKE 'max_total%'")
    assert [(pytest.approx(6.0), "pass")] == [(row["value"], row["verdict"]) for row in found]
    priced.write(thresholds_yaml="version: 1\nsuites: {echo: {cost_usd: {max_total: 5.9}}}\n")
    assert priced.run("evals").ret == 1


@pytest.mark.parametrize(("limit", "calls"), [("3", 3), ("3.5", 3), ("1", 1), ("9.99", 9)])
def test_the_budget_lets_exactly_so_many_equal_calls_go(priced: Project, limit: str, calls: int) -> None:
    result = priced.run("evals", f"--max-cost={limit}")
    assert result.ret == 10
    assert len(priced.server.ledger) == calls
    found = priced.rows("SELECT outcome, error_kind, count(*) AS n FROM cases GROUP BY outcome ORDER BY outcome DESC")
    assert found == [
        {"outcome": "passed", "error_kind": None, "n": calls},
        {"outcome": "error", "error_kind": "budget", "n": 10 - calls},
    ]
    assert (priced.last_run()["status"], priced.last_run()["exit_code"]) == ("unmeasurable", 10)
    text = result.stdout.str()
    assert "without an answer: budget" in text
    assert "Traceback" not in text


def test_without_any_money_nothing_is_asked_that_costs_anything(priced: Project) -> None:
    """Not even the first call of a model, by which one would learn what a call costs."""
    result = priced.run("evals", "--max-cost=0")
    assert (result.ret, len(priced.server.ledger), set(priced.cases().values())) == (10, 0, {"error"})
    free = priced.root / "models.yaml"
    free.write_text(free.read_text("utf-8").replace("100000", "0").replace("300000", "0"), "utf-8")
    assert (priced.run("evals", "--max-cost=0").ret, len(priced.server.ledger)) == (0, len(ROWS))


def test_a_run_out_of_budget_is_no_baseline_though_something_failed_as_well(priced: Project) -> None:
    priced.write(tests__test_own_py="def test_own():\n    assert False\n")
    result = priced.run("evals", "tests", "--max-cost=4")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["continue with: pytest --resume *"])
    assert (priced.last_run()["status"], priced.last_run()["exit_code"]) == ("unmeasurable", 1)
    refused = priced.llmeval("baseline", "set", "main", "--even-red")
    assert refused.ret == 4
    assert "is unmeasurable" in refused.stderr.str()


def test_a_run_out_of_budget_is_nothing_to_compare_with(priced: Project) -> None:
    priced.write(thresholds_yaml="version: 1\nsuites: {echo: {pass_rate: {max_drop: 0.02}}}\n")
    assert priced.run("evals", "--max-cost=4").ret == 10
    result = priced.run("evals", "--baseline=last")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["ERROR: --baseline last: not a valid baseline: the calls of run * were stopped *"])
    assert len(priced.server.ledger) == 4


def test_the_budget_is_one_for_all_workers(priced: Project) -> None:
    result = priced.run("evals", "--max-cost=4", "-n2")
    assert result.ret == 10
    assert len(priced.server.ledger) == 4
    assert sorted(priced.cases().values()) == 6 * ["error"] + 4 * ["passed"]


def test_a_budget_that_suffices_changes_nothing(priced: Project, dist_args: list[str]) -> None:
    assert priced.run("evals", "--max-cost=10", *dist_args).ret == 0
    assert len(priced.server.ledger) == 10


def test_a_budget_of_nothing_makes_no_call_or_one_whose_price_was_not_seen(priced: Project) -> None:
    assert priced.run("evals", "--max-cost=0.5").ret == 10
    assert len(priced.server.ledger) <= 1


def test_a_run_out_of_budget_goes_on_with_more(priced: Project) -> None:
    """A resumed session may spend what it is given; what was answered is not paid again."""
    assert priced.run("evals", "--max-cost=4").ret == 10
    result = priced.run("evals", "--resume=last", "--max-cost=6", model="")
    assert result.ret == 0
    assert "after a rerun" not in result.stdout.str()  # the others had not run before
    assert len(priced.server.ledger) == 10
    assert priced.last_run()["status"] == "finished"


def test_cached_answers_take_nothing_from_the_budget(priced: Project) -> None:
    priced.run("evals")
    assert priced.run("evals", "--cache=use", "--max-cost=0").ret == 0
    assert len(priced.server.ledger) == 10


def test_a_budget_over_an_unknown_price_is_refused_before_any_call(project: Project, spread: list[str]) -> None:
    project.eval(BODY, ROWS)
    result = project.run("evals", "--max-cost=1", *spread)
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*--max-cost: the price of model 'echo' is not known; give its prices*"])
    result = project.run("evals", "--max-cost=1", *spread, model=project.server.spec("gpt-4o-mini"))
    told = "the price of model 'gpt-4o-mini' is not known at the address where it is asked, only at its vendor's own;"
    assert result.ret == 4 and told in result.stderr.str()
    assert project.server.ledger == []


def test_what_is_unknown_is_none_and_never_zero(project: Project) -> None:
    project.eval(BODY, ROWS[:1])
    project.run("evals")
    assert project.rows("SELECT cost_usd FROM cases") == [{"cost_usd": None}]


def test_the_embedded_model_costs_nothing_and_its_budget_is_accepted(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only listed: that no price is asked for is decided before any call."""
    monkeypatch.setattr("pytest_llmeval.bridge.config.model_choice.check_model", lambda *arguments: None)
    project.eval(BODY, ROWS)
    result = project.run("evals", "--co", "-q", "--max-cost=0", model="local:smollm2")
    assert result.ret == 0
    assert "these cases take 10 calls" in " ".join(result.stdout.str().split())
    assert "$0" in result.stdout.str()


def test_listing_says_what_the_cases_would_take(priced: Project) -> None:
    """The answers as long as the marker bounds them, else the model."""
    priced.eval(BODY, ROWS, marker="params={'max_completion_tokens': 2}")
    marked = priced.run("evals", "--co", "-q")
    priced.eval(BODY, ROWS)
    plain = priced.run("evals", "--co", "-q")
    priced.write(models_yaml=PRICED.replace("{spec", "{params: {max_tokens: 3}, spec") % priced.server.spec("echo"))
    bounded = priced.run("evals", "--co", "-q")
    for result, out in ((marked, "20 out"), (plain, "tokens out unknown"), (bounded, "30 out")):
        assert result.ret == 0
        told = " ".join(result.stdout.str().split())
        assert f"these cases take 10 calls, about 50 tokens in, {out}, " in told
        assert ("tokens out are unknown where params set no max_tokens" in told) == (result is plain)
    assert priced.server.ledger == []


def test_prompts_that_cannot_be_made_are_in_no_number_and_it_says_so(priced: Project) -> None:
    ask = "prompt=lambda sample: {'r1': pytest.skip, 'r2': {}.__getitem__}.get(sample.id, str)('say something')"
    priced.eval("def test_echo(response):\n    pass\n", ROWS, marker=ask)
    result = priced.run("evals", "--co", "-q")
    said = "suite echo: 2 of 10 prompts that were looked at raise KeyError, Skipped, and are not counted"
    assert result.ret == 0
    assert said in " ".join(result.stdout.str().split())
    assert said in " ".join(priced.llmeval("estimate", "evals", "--model=priced").stdout.str().split())


def test_an_estimate_learns_from_earlier_runs(priced: Project) -> None:
    """Two calls a case, one word each: what the first run took is what the second is told, and another model's run."""
    priced.eval(
        "async def test_echo(sample, model):\n"
        "    await model.generate()\n"
        "    await model.generate('all that an application knows of it ' * 20)\n",
        ROWS[:3],
    )
    spec = priced.server.spec("echo")
    priced.write(models_yaml=PRICED.replace("{priced", f"{{other: {{spec: '{spec}'}}, priced") % spec)
    arguments = ("estimate", "--json", "evals", "--model=priced")
    before = json.loads(priced.llmeval(*arguments).stdout.str())
    assert priced.server.ledger == []
    priced.run("evals")
    after = json.loads(priced.llmeval(*arguments).stdout.str())
    assert [(each["suite"], each["cases"]) for each in after] == [("echo", 3)]
    assert before[0]["estimate"]["calls"] == 3
    assert str(before[0]["caveat"]).startswith("one call of each case is counted where no run of its suite is stored")
    (took,) = priced.rows("SELECT sum(input_tokens) AS sent, sum(output_tokens) AS said FROM calls")
    assert (after[0]["estimate"]["calls"], after[0]["caveat"]) == (6, None)
    assert (after[0]["estimate"]["input_tokens"], after[0]["estimate"]["output_tokens"]) == (took["sent"], took["said"])
    (other,) = json.loads(priced.llmeval(*arguments[:-1], "--model=other").stdout.str())
    assert other["estimate"] == {
        "calls": 6,
        "input_tokens": took["sent"],
        "output_tokens": None,
        "cost_usd": None,
    }
    shown = priced.llmeval("estimate", "evals", "--model=priced")
    assert shown.ret == 0
    assert "together: 6 calls" in shown.stdout.str()
    assert len(priced.server.ledger) == 6


def test_prices_of_ones_own_are_used(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list of one's own, for a model that no shipped list knows."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none-0123456789")
    monkeypatch.setenv("OPENAI_BASE_URL", project.server.url)
    project.eval(BODY, ROWS[:2])
    assert project.run("evals", "--max-cost=5", model="mine").ret == 4
    project.write(prices_yaml="models: {openai: {mine: {input: 100000, output: 300000}}}\n")
    result = project.run("evals", "--max-cost=5", "--llmeval-prices=prices.yaml", model="mine")
    assert result.ret == 0, result.stderr.str()
    assert [row["cost_usd"] for row in project.rows("SELECT cost_usd FROM cases")] == pytest.approx([1.0, 1.0])


def test_answers_with_a_bound_never_cost_more_than_the_budget(priced: Project) -> None:
    """Also where the first one was cheap and many are in flight."""
    rows = [{"id": f"r{n}", "input": "q" if n == 0 else " ".join(["word"] * 20)} for n in range(12)]
    priced.eval("def test_echo(response):\n    pass\n", rows, marker='params={"max_tokens": 25}')
    assert priced.run("evals", "--max-cost=20").ret == 10
    (spent,) = priced.rows("SELECT sum(cost_usd) AS usd FROM calls")
    assert 0 < spent["usd"] <= 20


def test_a_row_that_is_too_dear_is_refused_alone(priced: Project) -> None:
    """A long prompt comes first, and what it may cost is more than may be spent: the rows behind it are asked."""
    rows = [{"id": "long", "input": "word " * 400}, *ROWS[:5]]
    priced.eval("def test_echo(response):\n    pass\n", rows, marker='params={"max_tokens": 5}')
    result = priced.run("evals", "--max-cost=20", "--max-connections=1")
    assert (result.ret, len(priced.server.ledger)) == (10, 5)
    assert priced.rows("SELECT sample_id, error_kind FROM cases WHERE outcome != 'passed'") == [
        {"sample_id": "long", "error_kind": "budget"}
    ]
    (found,) = priced.rows("SELECT error FROM cases WHERE outcome = 'error'")
    assert "may cost $51" in found["error"] and "max_tokens" in found["error"]
    assert priced.run("evals", "--resume=last", "--max-cost=200", model="").ret == 0
    assert len(priced.server.ledger) == 6


def test_a_call_that_came_to_nothing_is_paid_for_though_its_case_passed_later(priced: Project) -> None:
    """The filter takes the first answer to each row, of which the server tells the tokens."""
    seen: set[str] = set()

    def reply(messages: list[dict[str, Any]]) -> Any:
        text = messages[-1]["content"]
        finish = "stop" if text in seen else "content_filter"
        seen.add(text)
        return completion(text, finish=finish)

    priced.server.reply = reply
    priced.eval(BODY, ROWS[:2])
    assert priced.run("evals").ret == 1
    assert priced.rows("SELECT error_kind, cost_usd FROM cases") == 2 * [
        {"error_kind": "filtered", "cost_usd": pytest.approx(1.0)}
    ]
    result = priced.run("evals", "--resume=last", model="")
    assert result.ret == 0
    assert "2 answers, 14 tokens in, 2 out, cost $4.00" in " ".join(result.stdout.str().split())
    assert [row["cost_usd"] for row in priced.rows("SELECT cost_usd FROM cases")] == pytest.approx([1.0, 1.0])


def test_an_answer_that_was_broken_off_is_paid_for_too(priced: Project, spread: list[str]) -> None:
    """Each row is asked again and answered: two dollars a row, and the budget sees both before the next is asked."""
    seen: set[str] = set()

    def reply(messages: list[dict[str, Any]]) -> Any:
        text = messages[-1]["content"]
        again = text in seen
        seen.add(text)
        return completion(text, finish="stop" if again else "error")

    priced.server.reply = reply
    priced.eval(BODY, ROWS[:3])
    assert priced.run("evals", "--max-cost=7", *spread).ret == 0
    found = priced.rows("SELECT attempts, input_tokens, output_tokens, cost_usd FROM cases")
    assert found == 3 * [{"attempts": 2, "input_tokens": 7, "output_tokens": 1, "cost_usd": pytest.approx(2.0)}]
    seen.clear()
    assert priced.run("evals", "--max-cost=3.5", *spread).ret == 10
    assert len(priced.server.ledger) == 6 + 3
    told = priced.rows("SELECT error_kind, cost_usd, attempts FROM cases WHERE run_id = ?", priced.last_run()["id"])
    assert told == 3 * [{"error_kind": "budget", "cost_usd": pytest.approx(1.0), "attempts": 1}]


def test_an_answer_that_is_no_completion_costs_the_tokens_that_its_server_told(priced: Project) -> None:
    """A model that thinks, and then says nothing, has told what that took: no row is refused for want of money."""
    priced.server.reply = lambda messages: completion(None)
    priced.eval(BODY, ROWS[:3], marker='params={"max_tokens": 20}')
    assert priced.run("evals", "--max-cost=10").ret == 1
    assert priced.rows("SELECT error_kind, attempts, cost_usd FROM cases") == 3 * [
        {"error_kind": "malformed_response", "attempts": 2, "cost_usd": pytest.approx(1.4)}
    ]


def test_a_server_that_states_no_tokens_ends_a_session_with_a_budget(project: Project) -> None:
    project.eval("def test_echo(response):\n    pass\n", ROWS)
    project.write(models_yaml=PRICED % project.server.spec("fault-body-nousage"))
    result = project.run("evals", "--max-cost=5", model="priced")
    assert (result.ret, len(project.server.ledger)) == (10, 1)
    result.stdout.fnmatch_lines(["*a server did not say how many tokens*"])
    said = " ".join(result.stdout.str().split())
    assert "model priced: 1 answer, tokens in unknown, tokens out unknown, cost unknown" in said


def test_a_rule_on_tokens_says_that_the_server_states_none(project: Project) -> None:
    project.eval("def test_echo(response, score):\n    pass\n", ROWS[:2])
    project.write(thresholds_yaml="version: 1\nsuites: {echo: {output_tokens: {max: 9}}}\n")
    result = project.run("evals", model=project.server.spec("fault-body-nousage"))
    assert result.ret == 10
    said = " ".join(result.stdout.str().split())
    assert "; 2 of 2 answers came without token counts: have the server send its usage, or take the rule away" in said


def test_calls_that_wait_for_a_connection_do_not_go_once_money_has_run_out(project: Project) -> None:
    """They were booked before anybody knew; of those in flight the money is gone."""
    project.eval("def test_echo(response):\n    pass\n", [{"input": f"q{n}"} for n in range(40)])
    project.write(models_yaml=PRICED % project.server.spec("fault-body-nousage"))
    marked = 'params={"max_tokens": 1}'
    project.eval("def test_echo(response):\n    pass\n", [{"input": f"q{n}"} for n in range(40)], marker=marked)
    result = project.run("evals", "--max-cost=1000", "--max-connections=2", model="priced")
    assert result.ret == 10
    assert len(project.server.ledger) <= 4


@pytest.mark.parametrize("transport", ["lean", "sdk"])
def test_an_answer_that_is_no_http_may_be_paid_for(project: Project, transport: str) -> None:
    """The server has begun to answer: each attempt counts as much as it may have cost, here ten dollars."""
    marked = 'params={"max_tokens": 10}'
    project.eval("def test_echo(response):\n    pass\n", [{"input": f"q{n}"} for n in range(4)], marker=marked)
    project.write(models_yaml=PRICED % project.server.spec("fault-nohttp"))
    options = ["--max-connections=1", "--timeout-s=20", f"--llmeval-transport={transport}"]
    result = project.run("evals", "--max-cost=12", *options, model="priced")
    assert result.ret == 10
    assert {row["error_kind"] for row in project.rows("SELECT error_kind FROM cases")} == {"budget"}
    assert len(project.server.ledger) <= 4
