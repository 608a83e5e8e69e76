"""Folders of evals that pytest was told to ignore: ``-m`` does not reach them, contract section 1."""

import pytest

from tests.support.project import OPTIONS, Project


@pytest.mark.parametrize(
    ("arguments", "conftest"),
    [
        (["--ignore=quality/evals"], ""),
        (["--ignore-glob=q*y", "-n2"], ""),
        ([], "collect_ignore = ['quality']"),
        ([], "collect_ignore_glob = ['quality/ev*']"),
        ([], "def pytest_ignore_collect(collection_path):\n    return collection_path.name == 'evals' or None"),
    ],
    ids=["ignore", "ignore-glob", "collect_ignore", "collect_ignore_glob", "hook"],
)
def test_m_reaches_no_evals_that_pytest_is_to_ignore(project: Project, arguments: list[str], conftest: str) -> None:
    """Neither them alone nor a folder that they lie in."""
    paths = "testpaths = tests\nllmeval_paths = quality/evals\n"
    project.write(tox_ini=f"[pytest]\n{OPTIONS}{paths}", tests__test_own_py="def test_own():\n    pass\n")
    project.write(conftest_py=conftest, tests__conftest_py="def pytest_ignore_collect():\n    return None\n")
    project.write(quality__evals__test_echo_py="import nowhere  # llmeval\n")
    result = project.run("-m", "regression", *arguments)
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED, result.stdout.str()
    assert "nowhere" not in result.stdout.str()


def test_a_conftest_of_another_folder_is_not_asked(project: Project) -> None:
    """Nor is one above that names other folders, or another one closer to the evals."""
    project.write(tox_ini=f"[pytest]\n{OPTIONS}testpaths = tests\n", tests__test_own_py="def test_own():\n    pass\n")
    project.write(
        conftest_py="collect_ignore = ['data']\n",
        tests__conftest_py="collect_ignore = ['evals']\n\ndef pytest_ignore_collect():\n    return True\n",
    )
    project.eval("@pytest.mark.regression\ndef test_echo(response):\n    pass\n", [{"input": "a", "id": "a"}])
    assert project.run("-m", "regression").ret == 0
    assert project.cases() == {"a": "passed"}
