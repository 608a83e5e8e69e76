"""What subtests come to: their case and the status."""

import pytest

from tests.support.hostile import harmless
from tests.support.project import Project


@pytest.mark.parametrize("rules", ["", "version: 1\nsuites: {echo: {pass_rate: {min: 0.1}}}\n"])
def test_what_a_subtest_comes_to_its_case_comes_to(project: Project, rules: str, spread: list[str]) -> None:
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
    project.run("evals", *spread)
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


@pytest.mark.parametrize("rules", ["", "version: 1\nsuites: {echo: {pass_rate: {min: 0}}}\n"])
@pytest.mark.parametrize(("kind", "arguments"), [("def", ["-v"]), ("async def", ["-vv", "-rA", "-n2"])])
def test_what_names_a_subtest_is_harmless_and_no_secret(
    project: Project, monkeypatch: pytest.MonkeyPatch, rules: str, arguments: list[str], kind: str
) -> None:
    """As what it prints: pytest adds both to a report that is made."""
    pytest.importorskip("_pytest.subtests")
    secret = "sk-0123456789-abcdefghij"
    monkeypatch.setenv("OWN_API_KEY", secret)
    project.server.reply = lambda messages: "\x1b]0;owned\x07\n::set-output name=x::y\r##vso[task.complete]"
    project.eval(
        f"""
        {kind} test_echo(response, subtests):
            import os
            key = os.environ["OWN_API_KEY"]
            with subtests.test(f"{{response.text}} by {{key}}", url=f"http://u:pw@h/{{key}}", **{{response.text: 1}}):
                print(response.text, key)
                assert False
            with subtests.test(response, key=key):
                pass
        """,
        [{"id": name, "input": "x"} for name in "ab"],
    )
    project.write(test_plain_py="def test_plain(subtests):\n    with subtests.test('plain\\x1b'):\n        assert 0\n")
    if rules:
        project.write(thresholds_yaml=rules)
    result = project.run("evals", *arguments, "--junitxml=out.xml", "-o", "verbosity_subtests=2")
    out = result.stdout.str()
    harmless(out, (project.root / "out.xml").read_text("utf-8"))
    assert secret not in out and "u:pw" not in out
    assert "SUBMISSED" in out if rules else "SUBFAILED" in out
    assert "by ***" in out and "***@h" in out
    assert project.run("test_plain.py", "-v").stdout.str().count("[plain\x1b]") >= 1
