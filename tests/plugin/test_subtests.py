"""What subtests come to: their case and the status."""

import pytest

from tests.support.project import Project


@pytest.mark.parametrize("rules", ["", "version: 1\nsuites: {echo: {pass_rate: {min: 0.1}}}\n"])
def test_what_a_subtest_comes_to_its_case_comes_to(project: Project, rules: str, dist_args: list[str]) -> None:
    """pytest goes on behind it, and calls the test as a whole passed."""
    pytest.importorskip("_pytest.subtests")
    project.eval(
        """
        def test_echo(sample, response, subtests):
            for part in "ab":
                with subtests.test(part=part):
                    if sample.id == "broken" and part == "a":
                        raise RuntimeError("boom")
                    assert part == "a" or sample.id == "good", "not good"
        """,
        [{"id": name, "input": "x"} for name in ("good", "missed", "broken")],
    )
    if rules:
        project.write(thresholds_yaml=rules)
    project.run("evals", *dist_args)
    assert project.cases() == {"good": "passed", "missed": "missed", "broken": "error"}


@pytest.mark.parametrize("sample", ["missed", "broken"])
def test_a_subtest_leaves_the_status_to_the_rules(project: Project, dist_args: list[str], sample: str) -> None:
    """Whether workers ran it or not: pytest calls its test failed as the report of the call is shown, and no sooner."""
    pytest.importorskip("_pytest.subtests")
    project.eval(
        """
        def test_echo(sample, response, subtests):
            with subtests.test("it"):
                if sample.id == "broken":
                    raise RuntimeError("boom")
                assert sample.id == "good", "not good"
        """,
        [{"id": name, "input": "x"} for name in ("good", sample)],
    )
    project.write(
        thresholds_yaml="version: 1\nsuites: {echo: {pass_rate: {min: 0.1}}}\ndefaults: {max_error_rate: 1}\n"
    )
    result = project.run("evals", *dist_args)
    assert project.rows("SELECT verdict FROM runs") == [{"verdict": "pass"}]
    assert result.ret == 0
