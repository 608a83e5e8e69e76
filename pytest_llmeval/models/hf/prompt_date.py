"""The day that chat templates are told, so that tomorrow's prompts are today's."""

from collections.abc import Mapping
from typing import Any

__all__ = ["PINNED", "template_kwargs"]

PINNED: Mapping[str, str] = {
    **{"a": "Fri", "A": "Friday", "b": "Jul", "B": "July", "d": "26", "j": "208", "m": "07", "y": "24", "Y": "2024"},
    **{"H": "00", "I": "12", "M": "00", "S": "00", "p": "AM", "Z": ""},
    **{"F": "2024-07-26", "T": "00:00:00", "D": "07/26/24"},
    **{"c": "Fri Jul 26 00:00:00 2024", "x": "07/26/24", "X": "00:00:00"},
}
"""What each directive of ``strftime`` says of it, in English whatever the locale is.

Llama 3.2's template and others write today's date into every prompt; this is the day that Llama's falls back to.
"""


def template_kwargs() -> dict[str, Any]:
    """Return what a chat template is rendered with, wherever prompts are made, so that no prompt holds the date."""
    return {"date_string": f"{PINNED['d']} {PINNED['b']} {PINNED['Y']}"}
