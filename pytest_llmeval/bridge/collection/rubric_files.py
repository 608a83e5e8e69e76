"""Rubrics that a test names in its code, read before any call is made."""

from collections.abc import Iterator

import pytest

from pytest_llmeval.bridge.casework.fixtures import is_ours
from pytest_llmeval.bridge.collection.eval_code import JUDGING, SCORE_NAMES, judge_calls
from pytest_llmeval.core.errors import RubricError

__all__ = ["rubric_problems"]


def rubric_problems(test: pytest.Function) -> Iterator[str]:
    """Yield what is wrong with each rubric that a test names by a literal or by a variable of its module."""
    from pytest_llmeval.loaders.rubrics import load_rubric

    called = [name for name in SCORE_NAMES if is_ours(test, name)]
    for method, given, rubric in judge_calls(test.function, called):
        if rubric is None:
            continue
        try:
            found = load_rubric(rubric, rootdir=test.config.rootpath, test_file=test.path)
            if method in JUDGING and "name" not in given:
                found.check_names(rubric)
        except RubricError as error:
            is_file = str(rubric).endswith((".yaml", ".yml"))
            yield str(error) if is_file else f"{test.nodeid}: {error}"
