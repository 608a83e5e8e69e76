"""Prices that are known or not, and a model of another vendor."""

import pytest

from tests.support.anthropic_server import AnthropicServer
from tests.support.project import Project

ROWS = [{"id": str(number), "input": "yes", "target": "yes"} for number in range(8)]


def test_a_cost_rule_over_an_unknown_price_is_refused_before_any_call(project: Project) -> None:
    project.eval("def test_echo(response):\n    pass\n", ROWS)
    project.write(thresholds_yaml="version: 1\nsuites:\n  echo: {cost_usd: {max_total: 1.0}}\n")
    result = project.run("evals")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*thresholds.yaml:3: suites.echo.cost_usd: the price of model 'echo' is not known*"])
    assert project.server.ledger == []


def test_a_cost_rule_over_a_list_price_is_accepted(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
    project.eval("def test_echo(response):\n    pass\n", ROWS)
    project.write(thresholds_yaml="version: 1\nsuites:\n  echo: {cost_usd: {max_total: 1.0}}\n")
    assert project.run("evals", "--co", "-q", model="gpt-4o-mini").ret == 0
    assert project.run("evals", "--co", "-q", model="gpt-4o-mini-of-mine").ret == 4


def test_an_eval_asks_an_anthropic_model(pytester: pytest.Pytester) -> None:
    with AnthropicServer() as server:
        project = Project(pytester, server)
        project.eval("def test_echo(sample, response, score):\n    score.exact(response, sample.input)\n", ROWS)
        result = project.run("evals", model=server.spec("echo"))
        assert result.ret == 0, result.stdout.str()
    assert len(server.ledger) == len(ROWS)
    assert {case["model"] for case in project.rows("SELECT model FROM cases")} == {"echo"}
