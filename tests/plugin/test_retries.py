"""Retries as pytest-retry makes them: within the report of a body, with teardown, setup and body anew."""

import pytest

from tests.support.project import Project

ROWS = [{"id": "good", "input": "x"}, {"id": "flaky", "input": "x"}]
BODY = """
FAULTS = []

@pytest.fixture
def own():
    return []

@pytest.mark.llmeval("data/echo.jsonl")
{how}def test_echo(sample, model, own, score):
    answer = {ask}
    score.contains(answer, "x")
    own.append(answer)
    assert len(own) == 1
    if sample.id == "flaky":
        {fault}
"""
RETRY = """
import pytest

class Retry:
    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self, item, call):
        report = (yield).get_result()
        mark = item.get_closest_marker("flaky")
        if call.when != "call" or call.excinfo is None or mark.kwargs.get("condition") is False:
            return
        for _ in range(mark.kwargs["retries"]):
            nobody = pytest.Class.from_parent(item.session, name="Nobody")
            item.ihook.pytest_runtest_teardown(item=item, nextitem=nobody)
            report.outcome = "retried"
            item.ihook.pytest_runtest_logreport(report=report)
            item._initrequest()
            pytest.CallInfo.from_call(lambda: item.ihook.pytest_runtest_setup(item=item), when="setup")
            call = pytest.CallInfo.from_call(lambda: item.ihook.pytest_runtest_call(item=item), when="call")
            again = pytest.TestReport.from_item_and_call(item, call)
            report.outcome, report.longrepr = again.outcome, again.longrepr
            if again.passed:
                break

    def pytest_report_teststatus(self, report):
        return ("retried", "R", "RETRY") if report.outcome == "retried" else None

def pytest_configure(config):
    config.addinivalue_line("markers", "flaky(retries, condition)")
    config.pluginmanager.register(Retry(), "pytest-retry")

def pytest_collection_modifyitems(items):
    for item in items:
        item.add_marker(pytest.mark.flaky(retries=2))
"""
GATED = "version: 1\nsuites: {echo: {pass_rate: {min: 0.1}, settings: {max_error_rate: 0.9}}}\n"


@pytest.fixture(params=["sync", "async"])
def retried(project: Project, request: pytest.FixtureRequest) -> Project:
    project.eval("", ROWS)
    is_async = request.param == "async"
    body = BODY.replace("{how}", "async " if is_async else "")
    body = body.replace("{ask}", "await model.generate()" if is_async else "model.generate_sync()")
    project.write(conftest_py=RETRY, evals__test_echo_py=f"import pytest\n{body}")
    return project


def put(project: Project, fault: str) -> None:
    """Have the body of the row ``flaky`` end so; FAULTS is as long as there were attempts before."""
    path = project.root / "evals" / "test_echo.py"
    path.write_text(path.read_text().replace("{fault}", f"FAULTS.append(0); {fault}"))


def test_a_case_that_passes_a_retry_passed_on_the_answer_that_it_has(retried: Project, spread: list[str]) -> None:
    put(retried, "assert len(FAULTS) > 1 or 1 / 0")
    result = retried.run("evals", *spread)
    assert result.ret == 0, result.stdout.str()
    assert retried.cases() == {"good": "passed", "flaky": "passed"}
    assert len(retried.server.ledger) == 2
    assert len(retried.rows("SELECT * FROM calls")) == 2
    assert len(retried.rows("SELECT * FROM scores")) == 2


@pytest.mark.parametrize(
    ("fault", "found"),
    [
        ("assert len(FAULTS) < 2, 'late'; raise OSError('first')", ("missed", None, "late")),
        ("assert len(FAULTS) > 2, 'early'; raise OSError('last')", ("error", "code", "OSError: last")),
    ],
)
def test_what_the_last_attempt_came_to_counts(retried: Project, fault: str, found: tuple[str, str, str]) -> None:
    put(retried, fault)
    retried.run("evals", "-p", "no:xdist")
    (case,) = retried.rows("SELECT outcome, error_kind, error FROM cases WHERE sample_id = 'flaky'")
    assert (case["outcome"], case["error_kind"]) == found[:2]
    assert case["error"].startswith(found[2])


def test_a_miss_that_fails_nothing_is_not_tried_again(retried: Project, spread: list[str]) -> None:
    put(retried, "assert False, 'no'")
    retried.write(thresholds_yaml=GATED)
    result = retried.run("evals", *spread)
    assert result.ret == 0, result.stdout.str()
    assert result.parseoutcomes() == {"passed": 1, "missed": 1}
