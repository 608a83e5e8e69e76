"""Evals of one score or none, and rows for them."""

from typing import Any

__all__ = ["EXACT", "PASS", "rows"]
PASS = "def test_echo(response):\n    pass\n"
EXACT = """
def test_echo(sample, response, score):
    score.exact(response, sample.target)
"""


def rows(*ids: str, **more: Any) -> list[dict[str, Any]]:
    return [{"id": each, "input": each, **more} for each in ids]
