"""The day that chat templates are told, so that tomorrow's prompts are today's."""

from datetime import datetime
from typing import Any

__all__ = ["PINNED_DATE", "template_kwargs"]

PINNED_DATE = datetime(2024, 7, 26)
"""Llama 3.2's template and others write today's date into every prompt; this is the day that Llama's falls back to."""


def template_kwargs() -> dict[str, Any]:
    """Return what a chat template is rendered with, wherever prompts are made, so that no prompt holds the date."""
    return {"date_string": f"{PINNED_DATE:%d %b %Y}"}
