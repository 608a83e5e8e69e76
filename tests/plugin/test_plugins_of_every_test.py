"""Plugins with a fixture for every test: where it does nothing for an eval, its bodies run ahead as without it."""

import pytest

from tests.plugin.test_turns_of_bodies import turns
from tests.support.project import Project

ROWS = [{"id": each, "input": each} for each in "abcd"]
RECORDING = """
import contextlib

import pytest

PLAYED = []

def pytest_addoption(parser):
    parser.addoption("--block-network", action="store_true", dest="block_network")

def pytest_configure(config):
    for name in ("vcr", "block_network"):
        config.addinivalue_line("markers", name)

@pytest.fixture
def vcr_markers(request, monkeypatch):
    return list(request.node.iter_markers(name="vcr"))

@pytest.fixture(autouse=True)
def block_network(request, vcr_markers):
    yield

@pytest.fixture(autouse=True)
def vcr(vcr_markers):
    PLAYED.extend(vcr_markers)
    yield PLAYED
    PLAYED.clear()
"""
"""A stand-in for pytest-recording."""
DJANGO = """
import pytest

OUTBOX = []

@pytest.fixture
def mailoutbox(_dj_autoclear_mailbox):
    return OUTBOX

@pytest.fixture(autouse=True)
def _dj_autoclear_mailbox():
    OUTBOX.clear()

@pytest.fixture(autouse=True, scope="class")
def _django_setup_unittest(request):
    yield

@pytest.fixture(autouse=True)
def _template_string_if_invalid_marker(monkeypatch, request):
    pass
"""
ECHO = "async def test_echo(sample, model{more}):\n    assert (await model.generate()).text == sample.input\n"


@pytest.fixture
def recorded(project: Project) -> Project:
    """A project where pytest-recording is installed, which four async bodies know nothing of."""
    project.write(pytest_recording__plugin_py=RECORDING)
    project.pytester.syspathinsert()
    project.eval(ECHO.format(more=""), ROWS)
    return project


def run(project: Project, *arguments: str) -> str:
    """Run the evals beside the plugin, and return what the summary says of async bodies."""
    result = project.run("evals", "-p", "pytest_recording.plugin", "-p", "no:xdist", *arguments)
    assert result.ret == 0, result.stdout.str()
    assert len(project.server.ledger) == len(ROWS)
    return turns(result)


def test_a_fixture_of_every_test_that_does_nothing_keeps_no_body_in_its_turn(recorded: Project) -> None:
    """What it alone asks for, such as ``monkeypatch``, neither."""
    assert run(recorded).startswith("4 ran ahead, 0 in their turn")


def test_a_case_that_asks_for_it_by_a_mark_is_alone(recorded: Project) -> None:
    """The cassette of one is no other's: none runs ahead while it is in its place."""
    rows = [{**row, "marks": ["vcr"]} if row["id"] == "b" else row for row in ROWS]
    body = """
    async def test_echo(sample, model):
        from pytest_recording.plugin import PLAYED

        assert len(PLAYED) == (sample.id == "b")
        assert (await model.generate()).text == sample.input
    """
    recorded.eval(body, rows)
    told = "(fixture 'block_network' is of the whole process: 1, first behind other tests: 1)"
    assert run(recorded).startswith(f"2 ran ahead, 2 in their turn {told}")


@pytest.mark.parametrize(
    ("more", "options", "told"),
    [
        (", vcr", [], "fixture 'vcr' is of the whole process: 4"),
        ("", ["--block-network"], "fixture 'block_network' is of the whole process: 4"),
        (", monkeypatch", [], "fixture 'monkeypatch' is of the whole process: 4"),
        (", vcr_markers", [], "fixture 'monkeypatch' of 'vcr_markers' is of the whole process: 4"),
    ],
    ids=["by its name", "by an option", "what it asks for", "what it asks for in between"],
)
def test_who_asks_for_it_keeps_its_turn(recorded: Project, more: str, options: list[str], told: str) -> None:
    recorded.eval(ECHO.format(more=more), ROWS)
    assert run(recorded, *options).startswith(f"0 ran ahead, 4 in their turn ({told})")


def test_a_fixture_of_the_project_by_that_name_is_not_taken_for_the_plugins(recorded: Project) -> None:
    recorded.write(conftest_py="import pytest\n\n@pytest.fixture(autouse=True)\ndef vcr():\n    yield\n")
    assert run(recorded).startswith("0 ran ahead, 4 in their turn (fixture 'vcr' is made for each test: 4)")


@pytest.mark.parametrize(
    ("more", "within", "told"),
    [
        ("", "", "4 ran ahead, 0 in their turn"),
        (", mailoutbox", "", "0 ran ahead, 4 in their turn (fixture '_dj_autoclear_mailbox' is of the whole process"),
        ("", "    sent()\n", "0 ran ahead, 4 in their turn (fixture '_dj_autoclear_mailbox' is of the whole process"),
    ],
    ids=["unread", "fixture", "helper"],
)
def test_a_mailbox_that_is_emptied_for_each_test_counts_where_it_is_read(
    project: Project, more: str, within: str, told: str
) -> None:
    project.write(pytest_django__plugin_py=DJANGO, mail_py="outbox = []\n")
    project.pytester.syspathinsert()
    project.eval(f"{ECHO.format(more=more)}{within}\ndef sent():\n    import mail\n    return mail.outbox\n", ROWS)
    result = project.run("evals", "-p", "pytest_django.plugin", "-p", "no:xdist")
    assert result.ret == 0, result.stdout.str()
    assert turns(result).startswith(told)


def test_what_playwright_keeps_of_soft_assertions_is_kept_of_the_right_test(project: Project) -> None:
    """pytest-playwright opens a scope for them around each test, of which the body hears by another package's name."""
    project.write(
        pytest_playwright__pytest_playwright_py="""
        import pytest

        @pytest.fixture(autouse=True)
        def _pw_trace_api_requests(request):
            pass

        def pytest_runtest_call():
            pass
        """,
        evals__test_pages_py=f"""
        import pytest
        from playwright.async_api import expect

        @pytest.mark.llmeval({ROWS})
        async def test_page(model):
            await model.generate()
            assert expect

        @pytest.mark.llmeval({ROWS})
        async def test_other(model):
            await model.generate()
        """,
    )
    project.pytester.syspathinsert()
    result = project.run("evals", "-p", "pytest_playwright.pytest_playwright", "-p", "no:xdist")
    assert result.ret == 0, result.stdout.str()
    plugin = "plugin 'pytest_playwright.pytest_playwright' may keep 'expect' for each test: 4"
    assert turns(result).startswith(f"4 ran ahead, 4 in their turn ({plugin})")


def test_the_fixture_through_which_a_test_has_what_keeps_its_turn_is_named(project: Project) -> None:
    """Whoever looks for the cause finds it in a conftest, and not in the test: be it behind another one."""
    project.write(
        conftest_py="""
        import pytest

        @pytest.fixture
        def patched(monkeypatch):
            return monkeypatch

        @pytest.fixture(autouse=True)
        def environment(patched):
            patched.setenv("MODE", "test")
        """
    )
    project.eval(ECHO.format(more=""), ROWS)
    told = "0 ran ahead, 4 in their turn (fixture 'monkeypatch' of 'environment' is of the whole process: 4)"
    assert turns(project.run("evals")).startswith(told)
