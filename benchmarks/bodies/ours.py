"""This plugin: the response comes ahead of time."""

import pytest


@pytest.mark.llmeval("rows.jsonl")
def test_echo(sample, response, score):
    """Compare one answer."""
    score.exact(response, sample.target)
