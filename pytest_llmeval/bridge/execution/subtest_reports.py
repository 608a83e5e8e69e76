"""What pytest adds to the report of a subtest once it is made: a name, values and what was captured."""

import copy
from collections.abc import Callable
from typing import Any

from pytest_llmeval.core.text import one_line

__all__ = ["tidy_subtest"]

_LONGEST_NAME = 500


def tidy_subtest(report: Any, safe: Callable[[str], str]) -> None:
    """Make the texts of a subtest's report harmless with ``safe``; leave any other report as it is."""
    context = getattr(report, "context", None)
    if context is None or not hasattr(context, "msg"):
        return

    def named(text: object) -> str:
        return one_line(safe(str(text)), _LONGEST_NAME)

    tidied = copy.copy(context)  # made anew, it would quote the values once more
    object.__setattr__(tidied, "msg", context.msg if context.msg is None else named(context.msg))
    object.__setattr__(tidied, "kwargs", {named(key): named(value) for key, value in context.kwargs.items()})
    report.context = tidied
    report.sections = [(name, safe(text)) for name, text in report.sections]
