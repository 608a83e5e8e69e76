"""What an async body tells other plugins: it is taken for that body's own test, and for no other whose turn it is."""

import pytest

from tests.plugin.test_turns_of_bodies import turns
from tests.support.project import Project

ROWS = [{"id": f"r{n}", "input": f"say {n}", "target": str(n) if n != 5 else "zz"} for n in range(8)]
KEPT = """
import functools

FAILED = []

def check(is_right):
    if not is_right:
        FAILED.append("softly")

def checked(function):
    @functools.wraps(function)
    def kept(*values):
        check(function(*values))

    return kept

class Check:
    __call__ = staticmethod(check)

expect = Check()
"""
HOOKS = """
import pytest

def pytest_runtest_call():
    FAILED.clear()

@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(call):
    report = yield
    if call.when == "call" and FAILED:
        report.outcome, report.longrepr = "failed", FAILED.pop()
    return report
"""
BODY = """
{imports}

@pytest.mark.llmeval({rows})
async def test_soft(sample, model):
    {within}
    reply = await model.generate()
    {name}(sample.target in reply.text)
"""

HELPERS = "import softly.kept as softly\n\ndef look(value):\n    softly.check(value)\n"


def write(project: Project, imports: str = "", within: str = "", name: str = "check") -> None:
    """Write the eval, of whose rows one misses, and a plugin for soft assertions that is installed."""
    project.write(
        softly__kept_py=KEPT,
        softly__plugin_py="from softly.kept import FAILED\n" + HOOKS,
        evals__test_soft_py=BODY.format(imports=f"import pytest\n{imports}", rows=ROWS, within=within, name=name),
    )
    project.pytester.syspathinsert()


@pytest.mark.parametrize(
    ("imports", "within", "name"),
    [
        ("from softly.kept import check", "", "check"),
        ("from softly.kept import check as right", "", "right"),
        ("import softly.kept", "", "softly.kept.check"),
        ("from softly.kept import expect", "", "expect"),
        ("", "from softly.kept import check", "check"),
        ("import softly.kept as softly\n\n@softly.checked\ndef is_right(value):\n    return value", "", "is_right"),
        (f"{HELPERS}\ndef see(value):\n    look(value)", "", "see"),
    ],
    ids=["function", "renamed", "module", "object", "within", "decorated", "helpers"],
)
def test_a_soft_assertion_counts_for_its_own_test(project: Project, imports: str, within: str, name: str) -> None:
    write(project, imports, within, name)
    result = project.run("evals", "-p", "softly.plugin", "-p", "no:xdist")
    assert project.cases() == {row["id"]: "missed" if row["id"] == "r5" else "passed" for row in ROWS}
    assert turns(result).startswith("0 ran ahead, 8 in their turn (plugin 'softly.plugin' may keep '")
    result.assert_outcomes(passed=7, failed=1)


def test_a_soft_assertion_that_a_plugin_puts_into_pytest_counts_for_its_own_test(project: Project) -> None:
    write(project, name="pytest.assume")
    project.write(
        conftest_py="""
        import pytest
        import softly.kept

        def pytest_configure():
            pytest.assume = softly.kept.check

        def pytest_unconfigure():
            del pytest.assume
        """
    )
    project.run("evals", "-p", "softly.plugin", "-p", "no:xdist")
    assert project.cases() == {row["id"]: "missed" if row["id"] == "r5" else "passed" for row in ROWS}


def test_what_a_conftest_keeps_for_each_test_is_of_that_test(project: Project) -> None:
    """What else stands in its package, as the tests do, keeps no body in its turn."""
    (project.root / "evals").mkdir()
    (project.root / "evals" / "__init__.py").touch()
    write(project, "from evals.conftest import check\nfrom evals.beside import same", name="check")
    project.write(evals__conftest_py=KEPT + HOOKS, evals__beside_py="def same(value):\n    return value\n")
    ahead = BODY.format(imports="import pytest\nfrom evals.beside import same", rows=ROWS, within="", name="same")
    project.write(evals__test_ahead_py=ahead.replace("test_soft", "test_ahead"))
    result = project.run("evals", "-p", "no:xdist")
    assert turns(result).startswith("8 ran ahead, 8 in their turn (conftest 'evals.conftest' may keep 'check'")
    result.assert_outcomes(passed=15, failed=1)


def test_a_plugin_that_does_nothing_for_each_test_keeps_no_body_in_its_turn(project: Project) -> None:
    write(project, "from softly.kept import check")
    project.write(softly__plugin_py="def pytest_report_header():\n    return 'softly'\n")
    result = project.run("evals", "-p", "softly.plugin", "-p", "no:xdist")
    assert turns(result).startswith("8 ran ahead, 0 in their turn")


@pytest.mark.parametrize(
    ("imports", "draw"), [("import random", "random.random()"), ("from random import random", "random()")]
)
def test_what_a_plugin_seeds_for_each_test_is_seeded_for_it(project: Project, imports: str, draw: str) -> None:
    """By pytest-randomly, whose name this plugin has."""
    project.write(
        pytest_randomly_py="import random\n\ndef pytest_runtest_setup():\n    random.seed(1)\n",
        evals__test_drawn_py=f"""
        import pytest
        {imports}

        @pytest.mark.llmeval({ROWS})
        async def test_drawn(sample, model):
            await model.generate(f"{{{draw}}}")
        """,
    )
    project.pytester.syspathinsert()
    project.run("evals", "-p", "pytest_randomly", "-p", "no:xdist")
    asked = {entry.body["messages"][-1]["content"] for entry in project.server.ledger}
    assert len(project.server.ledger) == 8
    assert len(asked) == 1


@pytest.mark.parametrize("where", ["conftest", "testing/plugin", "testing/__init__"])
def test_an_application_whose_package_has_a_plugin_or_a_conftest_keeps_no_body_in_its_turn(
    project: Project, where: str
) -> None:
    """What a plugin keeps lies in its own package, which may lie within another, and a conftest's in the conftest."""
    project.write(
        acme__bot_py="def same(value):\n    return value\n",
        evals__test_soft_py=BODY.format(
            imports="import pytest\nfrom acme.bot import same", rows=ROWS, within="", name="same"
        ),
    )
    (project.root / "acme" / "testing").mkdir()
    for name in ("__init__", "testing/__init__", where):
        (project.root / "acme" / f"{name}.py").touch()
    (project.root / "acme" / f"{where}.py").write_text("def pytest_runtest_logreport():\n    pass\n")
    project.pytester.syspathinsert()
    plugin = f"acme/{where}".replace("/__init__", "").replace("/", ".")
    arguments = ["acme"] if where == "conftest" else ["-p", plugin]
    result = project.run("evals", *arguments, "-p", "no:xdist")
    assert turns(result).startswith("8 ran ahead, 0 in their turn")
