"""Rubrics that a test names in its code, read before any call is made."""

from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

from pytest_llmeval.bridge.collection.eval_code import JUDGING, judge_calls
from pytest_llmeval.core.errors import RubricError

__all__ = ["rubric_problems"]


def rubric_problems(
    function: Callable[..., Any], *, called: Collection[str], where: str, rootdir: Path, test_file: Path
) -> Iterator[str]:
    """Yield what is wrong with each rubric that ``function`` names by a literal or by a variable of its module.

    Args:
        function: the test.
        called: what it calls its scorers.
        where: how it is shown.
        rootdir: of the project.
        test_file: where it stands.
    """
    from pytest_llmeval.loaders.rubrics import load_rubric

    for method, given, rubric in judge_calls(function, called):
        if rubric is None:
            continue
        try:
            found = load_rubric(rubric, rootdir=rootdir, test_file=test_file)
            if method in JUDGING and "name" not in given:
                found.check_names(rubric)
        except RubricError as error:
            is_file = str(rubric).endswith((".yaml", ".yml"))
            yield str(error) if is_file else f"{where}: {error}"
