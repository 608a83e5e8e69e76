"""The syntax tree of code that Python compiles elsewhere."""

import ast
import warnings

__all__ = ["parsed"]


def parsed(source: str | bytes) -> ast.Module | None:
    """Return the syntax tree of ``source``; None where it is no Python.

    What Python warns of in it is not told here, where it names no file and, as an error, would hide the tree.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(source)
        except (SyntaxError, ValueError, RecursionError):
            return None
