"""This plugin: the response comes ahead of time, async bodies let judge."""

import pytest


@pytest.mark.llmeval("rows.jsonl")
async def test_echo(response, score):
    """Let one answer be judged."""
    await score.judge(response, rubric="qa")
