"""This plugin: async bodies that call the model themselves, then the judge."""

import pytest


@pytest.mark.llmeval("rows.jsonl")
async def test_echo(model, score):
    """Ask and let judge."""
    await score.judge(await model.generate(), rubric="qa")
