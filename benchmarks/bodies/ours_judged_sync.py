"""This plugin: the response comes ahead of time, bodies that are not async let judge."""

import pytest


@pytest.mark.llmeval("rows.jsonl")
def test_echo(response, score):
    """Let one answer be judged."""
    score.judge_sync(response, rubric="qa")
