"""Prices that are known or not, and a model of another vendor."""

import pytest

from tests.support.anthropic_server import AnthropicServer
from tests.support.nursery import Nursery
from tests.support.project import Project

ROWS = [{"id": str(number), "input": "yes", "target": "yes"} for number in range(8)]


def test_a_cost_rule_over_an_unknown_price_is_refused_before_any_call(project: Project) -> None:
    project.eval("def test_echo(response):\n    pass\n", ROWS)
    project.write(thresholds_yaml="version: 1\nsuites:\n  echo: {cost_usd: {max_total: 1.0}}\n")
    result = project.run("evals")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*thresholds.yaml:3: suites.echo.cost_usd: the price of model 'echo' is not known*"])
    assert project.server.ledger == []


@pytest.mark.parametrize("body", ["score.judge_sync(response, rubric='qa')", "score.exact(response, sample.target)"])
def test_a_cost_rule_over_the_unknown_price_of_a_judge_is_refused_where_one_is_asked(
    project: Project, body: str
) -> None:
    project.eval(f"def test_echo(sample, response, score):\n    {body}\n", ROWS)
    priced = f'echo: {{spec: "openai:echo@{project.server.url}", prices: {{input: 1, output: 1}}}}'
    project.write(
        models_yaml=f"models:\n  {priced}\n",
        thresholds_yaml="version: 1\nsuites:\n  echo: {cost_usd: {max_total: 1.0}}\n",
    )
    result = project.run("evals", f"--judge-model=openai:ju@{project.server.url}", model="echo")
    if "judge" in body:
        assert result.ret == 4
        result.stderr.fnmatch_lines(["*thresholds.yaml:3: suites.echo.cost_usd: the price of judge 'ju' is not known*"])
        assert project.server.ledger == []
    else:
        assert result.ret == 0


def test_a_broken_models_yaml_is_one_mistake(project: Project) -> None:
    """Which models there are is unknown then, not none."""
    project.eval("def test_echo(response):\n    pass\n", ROWS)
    rule = "version: 1\nsuites:\n  echo: {cost_usd: {max_total: 1.0, model: echo}}\n"
    project.write(models_yaml="models: {echo: {spce: x}}\n", thresholds_yaml=rule)
    result = project.run("evals")
    assert result.ret == 4
    told = result.stderr.str()
    assert "models.yaml:1: " in told
    assert "thresholds.yaml" not in told


def test_a_cost_rule_over_a_list_price_is_accepted(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
    project.eval("def test_echo(response):\n    pass\n", ROWS)
    project.write(thresholds_yaml="version: 1\nsuites:\n  echo: {cost_usd: {max_total: 1.0}}\n")
    assert project.run("evals", "--co", "-q", model="gpt-4o-mini").ret == 0
    assert project.run("evals", "--co", "-q", model="gpt-4o-mini-of-mine").ret == 4


def test_an_eval_asks_an_anthropic_model(pytester: pytest.Pytester, nursery: Nursery) -> None:
    with AnthropicServer() as server:
        project = Project(pytester, server, nursery)
        project.eval("def test_echo(sample, response, score):\n    score.exact(response, sample.input)\n", ROWS)
        result = project.run("evals", model=server.spec("echo"))
        assert result.ret == 0, result.stdout.str()
    assert len(server.ledger) == len(ROWS)
    assert {case["model"] for case in project.rows("SELECT model FROM cases")} == {"echo"}
