"""This plugin: bodies that call the model themselves."""

import pytest


@pytest.mark.llmeval("rows.jsonl")
async def test_echo(sample, model, score):
    """Ask and compare."""
    score.exact(await model.generate(), sample.target)
