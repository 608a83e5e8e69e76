"""What happens when the ground gives way: the database goes, a price is not known."""

from tests.support.project import Project

ROWS = [{"id": str(number), "input": "yes", "target": "yes"} for number in range(5)]


def test_a_database_that_goes_ends_the_calls_and_the_run_is_unmeasurable(project: Project) -> None:
    project.eval(
        """
        def test_echo(sample, response):
            import os

            if sample.id == "1":
                os.unlink(".llmeval/llmeval.db")
        """,
        ROWS,
    )
    result = project.run("evals")
    assert result.ret == 10
    result.stdout.fnmatch_lines(["*the run broke off*llmeval.db*"])
    result.stdout.no_fnmatch_line("*Traceback*")
    assert len(project.server.ledger) < len(ROWS)


def test_a_cost_rule_over_an_unknown_price_is_refused_before_any_call(project: Project) -> None:
    project.eval("def test_echo(response):\n    pass\n", ROWS)
    project.write(thresholds_yaml="version: 1\nsuites:\n  echo: {cost_usd: {max_total: 1.0}}\n")
    result = project.run("evals")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*thresholds.yaml:3: suites.echo.cost_usd: the price of model 'echo' is not known*"])
    assert project.server.ledger == []
