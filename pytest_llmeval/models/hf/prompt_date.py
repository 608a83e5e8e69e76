"""A fixed date for chat templates, so that prompts are the same every day."""

from collections.abc import Mapping
from typing import Any

__all__ = ["PINNED", "template_kwargs"]

PINNED: Mapping[str, str] = {
    **{"a": "Fri", "A": "Friday", "b": "Jul", "B": "July", "d": "26", "j": "208", "m": "07", "y": "24", "Y": "2024"},
    **{"H": "00", "I": "12", "M": "00", "S": "00", "p": "AM", "Z": ""},
    **{"F": "2024-07-26", "T": "00:00:00", "D": "07/26/24"},
    **{"c": "Fri Jul 26 00:00:00 2024", "x": "07/26/24", "X": "00:00:00"},
}
"""Values of the ``strftime`` directives for the fixed date, in English whatever the locale.

Llama 3.2's template and others write today's date into every prompt; this date is the fallback in Llama's template.
"""


def template_kwargs() -> dict[str, Any]:
    """Return the arguments for rendering every chat template, so that no prompt contains today's date."""
    return {"date_string": f"{PINNED['d']} {PINNED['b']} {PINNED['Y']}"}
