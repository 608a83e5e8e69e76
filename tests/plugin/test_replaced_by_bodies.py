"""Cases that replace HTTP or the clock of the whole process by a package for that are alone: no other body sees it."""

import pytest

from tests.plugin.test_turns_of_bodies import turns
from tests.support.project import Project

REPLACES = """
import functools

active = []

class Replaced:
    def __enter__(self):
        active.append(self)

    def __exit__(self, *raised):
        active.pop()

    def __call__(self, test):
        @functools.wraps(test)
        async def decorated(*args, **kwargs):
            with self:
                return await test(*args, **kwargs)

        return decorated

mock = Replaced()
"""
"""As respx does it: what is asked meanwhile fails an assertion, whoever asks."""
BESIDE = """
        @pytest.mark.llmeval(ROWS)
        async def test_beside{number}(sample, model):
            for _ in range(20):
                await asyncio.sleep(0.005)
                assert not sys.modules["{package}"].active, "not mocked"
"""


@pytest.mark.parametrize("package", ["respx", "freezegun", "responses"])
def test_what_a_case_replaces_in_the_process_is_seen_by_no_other_body(
    project: Project, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    """By a decorator, in the body, by a module imported within it, and by a fixture that a plugin brings."""
    monkeypatch.setenv("PYTHONPATH", str(project.root / "site-packages"), prepend=":")
    beside = [BESIDE.format(number=number, package=package) for number in range(4)]
    project.write(
        **{
            f"site-packages__{package}_py": REPLACES,
            "site-packages__brings_py": f"""
            import {package}
            import pytest

            @pytest.fixture
            def replaced():
                with {package}.mock:
                    yield
            """,
        },
        evals__test_all_py=f"""
        import asyncio
        import sys

        import pytest
        import {package} as replacer
        from {package} import mock

        ROWS = [{{"id": each, "input": each}} for each in "ab"]

        async def sees(model):
            assert len(sys.modules["{package}"].active) == 1
            await model.generate()
            await asyncio.sleep(0.05)
            assert len(sys.modules["{package}"].active) == 1
{beside[0]}
        @pytest.mark.llmeval(ROWS)
        @mock
        async def test_decorated(sample, model):
            await sees(model)
{beside[1]}
        @pytest.mark.llmeval(ROWS)
        async def test_named(sample, model):
            with replacer.mock:
                await sees(model)
{beside[2]}
        @pytest.mark.llmeval(ROWS)
        async def test_imported(sample, model):
            import {package} as replacing

            with replacing.mock:
                await sees(model)
{beside[3]}
        @pytest.mark.llmeval(ROWS)
        async def test_fixture(sample, model, replaced):
            await sees(model)
        """,
    )
    result = project.run("evals", "-p", "no:xdist", "-p", "brings", inside=False)
    result.assert_outcomes(passed=16)
    told = [f"{package} is of the whole process: 6", "fixture 'replaced' is of the whole process: 2"]
    assert [each for each in told if each not in turns(result)] == []


def test_what_only_has_the_name_of_such_a_package_keeps_no_body_in_its_turn(project: Project) -> None:
    """A module of the project's own, and attributes; those of a helper of its own, too."""
    project.write(evals__responses_py="KNOWN = ['a']\n\nclass Known:\n    moto = vcr = KNOWN\n")
    project.eval(
        """
        async def test_echo(sample, model, score):
            import responses

            await model.generate()
            score.record("known", len(known.moto + known.vcr + responses.KNOWN + KNOWN))

        from responses import KNOWN, Known

        known = Known()
        """,
        [{"id": each, "input": each} for each in "abcd"],
    )
    assert turns(project.run("evals", "-p", "no:xdist", inside=False)).startswith("4 ran ahead")


def test_the_answers_of_a_model_are_no_package_that_replaces_http(project: Project) -> None:
    """``model.responses`` is an attribute of ours, and ``responses`` a package of that kind."""
    project.eval(
        """
        async def test_echo(sample, model, score):
            await model.generate()
            score.record("steps", len(model.responses))
        """,
        [{"id": each, "input": each} for each in "abcd"],
    )
    assert turns(project.run("evals", "-p", "no:xdist")).startswith("4 ran ahead")


@pytest.mark.parametrize(
    ("module", "taken", "told"),
    [
        ("pytest_django.fixtures", "settings", "fixture 'settings' is of the whole process: 2"),
        ("django.test.utils", "", "django.test.utils is of the whole process: 2"),
    ],
)
def test_settings_of_django_that_a_case_replaces_are_seen_by_no_other_body(
    project: Project, monkeypatch: pytest.MonkeyPatch, module: str, taken: str, told: str
) -> None:
    """The fixture of pytest-django, which names no package of that kind, and the decorator of Django's tests."""
    monkeypatch.setenv("PYTHONPATH", str(project.root / "site-packages"), prepend=":")
    fixture = "\n@__import__('pytest').fixture\ndef settings():\n    with mock:\n        yield\n" * bool(taken)
    package = module.partition(".")[0]
    path = module.replace(".", "__")
    installed = {f"{path}_py": REPLACES + fixture, f"{package}____init___py": ""}
    if path.count("__") == 2:
        installed["django__test____init___py"] = ""
    project.write(**{f"site-packages__{name}": text for name, text in installed.items()})
    use = f"from {module} import mock\n" if not taken else ""
    project.write(
        evals__test_all_py=f"""
        import asyncio
        import sys

        import pytest
        {use}
        ROWS = [{{"id": each, "input": each}} for each in "ab"]
{BESIDE.format(number=0, package=module)}
        @pytest.mark.llmeval(ROWS)
        {"" if taken else "@mock"}
        async def test_own(sample, model{", " + taken if taken else ""}):
            await asyncio.sleep(0.05)
            assert len(sys.modules["{module}"].active) == 1
{BESIDE.format(number=1, package=module)}
        """
    )
    loaded = ["-p", module] if taken else []
    result = project.run("evals", "-p", "no:xdist", *loaded, inside=False)
    result.assert_outcomes(passed=6)
    assert told in turns(result)
